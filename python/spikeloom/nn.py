# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The class exists only where PyTorch does, so it is made when somebody asks for it.
"""Compiled networks as layers of PyTorch models: ``spikeloom.nn.Module``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pytorch.layer import Module as Module


def __getattr__(name: str) -> Any:
    """Import the layer, and PyTorch with it, when it is used first."""
    if name != "Module":
        raise AttributeError(f"module 'spikeloom.nn' has no attribute '{name}'")
    from .pytorch import require

    require.torch()
    from .pytorch.layer import Module

    return Module
