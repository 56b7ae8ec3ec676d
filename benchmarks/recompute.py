# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A training step with tapes of fewer steps: memory of tiles, modelled cycles, seconds on the host."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import harness
import numpy as np
import workload
from network import lif_network, tanh_network

sys.path.insert(0, str(harness.ROOT / "python"))

import spikeloom as sl

ROD = workload.NETWORKS["rod"]
INPUTS, UNITS, CLASSES, BATCH = 700, 256, 20, 48


def rod(arguments, path: Path, every: int) -> tuple[sl.Program, np.ndarray]:
    """The spiking network with lists of 5 %, and input spikes."""
    path.write_text(lif_network(ROD.sizes, ROD.batch, ROD.steps, workload.DECAY))
    lists = sl.Events(0.05, 0.9, {"x": ROD.input_spikes})
    program = sl.compile(path, machine=arguments.machine, events=lists, train=sl.Training(recompute=every))
    return program, workload.draw_input(ROD, 0)


def tanh(arguments, path: Path, every: int, steps: int) -> tuple[sl.Program, np.ndarray]:
    """A recurrent layer without spikes, whose tapes are dense, and random inputs."""
    path.write_text(tanh_network(INPUTS, UNITS, CLASSES, BATCH, steps))
    goal = sl.Training(readout="output", recompute=every)
    x = np.random.default_rng(1).standard_normal((steps, BATCH, INPUTS), dtype=np.float32)
    return sl.compile(path, machine=arguments.machine, train=goal), x


def measure(arguments, program: sl.Program, x: np.ndarray) -> tuple[int, int, float]:
    """Bytes of the largest tile, cycles of a step, seconds of the best step."""
    with program.session("fast", arguments.threads) as session:
        labels = np.arange(BATCH, dtype=np.int32) % session.info.classes
        session.weights = random_weights(session)
        seconds = []
        for _ in range(arguments.rounds):
            start = time.perf_counter()
            session.step(x, labels)
            seconds.append(time.perf_counter() - start)
        profile = session.profile()
    return profile["tiles"]["memory_bytes_max"], profile["cycles"]["total"], min(seconds)


def random_weights(session: sl.Session) -> dict[str, np.ndarray]:
    """Weights of mean zero, of a spread by fan-in at which hidden lists of 5 % are about full."""
    rng = np.random.default_rng(2)
    return {
        name: (rng.standard_normal(value.shape, dtype=np.float32) / np.sqrt(value.shape[-1]))
        for name, value in session.weights.items()
    }


def main() -> None:
    """Compile and run the steps with tapes of all steps and of segments."""
    parser = harness.options(__doc__)
    parser.add_argument("--every", type=int, nargs="+", default=[50, 20, 10], help="steps of a segment")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    os.environ.setdefault("SPIKELOOM_BIN", str(arguments.bin))
    print(f"{harness.describe_machine()}; {arguments.threads} threads, best of {arguments.rounds}\n", flush=True)
    models = {f"{ROD}, lists of 5 %": rod}
    for steps in (100, 200):
        name = f"tanh {INPUTS}-{UNITS}-{CLASSES}, batch {BATCH}, {steps} steps"
        models[name] = lambda *words, steps=steps: tanh(*words, steps)
    rows = []
    with harness.temporary_folder() as folder:
        for name, build in models.items():
            for every in (0, *arguments.every):
                try:
                    program, x = build(arguments, Path(folder) / "model.mlir", every)
                except sl.UserError as error:
                    reason = "does not fit" if "does not fit" in str(error) else sys.exit(str(error))
                    rows.append([name, str(every or "all"), reason, "", ""])
                    continue
                largest, cycles, seconds = measure(arguments, program, x)
                rows.append([name, str(every or "all"), f"{largest / 1024:.0f}", f"{cycles:,}", f"{seconds:.3f}"])
    harness.print_table(["network", "steps of a tape", "largest tile, KiB", "cycles of a step", "host, s"], rows)
    print(f"load average at the end {harness.load()}")


if __name__ == "__main__":
    main()
