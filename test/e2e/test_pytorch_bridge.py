# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From PyTorch and back: export, training on a DataLoader, weights into the module and into the ONNX file."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch_networks import CLASSES, HIDDEN, INPUTS, SLOPE, STEPS, Network, binary, example, torch, unrolled

import spikeloom as sl
from onnx_maker import Maker
from spikeloom.encoding import rate
from spiking_models import ROOT

TRAINING = sl.Training(surrogate=f"fast_sigmoid:{SLOPE}", optimizer=sl.SGD(0.5))


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


@pytest.fixture(scope="module")
def model(network: Network) -> sl.Model:
    return sl.from_torch(network, example())


@pytest.fixture
def session(model: sl.Model):
    with sl.compile(model, machine="tiny", batch=4, steps=STEPS, train=TRAINING).session() as session:
        yield session


class Data(torch.utils.data.Dataset):
    """Ten samples ``[T, 12]`` of three classes."""

    def __init__(self) -> None:
        self.x = binary(10, STEPS, INPUTS, seed=5)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int):
        return self.x[i], i % CLASSES


# -- models in ---------------------------------------------------------------------------------------------------------


def test_step_function(network: Network, model: sl.Model) -> None:
    before = copy.deepcopy(network.state_dict())
    with sl.compile(model, machine="tiny", batch=5, steps=STEPS).session() as session:
        assert [port.name for port in session.info.states] == ["mem1", "mem2"]
        assert {port.name for port in session.info.of_role("parameter") if port.trainable} == before.keys()
        x = binary(STEPS, 5, INPUTS)
        found = session.run(x.numpy())
    expected, mem1, mem2 = unrolled(network, x)
    np.testing.assert_array_equal(found["output"], expected.detach())
    np.testing.assert_allclose(found["mem1_out"], mem1.detach(), atol=1e-6)
    np.testing.assert_allclose(found["mem2_out"], mem2.detach(), atol=1e-6)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_state_in_a_tuple_and_file_that_stays(network: Network, tmp_path: Path) -> None:
    class Nested(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, x, state):
            y, *state = self.inner(x, *state)
            return y, tuple(state)

    x, *state = example()
    path = tmp_path / "net.onnx"
    sl.from_torch(Nested(), (x, tuple(state)), path=path)
    graph = onnx.load(path).graph
    assert [value.name for value in graph.input] == ["x", "state_0", "state_1"]
    assert [value.name for value in graph.output] == ["output", "state_0_out", "state_1_out"]
    assert "inner.fc1.weight" in {tensor.name for tensor in graph.initializer}


def test_what_cannot_be_exported() -> None:
    class Branch(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(sl.UserError, match=r"PyTorch cannot export the module Branch(?s:.*)shows the whole story"):
        sl.from_torch(Branch(), torch.ones(3, 4))
    with pytest.raises(sl.UserError, match="a torch.nn.Module is wanted, found function"):
        sl.from_torch(lambda x: x, torch.ones(3, 4))
    with pytest.raises(sl.UserError, match="every argument of forward must be a tensor, found float"):
        sl.from_torch(Branch(), 1.0)
    with pytest.raises(sl.UserError, match=r"has 3 results; 1 names are given \(y\)"):
        sl.from_torch(Network(), example(), output_names=["y"])


def test_without_torch(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(sl.UserError, match="pip install torch onnxscript"):
        sl.from_torch(None, None)
    with pytest.raises(sl.UserError, match="pip install torch onnxscript"):
        sl.to_torch({}, None)
    with pytest.raises(sl.UserError, match="pip install torch onnxscript"):
        sl.nn.Module("net.onnx")


# -- training on a loader ----------------------------------------------------------------------------------------------


def test_fit_is_pytorchs_loop(network: Network, session: sl.Session) -> None:
    """The last batch has two samples: they weigh a half each, as in PyTorch's mean."""
    loader = torch.utils.data.DataLoader(Data(), batch_size=4)
    seen = []
    results = session.fit(loader, epochs=2, on_epoch=seen.append)
    assert results == seen
    reference = copy.deepcopy(network)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.5)
    for result in results:
        total = right = 0.0
        for x, labels in loader:
            optimizer.zero_grad()
            counts = unrolled(reference, x.swapaxes(0, 1))[0].sum(0)
            loss = torch.nn.functional.cross_entropy(counts, labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            right += int((counts.argmax(1) == labels).sum())
        assert (result.steps, result.samples) == (3, 10)
        assert result.loss == pytest.approx(total / 10, rel=1e-4)
        assert result.accuracy == pytest.approx(right / 10)
    for name, value in reference.state_dict().items():
        np.testing.assert_allclose(session.weights[name], value, atol=1e-5, err_msg=name)


def test_fit_encodes_still_data(session: sl.Session) -> None:
    x = torch.rand(8, INPUTS, generator=torch.Generator().manual_seed(0))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, torch.arange(8) % CLASSES), batch_size=4)
    (result,) = session.fit(loader, encode="direct")
    assert result.samples == 8


