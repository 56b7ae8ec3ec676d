# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NIR graphs against the frameworks themselves, where they are installed."""

import sys
from pathlib import Path
from types import ModuleType

import nir
import numpy as np
import pytest

from nir_maker import chain, lif, run, run_model, spikes
from spikeloom.importers import load_nir

torch = pytest.importorskip("torch")
DATA = Path(__file__).parent / "data" / "nir"


@pytest.fixture
def norse(monkeypatch):
    """Norse imports nirtorch, which only its own reader of NIR files needs; its cells do without."""
    try:
        import nirtorch  # noqa: F401
    except ImportError:
        stand_in = ModuleType("nirtorch")
        stand_in.extract_nir_graph = None
        monkeypatch.setitem(sys.modules, "nirtorch", stand_in)
    return pytest.importorskip("norse.torch")


def over_time(x, module):
    """Runs a function of one step over `[T, B, N]`."""
    with torch.no_grad():
        return np.stack([module(torch.from_numpy(row)).numpy() for row in x])


def linear(graph, name):
    node = graph.nodes[name]
    layer = torch.nn.Linear(*node.weight.shape[::-1])
    layer.weight.data, layer.bias.data = torch.tensor(node.weight), torch.tensor(node.bias)
    return layer


@pytest.mark.parametrize("convention", ["snntorch", "euler"])
def test_braille_as_in_snntorch(convention):
    """What snntorch.import_from_nir is after: Synaptic neurons that reset to zero in the same step.

    The recurrence is written out: RSynaptic of snnTorch 1.0 compares the spike of the step before when it resets.
    """
    snn = pytest.importorskip("snntorch")
    graph = nir.read(DATA / "braille_noDelay_bias_zero.nir")
    fc1, fc2, recurrent = (linear(graph, n) for n in ("fc1", "fc2", "lif1.w_rec"))

    def factors(name):
        node = graph.nodes[name]
        return float(1 - 1e-4 / node.tau_syn[0]), float(1 - 1e-4 / node.tau_mem[0])

    first, second = (snn.Synaptic(*factors(n), reset_mechanism="zero", reset_delay=False) for n in ("lif1.lif", "lif2"))
    state = {1: (torch.zeros(3, 38), *first.reset_mem()), 2: (None, *second.reset_mem())}

    def step(x):
        state[1] = first(fc1(x) + recurrent(state[1][0]), *state[1][1:])
        state[2] = second(fc2(state[1][0]), *state[2][1:])
        return state[2][0]

    x = spikes(100, 3, 12)
    want = over_time(x, step)
    model = load_nir(DATA / "braille_noDelay_bias_zero.nir", batch=3, steps=100, convention=convention)
    assert 0.005 < want.mean() < 0.5
    np.testing.assert_array_equal(run_model(model, x), want)


@pytest.mark.parametrize("dt", [1e-4, 1e-3])
@pytest.mark.usefixtures("norse")
def test_lif_as_in_norse(tmp_path, dt):
    """What norse.torch.from_nir makes of the file: LIFBoxCell with a time step."""
    from norse.torch.module.lif_box import LIFBoxCell, LIFBoxParameters

    rng = np.random.default_rng(0)
    tau, threshold, leak = (rng.uniform(*r, 5).astype(np.float32) for r in ((2e-3, 9e-3), (0.05, 0.2), (-0.05, 0.04)))
    path = chain(tmp_path / "n.nir", [5], lif(tau, threshold=threshold, leak=leak))
    cell = LIFBoxCell(LIFBoxParameters(tau_mem_inv=1 / torch.tensor(tau), v_th=torch.tensor(threshold),
                                       v_leak=torch.tensor(leak)), dt=dt)
    start = cell.state_fallback(torch.zeros(2, 5))
    state = [type(start)(v=torch.zeros(2, 5))]
    voltages = []

    def step(x):
        fired, state[0] = cell(x, state[0])
        voltages.append(state[0].v.numpy())
        return fired

    x = spikes(300, 2, 5)
    want = over_time(x, step)
    assert 0.01 < want.mean() < 0.9
    np.testing.assert_array_equal(run(path, x, convention="norse", dt=dt), want)
    model = load_nir(path, batch=2, steps=300, convention="norse", dt=dt)
    model.step.outputs = [("v", model.step.states[0].next)]
    np.testing.assert_allclose(run_model(model, x), np.stack(voltages), atol=2e-7)


