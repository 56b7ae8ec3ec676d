# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rows and references to their elements: a row for a symbolic tensor's elements is found or made here."""

from __future__ import annotations

from math import prod

import numpy as np

from ..builder import Builder, constant_of
from ..ir import Parameter, Value
from .tensor import Unsupported

_BITS = 32
_MASK = (1 << _BITS) - 1
# More parts than this are gathered by a 0/1 matrix instead of being sliced and put together again.
_PARTS = 16
_MATRIX = 1 << 26


class Rows:
    """Numbers row values; `cells` are `number << 32 | column`."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.values: list[Value] = []
        self._cells: dict[int, np.ndarray] = {}
        self._fixed: dict[tuple, Parameter] = {}

    def cells(self, value: Value) -> np.ndarray:
        """The references to all elements of a row."""
        if id(value) not in self._cells:
            self._cells[id(value)] = (len(self.values) << _BITS) + np.arange(value.width, dtype=np.int64)
            self.values.append(value)
        return self._cells[id(value)]

    def first(self, cells: np.ndarray) -> Value:
        """The row of the first element."""
        return self.values[int(cells.flat[0]) >> _BITS]

    def whole(self, cells: np.ndarray) -> Value | None:
        """The row that consists of exactly these elements, if there is one."""
        if not cells.size:
            return None
        value = self.first(cells)
        return value if cells.size == value.width and np.array_equal(cells, self._cells[id(value)]) else None

    def value(self, cells: np.ndarray) -> Value:
        """A row of the given elements: one that exists, a part of one, or parts of several side by side."""
        cells = cells.reshape(-1)
        if not cells.size:
            raise Unsupported("a value without elements is used")
        found = self.whole(cells)
        if found is not None:
            return found
        if self.first(cells).dtype == "i1":
            numbers = np.empty_like(cells)
            for row in np.unique(cells >> _BITS):
                first = self.cells(self.builder.tofloat(self.values[int(row)]))[0]
                numbers[cells >> _BITS == row] = first + (cells[cells >> _BITS == row] & _MASK)
            return self.builder.tobool(self.value(numbers))
        parts = self._parts(cells)
        if parts is None:
            return self._gathered(cells, cells >> _BITS)
        return parts[0] if len(parts) == 1 else self.builder.make("concat", parts, cells.size)

    def _parts(self, cells: np.ndarray) -> list[Value] | None:
        """Elements of any rows as a few slices one after the other, if they lie regularly enough."""
        cuts = np.flatnonzero(np.diff(cells >> _BITS)) + 1
        parts: list[Value] = []
        for part in np.split(cells, cuts) if len(cuts) < _PARTS else ():
            found = self._slices(self.first(part), part & _MASK)
            if found is None:
                return None
            parts += found
        return parts if 0 < len(parts) <= _PARTS else None

    def _slices(self, value: Value, columns: np.ndarray) -> list[Value] | None:
        """Elements of one row as slices, None if there would be too many."""
        number = constant_of(value)
        if number is not None:
            return [self.builder.const(number, columns.size)]
        if np.array_equal(columns, np.arange(value.width)):
            return [value]
        pieces = [columns] if strided_view(columns, value.width) is not None else _regular_pieces(columns)
        views = [strided_view(p, value.width) for p in pieces] if len(pieces) <= _PARTS else [None]
        if None in views:
            return None
        return [self.builder.make("slice", [value], prod(sizes), shape=shape, offsets=offsets, sizes=sizes,
                                  strides=strides, fill=0.0) for shape, offsets, sizes, strides in views]

    def _gathered(self, cells: np.ndarray, rows: np.ndarray) -> Value:
        """Any elements in any order: a product with a constant matrix of zeros and ones, which is exact."""
        numbers = [int(n) for n in np.unique(rows)]
        sources = [n for n in numbers if constant_of(self.values[n]) != 0.0]
        if not sources:
            return self.builder.const(0.0, cells.size)
        values = [self.values[n] for n in sources]
        width = sum(v.width for v in values)
        if width * cells.size > _MATRIX:
            raise Unsupported(f"{cells.size} features are rearranged out of {width}; that many are not supported")
        matrix = np.zeros((cells.size, width), np.float32)
        start = 0
        for number, value in zip(sources, values, strict=True):
            places = np.flatnonzero(rows == number)
            matrix[places, start + (cells[places] & _MASK)] = 1.0
            start += value.width
        x = values[0] if len(values) == 1 else self.builder.make("concat", values, width)
        return self.matrix(x, matrix, "order")

    def matrix(self, x: Value, matrix: np.ndarray, what: str) -> Value:
        """A row times a constant matrix `[out, in]` that the importer made."""
        return self.builder.make("linear", [x], matrix.shape[0], params={"weight": self.fixed(matrix, what)})

    def fixed(self, value: np.ndarray, what: str) -> Parameter:
        """A parameter that is no initializer of the file and never trains, one for each distinct value."""
        key = (what, value.shape, value.tobytes())
        if key not in self._fixed:
            self._fixed[key] = Parameter(f"constant.{what}.{len(self._fixed)}", np.ascontiguousarray(value, np.float32),
                                         made=True)
        return self._fixed[key]

    def columns(self, x: Value, shape: list[int], offsets: list[int], sizes: list[int], strides: list[int],
                fill: float = 0.0) -> Value:
        """A part of a row seen as `shape`; positions outside read `fill`."""
        if offsets == [0] * len(shape) and sizes == shape and strides == [1] * len(shape):
            return x
        return self.builder.make("slice", [x], prod(sizes), shape=tuple(shape), offsets=tuple(offsets),
                                 sizes=tuple(sizes), strides=tuple(strides), fill=float(fill))


def strided_view(columns: np.ndarray, width: int) -> tuple[tuple[int, ...], ...] | None:
    """`(shape, offsets, sizes, strides)` of a slice of a row of `width` that reads `columns`, if there is one."""
    nest = _nest(columns)
    if nest is None or any(step <= 0 for _, step in nest) or columns.min() < 0 or columns.max() >= width:
        return None
    # Outer loops step through whole rows of the view: the view's inner sizes are their strides.
    pitches = [step for _, step in nest[:-1]] + [1]
    shape: list[int] = []
    room = width
    for pitch in pitches:
        if room % pitch:
            return None
        shape.append(room // pitch)
        room = pitch
    offsets, rest = [], int(columns[0])
    for pitch in pitches:
        offsets.append(rest // pitch)
        rest %= pitch
    sizes = [count for count, _ in nest]
    strides = [1] * (len(nest) - 1) + [nest[-1][1]]
    inside = all(o + (n - 1) * s < d for o, n, s, d in zip(offsets, sizes, strides, shape, strict=True))
    return (tuple(shape), tuple(offsets), tuple(sizes), tuple(strides)) if inside else None


def _regular_pieces(columns: np.ndarray) -> list[np.ndarray]:
    """The columns cut where runs of consecutive ones change their length or distance."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(columns) != 1) + 1, [columns.size]])
    lengths, firsts = np.diff(starts), columns[starts[:-1]]
    cuts, begin = [], 0
    for i in range(1, len(lengths)):
        distance = firsts[begin + 1] - firsts[begin]
        if lengths[i] != lengths[begin] or firsts[i] - firsts[i - 1] != distance:
            cuts.append(int(starts[i]))
            begin = i
    return np.split(columns, cuts)


def _nest(columns: np.ndarray) -> list[tuple[int, int]] | None:
    """Loops (count, step), outermost first, that give the columns; None if there are none."""
    if columns.size == 1:
        return [(1, 1)]
    steps = np.diff(columns)
    other = np.flatnonzero(steps != steps[0])
    inner = int(other[0]) + 1 if other.size else columns.size
    if inner == columns.size:
        return [(inner, int(steps[0]))]
    if columns.size % inner:
        return None
    table = columns.reshape(-1, inner)
    if np.any(table - table[:, :1] != table[0] - table[0, 0]):
        return None
    outer = _nest(table[:, 0])
    return None if outer is None else [*outer, (inner, int(steps[0]))]
