# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of several scans and of rows outside scans: the interpreter and both engines give the same bits."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from engines import Tensors, differences, tool
from programs import FUNCTIONS, B, C, Function
from safetensors.numpy import load_file, save_file


def prepare(function: Function, folder: Path) -> list[str]:
    """Writes model and data; returns the options that name inputs and parameters."""
    (folder / "model.mlir").write_text(function.mlir())
    save_file(function.values(), folder / "weights")
    given = [f"--weights={folder / 'weights'}"]
    for name, value in function.data().items():
        np.save(folder / f"{name}.npy", value)
        given.append(f"--input={name}={folder / f'{name}.npy'}")
    return given


def read(folder: Path) -> Tensors:
    return {path.stem: np.load(path) for path in folder.glob("*.npy")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_inference(name: str, tmp_path: Path) -> None:
    function = FUNCTIONS[name]
    given = prepare(function, tmp_path)
    model, loom = tmp_path / "model.mlir", tmp_path / "net.loom"
    tool("snn-interpret", model, *given, f"--output={tmp_path / 'expected'}")
    expected = read(tmp_path / "expected")
    assert set(expected) == {result for _, result, _ in function.results}
    tool("snn-compile", model, "-o", loom, "--machine=tiny")
    for engine in ("strict", "fast"):
        tool("snn-run", loom, *given, f"--engine={engine}", f"--output={tmp_path / engine}")
        wrong = differences(read(tmp_path / engine), expected)
        assert not wrong, f"{engine}:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("optimizer", "words"), [("adam", []), ("sgd", []), ("sgd", ["--recompute=2"])], ids=["adam", "sgd", "recompute"]
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_training_step(name: str, optimizer: str, words: list[str], tmp_path: Path) -> None:
    function = FUNCTIONS[name]
    given = prepare(function, tmp_path)
    np.save(tmp_path / "labels.npy", np.arange(B, dtype=np.int32) % C)
    first_step = [0.5, 0, 0, 0] if optimizer == "sgd" else [0.5 / (1 - 0.9), 1 / math.sqrt(1 - 0.999), 0, 0]
    np.save(tmp_path / "hyper.npy", np.array(first_step, np.float32))
    model, loom = tmp_path / "model.mlir", tmp_path / "net.loom"
    options = ["--machine=tiny", "--train", f"--readout={function.readout}", f"--optimizer={optimizer}", "--lr=0.5"]
    options += words
    tool("snn-compile", model, *options, "--stop-after=placement", "-o", tmp_path / "placed.mlir")
    tool("snn-compile", model, *options, "-o", loom)
    more = [f"--input=labels={tmp_path / 'labels.npy'}", f"--input=hyper={tmp_path / 'hyper.npy'}"]
    tool("snn-interpret", tmp_path / "placed.mlir", *given, *more, f"--output={tmp_path / 'expected'}")
    expected = read(tmp_path / "expected")
    gradients = {n: expected[f"{n}.grad"] for n in function.parameters}
    for parameter, gradient in gradients.items():
        assert np.linalg.norm(gradient) > 0, f"{parameter}: a gradient of zero tests nothing"
    for engine in ("strict", "fast"):
        out = tmp_path / engine
        out.mkdir()
        tool(
            "snn-run",
            loom,
            *given,
            f"--labels={tmp_path / 'labels.npy'}",
            f"--engine={engine}",
            f"--output={out}",
            f"--save-gradients={tmp_path / f'{engine}-gradients'}",
            f"--checkpoint={tmp_path / f'{engine}-checkpoint'}",
        )
        wrong = differences(load_file(tmp_path / f"{engine}-gradients"), gradients)
        after = load_file(tmp_path / f"{engine}-checkpoint")
        wrong += differences({n: after[n] for n in gradients}, {n: expected[n] for n in gradients})
        wrong += differences({"loss": read(out)["loss"]}, {"loss": expected["loss"]})
        assert not wrong, f"{engine}:\n" + "\n".join(wrong)
