# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Importers: models of other tools as text of the snn dialect."""

from .model import Array, Model, check, load_onnx
from .nir_conventions import NirOptions
from .nir_model import load_model, load_nir
from .problems import ImportFailed, Problem, Source

__all__ = ["Array", "ImportFailed", "Model", "NirOptions", "Problem", "Source", "check", "load_model", "load_nir",
           "load_onnx"]
