# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""K micro-batches of B samples are one batch of K B: losses and gradients; code and tile memory do not grow with K."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engines import Lists, Sibling, Tensors, differences, tool
from safetensors.numpy import load_file, save_file
from siblings import lif

import spikeloom as sl
from spiking_models import Layer, Net, Update, relative_error

K = 3
NETS = {
    "full lists": Sibling(Net(lif(37, 6), inputs=19, steps=12, batch=4, slope=10.0, seed=41)),
    "biases and decays": Sibling(
        Net(lif(22, 5, bias=True, learn_decay=True), inputs=15, steps=10, batch=5, slope=5.0, seed=49),
        update=Update("sgd"),
    ),
    "masked weights": Sibling(
        Net([Layer(30, recurrent=True, density=0.2), Layer(5)], inputs=20, steps=10, batch=4, slope=5.0, seed=53)
    ),
    "recurrent, lists": Sibling(
        Net([Layer(60, recurrent=True), Layer(6)], inputs=40, steps=12, batch=3, slope=5.0, seed=52),
        Lists(activity=0.05, near=0.9, inputs=10),
    ),
}


def in_trips(x: np.ndarray) -> np.ndarray:
    """Samples [T, K B, N] as micro-batches [K, T, B, N]."""
    steps, samples, width = x.shape
    return np.ascontiguousarray(x.reshape(steps, K, samples // K, width).swapaxes(0, 1))


def train(sibling: Sibling, folder: Path, x: np.ndarray, engine: str, *options: str) -> tuple[Tensors, Tensors, dict]:
    """Two training steps on samples x [T, n, N]; outputs and gradients of the second, and the profile."""
    net = sibling.net
    folder.mkdir()
    (folder / "model.mlir").write_text(net.mlir())
    np.save(folder / "x.npy", x)
    np.save(folder / "labels.npy", np.arange(net.batch * (K if options else 1), dtype=np.int32) % net.layers[-1].units)
    save_file(net.values, folder / "weights")
    tool("snn-compile", folder / "model.mlir", "-o", folder / "net.loom", *sibling.options("tiny"), *options)
    tool(
        "snn-run",
        folder / "net.loom",
        f"--input=x={folder / 'x.npy'}",
        f"--labels={folder / 'labels.npy'}",
        f"--weights={folder / 'weights'}",
        f"--engine={engine}",
        "--repeat=2",
        f"--output={folder}",
        f"--save-gradients={folder / 'gradients'}",
        f"--profile={folder / 'profile.json'}",
    )
    outputs = {name: np.load(folder / f"{name}.npy") for name in ("loss", "correct")}
    return outputs, load_file(folder / "gradients"), json.loads((folder / "profile.json").read_text())


@pytest.mark.parametrize("name", NETS)
def test_same_as_one_large_batch(name: str, tmp_path: Path) -> None:
    sibling = NETS[name]
    net = sibling.net
    large = replace(sibling, net=replace(net, batch=K * net.batch, values={}))
    x = large.net.x
    option = f"--gradient-accumulation={K}"
    fast, gradients, profile = train(sibling, tmp_path / "fast", in_trips(x), "fast", option)
    strict, strict_gradients, strict_profile = train(sibling, tmp_path / "strict", in_trips(x), "strict", option)
    wrong = differences(strict, fast) + differences(strict_gradients, gradients)
    assert not wrong, "\n".join(wrong)
    assert strict_profile["cycles"] == profile["cycles"]

    expected, expected_gradients, whole = train(large, tmp_path / "large", x, "fast")
    assert fast["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert fast["correct"] == expected["correct"]
    for parameter, gradient in expected_gradients.items():
        assert np.linalg.norm(gradient) > 0, f"{parameter}: a gradient of zero tests nothing"
        assert relative_error(gradients[parameter], gradient) < 1e-5, parameter
    assert [layer["spikes"] for layer in profile["layers"]] == [layer["spikes"] for layer in whole["layers"]]


def test_cost_of_more_micro_batches(tmp_path: Path) -> None:
    """Every trip takes the cycles of its own data; nothing but inputs grows."""
    sibling = NETS["recurrent, lists"]
    one = train(sibling, tmp_path / "one", sibling.net.x, "fast")[2]
    same = np.concatenate([sibling.net.x] * K, axis=1)
    many = train(sibling, tmp_path / "many", in_trips(same), "fast", f"--gradient-accumulation={K}")[2]
    assert many["tiles"]["used"] == one["tiles"]["used"]
    assert many["tiles"]["memory_bytes_max"] == one["tiles"]["memory_bytes_max"]
    counts = {part["name"]: part["count"] for part in one["supersteps"]}
    for part in many["supersteps"]:
        # The list that the first step reads, and the optimiser, lie outside the loop.
        once = part["phase"] == "update" or part["name"] in ("input_segments", "input_lists")
        assert part["count"] == counts[part["name"]] * (1 if once else K), part["name"]
    sizes = [(tmp_path / name / "net.loom").stat().st_size for name in ("one", "many")]
    assert sizes[1] < 1.05 * sizes[0]


def test_wrong_numbers(tmp_path: Path) -> None:
    sibling = NETS["full lists"]
    (tmp_path / "model.mlir").write_text(sibling.net.mlir())
    command = ["snn-compile", tmp_path / "model.mlir", "-o", tmp_path / "net.loom", "--machine=tiny"]
    done = tool(*command, "--train", "--gradient-accumulation=0", code=1)
    assert "option 'micro-batches' must be at least 1, found 0" in done.stderr
    done = tool(*command, "--gradient-accumulation=2", code=1)
    assert "has no gradients to accumulate over 2 micro-batches" in done.stderr


def test_sessions_take_all_samples_of_a_step(net: Path, data: tuple[np.ndarray, np.ndarray]) -> None:
    """3 x 4 samples through Python, the last step short: the same losses and weights as batches of 12."""
    x, y = (np.ascontiguousarray(part) for part in (data[0].swapaxes(0, 1), data[1]))
    results = []
    for batch, count in ((12, 1), (4, 3)):
        program = sl.compile(
            net, machine="tiny", batch=batch, steps=x.shape[0], train=sl.Training(), gradient_accumulation=count
        )
        with program.session() as session:
            assert session.info.samples == 12
            steps = [session.step(x[:, i : i + 12], y[i : i + 12], gradients=True) for i in (0, 12, 24)]
            results.append((steps, session.weights))
    (large, weights), (small, found) = results
    for a, b in zip(large, small, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=1e-5)
        assert b.accuracy == a.accuracy
    for name, value in weights.items():
        np.testing.assert_allclose(found[name], value, atol=1e-4)


def test_command_line(spikeloom, net: Path, data: tuple[np.ndarray, np.ndarray]) -> None:
    run = ["train", "net.onnx", "--inputs=x.npy", "--labels=y.npy", "--epochs=2", "--machine=tiny", "--seed=1"]
    whole = spikeloom(*run, "--batch=12", "--save=a.safetensors", "--log=a.jsonl")
    parts = spikeloom(*run, "--batch=4", "--gradient-accumulation=3", "--save=b.safetensors", "--log=b.jsonl")
    for run in (whole, parts):
        assert "step of 12 samples" in run.out
    lines = [
        [json.loads(line) for line in (net.parent / log).read_text().splitlines()] for log in ("a.jsonl", "b.jsonl")
    ]
    assert [line["loss"] for line in lines[1]] == pytest.approx([line["loss"] for line in lines[0]], rel=1e-4)