def test_fit_codes_as_the_command_line_does(session: sl.Session) -> None:
    x, labels = torch.rand(4, INPUTS, generator=torch.Generator().manual_seed(0)), torch.arange(4) % CLASSES
    start = session.weights
    (found,) = session.fit([(x, labels)], encode=sl.Encoding("rate", gain=0.7), seed=3)
    session.weights = start
    expected = session.step(rate(x.numpy(), STEPS, gain=0.7, seed=3, epoch=1), labels.numpy())
    assert found.loss == expected.loss
    with pytest.raises(sl.UsageError, match="unknown coding 'phase'"):
        session.fit([(x, labels)], encode="phase")


def test_fit_takes_the_samples_of_all_micro_batches(model: sl.Model, session: sl.Session) -> None:
    loader = torch.utils.data.DataLoader(Data(), batch_size=4)
    program = sl.compile(model, machine="tiny", batch=2, steps=STEPS, train=TRAINING, gradient_accumulation=2)
    with program.session() as parts:
        parts.weights = session.weights
        (whole,), (found,) = session.fit(loader), parts.fit(loader)
        assert found.samples == whole.samples == 10
        assert found.loss == pytest.approx(whole.loss, rel=1e-5)
        x = binary(6, STEPS, INPUTS)
        with pytest.raises(sl.UserError, match=r"compiled for 4: (?s:.*)or compile with batch=3"):
            parts.fit([(x, torch.zeros(6, dtype=torch.int64))])


def test_fit_refusals(session: sl.Session) -> None:
    x, labels = binary(4, STEPS, INPUTS), torch.arange(4) % CLASSES
    with pytest.raises(
        sl.UserError, match=r"batch 1 of the loader: input 'x' has shape \[5, 4, 12\](?s:.*)may be smal"
    ):
        session.fit([(x, labels), (x[:, :5], labels)])
    with pytest.raises(sl.UserError, match=r"batch 0 of the loader has 8 samples, the program was compiled for 4"):
        session.fit([(torch.cat([x, x]), torch.cat([labels, labels]))])
    with pytest.raises(sl.UserError, match="can be gone through only once, so epochs=2"):
        session.fit(iter([(x, labels)]), epochs=2)
    with pytest.raises(sl.UserError, match=r"batch 0 of the loader is no pair \(inputs, labels\)"):
        session.fit([x])
    with pytest.raises(sl.UserError, match="the loader gave no batch in epoch 1"):
        session.fit([])


