# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch, where it is installed."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..errors import UserError


def torch() -> ModuleType:
    """Return the module ``torch``.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise UserError(
            f"PyTorch cannot be imported in this environment ({error}); type: pip install torch onnxscript"
        ) from error