@pytest.mark.usefixtures("norse")
def test_current_based_neuron_as_in_norse(tmp_path):
    """What norse.torch.from_nir makes of a CubaLIF: two stages of forward Euler."""
    from norse.torch.module.leaky_integrator_box import LIBoxCell, LIBoxParameters
    from norse.torch.module.lif_box import LIFBoxCell, LIFBoxParameters

    one = torch.ones(4)
    node = nir.CubaLIF(*(np.full(4, v) for v in (4e-4, 1e-3, 3.0, 0.0, 0.2)), w_in=np.full(4, 2.0))
    path = chain(tmp_path / "n.nir", [4], node)
    synapse = LIBoxCell(LIBoxParameters(tau_mem_inv=one / 4e-4, v_leak=0 * one), dt=1e-4)
    cell = LIFBoxCell(LIFBoxParameters(tau_mem_inv=one / 1e-3, v_th=0.2 * one, v_leak=0 * one), dt=1e-4)
    state = [None, None]

    def step(x):
        current, state[0] = synapse(2 * x, state[0])
        fired, state[1] = cell(3 * current, state[1])
        return fired

    x = spikes(200, 2, 4, 0.1)
    want = over_time(x, step)
    assert 0.01 < want.mean() < 0.9
    np.testing.assert_array_equal(run(path, x, convention="norse"), want)


def test_convolutional_graph_as_in_sinabs():
    """Convolutions, pools and neurons that fire several times a step, in PyTorch."""
    graph = nir.read(DATA / "cnn_sinabs.nir")
    layers = []
    for name in map(str, range(13)):
        node = graph.nodes[name]
        if isinstance(node, nir.Conv2d):
            conv = torch.nn.Conv2d(*node.weight.shape[1::-1], node.weight.shape[2:], tuple(node.stride),
                                   tuple(int(p) for p in node.padding))
            conv.weight.data, conv.bias.data = torch.tensor(node.weight), torch.tensor(node.bias)
            layers.append(conv)
        elif isinstance(node, nir.Affine):
            layers.append(linear(graph, name))
        elif isinstance(node, nir.SumPool2d):
            layers.append(torch.nn.LPPool2d(1, tuple(node.kernel_size), tuple(node.stride)))
        else:
            layers.append(torch.nn.Flatten() if isinstance(node, nir.Flatten) else None)
    membranes = {}

    def step(x):
        x = x.reshape(-1, 2, 34, 34)
        for i, layer in enumerate(layers):
            if layer is not None:
                x = layer(x)
                continue
            v = membranes.get(i, 0) + x
            x = torch.clamp(torch.floor(v), min=0)
            membranes[i] = v - x
        return x

    x = spikes(15, 2, 2 * 34 * 34, 0.1)
    want = over_time(x, step)
    model = load_nir(DATA / "cnn_sinabs.nir", batch=2, steps=15, convention="sinabs")
    found = run_model(model, x)
    assert want.sum() > 5
    assert want.max() >= 1
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("r", [1.0, 10.0])
@pytest.mark.parametrize("reset", [0.0, -0.25])
def test_lif_as_in_spikingjelly(tmp_path, r, reset):
    """What its import_from_nir makes of the file: LIFNode(tau / dt), with r = tau / dt as decay_input=False."""
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    path = chain(tmp_path / "n.nir", [5], lif(np.full(5, 1e-3), r=r, threshold=0.125 * r, reset=reset, leak=reset))
    cell = neuron.LIFNode(10.0, r == 1, v_threshold=0.125 * r, v_reset=reset)
    cell.v = torch.zeros(2, 5)
    x = spikes(200, 2, 5, 0.5)
    want = over_time(x, cell)
    assert 0.01 < want.mean() < 0.9
    np.testing.assert_array_equal(run(path, x, convention="spikingjelly"), want)


def test_integrate_and_fire_as_in_spikingjelly(tmp_path):
    """Thresholds are met exactly: what fires at them must."""
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    path = chain(tmp_path / "n.nir", [3], nir.IF(np.full(3, 1e4), np.full(3, 2.0)))
    x = spikes(60, 2, 3)
    np.testing.assert_array_equal(run(path, x, convention="spikingjelly"), over_time(x, neuron.IFNode(2.0)))
    assert not np.array_equal(run(path, x, convention="euler"), run(path, x, convention="spikingjelly"))
