# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Importers: models of other tools as text of the snn dialect."""

from .model import Array, Model, check, load_onnx
from .problems import ImportFailed, Problem, Source

__all__ = ["Array", "ImportFailed", "Model", "Problem", "Source", "check", "load_onnx"]
