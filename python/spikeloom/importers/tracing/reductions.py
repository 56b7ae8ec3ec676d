# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that look at several elements at once: sums over time and features, softmax, normalisation.

A reduction over time is a chain in the order of time, `((x0 + x1) + x2) + …`. A sum over features is a product with a
constant row of ones.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..builder import Builder
from ..ir import Value
from ..onnx_graph import Const, Node
from .elementwise import apply
from .images import summed_channels
from .shapes import axes_of, map_rows
from .tensor import Tensor, Unsupported

if TYPE_CHECKING:
    from .tracer import Tracer

# More features than this are not reduced by a chain of maxima.
_MOST_PARTS = 64


def reduced(t: Tracer, x: Tensor, axes: list[int], kind: str) -> Tensor:
    """Reduces axes of `cells` to extent 1 by `add`, `mul`, `max` or `min`."""
    inner = [a for a in axes if not x.steps[a] and x.cells.shape[a] > 1]
    for axis in (a for a in axes if x.steps[a]):
        total = x.slice(axis, slice(0, 1))
        for i in range(1, x.cells.shape[axis]):
            part = x.slice(axis, slice(i, i + 1))
            total = apply(t, [total, part], lambda a, b: t.builder.binary(kind, a, b), x.dtype)
        x = total
    if not inner:
        return x
    features = x.features()
    places = [features.index(a) for a in inner]

    def kept(dims: list[int]) -> list[int]:
        return [1 if i in places else d for i, d in enumerate(dims)]

    def build(row: Value, dims: list[int]) -> Value:
        if kind == "add" and len(dims) in (2, 3) and places == list(range(1, len(dims))):
            return summed_channels(t, row, dims)
        if kind == "add":
            return t.rows.matrix(row, _selection(dims, places), "sum")
        sizes = kept(dims)
        count = prod(dims) // prod(sizes)
        if count > _MOST_PARTS:
            raise Unsupported(f"{count} features are reduced by {kind}; more than {_MOST_PARTS} are not supported")
        parts = [t.rows.columns(row, dims, list(index), sizes, [1] * len(dims))
                 for index in np.ndindex(*(d if i in places else 1 for i, d in enumerate(dims)))]
        total = parts[0]
        for part in parts[1:]:
            total = t.builder.binary(kind, total, part)
        return total

    return map_rows(t, x, features, build, kept, x.dtype)


def _selection(dims: list[int], places: list[int]) -> np.ndarray:
    """The matrix that sums the features at `places` of a row seen as `dims`."""
    numbers = np.arange(prod(dims)).reshape(dims)
    kept = [i for i in range(len(dims)) if i not in places]
    table = numbers.transpose(kept + places).reshape(prod(dims[i] for i in kept), -1)
    matrix = np.zeros((len(table), prod(dims)), np.float32)
    matrix[np.arange(len(table))[:, None], table] = 1.0
    return matrix


def _reduce(kind: str, before: Callable | None = None, after: Callable | None = None) -> Callable:
    """A reduction; `before(builder, row)` and `after(builder, row, count)` are applied to every element."""
    def build(t: Tracer, node: Node, values: list):
        x = t.tensor(values[0])
        if x.dtype == "i1":
            raise Unsupported(f"{node.op} of a mask is not supported; cast it to float first")
        dims = axes_of(t, node, values)
        if not dims:
            if node.attrs.get("noop_with_empty_axes", 0):
                return x
            dims = list(range(len(x.dims)))
        axes = [x.axis(d, node.op) for d in dims]
        count = prod(x.cells.shape[a] for a in axes)
        x = apply(t, [x], lambda row: before(t.builder, row), x.dtype) if before else x
        x = reduced(t, x, axes, kind)
        x = apply(t, [x], lambda row: after(t.builder, row, count), x.dtype) if after else x
        if not node.attrs.get("keepdims", 1):
            for axis in sorted(axes, reverse=True):
                x = x.remove(axis)
        return x
    return build


def _mean(b: Builder, row: Value, count: int) -> Value:
    return b.binary("div", row, b.const(count, row.width))


def _square(b: Builder, row: Value) -> Value:
    return b.binary("mul", row, row)


