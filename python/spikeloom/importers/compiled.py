# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The importer's own evaluation says that the import is right; only the tools say that the program is.
"""Runs an imported model by the way that users take: MLIR text, snn-compile, snn-run, `.npy` files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..tools import run_tool
from .emit import emit, state_outputs
from .ir import Step


@dataclass(frozen=True)
class CompiledRunner:
    """Compiles for a machine and runs with an engine (`fast` or `strict`)."""

    machine: str
    engine: str = "fast"

    def __call__(self, step: Step, sequences: dict[str, np.ndarray], states: dict[str, np.ndarray]) \
            -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """As `evaluate.run_steps`: sequences `[T, batch, width]` to (outputs over time, states after the last step).

        Raises the errors of `spikeloom.errors` with the message of the tool that failed.
        """
        steps, batch = next(iter(sequences.values())).shape[:2]
        inputs = {n: a[0] if step.is_sequence else a for n, a in sequences.items()} | states
        with tempfile.TemporaryDirectory(prefix="spikeloom-") as name:
            folder = Path(name)
            (folder / "model.mlir").write_text(emit(step, batch, steps, "model"), encoding="utf-8")
            run_tool("snn-compile", ["model.mlir", "-o", "model.loom", f"--machine={self.machine}"], folder)
            arguments = ["model.loom", "--output", "out", "--engine", self.engine, "--threads", "1"]
            for i, (port, array) in enumerate(inputs.items()):
                np.save(folder / f"in{i}.npy", np.ascontiguousarray(array, np.float32))
                arguments += ["--input", f"{port}=in{i}.npy"]
            run_tool("snn-run", arguments, folder)

            def output(port: str) -> np.ndarray:
                return np.load(folder / "out" / f"{port.replace('/', '_')}.npy")

            rows = {n: output(n) for n, _ in step.outputs}
            if step.is_sequence:
                rows = {n: a[None] for n, a in rows.items()}
            return rows, {o.state: output(o.name) for o in state_outputs(step)}