def test_readme(network: Network) -> None:
    """The blocks of the section do what they say, on a small network."""
    section = (ROOT / "README.md").read_text().split("## From PyTorch")[1].split("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 2
    x, mem1, mem2 = example(32)
    data = torch.utils.data.TensorDataset(binary(40, 25, INPUTS), torch.arange(40) % CLASSES)
    names = {
        "net": copy.deepcopy(network),
        "loader": torch.utils.data.DataLoader(data, batch_size=32),
        "sequence": binary(25, 40, INPUTS).requires_grad_(),
        **{"x": x, "mem1": mem1, "mem2": mem2},
    }
    for block in blocks:
        exec(block, names)
    assert not torch.equal(names["net"].fc1.weight, network.fc1.weight)
    assert names["sequence"].grad.norm() > 0


# -- weights into the module -------------------------------------------------------------------------------------------


def train(session: sl.Session) -> dict[str, np.ndarray]:
    session.step(binary(STEPS, 4, INPUTS, seed=9).numpy(), np.arange(4) % CLASSES)
    return session.weights


def test_to_torch_by_name(network: Network, session: sl.Session, tmp_path: Path) -> None:
    weights = train(session)
    target = copy.deepcopy(network)
    assert sl.to_torch(session, target) == {name: name for name in network.state_dict()}
    assert not torch.equal(target.fc1.weight, network.fc1.weight)
    for name, value in target.state_dict().items():
        np.testing.assert_array_equal(value, weights[name])
    session.save(tmp_path / "w.safetensors")
    again = copy.deepcopy(network)
    sl.to_torch(tmp_path / "w.safetensors", again)
    assert torch.equal(again.fc1.weight, target.fc1.weight)


class Renamed(torch.nn.Module):
    """The network's parameters under other names, a weight as ``[in, out]``."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        for name, value in network.state_dict().items():
            value = value.T.clone() if name == "fc1.weight" else value.clone()
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(value))


def test_to_torch_by_initial_value(network: Network, model: sl.Model, session: sl.Session) -> None:
    weights = train(session)
    target = Renamed(network)
    assert sl.to_torch(session, target)["fc1.weight"] == "fc1_weight"
    np.testing.assert_array_equal(target.fc1_weight.detach(), weights["fc1.weight"].T)
    np.testing.assert_array_equal(target.fc2_bias.detach(), weights["fc2.bias"])
    other = Renamed(network)
    sl.to_torch(weights, other, initial=model)
    assert torch.equal(other.fc1_weight, target.fc1_weight)


def test_to_torch_refuses_and_changes_nothing(network: Network, session: sl.Session) -> None:
    weights = train(session)
    target = Renamed(network)
    with torch.no_grad():
        target.fc1_weight += 1
    before = copy.deepcopy(target.state_dict())
    with pytest.raises(
        sl.UserError, match=r"'fc1.weight' \[20, 12\]: no tensor of the module has its name or the value"
    ):
        sl.to_torch(session, target)
    with pytest.raises(sl.UserError, match=r"no tensor of the module has this name; pass initial=<the model>"):
        sl.to_torch(weights, target)
    assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())
    narrow = torch.nn.Module()
    narrow.fc1 = torch.nn.Linear(3, 4)
    with pytest.raises(sl.UserError, match=r"the module's 'fc1.weight' has shape \[4, 3\]"):
        sl.to_torch({"fc1.weight": weights["fc1.weight"]}, narrow)


def test_to_torch_square_matrices() -> None:
    """Only its start tells which way round a square matrix that is no Linear's lies."""
    start = np.arange(9, dtype=np.float32).reshape(3, 3)
    module = torch.nn.Module()
    module.w = torch.nn.Parameter(torch.tensor(start.T.copy()))
    with pytest.raises(sl.UserError, match="a square matrix may be transposed"):
        sl.to_torch({"w": start + 1}, module)
    sl.to_torch({"w": start + 1}, module, initial={"w": start})
    np.testing.assert_array_equal(module.w.detach(), (start + 1).T)
    twin = torch.nn.Module()
    twin.a, twin.b = (torch.nn.Parameter(torch.tensor(start)) for _ in range(2))
    with pytest.raises(sl.UserError, match="'a', 'b' all have the value that it started from"):
        sl.to_torch({"w": start + 1}, twin, initial={"w": start})


# -- weights into the file ---------------------------------------------------------------------------------------------


def reference_run(path: Path, x: np.ndarray) -> np.ndarray:
    """Spikes ``[T, b, 3]`` of a step function by the ONNX reference implementation (and onnxruntime where it is)."""
    runs = [ReferenceEvaluator(str(path)).run]
    try:
        import onnxruntime

        runs.append(onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run)
    except ImportError:
        pass
    results = []
    for run in runs:
        states = [np.zeros((x.shape[1], width), np.float32) for width in (HIDDEN, CLASSES)]
        spikes = []
        for row in x:
            out, *states = run(None, dict(zip(("x", "mem1", "mem2"), (row, *states), strict=True)))
            spikes.append(out)
        results.append(np.stack(spikes))
    assert all(np.array_equal(results[0], other) for other in results)
    return results[0]


def test_export(model: sl.Model, session: sl.Session, tmp_path: Path, spikeloom) -> None:
    """The command: what onnxruntime computes from the file is what the trained session computes."""
    session.fit([(binary(4, STEPS, INPUTS, seed=s), torch.arange(4) % CLASSES) for s in range(5)])
    session.save(tmp_path / "w.safetensors")
    done = spikeloom("export", model.path, "--weights", "w.safetensors", "-o", "trained.onnx")
    assert "trained.onnx: 4 initializers changed (fc1.weight, fc1.bias, fc2.weight, fc2.bias)" in done.out
    x = binary(STEPS, 4, INPUTS, seed=11).numpy()
    with sl.compile(model, machine="tiny", batch=4, steps=STEPS).session() as inference:
        start = inference.run(x)["output"]
        inference.weights = session.weights
        expected = inference.run(x)["output"]
    assert not np.array_equal(start, expected), "training changed nothing that shows"
    np.testing.assert_array_equal(reference_run(tmp_path / "trained.onnx", x), expected)
    again = {p.name: p.value for p in sl.load(tmp_path / "trained.onnx").imported().parameters}
    for name, value in session.weights.items():
        np.testing.assert_array_equal(again[name], value)


def made(path: Path, *, computed: bool = False) -> sl.Model:
    """Two layers whose first weight lies as ``[in, out]`` (or is computed), and that share one learnable decay."""
    maker = Maker(seed=3)
    x = maker.input("x", 6)
    weight = maker.array("w", np.linspace(-1, 1, 30).reshape(6, 5).astype(np.float32))
    if computed:
        weight = maker.node("Mul", weight, maker.array("scale", np.full((6, 5), 1.5, np.float32)))
    decay = maker.array("beta", np.float32(0.875))
    spikes, mem1 = maker.leaky(maker.node("MatMul", x, weight), "mem1", 5, beta=decay)
    out, mem2 = maker.leaky(maker.linear(spikes, "fc", 3, 5), "mem2", 3, beta=decay)
    for value, name, width in ((out, "spk", 3), (mem1, "mem1_out", 5), (mem2, "mem2_out", 3)):
        maker.output(value, name, width)
    maker.save(path)
    return sl.load(path)


def test_export_of_kernels(tmp_path: Path) -> None:
    """A program has the kernels of convolutions as matrices; both forms go back into the file."""
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten())
    model = sl.from_torch(module, (torch.zeros(2, 2, 4, 4),))
    name = next(p.name for p in model.imported().parameters if p.value.ndim == 4)
    with sl.compile(model, machine="tiny").session() as session:
        session.weights = {name: module[0].weight.detach().numpy()}
        weights = session.weights
    assert weights[name].shape == (3, 18)
    for number, value in enumerate((weights[name] + 1, (weights[name] + 1).reshape(3, 2, 3, 3))):
        assert sl.export_onnx(model, {name: value}, tmp_path / f"{number}.onnx") == [name]
    found = [onnx.load(tmp_path / f"{number}.onnx").SerializeToString() for number in range(2)]
    assert found[0] == found[1]
    with pytest.raises(sl.UserError, match=r"has shape \[3, 17\]; the model's has \[3, 2, 3, 3\]"):
        sl.export_onnx(model, {name: weights[name][:, :17]}, tmp_path / "bad.onnx")


