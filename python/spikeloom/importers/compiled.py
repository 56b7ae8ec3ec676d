# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The importer's own evaluation says that the import is right; only the tools say that the program is.
"""Runs an imported model by the way that users take: MLIR text, snn-compile, snn-run, `.npy` files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..tools import run_tool
from .emit import emit
from .ir import Program, Step
from .programs import step_program

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class CompiledRunner:
    """Compiles for a machine and runs with an engine (`fast` or `strict`)."""

    machine: str
    engine: str = "fast"

    def __call__(self, step: Step, sequences: Arrays, states: Arrays) -> tuple[Arrays, Arrays]:
        """As `evaluate.run_steps`: sequences `[T, batch, width]` to (outputs over time, states after the last step).

        Raises the errors of `spikeloom.errors` with the message of the tool that failed.
        """
        steps = len(next(iter(sequences.values())))
        inputs = {n: a[0] for n, a in sequences.items()} if step.is_sequence else sequences
        outputs, following = self.run_program(step_program(step, steps), inputs, states)
        return ({n: a[None] for n, a in outputs.items()} if step.is_sequence else outputs), following

    def run_program(self, program: Program, inputs: Arrays, states: Arrays) -> tuple[Arrays, Arrays]:
        """As `evaluate.run_program`, on rows `[T, batch, width]` or `[batch, width]`."""
        batch = next(iter(inputs.values())).shape[-2]
        with tempfile.TemporaryDirectory(prefix="spikeloom-") as name:
            folder = Path(name)
            (folder / "model.mlir").write_text(emit(program, batch, "model"), encoding="utf-8")
            run_tool("snn-compile", ["model.mlir", "-o", "model.loom", f"--machine={self.machine}"], folder)
            arguments = ["model.loom", "--output", "out", "--engine", self.engine, "--threads", "1"]
            for i, (port, array) in enumerate({**inputs, **states}.items()):
                np.save(folder / f"in{i}.npy", np.ascontiguousarray(array, np.float32))
                arguments += ["--input", f"{port}=in{i}.npy"]
            run_tool("snn-run", arguments, folder)

            def output(port: str) -> np.ndarray:
                return np.load(folder / "out" / f"{port.replace('/', '_')}.npy")

            return {p.name: output(p.name) for p in program.outputs}, {s.name: output(s.output) for s in program.states}
