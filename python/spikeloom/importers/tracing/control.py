# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loops, branches and sequences of tensors: executed while tracing, so that a loop comes out unrolled."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING

import numpy as np

from ..onnx_graph import Body, Const, Node
from .shapes import concat, split, unsqueeze
from .tensor import Poison, Tensor, Unsupported

if TYPE_CHECKING:
    from .tracer import Tracer

_UNBOUNDED = 1 << 31
_MOST_STEPS = 1 << 15


def _has_poison(values: list) -> bool:
    return any(isinstance(v, Poison) for v in values)


def _truth(value, what: str) -> bool:
    """A constant condition."""
    if not isinstance(value, Const):
        raise Unsupported(f"{what} depends on the data; what a network does must not depend on its input")
    return bool(np.asarray(value.value).reshape(-1)[0])


def _if(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    branch = "then_branch" if _truth(values[0], "the condition of If") else "else_branch"
    return t.body(node.attrs[branch], [], env)


def _loop(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    """All iterations, while the condition holds and up to the trip count, both of which must be constant."""
    body: Body = node.attrs["body"]
    count = values[0]
    if count is not None and not isinstance(count, Const):
        raise Unsupported("the trip count of Loop depends on the data; export the model with a fixed number of steps")
    bound = int(np.asarray(count.value).reshape(-1)[0]) if count is not None else _UNBOUNDED
    condition = values[1] if len(values) > 1 and values[1] is not None else Const(np.asarray(True))
    if _MOST_STEPS < bound < _UNBOUNDED:
        raise Unsupported(f"Loop has {bound} iterations; more than {_MOST_STEPS} are not unrolled")
    carried, states = values[2:], len(values) - 2
    scanned: list[list] = [[] for _ in node.outputs[states:]]
    step = 0
    while step < bound:
        what = "the condition of Loop" if bound < _UNBOUNDED else "the end of Loop (its trip count is unbounded)"
        if not _truth(condition, what):
            break
        if step >= _MOST_STEPS:
            raise Unsupported(f"Loop has more than {_MOST_STEPS} iterations, which are not unrolled")
        before = condition
        condition, *results = t.body(body, [Const(np.asarray(step, np.int64)), condition, *carried], env)
        if bound >= _UNBOUNDED and condition is before:
            raise Unsupported("Loop has neither a trip count nor a condition that changes, so it never ends")
        if _has_poison(results) and isinstance(condition, Const):
            return [Poison() for _ in node.outputs]
        carried, rows = results[:states], results[states:]
        for found, row in zip(scanned, rows, strict=True):
            found.append(row)
        step += 1
    return [*carried, *(stack(t, rows, 0) for rows in scanned)]


def _scan(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    """All steps of a Scan; sequences may be read or written backwards and along any axis but the batch."""
    body: Body = node.attrs["body"]
    inputs = int(node.attrs["num_scan_inputs"])
    states = len(values) - inputs
    outputs = len(body.outputs) - states
    axes = node.attrs.get("scan_input_axes") or [0] * inputs
    sequences = [unstack(v, int(a)) for v, a in zip(values[states:], axes, strict=True)]
    backward = node.attrs.get("scan_input_directions") or [0] * inputs
    sequences = [s[::-1] if b else s for s, b in zip(sequences, backward, strict=True)]
    if len({len(s) for s in sequences}) > 1:
        raise Unsupported(f"Scan over sequences of different lengths {[len(s) for s in sequences]}")
    carried, rows = values[:states], []
    for parts in zip(*sequences, strict=True):
        results = t.body(body, [*carried, *parts], env)
        if _has_poison(results):
            return [Poison() for _ in node.outputs]
        carried = results[:states]
        rows.append(results[states:])
    axes = node.attrs.get("scan_output_axes") or [0] * outputs
    backward = node.attrs.get("scan_output_directions") or [0] * outputs
    stacked = [list(r) for r in zip(*rows, strict=True)]
    return [*carried, *(stack(t, r[::-1] if b else r, int(a))
                        for r, a, b in zip(stacked, axes, backward, strict=True))]


def unstack(value: Tensor | Const, axis: int) -> list:
    """The values at each index of an axis."""
    if isinstance(value, Const):
        return [Const(np.take(value.value, i, axis), value.names) for i in range(value.value.shape[axis])]
    place = value.axis(axis, "a sequence")
    return [value.take(place, np.asarray(i)) for i in range(value.cells.shape[place])]


def stack(t: Tracer, values: list, axis: int) -> Tensor | Const:
    """Values of one shape along a new axis."""
    if not values:
        raise Unsupported("a loop of no iterations gives no tensor")
    if all(isinstance(v, Const) for v in values):
        return Const(np.stack([v.value for v in values], axis))
    parts = [unsqueeze(v, [axis]) if isinstance(v, Tensor) else Const(np.expand_dims(v.value, axis), v.names, v.direct)
             for v in values]
    return concat(t, parts, axis)


def _sequence_empty(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    return [[]]


def _sequence_construct(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    return [list(values)]


def _sequence_insert(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    found = list(values[0])
    place = t.integers(values[2], "position")[0] if len(values) > 2 and values[2] is not None else len(found)
    found.insert(place if place >= 0 else len(found) + place, values[1])
    return [found]


def _sequence_erase(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    found = list(values[0])
    del found[t.integers(values[1], "position")[0] if len(values) > 1 and values[1] is not None else -1]
    return [found]


def _sequence_at(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    return [values[0][t.integers(values[1], "position")[0]]]


def _sequence_length(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    return [Const(np.asarray(len(values[0]), np.int64))]


def _concat_from_sequence(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    axis = int(node.attrs["axis"])
    if node.attrs.get("new_axis", 0):
        return [stack(t, values[0], axis)]
    if all(isinstance(v, Const) for v in values[0]):
        return [Const(np.concatenate([v.value for v in values[0]], axis))]
    return [concat(t, values[0], axis)]


def _split_to_sequence(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    axis = int(node.attrs.get("axis", 0))
    x = t.tensor(values[0])
    if len(values) > 1 and values[1] is not None:
        sizes = t.integers(values[1], "sizes")
        if values[1].value.ndim == 0:
            extent = x.dims[x.dim(axis)]
            sizes = [min(sizes[0], extent - start) for start in range(0, extent, sizes[0])]
        return [split(x, x.dim(axis), sizes)]
    parts = unstack(x, axis)
    return [[unsqueeze(p, [axis]) for p in parts] if node.attrs.get("keepdims", 1) else parts]


def _optional(t: Tracer, node: Node, values: list, env: ChainMap) -> list:
    return [values[0]]


CONTROL = {
    "If": _if, "Loop": _loop, "Scan": _scan, "SequenceEmpty": _sequence_empty,
    "SequenceConstruct": _sequence_construct, "SequenceInsert": _sequence_insert, "SequenceErase": _sequence_erase,
    "SequenceAt": _sequence_at, "SequenceLength": _sequence_length, "ConcatFromSequence": _concat_from_sequence,
    "SplitToSequence": _split_to_sequence, "Optional": _optional, "OptionalGetElement": _optional,
}
