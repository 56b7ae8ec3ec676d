# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`spikeloom.nn.Module` against PyTorch's autograd, and inside a model that PyTorch trains."""

from __future__ import annotations

import copy
import pickle

import pytest
from torch_networks import CLASSES, HIDDEN, INPUTS, SLOPE, STEPS, Network, binary, example, torch, unrolled

import spikeloom as sl

TOLERANCE = 1e-4
GRADIENTS = sl.Gradients(surrogate=f"fast_sigmoid:{SLOPE}")


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert expected.norm() > 0, "a gradient of zero tests nothing"
    return float((found - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def layer_of(network: Network, **options) -> torch.nn.Module:
    options = {"machine": "tiny", "batch": 4, "steps": STEPS, "gradients": GRADIENTS, **options}
    return sl.nn.Module(network, example=example(), **options)


@pytest.fixture(scope="module")
def layer(network: Network) -> torch.nn.Module:
    return layer_of(network)


@pytest.mark.parametrize("samples", [4, 3, 10])
def test_gradients(network: Network, layer: torch.nn.Module, samples: int) -> None:
    """Of inputs and parameters; the batch is that of the program, smaller, or cut into three."""
    x = binary(STEPS, samples, INPUTS, seed=samples).requires_grad_()
    cotangent = torch.randn(STEPS, samples, CLASSES, generator=torch.Generator().manual_seed(1))
    expected, _, _ = unrolled(network, x)
    found = layer(x)
    assert expected.sum() > 0
    torch.testing.assert_close(found, expected)
    names = [name for name, _ in network.named_parameters()]
    assert [name for name, _ in layer.named_parameters()] == names
    wanted = torch.autograd.grad((expected * cotangent).sum(), [x, *network.parameters()])
    got = torch.autograd.grad((found * cotangent).sum(), [x, *layer.parameters()])
    for name, a, b in zip(["x", *names], got, wanted, strict=True):
        assert a.shape == b.shape
        assert error(a, b) <= TOLERANCE, name


def test_state_dict_of_the_module_loads(network: Network, layer: torch.nn.Module) -> None:
    other = Network(seed=7)
    copied = copy.deepcopy(layer)
    copied.load_state_dict(other.state_dict())
    x = binary(STEPS, 4, INPUTS)
    torch.testing.assert_close(copied(x), unrolled(other, x)[0])
    torch.testing.assert_close(layer(x), unrolled(network, x)[0])


def test_states_carry_values_and_gradients(network: Network) -> None:
    """A sequence in two parts with the gradient through both is the whole sequence."""
    layer = layer_of(network, gradients=sl.Gradients(surrogate=f"fast_sigmoid:{SLOPE}", states=True))
    x = binary(2 * STEPS, 4, INPUTS, seed=3).requires_grad_()
    start = torch.full((4, HIDDEN), 0.25, requires_grad=True)
    expected, last, _ = unrolled(network, x, start)
    first, state = layer(x[:STEPS], state={"mem1": start})
    second, state = layer(x[STEPS:], state=state)
    torch.testing.assert_close(torch.cat([first, second]), expected)
    cotangent = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * cotangent).sum() + last.sum(), [x, start, network.fc1.weight])
    found = torch.cat([first, second])
    got = torch.autograd.grad((found * cotangent).sum() + state["mem1"].sum(), [x, start, layer.fc1.weight])
    for a, b in zip(got, wanted, strict=True):
        assert error(a, b) <= TOLERANCE


