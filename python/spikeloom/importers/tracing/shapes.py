# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that only move data: they index symbolic tensors and compute nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..ir import Value
from ..onnx_graph import Const, Node
from .elementwise import lift
from .tensor import Tensor, Unsupported, check_size, dims_text

if TYPE_CHECKING:
    from .tracer import Tracer


def axes_of(t: Tracer, node: Node, values: list, place: int = 1) -> list[int] | None:
    """The axes of an operator that has them as operand or, in older operator sets, as attribute."""
    if len(values) > place and values[place] is not None:
        return t.integers(values[place], "axes")
    axes = node.attrs.get("axes")
    return None if axes is None else [int(a) for a in axes]


def _shape(t: Tracer, node: Node, values: list):
    dims = t.tensor(values[0]).dims
    return Const(np.asarray(dims[node.attrs.get("start", 0):node.attrs.get("end", len(dims))], np.int64))


def _size(t: Tracer, node: Node, values: list):
    return Const(np.asarray(prod(t.tensor(values[0]).dims), np.int64))


def _reshape(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    wanted = t.integers(values[1], "shape") if len(values) > 1 else [int(d) for d in node.attrs["shape"]]
    if not node.attrs.get("allowzero", 0):
        wanted = [x.dims[i] if d == 0 else d for i, d in enumerate(wanted)]
    return x.reshape(_complete(wanted, prod(x.dims)))


def _complete(wanted: list[int], total: int) -> list[int]:
    """Replaces -1 by what is left."""
    known = prod(d for d in wanted if d != -1)
    if wanted.count(-1) > 1 or (-1 in wanted and (not known or total % known)):
        raise Unsupported(f"{total} values do not fit the shape {dims_text(wanted)}")
    wanted = [total // known if d == -1 else d for d in wanted]
    if prod(wanted) != total:
        raise Unsupported(f"{total} values do not fit the shape {dims_text(wanted)}")
    return wanted


def _flatten(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    axis = int(node.attrs.get("axis", 1))
    axis = axis + len(x.dims) if axis < 0 else axis
    return x.reshape([prod(x.dims[:axis]), prod(x.dims[axis:])])


def _expand(t: Tracer, node: Node, values: list):
    return expand(t.tensor(values[0]), t.integers(values[1], "shape"))


def expand(x: Tensor, wanted: list[int]) -> Tensor:
    """Repeats along axes of extent 1, and along new leading ones."""
    for _ in range(len(wanted) - len(x.dims)):
        x = x.insert(0)
    wanted = [1] * (len(x.dims) - len(wanted)) + wanted
    for dim, (now, new) in enumerate(zip(x.dims, wanted, strict=True)):
        if new not in (1, now):
            if now != 1:
                raise Unsupported(f"a value of shape {dims_text(x.dims)} cannot be expanded to {dims_text(wanted)}")
            check_size(x.cells.size * new)
            x = x.take(x.axis(dim, "Expand"), np.zeros(new, np.int64))
    return x


def _tile(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    for dim, count in enumerate(t.integers(values[1], "repeats")):
        if count != 1:
            axis = x.axis(dim, "Tile")
            check_size(x.cells.size * count)
            x = x.take(axis, np.tile(np.arange(x.cells.shape[axis]), count))
    return x


def _transpose(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    return x.transpose([int(p) for p in node.attrs.get("perm", range(len(x.dims))[::-1])])


def unsqueeze(x: Tensor, dims: list[int]) -> Tensor:
    """New dimensions of extent 1, numbered as in the result."""
    rank = len(x.dims) + len(dims)
    for dim in sorted(d % rank for d in dims):
        low, high = x.fold
        x = x.insert(dim if dim <= low else dim + high - low - 1)
    return x


def _unsqueeze(t: Tracer, node: Node, values: list):
    return unsqueeze(t.tensor(values[0]), axes_of(t, node, values) or [])


def _squeeze(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    dims = axes_of(t, node, values)
    if dims is None:
        dims = [d for d, n in enumerate(x.dims) if n == 1 and d != x.batch_dim]
    for dim in sorted((x.dim(d) for d in dims), reverse=True):
        axis = x.axis(dim, "Squeeze")
        if x.cells.shape[axis] != 1:
            raise Unsupported(f"Squeeze of dimension {dim} of shape {dims_text(x.dims)}, whose extent is not 1")
        x = x.remove(axis)
    return x


def _gather(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0], "the data of Gather")
    if not isinstance(values[1], Const):
        raise Unsupported("Gather with indices that depend on the inputs is not supported")
    return x.take(x.axis(int(node.attrs.get("axis", 0)), "Gather"), np.asarray(values[1].value, np.int64))


def _slice(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    if len(values) > 1:
        starts, ends = t.integers(values[1], "starts"), t.integers(values[2], "ends")
        axes = t.integers(values[3], "axes") if len(values) > 3 and values[3] is not None else range(len(starts))
        steps = t.integers(values[4], "steps") if len(values) > 4 and values[4] is not None else [1] * len(starts)
    else:
        starts, ends = node.attrs["starts"], node.attrs["ends"]
        axes, steps = node.attrs.get("axes", range(len(starts))), [1] * len(starts)
    for start, end, dim, step in zip(starts, ends, axes, steps, strict=True):
        x = _part(x, x.dim(dim), int(start), int(end), int(step))
    return x


def _part(x: Tensor, dim: int, start: int, end: int, step: int) -> Tensor:
    """`start:end:step` of a dimension, with the bounds as ONNX and NumPy read them."""
    extent = x.dims[dim]
    end = None if step < 0 and end < -extent else end
    indices = range(*slice(start, end, step).indices(extent))
    if indices == range(extent):
        return x
    low, high = x.fold
    if dim == low and high - low == 2 and x.batch == high - 1 and step == 1 \
            and indices.start % x.size == 0 and len(indices) % x.size == 0:
        return x.slice(low, slice(indices.start // x.size, indices.stop // x.size))  # whole batches of T*B
    return x.take(x.axis(dim, "Slice"), np.asarray(indices, np.int64))


def _split(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    dim = x.dim(int(node.attrs.get("axis", 0)))
    sizes = t.integers(values[1], "sizes") if len(values) > 1 and values[1] is not None else node.attrs.get("split")
    if sizes is None:
        count = int(node.attrs.get("num_outputs", len(node.outputs)))
        if count != len(node.outputs):
            raise Unsupported(f"Split into {count} parts has {len(node.outputs)} outputs")
        each = -(-x.dims[dim] // count)
        sizes = [min(each, x.dims[dim] - i * each) for i in range(count)]
    return split(x, dim, [int(s) for s in sizes])


def split(x: Tensor, dim: int, sizes: list[int]) -> list[Tensor]:
    """Parts of a dimension one after the other."""
    if sum(sizes) != x.dims[dim]:
        raise Unsupported(f"parts of {sizes} do not add up to the {x.dims[dim]} of dimension {dim}")
    ends = np.cumsum(sizes)
    return [_part(x, dim, int(e) - s, int(e), 1) for e, s in zip(ends, sizes, strict=True)]


def _concat(t: Tracer, node: Node, values: list):
    return concat(t, values, int(node.attrs.get("axis", 1)))


def concat(t: Tracer, values: list, number: int) -> Tensor:
    """Tensors and constants one after the other along a dimension."""
    values = [v for v in values if not (isinstance(v, Const) and v.value.size == 0)]  # `cat` starts with nothing
    like = next((v for v in values if isinstance(v, Tensor)), None)
    if like is None:
        raise Unsupported("Concat of constants that cannot be evaluated")
    dim = like.dim(number)
    if dim == like.batch_dim and len(values) > 1:
        return _concat_batches(values)
    axis = like.axis(dim, "Concat") if len(values) > 1 else 0
    parts = [v if isinstance(v, Tensor) else lift(t, v, like) for v in values]
    _check_alike(parts)
    steps = tuple(all(p.steps[a] for p in parts) for a in range(len(like.steps)))
    return replace(like, cells=np.concatenate([p.cells for p in parts], axis), steps=steps)


def _concat_batches(values: list) -> Tensor:
    """Whole batches one after the other, `[T*B, ...]`: time and batch become one folded axis."""
    if any(not isinstance(v, Tensor) or v.fold != (v.batch, v.batch + 1) for v in values):
        raise Unsupported("Concat along the batch axis of anything but batches of one size is not supported")
    _check_alike(values)
    first = values[0]
    cells = np.stack([v.cells for v in values], first.batch)
    return Tensor(cells, (*first.steps[:first.batch], True, *first.steps[first.batch:]), first.batch + 1, first.size,
                  (first.batch, first.batch + 2), first.dtype)


def _check_alike(parts: list[Tensor]) -> None:
    first = parts[0]
    if any((p.batch, p.size, p.fold, p.cells.ndim) != (first.batch, first.size, first.fold, first.cells.ndim)
           for p in parts):
        raise Unsupported("Concat of values of shapes " + " and ".join(dims_text(p.dims) for p in parts)
                          + ", whose batch lies at different axes")
    if any((p.dtype == "i1") != (first.dtype == "i1") for p in parts):
        raise Unsupported("Concat of masks and numbers is not supported")


def _pad(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    pads = t.integers(values[1], "pads") if len(values) > 1 else [int(p) for p in node.attrs["pads"]]
    fill = values[2] if len(values) > 2 and values[2] is not None else Const(np.float32(node.attrs.get("value", 0.0)))
    dims = t.integers(values[3], "axes") if len(values) > 3 and values[3] is not None else range(len(x.dims))
    if node.attrs.get("mode", "constant") != "constant":
        raise Unsupported(f"Pad with mode {node.attrs['mode']} is not supported")
    if not isinstance(fill, Const):
        raise Unsupported("Pad with a value that depends on the inputs is not supported")
    for dim, low, high in zip(dims, pads[:len(pads) // 2], pads[len(pads) // 2:], strict=True):
        if low or high:
            x = _padded(t, x, x.axis(dim, "Pad"), low, high, fill)
    return x


def _padded(t: Tracer, x: Tensor, axis: int, low: int, high: int, fill: Const) -> Tensor:
    """One padded axis: constant rows around steps, slices with a fill value around features."""
    number = float(fill.value.reshape(-1)[0])
    x = x.slice(axis, slice(max(0, -low), x.cells.shape[axis] - max(0, -high)))
    low, high = max(0, low), max(0, high)
    check_size(x.cells.size // x.cells.shape[axis] * (low + x.cells.shape[axis] + high))
    features = x.features()
    if x.steps[axis]:
        inner = [n if a in features else 1 for a, n in enumerate(x.cells.shape)]
        row = t.rows.cells(t.builder.const(number, prod(inner))).reshape(inner)
        edge = np.broadcast_to(row, [1 if a == axis else n for a, n in enumerate(x.cells.shape)])
        parts = [np.repeat(edge, low, axis), x.cells, np.repeat(edge, high, axis)]
        return x.with_cells(np.concatenate(parts, axis))
    place = features.index(axis)

    def sizes(dims: list[int]) -> list[int]:
        return [d + low + high if i == place else d for i, d in enumerate(dims)]

    def build(row: Value, dims: list[int]) -> Value:
        offsets = [-low if i == place else 0 for i in range(len(dims))]
        return t.rows.columns(row, dims, offsets, sizes(dims), [1] * len(dims), number)

    return map_rows(t, x, features, build, sizes)


def map_rows(t: Tracer, x: Tensor, features: list[int], function: Callable[[Value, list[int]], Value],
             dims_of: Callable[[list[int]], list[int]], dtype: str = "f32") -> Tensor:
    """Applies `function(row, dims)` to the rows made of the axes `features`, whose extents are `dims`.

    The result has `dims_of(dims)` along these axes (as many as before), which become features; all others become steps.
    """
    order = [a for a in range(x.cells.ndim) if a not in features] + features
    lead = x.cells.ndim - len(features)
    table = x.cells.transpose(order)
    dims = list(table.shape[lead:])
    wanted = dims_of(dims)
    check_size(prod(table.shape[:lead]) * prod(wanted))
    cells = np.empty([*table.shape[:lead], *wanted], np.int64)
    for index in np.ndindex(*table.shape[:lead]):
        cells[index] = t.rows.cells(function(t.rows.value(table[index]), dims)).reshape(wanted)
    back = np.argsort(order)
    steps = tuple(a not in features and a != x.batch for a in range(x.cells.ndim))
    return replace(x, cells=cells.transpose(back), steps=steps, dtype=dtype)


def _scatter_nd(t: Tracer, node: Node, values: list):
    """`data[indices] = updates` for constant indices of whole rows: how loops write step t of their result."""
    _check_plain_scatter(node)
    if not isinstance(values[1], Const):
        raise Unsupported("ScatterND with indices that depend on the inputs is not supported")
    indices, depth = values[1].value, values[1].value.shape[-1]
    data, updates = values[0], values[2]
    rank = indices.ndim - 1
    if isinstance(updates, Tensor) and rank == 1:
        like = updates
        for _ in range(depth - 1):
            like = like.insert(0)
        data = data if isinstance(data, Tensor) else lift(t, data, like)
    elif isinstance(data, Tensor) and isinstance(updates, Const) and rank == 1 and depth == 1:
        updates = lift(t, updates, data)
    if not isinstance(data, Tensor) or not isinstance(updates, Tensor) or data.fold[0] < depth \
            or data.batch - depth != updates.batch - rank:
        raise Unsupported("ScatterND that writes anything but whole rows of all samples is not supported")
    cells = data.cells.copy()
    cells[tuple(np.moveaxis(indices, -1, 0))] = updates.cells
    return data.with_cells(cells)


def _scatter_elements(t: Tracer, node: Node, values: list):
    _check_plain_scatter(node)
    data, updates = values[0], t.tensor(values[2], "the updates of ScatterElements")
    if not isinstance(values[1], Const):
        raise Unsupported("ScatterElements with indices that depend on the inputs is not supported")
    data = data if isinstance(data, Tensor) else lift(t, data, updates)
    axis = data.axis(int(node.attrs.get("axis", 0)), "ScatterElements")
    indices = np.take(values[1].value, [0], data.batch)
    if np.any(indices != values[1].value) or data.fold != (data.batch, data.batch + 1):
        raise Unsupported("ScatterElements with indices that differ along the batch axis is not supported")
    cells = data.cells.copy()
    np.put_along_axis(cells, indices, updates.cells, axis)
    return data.with_cells(cells)


def _check_plain_scatter(node: Node) -> None:
    if node.attrs.get("reduction", "none") != "none":
        raise Unsupported(f"{node.op} with reduction {node.attrs['reduction']} is not supported")


def _identity(t: Tracer, node: Node, values: list):
    return [values[0]]


OPERATORS = {
    "Shape": _shape, "Size": _size, "Reshape": _reshape, "Flatten": _flatten, "Expand": _expand, "Tile": _tile,
    "Transpose": _transpose, "Unsqueeze": _unsqueeze, "Squeeze": _squeeze, "Gather": _gather, "Slice": _slice,
    "Split": _split, "Concat": _concat, "Pad": _pad, "ScatterND": _scatter_nd, "ScatterElements": _scatter_elements,
    "Identity": _identity,
}
