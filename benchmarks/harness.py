# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the benchmarks share: their options, running the programs side by side, and tables.

Machines are shared and noisy, so only ratios of one run count: programs take turns within a round, a round
counts the best step of each program, and tables show the median of the rounds with its range.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import network
import workload

ROOT = Path(__file__).resolve().parent.parent
BOUND_TIMES = re.compile(r"([\d.]+) s per step \(forward ([\d.]+), backward ([\d.]+), Adam ([\d.]+)\)")


def options(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin", help="folder of the Spikeloom tools")
    parser.add_argument("--machine", default="bow", help="machine to compile for")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the table shows their medians")
    parser.add_argument("--profile-dir", type=Path, help="keep profiles here")
    return parser


def add_peer_options(parser: argparse.ArgumentParser, peers: str) -> None:
    """Options of benchmarks that run beside other programs."""
    parser.add_argument("--network", choices=workload.NETWORKS, default="rod", help="what is measured")
    parser.add_argument("--activity", type=float, nargs="+", default=[1, 5, 10], help="list lengths, %% of a layer")
    parser.add_argument("--threads", type=int, default=2, help="threads of every program (the bound has two)")
    parser.add_argument("--repeat", type=int, default=6, help="steps of a round; the best one counts")
    parser.add_argument("--peer-repeat", type=int, default=2, help=f"the same for {peers}, after one not counted")
    parser.add_argument("--peer-rounds", type=int, help=f"rounds in which {peers} runs too; default: all")
    parser.add_argument(
        "--bound-source",
        type=Path,
        default=os.environ.get("SPIKELOOM_BOUND"),
        help="C++ source of the hand-written bound for the rod, or $SPIKELOOM_BOUND; left out without it",
    )
    parser.add_argument("--cxx", default="clang++-22", help="compiler of the bound")
    parser.add_argument(
        "--peers-python",
        default=os.environ.get("SPIKELOOM_PEERS_PYTHON"),
        help=f"Python that has {peers}, or $SPIKELOOM_PEERS_PYTHON; left out without it",
    )


def output_of(command: list[str | Path], what: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{what} failed with exit code {done.returncode}: {' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def build_bound(arguments: argparse.Namespace, folder: Path) -> Path | None:
    """Compiles the bound for this CPU."""
    if not arguments.bound_source or arguments.network != "rod":
        return None
    program = folder / "bound"
    flags = ["-O3", "-march=native", "-pthread"]
    output_of([arguments.cxx, *flags, arguments.bound_source, "-o", program], "compiling the bound")
    return program


def run_bound(program: Path, capacity: int) -> dict[str, float]:
    """Seconds of the best step of the bound, whole and by part."""
    text = output_of([program, str(capacity)], "the bound")
    found = BOUND_TIMES.search(text)
    if not found:
        sys.exit(f"the bound printed no times: {text!r}")
    return dict(zip(["step", "forward", "backward", "optimizer"], map(float, found.groups()), strict=True))


def compile_options(
    arguments: argparse.Namespace, measured: workload.Network, activity: float, train: bool
) -> list[str]:
    """Options of snn-compile for a network with lists of `activity` percent."""
    words = [f"--machine={arguments.machine}", f"--max-activity={activity / 100:g}"]
    words += [f"--input-capacity=x:{measured.input_spikes}", "--binary-inputs=x"]
    if train:
        words += ["--train", "--second-threshold=0.9", "--lr=1e-9"]
    return words


def write_model(measured: workload.Network, path: Path) -> None:
    """Writes a network as MLIR text."""
    path.write_text(network.lif_network(measured.sizes, measured.batch, measured.steps, workload.DECAY))


class Ours:
    """A network's compiled program, and the folder with the files that it runs on."""

    def __init__(
        self, arguments: argparse.Namespace, measured: workload.Network, folder: Path, program: Path, train: bool
    ):
        self.arguments, self.measured, self.folder, self.program = arguments, measured, folder, program
        self.train = train
        self.work = workload.silent(measured)
        self.draw(0)

    @classmethod
    def compiled(
        cls, arguments: argparse.Namespace, measured: workload.Network, folder: Path, activity: float, train: bool
    ) -> Ours:
        """Compiles the network with lists of one length and makes the workload that fills them."""
        model, program = folder / "model.mlir", folder / "model.loom"
        write_model(measured, model)
        words = compile_options(arguments, measured, activity, train)
        output_of([arguments.bin / "snn-compile", model, *words, "-o", program], "snn-compile")
        ours = cls(arguments, measured, folder, program, train)
        capacities = [layer["capacity"] for layer in ours.run()[1]["layers"] if layer["name"] in measured.hidden]
        ours.work = workload.make_workload(measured, capacities, workload.draw_input(measured, 0))
        ours.draw(0)
        return ours

    @property
    def capacity(self) -> int:
        """Entries of a list of the first hidden layer."""
        return self.work.lists[0].capacity

    def draw(self, seed: int) -> None:
        """Writes the files of a run with ids drawn afresh."""
        self.work.save(self.folder, workload.draw_input(self.measured, seed), seed)

    def run(self) -> tuple[float, dict]:
        """Seconds of the best step of a process, and the profile of its last step."""
        folder, profile = self.folder, self.folder / "profile.json"
        command = [self.arguments.bin / "snn-run", self.program, "--input", f"x={folder / 'x.npy'}"]
        for state in sorted(folder.glob("mem*.npy")):
            command += ["--input", f"{state.stem}={state}"]
        if self.train:
            command += ["--labels", folder / "labels.npy"]
        command += ["--weights", folder / "weights.safetensors", "--profile", profile]
        command += [f"--threads={self.arguments.threads}", f"--repeat={self.arguments.repeat}"]
        text = output_of(command, "snn-run")
        times = [float(seconds) for seconds in re.findall(r"host ([\d.e+-]+) s", text)]
        result = json.loads(profile.read_text())
        return min(times or [result["host"]["seconds"]]), result


def alternate(programs: dict[str, Callable[[], float | None]], rounds: int) -> dict[str, list[float]]:
    """Runs the programs in turn, `rounds` times; seconds of each by round, without None."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            if (time := program()) is not None:
                seconds[name].append(time)
    return seconds


def middle(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})"


def ratio(over: list[float], under: list[float]) -> str:
    """Median and range of the ratios of rounds."""
    ratios = [a / b for a, b in zip(over, under, strict=False)]  # one may have run in the first rounds only
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def load() -> str:
    """How busy the machine was in the last 1, 5 and 15 minutes."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


def describe_machine() -> str:
    """CPU, cores and load: what the numbers depend on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*: (.*)", info.read_text())
        model = found.group(1) if found else model
    return f"{model}, {os.cpu_count()} cores, load average at the start {load()}"


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """Prints a Markdown table."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
    print(flush=True)


def print_lists(ours: Ours, profile: dict) -> None:
    """Prints what the lists hold: as simulated when the weights were drawn, and as the profile counted."""
    for layer, lists in zip(ours.measured.hidden, ours.work.lists, strict=True):
        row = next(entry for entry in profile["layers"] if entry["name"] == layer)
        steps = ours.measured.steps * ours.measured.batch
        mean = row["listed"] / steps
        off = abs(mean / lists.capacity - 1) * 100
        print(
            f"  {layer}: {mean:.1f} spikes a list of {lists.capacity} ({off:.1f} % off), "
            f"{row['near'] / steps:.1f} near; simulated {lists.mean:.1f}, "
            f"{lists.distinct} distinct ids, {lists.distinct_per_sample:.0f} in a sample; "
            f"{row['overflow'] * 100:.1f} % of the spikes dropped"
        )


def temporary_folder() -> tempfile.TemporaryDirectory:
    """A folder for programs and arrays."""
    return tempfile.TemporaryDirectory(prefix="spikeloom-benchmark-")
