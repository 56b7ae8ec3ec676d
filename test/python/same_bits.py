# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of equal bits share: one training step by the interpreter and by both engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from spiking_models import BUILD, run

Arrays = dict[str, np.ndarray]


def assert_same_training_step(
    folder: Path, text: str, x: np.ndarray, labels: np.ndarray, values: Arrays, statistics: Arrays, options: list[str]
) -> None:
    """Gradients and parameters after a step on `tiny` have the interpreter's bits in `strict` and `fast`.

    `values` train and must have gradients; `statistics` only move. `x` is [T, B, N], `labels` [B].
    """
    model, weights, x_file, labels_file = (folder / file for file in ("m.mlir", "w.safetensors", "x.npy", "y.npy"))
    model.write_text(text)
    save_file({**values, **statistics}, weights)
    np.save(x_file, x)
    np.save(labels_file, labels)
    arguments = ["--train", "--machine=tiny", *options]
    placed, program, expected = folder / "placed.mlir", folder / "program.loom", folder / "expected"
    # The order of sums over tiles is an attribute that the placement writes.
    run(BUILD / "bin/snn-compile", model, "-o", placed, "--stop-after=placement", *arguments)
    run(BUILD / "bin/snn-compile", model, "-o", program, *arguments)
    inputs = ["--input", f"x={x_file}", "--weights", weights]
    run(BUILD / "bin/snn-interpret", placed, *inputs, "--input", f"labels={labels_file}", "--output", expected)
    for engine in ("strict", "fast"):
        gradients, trained = folder / f"{engine}.gradients", folder / f"{engine}.weights"
        results = ["--save-gradients", gradients, "--save", trained]
        run(BUILD / "bin/snn-run", program, "--engine", engine, *inputs, "--labels", labels_file, *results)
        found, new = load_file(gradients), load_file(trained)
        for name in values:
            gradient = np.load(expected / f"{name}.grad.npy")
            assert np.linalg.norm(gradient) > 0, f"the gradient of {name} tests nothing"
            np.testing.assert_array_equal(found[name], gradient, err_msg=f"{engine}: gradient of {name}")
        for name in (*values, *statistics):
            np.testing.assert_array_equal(new[name], np.load(expected / f"{name}.npy"), err_msg=engine)
