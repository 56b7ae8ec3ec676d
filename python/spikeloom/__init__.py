# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Spikeloom: sparse and spiking networks compiled for processors made of many small tiles."""

from .compiler import compile
from .errors import Defect, UsageError, UserError
from .models import Model, load
from .options import SGD, Adam, AdamW, Events, Training
from .session import Program, Session, StepResult
from .version import __version__

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Defect",
    "Events",
    "Model",
    "Program",
    "Session",
    "StepResult",
    "Training",
    "UsageError",
    "UserError",
    "__version__",
    "compile",
    "load",
]
