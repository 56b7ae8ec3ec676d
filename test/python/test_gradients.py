# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of the compiler against PyTorch's: the cases of docs/Gradients.md, and the frameworks."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

from gradient_cases import NEURONS, TOLERANCE, Case, cases, gradient_errors, lif  # noqa: E402 (needs torch)
from spiking_models import Net, training_results  # noqa: E402


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.group}: {case.name}")
def test_case(case: Case, tmp_path) -> None:
    errors = case.errors(tmp_path)
    assert {name: error for name, error in errors.items() if error > TOLERANCE} == {}


def check(net: Net, results: dict[str, np.ndarray], loss: float, gradients: dict[str, np.ndarray]) -> None:
    errors = gradient_errors(results, loss, gradients)
    assert {name: error for name, error in errors.items() if error > TOLERANCE} == {}


def test_snntorch_itself(tmp_path) -> None:
    """The gradient of snnTorch's own neuron, not of our reading of it."""
    snntorch = pytest.importorskip("snntorch", reason="snnTorch is not installed: pip install snntorch")
    net = NEURONS["snnTorch, delayed subtract"]
    surrogate = snntorch.surrogate.fast_sigmoid(slope=net.slope)
    neurons = [snntorch.Leaky(beta=layer.decay, spike_grad=surrogate) for layer in net.layers]
    values = {name: torch.tensor(value, requires_grad=True) for name, value in net.values.items()}
    membranes = [torch.zeros(net.batch, layer.units) for layer in net.layers]
    counts = 0
    for row in torch.tensor(net.x):
        for i, neuron in enumerate(neurons):
            row, membranes[i] = neuron(row @ values[f"fc{i}.weight"].T, membranes[i])
        counts = counts + row
    loss = torch.nn.functional.cross_entropy(counts, torch.tensor(net.labels).long())
    loss.backward()
    check(net, training_results(net, tmp_path), loss.item(), {name: v.grad.numpy() for name, v in values.items()})


@pytest.mark.parametrize(("detach", "kind"), [(False, "value"), (True, "value"), (False, "subtract")])
def test_spikingjelly_itself(detach: bool, kind: str, tmp_path) -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron", reason="SpikingJelly is not installed")
    from spikingjelly.activation_based import surrogate

    options = {"decay": 0.5, "cmp": "ge", "reset_kind": kind}
    net = Net(lif(20, 6, **options), steps=15, detach=detach, surrogate="atan", slope=2.0, seed=31)
    nodes = [
        neuron.LIFNode(
            tau=2.0,
            decay_input=False,
            v_reset=0.0 if kind == "value" else None,
            detach_reset=detach,
            surrogate_function=surrogate.ATan(alpha=2.0),
        )
        for _ in net.layers
    ]
    values = {name: torch.tensor(value, requires_grad=True) for name, value in net.values.items()}
    counts = 0
    for row in torch.tensor(net.x):
        for i, node in enumerate(nodes):
            row = node(row @ values[f"fc{i}.weight"].T)
        counts = counts + row
    loss = torch.nn.functional.cross_entropy(counts, torch.tensor(net.labels).long())
    loss.backward()
    check(net, training_results(net, tmp_path), loss.item(), {name: v.grad.numpy() for name, v in values.items()})