def test_training_inside_a_model(network: Network) -> None:
    """PyTorch's layers around it, PyTorch's loss and optimiser: the same losses step by step, and they fall."""

    class Model(torch.nn.Module):
        def __init__(self, spiking) -> None:
            super().__init__()
            torch.manual_seed(2)
            self.encode = torch.nn.Linear(5, INPUTS)
            self.spiking = spiking
            self.readout = torch.nn.Linear(CLASSES, 2)

        def forward(self, x):
            spikes = self.spiking(torch.relu(self.encode(x)))
            return self.readout(spikes.mean(0))

    class Unrolled(torch.nn.Module):
        def __init__(self, network) -> None:
            super().__init__()
            self.network = network

        def forward(self, x):
            return unrolled(self.network, x)[0]

    x = torch.rand(STEPS, 8, 5, generator=torch.Generator().manual_seed(4))
    labels = (x.mean((0, 2)) > x.mean()).long()
    losses = []
    for spiking in (layer_of(network), Unrolled(copy.deepcopy(network))):
        model = Model(spiking)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        losses.append([])
        for _ in range(25):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    assert losses[0][:3] == pytest.approx(losses[1][:3], rel=1e-4)
    assert losses[0][-1] < 0.9 * losses[0][0]


class Recurrent(torch.nn.Module):
    """An LSTM over a whole sequence, and a layer on every step."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.cells = torch.nn.LSTM(INPUTS, HIDDEN, batch_first=batch_first)
        self.readout = torch.nn.Linear(HIDDEN, CLASSES)

    def forward(self, x):
        return self.readout(self.cells(x)[0])


WHOLE = {
    "time first": (Recurrent(False), (STEPS, 4, INPUTS), (STEPS, 6, INPUTS)),
    "batch first": (Recurrent(True), (4, STEPS, INPUTS), (6, STEPS, INPUTS)),
    "batch first, as many samples as steps": (Recurrent(True), (STEPS, STEPS, INPUTS), (STEPS, STEPS, INPUTS)),
    "without time": (torch.nn.Sequential(torch.nn.Linear(INPUTS, 7), torch.nn.Tanh()), (4, INPUTS), (6, INPUTS)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_keep_their_shapes(name: str) -> None:
    """Exporters rename and rearrange parameters of such modules; norms of their gradients stay."""
    module, exported, used = WHOLE[name]
    layer = sl.nn.Module(module, example=torch.zeros(exported), machine="tiny")
    x = torch.randn(used, generator=torch.Generator().manual_seed(7)).requires_grad_()
    expected, found = module(x), layer(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    cotangent = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * cotangent).sum(), [x, *module.parameters()])
    got = torch.autograd.grad((found * cotangent).sum(), [x, *layer.parameters()])
    assert error(got[0], wanted[0]) <= TOLERANCE
    assert sorted(g.norm().item() for g in got) == pytest.approx(sorted(g.norm().item() for g in wanted), rel=TOLERANCE)


def test_short_lists_drop_spikes_forward_and_backward(network: Network) -> None:
    x = binary(STEPS, 4, INPUTS).requires_grad_()
    full, short = layer_of(network), layer_of(network, events=sl.Events(max_activity=0.1))
    assert not torch.equal(full(x), short(x))
    (gradient,) = torch.autograd.grad(short(x).sum(), short.fc2.weight)
    assert 0 < torch.count_nonzero(gradient) < gradient.numel()


def test_inference_builds_no_graph(layer: torch.nn.Module) -> None:
    with torch.no_grad():
        assert not layer(binary(STEPS, 4, INPUTS)).requires_grad


def test_refusals(network: Network, layer: torch.nn.Module) -> None:
    x = binary(STEPS, 4, INPUTS)
    with pytest.raises(sl.UserError, match=r"1 inputs \(x\); 2 are given"):
        layer(x, x)
    with pytest.raises(sl.UserError, match=r"input 'x' has shape \[6, 4, 5\]; \[6, 4, 12\] is wanted"):
        layer(x[:, :, :5])
    with pytest.raises(sl.UserError, match="no state 'mem9'; it has mem1, mem2"):
        layer(x, state={"mem9": x[0]})
    with pytest.raises(sl.UserError, match=r"the gradient of state 'mem1' is not computed; pass gradients=Gradients"):
        layer(x, state={"mem1": torch.zeros(4, HIDDEN, requires_grad=True)})
    with pytest.raises(sl.UserError, match="a module to export needs example="):
        sl.nn.Module(network)
    with pytest.raises(sl.UserError, match="cannot be pickled; save its state_dict"):
        pickle.dumps(layer)
