# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds the time steps of a file whose input has none: an image that is shown in every step.

What is computed from the image is computed once, and each step reads it. Readers that do the same and depend on each
other in a chain are the steps. Everyone gets a copy of the value for its step, which then is a sequence like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ..ir import Op, Trace, TraceInput, TraceOutput, Value, cone
from .families import freeze

_FEWEST = 2


@dataclass
class Repeats:
    """A trace in which repeated values are sequences: `rows[i]` are the copies of `values[i]`, one for each step."""

    trace: Trace
    steps: int
    values: list[Value]
    rows: list[list[Value]]


def find_repeats(trace: Trace) -> Iterator[Repeats]:
    """Traces with a copy of each repeated value for each step, the likelier one first; none if nothing repeats.

    An exporter folds the states of the first step away. What is left of it may look like the other steps or not.
    """
    for is_alike in (False, True):
        if (repeats := _find(trace, is_alike)) is not None:
            yield repeats


def _find(trace: Trace, is_alike: bool) -> Repeats | None:
    users: dict[int, list[tuple[Op, int]]] = {}
    for op in trace.ops:
        for i, value in enumerate(op.operands):
            users.setdefault(id(value), []).append((op, i))
    varying = _varying(trace)
    found: list[tuple[Value, dict[int, int], int]] = []  # the value, the step of each reader, how many steps
    for value in varying:
        steps = _steps(users.get(id(value), []), is_alike)
        if steps is not None:
            found.append((value, *steps))
    count = max((n for _, _, n in found), default=0)
    chosen = [(v, s) for v, s, n in found if n == count]
    inside = {id(op.result) for op in trace.ops if any(id(op) in s for _, s in chosen)}
    chosen = [(v, s) for v, s in chosen if not any(k in inside for k in cone(v))]
    return _split(trace, count, chosen) if chosen else None


def _varying(trace: Trace) -> list[Value]:
    """Values that depend on an input, in order."""
    found = {id(i.rows[0]): i.rows[0] for i in trace.inputs}
    for op in trace.ops:
        if any(id(v) in found for v in op.operands):
            found.update((id(r), r) for r in op.results)
    return list(found.values())


def _steps(users: list[tuple[Op, int]], is_alike: bool) -> tuple[dict[int, int], int] | None:
    """The step of each reader of a value: chains of like readers, and what the exporter left of the first step.

    With `is_alike` the first reader of a chain belongs to the first step too.
    """
    groups: dict[tuple, list[Op]] = {}
    for op, place in users:
        params = tuple(id(p) for _, p in sorted(op.params.items()))
        # Operands of a sum may be in any order.
        groups.setdefault((op.kind, place if op.kind not in ("add", "mul") else 0, params, freeze(op.attrs)),
                          []).append(op)
    longest = max(map(len, groups.values()), default=0)
    if longest < _FEWEST:
        return None
    chains = [g for g in groups.values() if len(g) == longest]
    if not all(_is_chain(g) for g in chains):
        return None
    rest = [op for g in groups.values() if len(g) != longest for op in g]
    first = 1 if rest and not is_alike else 0
    if is_alike and not rest:
        return None  # the same as without
    steps = {id(op): t + first for chain in chains for t, op in enumerate(chain)} | {id(op): 0 for op in rest}
    return steps, longest + first


def _is_chain(ops: list[Op]) -> bool:
    return all(id(a.result) in cone(b.result) for a, b in pairwise(ops))


def _split(trace: Trace, steps: int, chosen: list[tuple[Value, dict[int, int]]]) -> Repeats:
    """A copy of the trace in which every step reads its own copies."""
    copies = {id(v): [_copy_of(v, f"{v.name}[{t}]") for t in range(steps)] for v, _ in chosen}
    step_of = {(id(v), key): t for v, readers in chosen for key, t in readers.items()}
    place: dict[int, Value] = {}
    ops: list[Op] = []

    def enter(value: Value) -> None:
        for copy in copies.get(id(value), ()):
            copy.op.operands = [place.get(id(value), value)]
            ops.append(copy.op)

    for port in trace.inputs:
        enter(port.rows[0])
    for op in trace.ops:
        operands = [copies[id(v)][step_of[id(v), id(op)]] if (id(v), id(op)) in step_of else place.get(id(v), v)
                    for v in op.operands]
        new = Op(op.kind, operands, dict(op.params), dict(op.attrs), [], op.source)
        new.results = [Value(r.width, r.dtype, new, r.name) for r in op.results]
        ops.append(new)
        for old, result in zip(op.results, new.results, strict=True):
            place[id(old)] = result
            enter(old)
    outputs = [TraceOutput(o.name, [place.get(id(r), r) for r in o.rows], o.axes, o.shape) for o in trace.outputs]
    inputs = [TraceInput(i.name, i.rows, i.axes, i.shape) for i in trace.inputs]
    values = [place.get(id(v), v) for v, _ in chosen]
    whole = Trace(trace.name, trace.batch, inputs, outputs, ops)
    return Repeats(whole, steps, values, [copies[id(v)] for v, _ in chosen])


def _copy_of(value: Value, name: str) -> Value:
    """The value again: a join of one part."""
    op = Op("concat", [value])
    op.results = [Value(value.width, value.dtype, op, name)]
    return op.result