def _cumsum(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    axis = x.axis(t.integers(values[1], "axis")[0], "CumSum")
    if not x.steps[axis] or node.attrs.get("exclusive", 0):
        raise Unsupported("CumSum along features, or an exclusive one, is not supported")
    order = range(x.cells.shape[axis])
    order = order[::-1] if node.attrs.get("reverse", 0) else order
    total, parts = None, {}
    for i in order:
        part = x.slice(axis, slice(i, i + 1))
        total = part if total is None else apply(t, [total, part], lambda a, b: t.builder.binary("add", a, b), x.dtype)
        parts[i] = total
    return x.with_cells(np.concatenate([parts[i].cells for i in sorted(parts)], axis))


def _softmax(log: bool) -> Callable:
    def build(t: Tracer, node: Node, values: list):
        x = t.tensor(values[0])
        axis = x.axis(int(node.attrs.get("axis", -1 if t.graph.opset >= 13 else 1)), node.op)
        if t.graph.opset < 13 and axis != x.cells.ndim - 1:
            raise Unsupported(f"{node.op} of operator set {t.graph.opset} over several axes is not supported; export "
                              "with operator set 13 or later")
        return map_rows(t, x, [axis], lambda row, dims: t.builder.make("softmax", [row], row.width, log=log), list)
    return build


def _normalised(t: Tracer, node: Node, values: list, *, centred: bool, epsilon: float):
    """`(x - mean) / sqrt(mean of squares + epsilon) * scale + shift` over the last dimensions."""
    x = t.tensor(values[0])
    first = x.dim(int(node.attrs.get("axis", -1)))
    axes = [x.axis(d, node.op) for d in range(first, len(x.dims))]
    constants = _constants(node, values[1:3])
    b = t.builder

    def build(row: Value, dims: list[int]) -> Value:
        ones = np.ones((1, row.width), np.float32)

        def mean(value: Value) -> Value:
            total = t.rows.matrix(value, ones / np.float32(row.width), "mean")
            return t.rows.matrix(total, ones.T, "spread") if row.width > 1 else total

        row = b.binary("sub", row, mean(row)) if centred else row
        power = b.binary("add", mean(_square(b, row)), b.const(epsilon, row.width))
        row = b.binary("div", row, b.unary("sqrt", power))
        for kind, const in zip(("mul", "add"), constants, strict=False):
            row = b.binary(kind, row, t.spread(const, np.broadcast_to(const.value, dims), dims))
        return row

    return map_rows(t, x, axes, build, list)


def _constants(node: Node, values: list) -> list[Const]:
    constants = [v for v in values if v is not None]
    if any(not isinstance(v, Const) for v in constants):
        raise Unsupported(f"{node.op} with a scale or shift that depends on the inputs is not supported")
    return [Const(v.value, v.names, v.direct, v.source, True) for v in constants]


def _group_norm(t: Tracer, node: Node, values: list):
    """Groups of channels by themselves (InstanceNormalization: each channel), then scale and shift of channels."""
    x = t.tensor(values[0])
    channels = x.dims[1]
    groups = int(node.attrs.get("num_groups", channels))
    scale, shift = _constants(node, values[1:3])
    grouped = x.reshape([x.dims[0], groups, prod(x.dims[1:]) // groups])
    found = _normalised(t, node, [grouped], centred=True, epsilon=node.attrs.get("epsilon", 1e-5)).reshape(x.dims)
    for kind, const in (("mul", scale), ("add", shift)):
        value = np.repeat(const.value, channels // const.value.size).reshape([-1] + [1] * (len(x.dims) - 2))
        found = apply(t, [found, Const(value, const.names, const.direct, const.source, True)],
                      lambda a, b, kind=kind: t.builder.binary(kind, a, b))
    return found


def _layer_norm(t: Tracer, node: Node, values: list):
    return [_normalised(t, node, values, centred=True, epsilon=node.attrs.get("epsilon", 1e-5))]


def _rms_norm(t: Tracer, node: Node, values: list):
    return [_normalised(t, node, values[:2], centred=False, epsilon=node.attrs.get("epsilon", 1e-5))]


OPERATORS = {
    "ReduceSum": _reduce("add"), "ReduceMean": _reduce("add", after=_mean), "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"), "ReduceProd": _reduce("mul"), "ReduceSumSquare": _reduce("add", _square),
    "ReduceL1": _reduce("add", lambda b, row: b.unary("abs", row)),
    "ReduceL2": _reduce("add", _square, lambda b, row, count: b.unary("sqrt", row)),
    "CumSum": _cumsum, "Softmax": _softmax(False), "LogSoftmax": _softmax(True),
    "LayerNormalization": _layer_norm, "RMSNormalization": _rms_norm,
    "GroupNormalization": _group_norm, "InstanceNormalization": _group_norm,
}
