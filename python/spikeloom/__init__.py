# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Spikeloom: sparse and spiking networks compiled for processors made of many small tiles."""

from . import nn
from .compiler import compile
from .encoding import Encoding
from .errors import Defect, UsageError, UserError
from .fitting import EpochResult
from .models import Model, load
from .onnx_export import export_onnx
from .options import SGD, Adam, AdamW, Events, Gradients, Training
from .pytorch import from_torch, to_torch
from .results import StepResult, VjpResult
from .session import Program, Session
from .version import __version__

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Defect",
    "Encoding",
    "EpochResult",
    "Events",
    "Gradients",
    "Model",
    "Program",
    "Session",
    "StepResult",
    "Training",
    "UsageError",
    "UserError",
    "VjpResult",
    "__version__",
    "compile",
    "export_onnx",
    "from_torch",
    "load",
    "nn",
    "to_torch",
]
