# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Symbolic tensors: which element of which row value stands at each place of an ONNX tensor.

An ONNX tensor of any rank is an array of references `(row, column)`, so that everything that only moves data
(Gather, Slice, Concat, Reshape, Transpose, …) is indexing of that array and computes nothing. The samples of a batch
all do the same: the batch axis has the extent 1 in the array and is only remembered. Axes are either *steps* (one row
for each index: time, and what is stacked) or *features* (inside a row).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod

import numpy as np


class Unsupported(Exception):
    """A node cannot be translated; the message says why."""


class MixedBatch(Unsupported):
    """A shape that splits or merges the batch axis in another way than assumed; `wanted` is that shape."""

    def __init__(self, message: str, wanted: list[int]) -> None:
        super().__init__(message)
        self.wanted = wanted


_MOST_CELLS = 1 << 26


def check_size(count: int) -> None:
    """Refuses what a small file can ask for but no memory holds."""
    if count > _MOST_CELLS:
        raise Unsupported(f"a value of {count} numbers a sample; more than {_MOST_CELLS} are not supported")


class Poison:
    """Stands for a result that has no translation; users of it are not reported again."""


@dataclass(eq=False, frozen=True)
class Tensor:
    """Dimensions as in the file are `dims`; `cells` has the axes `steps` tells about, which may be more.

    `cells` are references made by `Rows`. Axis `batch` of `cells` stands for `size` samples. The axes `fold[0]` up to
    `fold[1]`, among them the batch, are one axis in the file (`T*B` before a convolution), or just the batch.
    `dtype` is `f32`, `i1` (a mask) or `int` (whole numbers in float rows).
    """

    cells: np.ndarray
    steps: tuple[bool, ...]
    batch: int
    size: int
    fold: tuple[int, int]
    dtype: str = "f32"

    @property
    def extents(self) -> list[int]:
        """Sizes of the axes of `cells`, with the number of samples for the batch."""
        return [self.size if a == self.batch else n for a, n in enumerate(self.cells.shape)]

    @property
    def dims(self) -> list[int]:
        """The dimensions that the file sees."""
        low, high = self.fold
        sizes = self.extents
        return [*sizes[:low], prod(sizes[low:high]), *sizes[high:]]

    @property
    def batch_dim(self) -> int:
        """The dimension that holds the batch."""
        return self.fold[0]

    def dim(self, number: int) -> int:
        """A dimension number, counted from the end where negative, made positive."""
        rank = len(self.dims)
        if not -rank <= number < rank:
            raise Unsupported(f"axis {number} of a value of {rank} dimensions does not exist")
        return number % rank

    def axis(self, number: int, what: str) -> int:
        """The axis of `cells` of a dimension; the batch is refused, since `what` would treat samples differently."""
        number, (low, high) = self.dim(number), self.fold
        if number == low:
            raise MixedBatch(f"{what} along the batch axis (dimension {number} of {dims_text(self.dims)}) treats "
                             "samples of one batch differently, which is not supported", [1, self.size])
        return number if number < low else number + high - low - 1

    def features(self) -> list[int]:
        """The axes that lie inside rows."""
        return [a for a, step in enumerate(self.steps) if not step and a != self.batch]

    def with_cells(self, cells: np.ndarray) -> Tensor:
        """The same axes with other cells; extents may differ, the batch keeps its own."""
        return replace(self, cells=cells)

    def reshape(self, wanted: list[int]) -> Tensor:
        """Other dimensions in the same row-major order."""
        if wanted == self.dims:
            return self
        before, after = prod(self.cells.shape[:self.batch]), prod(self.cells.shape[self.batch + 1:])
        fits = []  # (dimension that holds the batch, what is folded into it from before and from after the batch)
        for place, extent in enumerate(wanted):
            left, right = prod(wanted[:place]), prod(wanted[place + 1:])
            if not left or not right or before % left or after % right:
                continue
            outer, inner = before // left, after // right
            if outer * self.size * inner == extent:
                fits.append((place, outer, inner))
        if not fits:
            raise MixedBatch(f"a value of shape {dims_text(self.dims)} becomes {dims_text(wanted)}, which mixes the "
                             "samples of the batch with other axes", wanted)
        # Several dimensions fit where extents are 1: best the batch alone, then `T*B`; the last of them.
        place, outer, inner = min(fits, key=lambda fit: (fit[2] > 1, fit[1] > 1, -fit[0]))
        left = [*wanted[:place], *([outer] if outer > 1 else [])]
        right = [*([inner] if inner > 1 else []), *wanted[place + 1:]]
        steps = (*_regroup(self.cells.shape[:self.batch], self.steps[:self.batch], left), False,
                 *_regroup(self.cells.shape[self.batch + 1:], self.steps[self.batch + 1:], right))
        return Tensor(self.cells.reshape([*left, 1, *right]), steps, len(left), self.size,
                      (place, place + 1 + (outer > 1) + (inner > 1)), self.dtype)

    def transpose(self, order: list[int]) -> Tensor:
        """The dimensions in another order."""
        low, high = self.fold
        axes: list[int] = []
        for number in order:
            if number == low:
                start = len(axes)
                axes += range(low, high)
            else:
                axes.append(number if number < low else number + high - low - 1)
        return Tensor(self.cells.transpose(axes), tuple(self.steps[a] for a in axes), axes.index(self.batch), self.size,
                      (start, start + high - low), self.dtype)

    def insert(self, axis: int, extent: int = 1, step: bool = True) -> Tensor:
        """A new axis of `cells` (not inside a folded one) before `axis`, the same cells at every index."""
        cells = np.repeat(np.expand_dims(self.cells, axis), extent, axis)
        return Tensor(cells, (*self.steps[:axis], step, *self.steps[axis:]), self.batch + (axis <= self.batch),
                      self.size, tuple(p + (axis <= self.fold[0]) for p in self.fold), self.dtype)

    def remove(self, axis: int) -> Tensor:
        """Without an axis of `cells` of extent 1 (not inside a folded one)."""
        return Tensor(self.cells.squeeze(axis), (*self.steps[:axis], *self.steps[axis + 1:]),
                      self.batch - (axis < self.batch), self.size, tuple(p - (axis < self.fold[0]) for p in self.fold),
                      self.dtype)

    def take(self, axis: int, indices: np.ndarray) -> Tensor:
        """The given indices of an axis of `cells`, negative ones from the end.

        An array of another rank than 1 changes the number of axes.
        """
        count = indices.ndim
        check_size(self.cells.size // max(1, self.cells.shape[axis]) * indices.size)
        extent = self.cells.shape[axis]
        bad = indices[(indices < -extent) | (indices >= extent)]
        if bad.size:
            raise Unsupported(f"index {int(bad.flat[0])} is outside an axis of {extent}")
        shift = (count - 1) if axis < self.fold[0] else 0
        cells = np.take(self.cells, indices, axis)
        return Tensor(cells, (*self.steps[:axis], *[self.steps[axis]] * count, *self.steps[axis + 1:]),
                      self.batch + shift, self.size, tuple(p + shift for p in self.fold), self.dtype)

    def slice(self, axis: int, part: slice) -> Tensor:
        """A part of an axis of `cells`."""
        return self.with_cells(self.cells[(slice(None),) * axis + (part,)])


def plain(cells: np.ndarray, steps: tuple[bool, ...], batch: int, size: int, dtype: str = "f32") -> Tensor:
    """A tensor whose dimensions are the axes of `cells`."""
    return Tensor(cells, steps, batch, size, (batch, batch + 1), dtype)


def element_kind(array: np.ndarray) -> str:
    """What a `Tensor` calls the elements of an array: `f32`, `i1` or `int`."""
    return {"b": "i1", "f": "f32"}.get(array.dtype.kind, "int")


def dims_text(dims: Iterable[int | str]) -> str:
    """A shape for messages, such as `4x20`."""
    return "x".join(map(str, dims))


def _regroup(extents: tuple[int, ...], steps: tuple[bool, ...], wanted: list[int]) -> tuple[bool, ...]:
    """Which axes of a new shape are steps: those made of steps alone; the products are equal."""
    found: list[bool] = []
    i = 0
    while len(found) < len(wanted):
        first, count = i, 1
        old, new = 1, wanted[len(found)]
        while old != new:
            if old < new:
                old, i = old * extents[i], i + 1
            else:
                new, count = new * wanted[len(found) + count], count + 1
        is_step = all(steps[k] for k in range(first, i) if extents[k] > 1)
        found += [is_step] * count
    return tuple(found)
