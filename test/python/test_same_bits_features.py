# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One training step of layers on features by the interpreter, the strict and the fast engine: the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from feature_models import NETS
from spiking_models import BUILD, run

if not (BUILD / "bin/snn-compile").exists() or not (BUILD / "bin/snn-run").exists():
    pytest.skip("needs snn-compile and snn-run: build everything", allow_module_level=True)
pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


SPARSE = ["--max-activity=0.3", "--second-threshold=0.5", "--input-capacity=x:30"]
LISTS = ["conv2d, groups, dilation", "average pooling", "residual", "batch norm of channels"]


@pytest.mark.parametrize(("name", "options"), [(n, []) for n in NETS] + [(n, SPARSE) for n in LISTS])
def test_one_training_step(name: str, options: list[str], tmp_path) -> None:
    net, output = NETS[name]()
    model, weights, x, labels = (tmp_path / file for file in ("m.mlir", "w.safetensors", "x.npy", "y.npy"))
    model.write_text(net.mlir(output))
    save_file({**net.values, **net.statistics}, weights)
    np.save(x, net.x)
    np.save(labels, net.labels)
    arguments = ["--train", "--machine=tiny", f"--surrogate=fast_sigmoid:{net.slope}", *options]
    placed, program, expected = tmp_path / "placed.mlir", tmp_path / "program.loom", tmp_path / "expected"
    # The order of sums over tiles is an attribute that the placement writes.
    run(BUILD / "bin/snn-compile", model, "-o", placed, "--stop-after=placement", *arguments)
    run(BUILD / "bin/snn-compile", model, "-o", program, *arguments)
    inputs = ["--input", f"x={x}", "--weights", weights]
    run(BUILD / "bin/snn-interpret", placed, *inputs, "--input", f"labels={labels}", "--output", expected)
    for engine in ("strict", "fast"):
        gradients, trained = tmp_path / f"{engine}.gradients", tmp_path / f"{engine}.weights"
        results = ["--save-gradients", gradients, "--save", trained]
        run(BUILD / "bin/snn-run", program, "--engine", engine, *inputs, "--labels", labels, *results)
        found, new = load_file(gradients), load_file(trained)
        for parameter in net.values:
            gradient = np.load(expected / f"{parameter}.grad.npy")
            np.testing.assert_array_equal(found[parameter], gradient, err_msg=f"{engine}: gradient of {parameter}")
            np.testing.assert_array_equal(new[parameter], np.load(expected / f"{parameter}.npy"), err_msg=engine)
        for statistic in net.statistics:
            np.testing.assert_array_equal(new[statistic], np.load(expected / f"{statistic}.npy"), err_msg=engine)


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
