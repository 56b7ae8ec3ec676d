# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Imports every ONNX file of a directory and compares it with stored outputs.

    python -m spikeloom.importers.conformance DIR [--match GLOB] [--initial FILE_GLOB:STATE_GLOB=VALUE] [--json]
                                                  [--machine=tiny [--engine=strict]]

Beside `<net>__<way>__<exporter>.onnx` lies `<…>.npz` with inputs and outputs by name. A step function is also iterated
over the input of each sequence file of the same network, from the framework's initial state: 0, the reset value
of a neuron that has one, or what `--initial` says. One line a file: name, what happened, neuron operations found,
operations left as arithmetic, spikes that differ, largest difference of other values. The importer's own evaluation
gives the numbers, or, with `--machine`, the program that snn-compile makes for that machine and snn-run runs. Exit code
1 if an imported file gives a wrong number or does not compile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import onnx

from ..errors import Defect, UserError
from .compiled import CompiledRunner
from .evaluate import run_steps
from .ir import Step
from .model import Model, load_onnx
from .problems import ImportFailed

TOLERANCE = 1e-4

Arrays = dict[str, np.ndarray]
# (step, sequences [T, batch, width], states) -> (outputs over time, states after the last step)
Runner = Callable[[Step, Arrays, Arrays], tuple[Arrays, Arrays]]


class Score:
    """Differences added up over all comparisons of a file."""

    def __init__(self) -> None:
        self.spikes = 0
        self.flips = 0
        self.largest = 0.0
        self.partners: list[str] = []
        self.wrong: list[str] = []

    def compare(self, label: str, expected: np.ndarray, found: np.ndarray) -> None:
        """Spikes (values of 0 and one other number) must be equal, other values close."""
        expected, found = np.asarray(expected, np.float32), np.asarray(found, np.float32)
        difference = float(np.max(np.abs(expected - found), initial=0.0))
        if len(np.unique(expected)) <= 2 and 0 in expected:
            flips = int(np.count_nonzero(expected != found)) if difference > 1e-6 else 0
            self.spikes += expected.size
            self.flips += flips
            if flips:
                self.wrong.append(f"{label}: {flips} of {expected.size} spikes differ")
            return
        self.largest = max(self.largest, difference)
        if difference > TOLERANCE * max(1.0, float(np.max(np.abs(expected), initial=0.0))):
            self.wrong.append(f"{label}: differs by {difference:.3g}")


def initial_states(model: Model, name: str, rules: list[str]) -> dict[str, np.ndarray]:
    """Where the framework starts: zero, a neuron's reset value, or a rule `FILE_GLOB:STATE_GLOB=VALUE`."""
    resets = {id(op.operands[1]): op.attrs.get("v_reset", 0.0) for op in model.neurons if op.kind == "neuron"}
    states = {}
    for array, state in zip(model.states, model.step.states, strict=True):
        value = resets.get(id(state.value), 0.0)
        for rule in rules:
            files, _, rest = rule.partition(":")
            pattern, _, number = rest.partition("=")
            if fnmatch(name, files) and fnmatch(array.name, pattern):
                value = float(number)
        states[array.name] = np.full(array.shape, value, np.float32)
    return states


def compare_step(model: Model, stored, score: Score, run: Runner) -> None:
    """One step from the stored states."""
    arrays = {n: np.asarray(stored[n], np.float32) for n in stored}
    outputs, states = run(model.step, {a.name: arrays[a.name][None] for a in model.inputs},
                          {s.name: arrays[s.name] for s in model.states})
    found = {n: a[0] for n, a in outputs.items()} | {s.output: states[s.name] for s in model.step.states}
    for name, value in found.items():
        score.compare(name, arrays[name], value)


