# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of convolutions, pooling and other layers on features against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from feature_models import NETS
from spiking_models import relative_error, run_pipeline

pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", NETS)
def test_every_gradient(name: str, tmp_path) -> None:
    net, output = NETS[name]()
    loss, gradients = net.torch_gradients(output)
    pipeline = (
        "builtin.module(func.func(snn-prepare-layers{train=true},snn-choose-events),"
        f"snn-training-step{{surrogate=fast_sigmoid:{net.slope}}},"
        "func.func(snn-fuse-time-sums),canonicalize,cse,snn-verify-encoding)"
    )
    inputs = {"x": net.x, "labels": net.labels, **net.values, **net.statistics}
    results = run_pipeline(net.mlir(output), pipeline, tmp_path, inputs)
    assert results["loss"] == pytest.approx(loss, rel=1e-5)
    for parameter, expected in gradients.items():
        assert np.linalg.norm(expected) > 0, f"{parameter}: a gradient of zero tests nothing"
        assert relative_error(results[f"{parameter}.grad"], expected) < TOLERANCE, parameter
    for statistic, expected in net.moved.items():
        np.testing.assert_allclose(results[statistic], expected, rtol=1e-5, atol=1e-6, err_msg=statistic)
