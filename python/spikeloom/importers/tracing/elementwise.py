# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Broadcasting of symbolic tensors and constants, so that an operator is applied row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..ir import Value
from ..onnx_graph import Const
from .tensor import Tensor, Unsupported, check_size, dims_text, element_kind

if TYPE_CHECKING:
    from .tracer import Tracer

Operand = Tensor | Const


class Grid:
    """Operands aligned to common axes; `indices` are the places of the step axes, each with one row an operand."""

    def __init__(self, t: Tracer, operands: list[Operand]) -> None:
        self.t = t
        tensors = [o for o in operands if isinstance(o, Tensor)]
        if not tensors:
            raise Unsupported("an operand that should depend on the inputs is constant or missing")
        rank = max(len(o.dims) if isinstance(o, Tensor) else o.value.ndim for o in operands if o is not None)
        longest = max(tensors, key=lambda o: len(o.dims))
        self.like = longest
        for _ in range(rank - len(longest.dims)):
            self.like = self.like.insert(0)
        self.operands = operands
        self.arrays = [self._aligned(o) for o in operands]
        try:
            self.shape = np.broadcast_shapes(*(a.shape for a in self.arrays))
        except ValueError:
            shapes = " and ".join(dims_text(o.dims if isinstance(o, Tensor) else o.value.shape) for o in operands)
            raise Unsupported(f"operands of shapes {shapes} do not fit together") from None
        check_size(prod(self.shape))
        self.steps = tuple(self._is_step(a) for a in range(len(self.shape)))

    def _aligned(self, operand: Operand) -> np.ndarray:
        """The operand's array with the axes of `like`; extents may be 1."""
        like = self.like
        if isinstance(operand, Tensor):
            missing = len(like.dims) - len(operand.dims)
            low, high = (p + missing for p in operand.fold)
            if (low, high) != like.fold or operand.batch + missing != like.batch or operand.size != like.size:
                raise Unsupported(f"operands of shapes {dims_text(like.dims)} and {dims_text(operand.dims)} have their "
                                  "batch at different axes")
            return operand.cells.reshape((1,) * missing + operand.cells.shape)
        if operand is None:
            raise Unsupported("an operand is missing")
        value = operand.value.reshape((1,) * (len(like.dims) - operand.value.ndim) + operand.value.shape)
        low, high = like.fold
        extents = like.extents[low:high]
        if value.shape[low] == 1:
            inner = [1] * (high - low)
        elif value.shape[low] == prod(extents):
            inner = extents
        else:
            raise Unsupported(f"a constant of shape {dims_text(operand.value.shape)} does not fit a value of shape "
                              f"{dims_text(like.dims)}")
        return without_batch(value.reshape([*value.shape[:low], *inner, *value.shape[low + 1:]]), like.batch)

    def _is_step(self, axis: int) -> bool:
        """Whether no operand with more than one element there (or with any, if none has more) calls it a feature."""
        if axis == self.like.batch:
            return False
        found: dict[bool, list[bool]] = {True: [], False: []}
        for operand in (o for o in self.operands if isinstance(o, Tensor)):
            own = axis - (len(self.shape) - operand.cells.ndim)
            if own >= 0:
                found[operand.cells.shape[own] > 1].append(operand.steps[own])
        return all(found[True] or found[False])

    @property
    def features(self) -> list[int]:
        """Extents of the feature axes."""
        return [n for a, n in enumerate(self.shape) if not self.steps[a] and a != self.like.batch]

    def indices(self) -> Iterator[tuple[int, ...]]:
        """All places of the step axes, as indices of all axes with 0 for the others."""
        return np.ndindex(*(n if s else 1 for n, s in zip(self.shape, self.steps, strict=True)))

    def rows(self, index: tuple[int, ...]) -> list[Value]:
        """The rows of all operands at a place."""
        return [self._row(o, a, index) for o, a in zip(self.operands, self.arrays, strict=True)]

    def _row(self, operand: Operand, array: np.ndarray, index: tuple[int, ...]) -> Value:
        place = tuple((min(i, n - 1) if step else 0) if step or a == self.like.batch else slice(None)
                      for a, (i, n, step) in enumerate(zip(index, array.shape, self.steps, strict=True)))
        part = array[place]
        if isinstance(operand, Const):
            return self.t.spread(operand, part, self.features)
        return self.t.rows.value(np.broadcast_to(part, self.features))

    def result(self, values: list[Value], dtype: str | None = None) -> Tensor:
        """The tensor of one row for each place."""
        cells = np.empty(self.shape, np.int64)
        features = self.features
        for index, value in zip(self.indices(), values, strict=True):
            place = tuple(i if s or a == self.like.batch else slice(None)
                          for a, (i, s) in enumerate(zip(index, self.steps, strict=True)))
            cells[place] = self.t.rows.cells(value).reshape(features)
        return Tensor(cells, self.steps, self.like.batch, self.like.size, self.like.fold, dtype or values[0].dtype)


def without_batch(value: np.ndarray, axis: int) -> np.ndarray:
    """A constant with the batch axis reduced to 1; its samples must be equal, so that any batch can be run."""
    if value.shape[axis] > 1 and np.any(value != np.take(value, [0], axis)):
        raise Unsupported(f"a constant of shape {dims_text(value.shape)} differs along the batch axis; its rows must "
                          "be equal, so that any batch can be run")
    return np.take(value, [0], axis)


def apply(t: Tracer, operands: list[Operand], function: Callable[..., Value], dtype: str | None = None) -> Tensor:
    """`function` of the operands' rows at every step."""
    grid = Grid(t, operands)
    return grid.result([function(*grid.rows(i)) for i in grid.indices()], dtype)


def lift(t: Tracer, const: Const, like: Tensor) -> Tensor:
    """A constant as a tensor with the axes of `like`, whose extents it may exceed outside the batch."""
    value = const.value
    if value.ndim != len(like.dims):
        raise Unsupported(f"a constant of shape {dims_text(value.shape)} stands beside a value of shape "
                          f"{dims_text(like.dims)}")
    low, high = like.fold
    value = without_batch(value.reshape([*value.shape[:low], *like.extents[low:high], *value.shape[low + 1:]]),
                          like.batch)
    cells = np.empty(value.shape, np.int64)
    features = [a for a, s in enumerate(like.steps) if not s and a != like.batch]
    for index in np.ndindex(*(1 if a in features else n for a, n in enumerate(value.shape))):
        place = tuple(slice(None) if a in features else i for a, i in enumerate(index))
        row = t.spread(const, value[place], [value.shape[a] for a in features])
        cells[place] = t.rows.cells(row).reshape([value.shape[a] for a in features])
    return Tensor(cells, like.steps, like.batch, like.size, like.fold, element_kind(value))
