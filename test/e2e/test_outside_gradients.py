# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients for cotangents from outside: the same bits from interpreter and engines, and PyTorch's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from engines import differences, tool
from safetensors.numpy import load_file, save_file
from siblings import DENSE, SPARSE

from spiking_models import relative_error, torch_gradients

CASES = {
    name: (DENSE | SPARSE)[name]
    for name in ("two layers", "biases, delayed reset to a value", "recurrent", "masked weights, recurrent", "lists")
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_parameters_and_input(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    net, lists = CASES[name].net, CASES[name].lists
    cotangent = np.random.default_rng(1).normal(size=(net.steps, net.batch, net.layers[-1].units)).astype(np.float32)
    (tmp_path / "model.mlir").write_text(net.mlir())
    np.save(tmp_path / "x.npy", net.x)
    np.save(tmp_path / "cotangent.npy", cotangent)
    save_file(net.values, tmp_path / "weights")
    options = [
        "--machine=tiny",
        "--gradients",
        f"--surrogate={net.surrogate}:{net.slope}",
        f"--detach-reset={str(net.detach).lower()}",
        *([f"--max-activity={lists.activity}", f"--second-threshold={lists.near}"] if lists else []),
    ]
    tool("snn-compile", tmp_path / "model.mlir", "-o", tmp_path / "net.loom", *options)
    tool("snn-compile", tmp_path / "model.mlir", "--stop-after=placement", "-o", tmp_path / "placed.mlir", *options)
    given = [
        f"--input=x={tmp_path / 'x.npy'}",
        f"--input=spk.cotangent={tmp_path / 'cotangent.npy'}",
        f"--weights={tmp_path / 'weights'}",
    ]
    found = {}
    for engine in ("fast", "strict"):
        out, file = tmp_path / engine, tmp_path / f"{engine}.gradients"
        where = [f"--engine={engine}", f"--output={out}", f"--save-gradients={file}"]
        tool("snn-run", tmp_path / "net.loom", *given, *where)
        found[engine] = {**load_file(file), "spk": np.load(out / "spk.npy")}
    tool("snn-interpret", tmp_path / "placed.mlir", *given, f"--output={tmp_path / 'results'}")
    expected = {name: np.load(tmp_path / "results" / f"{name}.grad.npy") for name in found["fast"] if name != "spk"}
    expected["spk"] = np.load(tmp_path / "results" / "spk.npy")
    assert expected.keys() == {*net.values, "x", "spk"}
    assert not differences(found["fast"], expected)
    assert not differences(found["strict"], expected)
    rules = {"activity": lists.activity, "near": lists.near} if lists else {}
    for parameter, gradient in torch_gradients(net, cotangent=cotangent, **rules)[2].items():
        assert np.linalg.norm(gradient) > 0, f"{parameter}: a gradient of zero tests nothing"
        assert relative_error(found["fast"][parameter], gradient) < 1e-4, parameter
