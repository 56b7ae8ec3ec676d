# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiling 2312-1466-1466-10 from MLIR bytecode, cold: seconds, tile memory and cycles of a superstep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import harness
import workload

ROD = workload.NETWORKS["rod"]


def compile_once(arguments, model: Path, program: Path, activity: float, train: bool) -> tuple[float, float]:
    """Seconds on the clock and seconds of CPU of one process of snn-compile."""
    words = harness.compile_options(arguments, ROD, activity, train)
    command = [str(arguments.bin / "snn-compile"), str(model), *words, "-o", str(program)]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"snn-compile failed: {' '.join(command)}")
    return seconds, usage.ru_utime + usage.ru_stime


def profile_of(arguments, program: Path, folder: Path, train: bool) -> dict:
    """Profile of one run with full input lists and silent weights: cycles do not need real ones."""
    return harness.Ours(arguments, ROD, folder, program, train).run()[1]


def main() -> None:
    """Compiles the training step and inference, `rounds` times each, in turn."""
    parser = harness.options(__doc__)
    parser.add_argument("--activity", type=float, default=5, help="list lengths, %% of a layer")
    arguments = parser.parse_args()
    arguments.threads, arguments.repeat = os.cpu_count() or 1, 1
    print(f"{harness.describe_machine()}; {arguments.rounds} rounds\n", flush=True)
    with harness.temporary_folder() as name:
        folder = Path(name)
        harness.write_model(ROD, folder / "rod.mlir")
        bytecode = folder / "rod.mlirbc"
        emit = [arguments.bin / "snn-opt", "--emit-bytecode", folder / "rod.mlir", "-o", bytecode]
        harness.output_of(emit, "snn-opt")
        kinds = {"training step": True, "inference": False}
        wall: dict[str, list[float]] = {kind: [] for kind in kinds}
        busy: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(arguments.rounds):
            for kind, train in kinds.items():
                program = folder / f"{kind}.loom"
                seconds, cpu = compile_once(arguments, bytecode, program, arguments.activity, train)
                wall[kind].append(seconds)
                busy[kind].append(cpu)
        rows = []
        for kind, train in kinds.items():
            program = folder / f"{kind}.loom"
            profile = profile_of(arguments, program, folder, train)
            count = sum(step["count"] for step in profile["supersteps"])
            per_superstep = sum(step["cycles"] for step in profile["supersteps"]) / max(1, count)
            tiles = profile["tiles"]
            largest = f"{tiles['memory_bytes_max'] / 1024:.0f}"
            size = f"{program.stat().st_size / 1024:.0f}"
            times = [harness.middle(wall[kind]), harness.middle(busy[kind])]
            rows.append([kind, *times, largest, str(tiles["used"]), str(count), f"{per_superstep:.0f}", size])
            if arguments.profile_dir:
                arguments.profile_dir.mkdir(parents=True, exist_ok=True)
                target = arguments.profile_dir / f"compile-{kind.replace(' ', '-')}.json"
                target.write_text(json.dumps(profile, indent=1))
    header = ["program", "seconds", "CPU seconds", "largest tile, KiB", "tiles", "supersteps", "cycles of one"]
    harness.print_table([*header, "file, KiB"], rows)
    print("Seconds: median of the rounds (range). Cycles of a superstep: mean, with silent hidden layers.")


if __name__ == "__main__":
    main()
