# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares conventions for NIR with traces that platforms recorded of one leaky integrate-and-fire neuron.

    python -m spikeloom.importers.nir_traces DIR

DIR holds the graphs `lif_norse.nir` and `lif_rockpool.nir`, and `lif_<platform>.csv` with 1,000 rows: input, voltage,
spike. Prints one row for each trace: whether all spikes are at the same steps, and the largest difference of a voltage
(of float32 numbers, in the platform's own unit); a factor is given where it explains a difference. Exit code 1 if a
spike differs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .evaluate import run_steps
from .nir_conventions import NirOptions
from .nir_step import read_step
from .problems import ImportFailed, ProblemList

# Trace, convention, graph. Rockpool recorded its own graph, the others Norse's.
TRACES = (("norse", "norse", "lif_norse.nir"), ("snntorch", "snntorch", "lif_norse.nir"),
          ("spyx", "spyx", "lif_norse.nir"), ("lava_cpu_float", "lava", "lif_norse.nir"),
          ("sinabs", "sinabs", "lif_norse.nir"), ("rockpool", "rockpool", "lif_rockpool.nir"),
          ("nengo", "nengo", "lif_norse.nir"), ("spinnaker2", "spinnaker2", "lif_norse.nir"),
          ("exact", "exact", "lif_norse.nir"))


@dataclass(frozen=True)
class Comparison:
    """One trace: steps with a spike here and there, largest difference of a voltage, also with the best factor."""

    trace: str
    convention: str
    graph: str
    ours: list[int]
    theirs: list[int]
    difference: float
    factor: float
    scaled_difference: float


def compare(folder: Path, trace: str, convention: str, graph: str) -> Comparison:
    """Runs a graph on the input of a trace. Raises ImportFailed or OSError."""
    recorded = np.loadtxt(folder / f"lif_{trace}.csv", delimiter=",", ndmin=2)
    problems = ProblemList()
    path = str(folder / graph)
    step = read_step(path, NirOptions(convention=convention), "lif", 1, None, problems)
    if step is None:
        raise ImportFailed(path, problems.items)
    membrane = next(s for s in step.states if s.name.endswith(".v"))
    step.outputs = [("spike", step.outputs[0][1]), ("voltage", membrane.next)]
    # Sinabs recorded its input after the weight, as 0.04; a spike is a spike.
    drive = (recorded[:, 0] != 0).astype(np.float32).reshape(-1, 1, 1)
    zeros = {s.name: np.zeros((1, s.value.width), np.float32) for s in step.states}
    found, _ = run_steps(step, {step.inputs[0].name: drive}, zeros)
    voltage, expected = found["voltage"].ravel(), recorded[:, 1].astype(np.float32)
    wide = voltage.astype(np.float64)
    factor = float(wide @ recorded[:, 1] / (wide @ wide)) if wide.any() else 1.0
    return Comparison(trace, convention, graph, np.flatnonzero(found["spike"].ravel()).tolist(),
                      np.flatnonzero(recorded[:, 2]).tolist(), float(np.abs(voltage - expected).max()),
                      factor, float(np.abs(wide * factor - recorded[:, 1]).max()))


def describe(c: Comparison) -> str:
    """A row of the table."""
    text = "0" if c.difference == 0 else f"{c.difference:.1e}"
    if c.scaled_difference < 0.01 * c.difference:
        text += f" ({c.scaled_difference:.0e} after a factor of {c.factor:.6f})"
    spikes = " ".join(map(str, c.ours)) + ("" if c.ours == c.theirs else f" instead of {' '.join(map(str, c.theirs))}")
    return f"| `lif_{c.trace}.csv` | `{c.graph}` | `{c.convention}` | {spikes} | {text} |"


def table(folder: Path) -> tuple[str, bool]:
    """The whole table, and whether all spikes are equal."""
    rows = [compare(folder, *entry) for entry in TRACES]
    head = ["| trace | graph | `--nir-convention` | spikes at steps | largest difference of a voltage |",
            "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *map(describe, rows)]), all(r.ours == r.theirs for r in rows)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m spikeloom.importers.nir_traces", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    folder = parser.parse_args(arguments).directory
    try:
        text, equal = table(folder)
    except (ImportFailed, OSError, ValueError) as error:
        print(f"{folder}: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
