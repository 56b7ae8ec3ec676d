# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of the compiler against PyTorch's, dense and by the rules of sparse events."""

from __future__ import annotations

import numpy as np
import pytest

from spiking_models import Layer, Net, relative_error, torch_gradients, training_results

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

TOLERANCE = 1e-4


def lif(*units: int, **options) -> list[Layer]:
    return [Layer(n, **options) for n in units]


DENSE = {
    "one layer": Net(lif(5), steps=5),
    "snnTorch, delayed subtract": Net(lif(20, 6, reset_time="delayed"), steps=25),
    "snnTorch, delayed zero": Net(lif(20, 6, reset_time="delayed", reset_kind="value"), steps=15, seed=1),
    "same step subtract, deep": Net(lif(24, 20, 16, 8), steps=20, slope=5.0, seed=2),
    "through the reset, subtract": Net(lif(20, 6), steps=20, detach=False, slope=10.0, surrogate="superspike", seed=3),
    "through the reset, value": Net(
        lif(20, 6, reset_kind="value", v_reset=-0.25), steps=12, detach=False, slope=2.0, surrogate="atan", seed=4
    ),
    "through the delayed reset, subtract": Net(
        lif(20, 6, reset_time="delayed"), steps=12, detach=False, slope=4.0, seed=5
    ),
    "through the delayed reset, value": Net(
        lif(20, 6, reset_time="delayed", reset_kind="value", v_reset=0.25), steps=12, detach=False, slope=4.0, seed=6
    ),
    "Norse-like, value": Net(lif(24, 12, 5, reset_kind="value"), steps=50, surrogate="superspike", slope=10.0, seed=7),
    "whole update": Net(
        lif(20, 6, reset_time="delayed", reset_kind="value", reset_scope="whole_update"), steps=15, seed=8
    ),
    "SpikingJelly-like, ge, gain and leak": Net(
        lif(20, 6, cmp="ge", decay=0.5, gain=0.5, leak=0.25, bias=True), steps=15, surrogate="atan", slope=2.0, seed=9
    ),
    "fire first, subtract": Net(lif(20, 6, order="fire_integrate"), steps=15, seed=10),
    "fire first, through the reset": Net(
        lif(20, 6, order="fire_integrate"), steps=15, detach=False, slope=3.0, seed=11
    ),
    "fire first, value through the reset": Net(
        lif(20, 6, order="fire_integrate", reset_kind="value", v_reset=0.125),
        steps=15,
        detach=False,
        slope=3.0,
        seed=12,
    ),
    "no reset": Net(lif(16, 4, reset_kind="none", decay=0.75), steps=15, seed=13),
    "graded spikes": Net(lif(20, 6, graded=0.5), steps=15, slope=4.0, seed=14),
    "recurrent": Net([Layer(16, recurrent=True), Layer(5)], steps=15, slope=5.0, seed=15),
    "recurrent, delayed, deep": Net(
        [Layer(14, recurrent=True, reset_time="delayed"), Layer(12, recurrent=True), Layer(5)],
        steps=12,
        surrogate="atan",
        slope=2.0,
        seed=16,
    ),
    "recurrent output": Net([Layer(10), Layer(5, recurrent=True)], steps=12, slope=5.0, seed=17),
    "learnable decay": Net(lif(12, 5, learn_decay=True), steps=15, slope=5.0, seed=18),
    "learnable decay, reset to a value": Net(
        lif(12, 5, learn_decay=True, reset_time="delayed", reset_kind="value", leak=0.25), steps=12, slope=5.0, seed=19
    ),
}


def check(net: Net, results: dict[str, np.ndarray], loss: float, gradients: dict[str, np.ndarray]) -> None:
    assert results["loss"] == pytest.approx(loss, rel=1e-5)
    for name, expected in gradients.items():
        assert np.isfinite(expected).all()
        assert np.linalg.norm(expected) > 0, f"{name}: a gradient of zero tests nothing"
        assert relative_error(results[f"{name}.grad"], expected) < TOLERANCE, name


@pytest.mark.parametrize("name", DENSE)
def test_every_gradient_with_full_lists(name: str, tmp_path) -> None:
    net = DENSE[name]
    loss, counts, gradients = torch_gradients(net)
    assert counts.sum() > 0
    check(net, training_results(net, tmp_path), loss, gradients)


SPARSE = {
    "two layers": Net(lif(80, 6), inputs=40, steps=12, surrogate="superspike", slope=10.0, seed=20),
    "deep": Net(lif(100, 60, 10), inputs=30, steps=20, slope=10.0, seed=21, batch=6),
    "value": Net(lif(80, 6, reset_kind="value"), inputs=40, steps=12, slope=5.0, seed=22),
    "delayed": Net(lif(80, 40, 6, reset_time="delayed"), inputs=40, steps=12, slope=5.0, seed=23),
    "through the reset": Net(lif(80, 6), inputs=40, steps=12, slope=5.0, seed=24, detach=False),
    "recurrent": Net([Layer(60, recurrent=True), Layer(6)], inputs=40, steps=12, slope=5.0, seed=25),
}


@pytest.mark.parametrize("near", [0.9, None])
@pytest.mark.parametrize("name", SPARSE)
def test_sparse_rules(name: str, near: float | None, tmp_path) -> None:
    """Capacity 5 % (lists overflow), inputs cut too: what does not fit is dropped, what is not listed gets nothing."""
    net = SPARSE[name]
    loss, _, gradients = torch_gradients(net, activity=0.05, near=near, input_capacity=10)
    full, _, dense = torch_gradients(net)
    assert loss != full, "nothing was dropped"
    second = f"second-threshold={near}" if near is not None else ""
    results = training_results(net, tmp_path, f"max-activity=0.05 input-capacity=x:10 {second}")
    check(net, results, loss, gradients)
    assert relative_error(gradients["fc0.weight"], dense["fc0.weight"]) > 1e-3


def test_one_step_of_adam_and_sgd(tmp_path) -> None:
    net = DENSE["snnTorch, delayed subtract"]
    for optimizer in ("adam", "sgd"):
        folder = tmp_path / optimizer
        folder.mkdir()
        results = training_results(net, folder, step=f"optimizer={optimizer} lr=0.01")
        for name, value in net.values.items():
            parameter = torch.nn.Parameter(torch.tensor(value))
            parameter.grad = torch.tensor(results[f"{name}.grad"])
            kind = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
            kind([parameter], lr=0.01).step()
            np.testing.assert_allclose(results[name], parameter.detach().numpy(), rtol=3e-7, atol=1e-7)


def test_snntorch_itself(tmp_path) -> None:
    """The gradient of snnTorch's own neuron, not of our reading of it."""
    snntorch = pytest.importorskip("snntorch", reason="snnTorch is not installed: pip install snntorch")
    net = DENSE["snnTorch, delayed subtract"]
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
