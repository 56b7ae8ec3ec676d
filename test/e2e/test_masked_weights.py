# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Masked weights from an ONNX file to a trained one: zeros stay, and tiles hold connections alone."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from safetensors.numpy import load_file, save_file

import spikeloom as sl
from onnx_maker import Maker
from spikeloom.errors import UserError

FEATURES, HIDDEN, CLASSES, STEPS, BATCH = 200, 160, 4, 8, 8
TRAIN = ["--machine=tiny", "--inputs=x.npy", "--labels=y.npy", f"--batch={BATCH}", "--lr=0.02", "--epochs=3"]
RECURRENT = ("fc1.weight", "rec.weight")  # what is masked


def masked(rng: np.random.Generator, outputs: int, inputs: int, density: float) -> np.ndarray:
    """Weights of which `density` are there."""
    weights = rng.normal(0.02, 1.5 / np.sqrt(density * inputs), (outputs, inputs))
    return np.where(rng.random((outputs, inputs)) < density, weights, 0).astype(np.float32)


@pytest.fixture
def net(tmp_path) -> Path:
    """Leaky neurons 200-160-4, the hidden ones recurrent, with masked synapses into and between them."""
    rng, maker = np.random.default_rng(3), Maker(seed=4, batch=BATCH)
    x, before = maker.input("x", FEATURES), maker.input("spk", HIDDEN)
    feed = maker.linear(x, "fc1", HIDDEN, FEATURES, weight=masked(rng, HIDDEN, FEATURES, 0.1))
    back = maker.linear(before, "rec", HIDDEN, HIDDEN, weight=masked(rng, HIDDEN, HIDDEN, 0.05))
    spikes, mem1 = maker.leaky(maker.node("Add", feed, back), "mem1", HIDDEN)
    out, mem2 = maker.leaky(maker.linear(spikes, "fc2", CLASSES, HIDDEN), "mem2", CLASSES)
    maker.output(out, "out", CLASSES)
    maker.output(spikes, "spk_out", HIDDEN)
    maker.output(mem1, "mem1_out", HIDDEN)
    maker.output(mem2, "mem2_out", CLASSES)
    maker.save(tmp_path / "net.onnx")
    x = (rng.random((24, STEPS, FEATURES)) < 0.2).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", (x[:, :, :100].sum((1, 2)) > x[:, :, 100:].sum((1, 2))).astype(np.int64))
    return tmp_path / "net.onnx"


def weights_of(path: Path) -> dict[str, np.ndarray]:
    """Initializers of an ONNX file."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def test_training_keeps_the_zeros(spikeloom, net, tmp_path):
    result = spikeloom("train", net, *TRAIN, "--save=w.safetensors", "--save-gradients=g.safetensors")
    assert "'fc1.weight': 90% of its weights are zero; it is kept as" in result.err
    assert "training keeps the zeros" in result.err
    before = weights_of(net)
    trained, gradients = (load_file(tmp_path / f"{name}.safetensors") for name in "wg")
    for name in RECURRENT:
        there = before[name] != 0
        assert not trained[name][~there].any()
        assert not gradients[name][~there].any()
        assert gradients[name].any()
        assert np.mean(trained[name][there] != before[name][there]) > 0.9
    spikeloom("export", net, "--weights=w.safetensors", "-o", "trained.onnx")
    after = weights_of(tmp_path / "trained.onnx")
    for name in RECURRENT:
        np.testing.assert_array_equal(after[name], trained[name])


def test_both_engines_and_a_continued_training_have_the_same_bits(spikeloom, net, tmp_path):
    for name, more in {"fast": [], "strict": ["--engine=strict"], "lists": ["--max-activity=0.2"]}.items():
        spikeloom("train", net, *TRAIN, f"--save={name}.safetensors", *more)
    fast, strict = load_file(tmp_path / "fast.safetensors"), load_file(tmp_path / "strict.safetensors")
    for name, value in fast.items():
        np.testing.assert_array_equal(strict[name], value, err_msg=name)
    lists = load_file(tmp_path / "lists.safetensors")
    assert all(not lists[name][fast[name] == 0].any() for name in RECURRENT)
    checkpoint = ["--checkpoint=c.safetensors", "--checkpoint-every=4"]
    spikeloom("train", net, *TRAIN[:-1], "--epochs=2", *checkpoint, "--save=half.safetensors")
    spikeloom("train", net, *TRAIN, "--resume=c.safetensors", "--save=whole.safetensors")
    for name, value in load_file(tmp_path / "whole.safetensors").items():
        np.testing.assert_array_equal(value, fast[name], err_msg=name)


def test_memory_goes_with_the_connections(net):
    sizes = {}
    for sparse in (0.0, 0.25):
        model = sl.load(net, sparse_weights=sparse)
        program = sl.compile(model, machine="tiny", batch=BATCH, steps=STEPS, train=sl.Training())
        with program.session() as session:
            sizes[sparse] = session.info.tile_memory_max
    print(sizes)
    # A unit holds four times 360 floats densely; connections, at most 34 and 18 of them, take 18 bytes each.
    assert sizes[0.25] < 0.6 * sizes[0.0], sizes


def test_other_connections_are_refused(spikeloom, net, tmp_path):
    weights = weights_of(net)
    row, column = np.argwhere(weights["fc1.weight"] == 0)[0]
    spikeloom("train", net, *TRAIN, "--save=w.safetensors")
    trained = load_file(tmp_path / "w.safetensors")
    trained["fc1.weight"][row, column] = 0.5
    save_file(trained, tmp_path / "other.safetensors")
    result = spikeloom("train", net, *TRAIN, "--weights=other.safetensors", "--save=v.safetensors", code=1)
    assert f"'fc1.weight': element [{row}, {column}] is 0.5" in result.err
    assert "no connection there" in result.err
    spikeloom("train", net, *TRAIN, "--sparse-weights=0", "--weights=other.safetensors", "--save=v.safetensors")
    drawn = ["--random-weights=1", "--seed=2", "--save=r.safetensors"]
    spikeloom("train", net, *TRAIN, *drawn)
    assert not load_file(tmp_path / "r.safetensors")["fc1.weight"][weights["fc1.weight"] == 0].any()


def test_the_model_says_what_is_sparse(net):
    with pytest.raises(UserError, match="--sparse-weights=2"):
        sl.load(net, sparse_weights=2).imported()
    assert "snn.connections" not in sl.load(net, sparse_weights=0).imported().to_mlir()
    imported = sl.load(net).imported()
    assert imported.to_mlir().count("= #snn.connections<") == 2
    assert [p.name for p in imported.parameters if p.sparse] == list(RECURRENT)