def test_export_transposed(tmp_path: Path) -> None:
    model = made(tmp_path / "net.onnx")
    (name, start) = next((p.name, p.value) for p in model.imported().parameters if p.value.shape == (5, 6))
    assert name == "w"
    assert sl.export_onnx(model, {"w": start + 1}, tmp_path / "out.onnx") == ["w"]
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(tmp_path / "out.onnx").graph.initializer}
    np.testing.assert_array_equal(tensors["w"], (start + 1).T)
    assert sl.export_onnx(model, {"w": start}, tmp_path / "same.onnx") == []


def test_export_refusals(tmp_path: Path) -> None:
    model = made(tmp_path / "computed.onnx", computed=True)
    parameter = next(p for p in model.imported().parameters if p.value.shape == (5, 6))
    output = tmp_path / "out.onnx"
    with pytest.raises(
        sl.UserError, match=rf"cannot be put back into the file:\n  '{parameter.name}' \[5, 6\]: .*computes"
    ):
        sl.export_onnx(model, {parameter.name: parameter.value + 1}, output)
    with pytest.raises(sl.UserError, match="the model has no parameter 'nothing'; it has"):
        sl.export_onnx(model, {"nothing": np.zeros(3, np.float32)}, output)
    with pytest.raises(sl.UserError, match=r"weight 'fc.bias' has shape \[4\]; the model's has \[3\]"):
        sl.export_onnx(model, {"fc.bias": np.zeros(4, np.float32)}, output)
    assert not output.exists()


def test_export_of_what_was_trained_apart(tmp_path: Path) -> None:
    """Two neurons' decays that are one number in the file: as long as they stay equal, it can take them."""
    model = made(tmp_path / "net.onnx")
    output = tmp_path / "out.onnx"
    names = [p.name for p in model.imported(train_parameters="beta").parameters if p.name.startswith("beta")]
    assert names == ["beta", "beta#mem2"]
    apart = {name: np.float32(0.5 + 0.125 * i) for i, name in enumerate(names)}
    with pytest.raises(
        sl.UserError, match="'beta' is one initializer in the file, but 'beta' and 'beta#mem2' were trai"
    ):
        sl.export_onnx(model, apart, output, train_parameters="beta")
    together = dict.fromkeys(names, np.float32(0.5))
    assert sl.export_onnx(model, together, output, train_parameters="beta") == ["beta"]
