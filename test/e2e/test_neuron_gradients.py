# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of snnTorch's neurons after import, against PyTorch's through the modules themselves."""

import numpy as np
import pytest

import spikeloom as sl

torch = pytest.importorskip("torch")
snn = pytest.importorskip("snntorch")

STEPS, BATCH, FEATURES, UNITS = 8, 4, 12, 6
MAKERS = {
    "Leaky": lambda grad: snn.Leaky(0.9, spike_grad=grad),
    "Leaky, reset zero": lambda grad: snn.Leaky(0.9, reset_mechanism="zero", spike_grad=grad),
    "RLeaky": lambda grad: snn.RLeaky(0.9, linear_features=UNITS, spike_grad=grad),
    "RLeaky, one to one": lambda grad: snn.RLeaky(0.9, all_to_all=False, V=0.3, spike_grad=grad),
    "Synaptic": lambda grad: snn.Synaptic(0.8, 0.9, spike_grad=grad),
    "RSynaptic": lambda grad: snn.RSynaptic(0.8, 0.9, linear_features=UNITS, spike_grad=grad),
    "Lapicque": lambda grad: snn.Lapicque(0.9, spike_grad=grad),
    "Alpha": lambda grad: snn.Alpha(0.85, 0.7, spike_grad=grad),
    "Alpha, subtract": lambda grad: snn.Alpha(0.85, 0.7, reset_mechanism="subtract", spike_grad=grad),
    "SLSTM": lambda grad: snn.SLSTM(UNITS, UNITS, threshold=0.1, spike_grad=grad),
}


class Layer(torch.nn.Module):
    """One step: current, neurons, and their states in the order in which snnTorch gives them."""

    def __init__(self, neuron):
        super().__init__()
        self.fc, self.lif = torch.nn.Linear(FEATURES, UNITS), neuron
        self.carries_spikes = type(neuron).__name__.startswith("R")

    def forward(self, x, *states):
        spikes, *following = self.lif(self.fc(x), *states)
        return spikes, *((spikes + 0.0, *following) if self.carries_spikes else following)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MAKERS)
def test_gradients(tmp_path, name):
    torch.manual_seed(1)
    layer = Layer(MAKERS[name](snn.surrogate.fast_sigmoid(25)))
    with torch.no_grad():
        layer.fc.weight.mul_(30 if name == "Lapicque" else 3)
    count = len(layer(torch.zeros(BATCH, FEATURES), *start(layer))) - 1
    names = [f"s{i}" for i in range(count)]
    path = tmp_path / "n.onnx"
    zeros = [torch.zeros(BATCH, UNITS) for _ in names]
    torch.onnx.export(layer, (torch.zeros(BATCH, FEATURES), *zeros), path, dynamo=False, input_names=["x", *names],
                      output_names=["spk", *(f"{n}_out" for n in names)])
    rng = np.random.default_rng(0)
    x, labels = rng.random((STEPS, BATCH, FEATURES)).astype(np.float32), np.arange(BATCH)
    states, total = zeros, 0
    for row in x:
        spikes, *states = layer(torch.from_numpy(row), *states)
        total = total + spikes
    torch.nn.functional.cross_entropy(total, torch.from_numpy(labels)).backward()
    assert total.sum() > 4
    program = sl.compile(path, machine="tiny", steps=STEPS, train=sl.Training(surrogate="fast_sigmoid:25"))
    with program.session() as session:
        found = session.step(x, labels, gradients=True).gradients
    trained = {k: p.grad.numpy() for k, p in layer.named_parameters() if p.grad is not None and p.ndim}
    assert {"fc.weight", "fc.bias"} <= set(trained)
    for key, want in trained.items():
        assert np.linalg.norm(found[key] - want) <= 1e-4 * np.linalg.norm(want), key


def start(layer):
    """Zero states; one more than the reset gives where the spike is carried."""
    given = layer.lif.reset_mem()
    given = given if isinstance(given, tuple) else (given,)
    return [torch.zeros(BATCH, UNITS) for _ in given]
