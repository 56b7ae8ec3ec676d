# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what an imported model computes with stored outputs of the framework that it comes from."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import onnx

from .ir import Program
from .model import Model
from .programs import step_program
from .tracing.layout import rows_of

TOLERANCE = 1e-4
HALF_TOLERANCE = 1e-3

Arrays = dict[str, np.ndarray]
# (program, rows of inputs, states) -> (outputs, states after the last step)
Runner = Callable[[Program, Arrays, Arrays], tuple[Arrays, Arrays]]


class Score:
    """Differences added up over all comparisons of a file."""

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        self.tolerance = tolerance
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
        if not difference <= self.tolerance * max(1.0, float(np.max(np.abs(expected), initial=0.0))):
            self.wrong.append(f"{label}: differs by {difference:.3g}")


def initial_states(model: Model, name: str, rules: list[str]) -> Arrays:
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


def compare_whole(model: Model, stored: Arrays, score: Score, run: Runner) -> None:
    """All outputs of a file that is a program of its own."""
    program = model.program
    inputs = {p.name: np.stack(rows_of(np.asarray(stored[p.name], np.float32), p.axes, model.batch))
              for p in program.inputs}
    outputs, _ = run(program, {p.name: inputs[p.name] if p.value.steps else inputs[p.name][0] for p in program.inputs},
                     {})
    for port in program.outputs:
        expected = np.stack(rows_of(np.asarray(stored[port.name], np.float32), port.axes, model.batch))
        found = outputs[port.name]
        score.compare(port.name, expected, found if port.value.steps else found[None])


def compare_step(model: Model, stored: Arrays, score: Score, run: Runner) -> None:
    """One step from the stored states."""
    step, batch = model.step, model.batch

    def row(name: str, width: int) -> np.ndarray:
        return _row(np.asarray(stored[name], np.float32), batch, width)

    inputs = {v.name: row(v.name, v.width) for v in step.inputs}
    states = {s.name: row(s.name, s.value.width) for s in step.states}
    program = step_program(step, 1)
    lead = 0 if step.is_sequence else 1
    outputs, following = run(program, {n: a[None] if lead else a for n, a in inputs.items()}, states)
    found = {n: a[0] if lead else a for n, a in outputs.items()} | {s.output: following[s.name] for s in step.states}
    for name, value in found.items():
        score.compare(name, row(name, value.shape[-1]), value)


def _row(array: np.ndarray, batch: int, width: int) -> np.ndarray:
    """`[batch, width]` of an array of one step, whose batch may not be the first axis (stacked states)."""
    if array.ndim > 2 and array.shape[0] != batch:
        axis = array.shape.index(batch)
        array = np.moveaxis(array, axis, 0)
    return array.reshape(batch, width)


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
        signals, _ = run(step_program(step, len(sequence)), {step.inputs[0].name: sequence}, states)
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
