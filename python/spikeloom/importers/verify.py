# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares an imported step with the original ONNX graph on random inputs, over several steps.

The importer must never give a silently different network, so this runs on every import. Both sides iterate their
own states: one spike that differs grows into a difference that cannot be missed.
"""

from __future__ import annotations

import numpy as np
from onnx.reference import ReferenceEvaluator

from .evaluate import run_step
from .ir import Step
from .onnx_graph import SourceGraph

TOLERANCE = 1e-4
_WORK = 40_000_000


def find_difference(graph: SourceGraph, step: Step, batch: int) -> str:
    """Empty if both agree, else what differs: output, step and by how much."""
    oracle = ReferenceEvaluator(graph.model)
    widths = {v.name: v.width for v in step.inputs} | {s.name: s.value.width for s in step.states}
    types = {p.name: p.dtype for p in graph.inputs}
    order = [p.name for p in graph.outputs]
    weights = sum(p.value.size for p in step.parameters()) + 1
    steps = max(3, min(8, _WORK // (weights * batch)))
    for draw in range(3 if weights * batch < _WORK else 1):
        generator = np.random.default_rng(draw)
        states = {s.name: _draw(generator, (batch, widths[s.name]), types[s.name], draw) for s in step.states}
        ours, theirs = dict(states), dict(states)
        for t in range(steps):
            inputs = {v.name: _draw(generator, (batch, widths[v.name]), types[v.name], 1 + t % 2) for v in step.inputs}
            feed = {n: _as_type(a, types[n]) for n, a in {**inputs, **theirs}.items()}
            with np.errstate(all="ignore"):
                try:
                    expected = dict(zip(order, oracle.run(None, feed), strict=True))
                except Exception as error:  # the reference implementation rejects the graph or an operator in it
                    return f"the original graph cannot be run by the ONNX reference implementation: {error}"
            outputs, following = run_step(step, inputs, ours)
            found = outputs | {s.output: following[s.name] for s in step.states}
            for name, value in expected.items():
                difference = _difference(np.asarray(value, np.float32), found[name])
                if difference:
                    return f"output '{name}' differs at step {t} of random input {draw}: {difference}"
            ours = following
            theirs = {s.name: np.asarray(expected[s.output], np.float32) for s in step.states}
    return ""


def _draw(generator: np.random.Generator, shape: tuple[int, int], dtype: str, kind: int) -> np.ndarray:
    """Inputs: binary, uniform, and (for states) values that lie exactly on round thresholds."""
    if dtype in ("bool", "uint8"):
        return generator.integers(0, 2, shape).astype(np.float32)
    if kind == 0:
        return np.zeros(shape, np.float32)
    if kind == 1:
        return (generator.random(shape) < 0.4).astype(np.float32)
    return generator.normal(0.3, 0.8, shape).astype(np.float32)


def _as_type(array: np.ndarray, dtype: str) -> np.ndarray:
    return array.astype({"bool": np.bool_, "uint8": np.uint8}.get(dtype, np.float32))


def _difference(expected: np.ndarray, found: np.ndarray) -> str:
    """Spikes (outputs of 0 and a few other values) exactly, other numbers to the tolerance."""
    if expected.shape != found.shape:
        return f"shape {list(found.shape)} instead of {list(expected.shape)}"
    if expected.size == 0:
        return ""
    scale = np.maximum(1.0, np.abs(expected))
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(expected - found) <= TOLERANCE * scale) & ~(np.isnan(expected) & np.isnan(found))
    bad &= expected != found
    if not bad.any():
        return ""
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    return (f"{int(bad.sum())} of {expected.size} values, the first at {list(where)}: {found[where]:.9g} instead of "
            f"{expected[where]:.9g}")