def compare_partner(model: Model, path: Path, rules: list[str], score: Score, run: Runner) -> None:
    """Iterates the step over a sequence file's input; each stored output must be one of the recorded signals."""
    stored = np.load(path.with_suffix(".npz"))
    graph = onnx.load(path, load_external_data=False).graph
    inputs = [i.name for i in graph.input if i.name in stored.files]
    outputs = [o.name for o in graph.output]
    way = path.name.split("__")[1]
    sequence = np.asarray(stored[inputs[0]], np.float32)
    if "B" in way:
        sequence = np.swapaxes(sequence, 0, 1)
    if sequence.ndim != 3 or sequence.shape[1:] != (model.batch, model.step.inputs[0].width):
        return
    states = initial_states(model, path.name, rules)
    if len(inputs) - 1 == len(states):  # the sequence file takes the states as well, in the same order
        states = {s: np.asarray(stored[n], np.float32) for s, n in zip(states, inputs[1:], strict=True)}
    step = model.step
    recorded = [(n, v) for n, v in step.outputs] + [(f"next {s.name}", s.next) for s in step.states]
    original, step.outputs = step.outputs, recorded
    try:
        signals, _ = run(step, {step.inputs[0].name: sequence}, states)
    finally:
        step.outputs = original
    score.partners.append(path.stem)
    for name in outputs:
        expected = np.asarray(stored[name], np.float32)
        if "B" in way and expected.ndim == 3:
            expected = np.swapaxes(expected, 0, 1)
        candidates = [c for s in signals.values() for c in (s, s.mean(0), s[-1], s.sum(0), _log_softmax(s.max(0)))
                      if c.shape == expected.shape]
        if not candidates:
            score.wrong.append(f"{path.stem}: no signal has the shape of '{name}'")
            continue
        score.compare(f"{path.stem} {name}", expected, min(candidates, key=lambda c: np.max(np.abs(c - expected))))


def _log_softmax(a: np.ndarray) -> np.ndarray:
    shifted = a - a.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def examine(path: Path, rules: list[str], run: Runner = run_steps) -> dict:
    """Everything that is printed about one file."""
    row: dict = {"file": path.stem}
    try:
        model = load_onnx(path)
    except ImportFailed as failure:
        row |= {"status": "refused", "problems": [str(p) for p in failure.problems if p.severity == "error"]}
        return row
    score = Score()
    try:
        if path.with_suffix(".npz").exists():
            compare_step(model, np.load(path.with_suffix(".npz")), score, run)
        for partner in _partners(path, model):
            compare_partner(model, partner, rules, score, run)
    except (UserError, Defect) as failure:
        row |= {"status": "failed", "problems": [str(failure)]}
        return row
    row |= {
        "status": "wrong" if score.wrong else "imported",
        "problems": score.wrong or [str(p) for p in model.problems if p.severity == "warning"],
        "neurons": [op.kind for op in model.neurons],
        "arithmetic": dict(Counter(op.kind for op in model.arithmetic)),
        "spikes": score.spikes, "flips": score.flips, "difference": score.largest, "partners": score.partners,
    }
    return row


def _partners(path: Path, model: Model) -> list[Path]:
    """The sequence files of a step function's network that have stored outputs."""
    network, way = [*path.stem.split("__"), ""][:2]
    if not way.startswith("step") or model.is_sequence:
        return []
    return [p for p in sorted(path.parent.glob(f"{network}__*.onnx"))
            if not p.stem.split("__")[1].startswith("step") and p.with_suffix(".npz").exists()]


def describe(row: dict) -> str:
    """A row as one line of text."""
    if row["status"] in ("refused", "failed"):
        more = f" (and {len(row['problems']) - 1} more)" if len(row["problems"]) > 1 else ""
        return f"{row['file']:48} {row['status']:9} {row['problems'][0]}{more}"
    neurons = ", ".join(f"{n} {k}" for k, n in Counter(row["neurons"]).items()) or "none"
    left = " ".join(f"{k}:{n}" for k, n in row["arithmetic"].items()) or "none"
    text = (f"{row['file']:48} {row['status']:9} neurons: {neurons}; arithmetic: {left}; spikes differing "
            f"{row['flips']}/{row['spikes']}, difference {row['difference']:.1e}, {len(row['partners'])} sequences")
    return text + (f"; {row['problems'][0]}" if row["status"] == "wrong" else "")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m spikeloom.importers.conformance", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--match", default="*", help="files to look at, by name (default: all)")
    parser.add_argument("--initial", action="append", default=[], metavar="FILES:STATES=VALUE",
                        help="initial value of states, e.g. 'norse_lsnn*:b*=1'")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--machine", help="compile for this machine and run the program; without it the importer's own "
                        "evaluation gives the numbers")
    parser.add_argument("--engine", choices=("fast", "strict"), default="fast", help="with --machine; default: fast")
    options = parser.parse_args(arguments)
    run = CompiledRunner(options.machine, options.engine) if options.machine else run_steps
    if not options.directory.is_dir():
        parser.error(f"{options.directory} is not a directory")
    totals: Counter = Counter()
    for path in sorted(options.directory.glob("*.onnx")):
        if not fnmatch(path.stem, options.match):
            continue
        row = examine(path, options.initial, run)
        totals[row["status"]] += 1
        print(json.dumps(row) if options.json else describe(row), flush=True)
    if not options.json:
        print(", ".join(f"{n} {status}" for status, n in sorted(totals.items())) or "no files")
    return 1 if totals["wrong"] or totals["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
