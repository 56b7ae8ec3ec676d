# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One training step of layers on features by the interpreter, the strict and the fast engine: the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from feature_models import NETS
from same_bits import assert_same_training_step
from spiking_models import BUILD, run

if not (BUILD / "bin/snn-compile").exists() or not (BUILD / "bin/snn-run").exists():
    pytest.skip("needs snn-compile and snn-run: build everything", allow_module_level=True)
pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


SPARSE = ["--max-activity=0.3", "--second-threshold=0.5", "--input-capacity=x:30"]
LISTS = ["conv2d, groups, dilation", "average pooling", "residual", "batch norm of channels"]


@pytest.mark.parametrize(("name", "options"), [(n, []) for n in NETS] + [(n, SPARSE) for n in LISTS])
def test_one_training_step(name: str, options: list[str], tmp_path) -> None:
    net, output = NETS[name]()
    step = [f"--surrogate=fast_sigmoid:{net.slope}", *options]
    assert_same_training_step(tmp_path, net.mlir(output), net.x, net.labels, net.values, net.statistics, step)


@pytest.mark.parametrize("name", NETS)
def test_outputs(name: str, tmp_path) -> None:
    """Inference: kernels that do not train lie elsewhere, batch statistics and dropout are gone."""
    net, output = NETS[name]()
    model, weights, x = (tmp_path / file for file in ("m.mlir", "w.safetensors", "x.npy"))
    model.write_text(net.mlir(output))
    save_file({**net.values, **net.statistics}, weights)
    np.save(x, net.x)
    placed, program = tmp_path / "placed.mlir", tmp_path / "program.loom"
    run(BUILD / "bin/snn-compile", model, "-o", placed, "--stop-after=placement", "--machine=tiny")
    run(BUILD / "bin/snn-compile", model, "-o", program, "--machine=tiny")
    inputs = ["--input", f"x={x}", "--weights", weights]
    run(BUILD / "bin/snn-interpret", placed, *inputs, "--output", tmp_path / "expected")
    expected = np.load(tmp_path / "expected/out.npy")
    assert expected.any()
    for engine in ("strict", "fast"):
        run(BUILD / "bin/snn-run", program, "--engine", engine, *inputs, "--output", tmp_path / engine)
        np.testing.assert_array_equal(np.load(tmp_path / engine / "out.npy"), expected, err_msg=engine)
