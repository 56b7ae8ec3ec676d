# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The measuring rod at its full size: 2312-1466-1466-10, T 100, B 48. Gradients against PyTorch's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from engines import Lists, Prepared, Sibling
from siblings import lif

from spiking_models import Net, relative_error, torch_gradients

pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

# Full lists of 1466 neurons need more tile memory than any IPU has; the numbers do not depend on it.
ROOMY = Path(__file__).parent / "machines" / "roomy.json"


def rod() -> Net:
    """Weights on a grid of 1/64, so that currents are exact in any order; neurons fire at a few percent."""
    net = Net(lif(1466, 1466, 10, reset_time="delayed"), inputs=2312, batch=48, steps=100, slope=10.0, seed=60)
    rng = np.random.default_rng(61)
    for name, deviation in (("fc0.weight", 0.07), ("fc1.weight", 0.04), ("fc2.weight", 0.05)):
        drawn = rng.normal(0, deviation, net.values[name].shape)
        net.values[name] = (np.round(drawn * 64) / 64).astype(np.float32)
    net.x = (rng.random(net.x.shape) < 32 / 2312).astype(np.float32)
    return net


@pytest.mark.parametrize(
    ("lists", "machine"), [(None, ROOMY), (Lists(activity=0.05, near=0.9, inputs=32), "bow")], ids=["dense", "lists"]
)
def test_every_gradient_of_the_rod(lists: Lists | None, machine: str | Path, tmp_path: Path) -> None:
    net = rod()
    rules = {"activity": lists.activity, "near": lists.near, "input_capacity": lists.inputs} if lists else {}
    loss, counts, expected = torch_gradients(net, **rules)
    assert counts.sum() > 0
    found = Prepared(Sibling(net, lists), machine, tmp_path).run("fast", 2, 1)
    assert found.outputs["loss"] == pytest.approx(loss, rel=1e-5)
    for parameter, gradient in expected.items():
        assert np.linalg.norm(gradient) > 0, f"{parameter}: a gradient of zero tests nothing"
        assert relative_error(found.gradients[parameter], gradient) < 1e-4, parameter
