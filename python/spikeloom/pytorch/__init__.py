# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# PyTorch is optional: nothing of this package imports it before a function needs it.
"""The bridge to PyTorch: models in, weights back, and compiled networks as layers."""

from .export import from_torch
from .weights import to_torch

__all__ = ["from_torch", "to_torch"]
