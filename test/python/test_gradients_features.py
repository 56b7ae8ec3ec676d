# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of convolutions, pooling and other layers on features against PyTorch's."""

from __future__ import annotations

import pytest

from feature_models import NETS, gradient_errors

pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", NETS)
def test_every_gradient(name: str, tmp_path) -> None:
    for what, error in gradient_errors(name, tmp_path).items():
        assert error < TOLERANCE, what
