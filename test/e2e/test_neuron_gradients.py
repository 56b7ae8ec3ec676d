# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of snnTorch's and Norse's neurons after import, against PyTorch's through the frameworks' own code."""

import sys
from types import ModuleType

import numpy as np
import pytest

import spikeloom as sl

torch = pytest.importorskip("torch")

STEPS, BATCH, FEATURES, UNITS = 8, 4, 12, 6
MAKERS = {
    "Leaky": lambda snn, grad: snn.Leaky(0.9, spike_grad=grad),
    "Leaky, reset zero": lambda snn, grad: snn.Leaky(0.9, reset_mechanism="zero", spike_grad=grad),
    "RLeaky": lambda snn, grad: snn.RLeaky(0.9, linear_features=UNITS, spike_grad=grad),
    "RLeaky, one to one": lambda snn, grad: snn.RLeaky(0.9, all_to_all=False, V=0.3, spike_grad=grad),
    "Synaptic": lambda snn, grad: snn.Synaptic(0.8, 0.9, spike_grad=grad),
    "RSynaptic": lambda snn, grad: snn.RSynaptic(0.8, 0.9, linear_features=UNITS, spike_grad=grad),
    "Lapicque": lambda snn, grad: snn.Lapicque(0.9, spike_grad=grad),
    "Alpha": lambda snn, grad: snn.Alpha(0.85, 0.7, spike_grad=grad),
    "Alpha, subtract": lambda snn, grad: snn.Alpha(0.85, 0.7, reset_mechanism="subtract", spike_grad=grad),
    "SLSTM": lambda snn, grad: snn.SLSTM(UNITS, UNITS, threshold=0.1, spike_grad=grad),
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
def test_snntorch(tmp_path, name):
    snn = pytest.importorskip("snntorch")
    torch.manual_seed(1)
    layer = Layer(MAKERS[name](snn, snn.surrogate.fast_sigmoid(25)))
    with torch.no_grad():
        layer.fc.weight.mul_(30 if name == "Lapicque" else 3)
    states = layer.lif.reset_mem()
    compare(tmp_path / "n.onnx", layer, len(states) if isinstance(states, tuple) else 1,
            sl.Training(surrogate="fast_sigmoid:25"))


class Cell(torch.nn.Module):
    """A current and a function of Norse that takes and gives states one by one."""

    def __init__(self, function):
        super().__init__()
        self.fc, self.function = torch.nn.Linear(FEATURES, UNITS), function

    def forward(self, x, *states):
        return self.function(self.fc(x), *states)


def norse_cell(name, functional):
    """The feed-forward step of a cell, and how many states it has."""
    lif, number = functional.lif, torch.as_tensor
    basic = lif.LIFParameters(v_th=number(0.3))

    def plain(x, v, i):
        spikes, state = lif.lif_feed_forward_step(x, lif.LIFFeedForwardState(v, i), basic)
        return spikes, state.v, state.i

    def refractory(x, v, i, rho):
        module = functional.lif_refrac
        state = module.LIFRefracFeedForwardState(lif.LIFFeedForwardState(v, i), rho)
        parameters = module.LIFRefracParameters(lif=basic, rho_reset=number(3.0))
        spikes, state = module.lif_refrac_feed_forward_step(x, state, parameters)
        return spikes, state.lif.v, state.lif.i, state.rho

    def adaptive(x, v, i, b):
        module = functional.lsnn
        parameters = module.LSNNParameters(v_th=number(0.3), beta=number(0.2))
        spikes, state = module.lsnn_feed_forward_step(x, module.LSNNFeedForwardState(v, i, b), parameters)
        return spikes, state.v, state.i, state.b

    return {"LIF": (plain, 2), "LIFRefrac": (refractory, 3), "LSNN": (adaptive, 3)}[name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["LIF", "LIFRefrac", "LSNN"])
def test_norse(tmp_path, monkeypatch, name):
    """Norse's resets are not detached, and its SuperSpike has slope 1 whatever alpha says (1.1.0)."""
    if "nirtorch" not in sys.modules:  # only Norse's own reader of NIR files needs it
        stand_in = ModuleType("nirtorch")
        stand_in.extract_nir_graph = None
        monkeypatch.setitem(sys.modules, "nirtorch", stand_in)
    functional = pytest.importorskip("norse.torch.functional")
    torch.manual_seed(0)
    function, states = norse_cell(name, functional)
    cell = Cell(function)
    with torch.no_grad():
        cell.fc.weight.mul_(5)
    compare(tmp_path / "n.onnx", cell, states, sl.Training(surrogate="superspike:1", detach_reset=False))


def compare(path, module, states, training):
    """Exports one step, imports it, and compares the gradients of a training step from zero states."""
    names = [f"s{i}" for i in range(states)]
    zeros = [torch.zeros(BATCH, UNITS) for _ in names]
    torch.onnx.export(module, (torch.zeros(BATCH, FEATURES), *zeros), path, dynamo=False, input_names=["x", *names],
                      output_names=["spk", *(f"{n}_out" for n in names)])
    rng = np.random.default_rng(0)
    x, labels = rng.random((STEPS, BATCH, FEATURES)).astype(np.float32), np.arange(BATCH)
    held, total = zeros, 0
    for row in x:
        spikes, *held = module(torch.from_numpy(row), *held)
        total = total + spikes
    torch.nn.functional.cross_entropy(total, torch.from_numpy(labels)).backward()
    assert total.sum() > 4
    with sl.compile(path, machine="tiny", steps=STEPS, train=training).session() as session:
        found = session.step(x, labels, gradients=True).gradients
    trained = {k: p.grad.numpy() for k, p in module.named_parameters() if p.grad is not None and p.ndim}
    assert {"fc.weight", "fc.bias"} <= set(trained)
    for key, want in trained.items():
        assert np.linalg.norm(found[key] - want) <= 1e-4 * np.linalg.norm(want), key
