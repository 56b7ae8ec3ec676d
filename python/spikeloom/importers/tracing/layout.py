# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which axis of an input is the batch and which is time: nothing in a file says it, so the likely ones are tried.

A wrong assumption shows: a graph that takes `x[:, t]` cannot run with the batch there. So the candidates of the first
input, likeliest first, are tried until the whole graph has a translation; the other inputs follow from its batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise, product
from math import prod

import numpy as np

from ..onnx_graph import Port, SourceGraph
from ..problems import ProblemList
from .tensor import dims_text

INPUT_TYPES = {"float", "bool", "uint8", "float16", "double", "bfloat16", "int64", "int32"}
DEFAULT_STEPS = 5
_LARGEST = 1 << 32
_MOST_CHOICES = 16


@dataclass(frozen=True)
class Layout:
    """Axes of an input: `axes` as in `TraceInput`, with `(TB)` where the file has both in one; `extents` of each."""

    name: str
    axes: str
    extents: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str

    @property
    def plain_axes(self) -> str:
        """One letter for each extent."""
        return self.axes.replace("(", "").replace(")", "")

    @property
    def batch(self) -> int:
        """The number of samples."""
        return self.extents[self.plain_axes.index("B")]

    @property
    def length(self) -> int:
        """The number of time steps, 0 without time."""
        return self.extents[self.plain_axes.index("T")] if "T" in self.axes else 0

    @property
    def fold(self) -> tuple[int, int]:
        """The axes that are one in the file."""
        if "(" in self.axes:
            low = self.axes.index("(")
            return low, self.axes.index(")") - 1
        return self.plain_axes.index("B"), self.plain_axes.index("B") + 1


class Layouts:
    """The candidates for a graph, with dynamic dimensions as the user says."""

    def __init__(self, graph: SourceGraph, pairs: dict[str, str], batch: int | None, steps: int | None,
                 as_: str | None, problems: ProblemList) -> None:
        self.ports, self.pairs, self.problems = graph.inputs, pairs, problems
        self.batch, self.steps = batch, steps
        self.forms = {"step": ("BN", "BCN", "BCHW"), "sequence": ("TBN", "BTN", "TBCHW", "BTCHW", "BN", "BCHW")}.get(
            as_ or "", ("BN", "TBN", "BTN", "BCN", "BCHW", "TBCHW", "BTCHW"))
        self.is_valid = self._check()
        if self.is_valid and self.ports and self._is_line(graph):
            self.forms = tuple(sorted(self.forms, key=lambda f: f != "BCN"))

    def _check(self) -> bool:
        """Whether the inputs have types and shapes that are known; reports those that have not."""
        before = len(self.problems.items)
        for port in self.ports:
            if port.dtype not in INPUT_TYPES:
                self.problems.error(f"input '{port.name}' has type {port.dtype}; inputs are float32, float16, bool, "
                                    "uint8 or int64 of small numbers")
            elif port.dims is None:
                self.problems.error(f"input '{port.name}' has unknown shape; export it with its dimensions")
            elif not (2 if port is self._first() else 1) <= len(port.dims) <= 5:
                self.problems.error(f"input '{port.name}' has shape {dims_text(port.dims)}; inputs are "
                                    "[batch, features], [time, batch, features], or images instead of features")
            elif len(port.dims) > 1 and not isinstance(port.dims[-1], int):
                self.problems.error(f"input '{port.name}' has the dynamic feature dimension '{port.dims[-1]}'; export "
                                    "it with a fixed one")
            elif any(isinstance(d, int) and d <= 0 for d in port.dims):
                self.problems.error(f"input '{port.name}' has shape {dims_text(port.dims)}; every dimension "
                                    "must be at least 1")
            elif prod(d for d in port.dims if isinstance(d, int)) > _LARGEST:
                self.problems.error(f"input '{port.name}' has shape {dims_text(port.dims)}; more than {_LARGEST} "
                                    "numbers are not supported")
        return len(self.problems.items) == before

    def _first(self) -> Port:
        """The first input that is no state."""
        return next((p for p in self.ports if p.name not in self.pairs), self.ports[0])

    def candidates(self) -> Iterator[list[Layout]]:
        """Layouts of all inputs, likeliest first."""
        if not self.ports or not self.is_valid:
            return
        first = self._first()
        for axes in self._forms(first):
            yield from self._of_all(first, self._layout(first, axes))

    def folded(self, wanted: list[list[int]]) -> Iterator[list[Layout]]:
        """Layouts with time and batch in one axis, for graphs that reshape it into shapes like those in `wanted`."""
        if not self.ports or not self.is_valid or not isinstance(self._first().dims[0], int):
            return
        first = self._first()
        total = first.dims[0]
        tried = set()
        for shape in wanted:
            for a, b in pairwise(shape):
                if a * b != total or (a, b) in tried or min(a, b) < 1:
                    continue
                tried.add((a, b))
                letters = "CHW"[:len(first.dims) - 1] if len(first.dims) > 2 else "N"
                rest = tuple(int(d) for d in first.dims[1:])
                for axes in ("(BT)", "(TB)"):
                    layout = Layout(first.name, axes + letters, (a, b, *rest), (total, *rest), first.dtype)
                    yield from self._of_all(first, layout)

    def _is_line(self, graph: SourceGraph) -> bool:
        """Whether the first input looks like `[batch, channels, length]`.

        It goes into a convolution or pooling, or states have three dimensions as well, of which only the batch is the
        same.
        """
        first = self._first()
        states = [p.dims for p in self.ports if p.name in self.pairs and len(p.dims) == 3]
        return any(node.op in ("Conv", "MaxPool", "AveragePool") and node.inputs[:1] == [first.name]
                   for node in graph.nodes) or any(s[0] == first.dims[0] and s[1] != first.dims[1] for s in states)

    def _forms(self, port: Port) -> list[str]:
        """The forms of as many axes as an input has, those that the names of its dynamic dimensions fit if any do."""
        forms = [f for f in self.forms if len(f) == len(port.dims)]
        named = [f for f in forms if all(isinstance(d, int) or _means(d, a) for d, a in zip(port.dims, f, strict=True))]
        return named or forms

    def _layout(self, port: Port, axes: str) -> Layout:
        dims = []
        for dim, letter in zip(port.dims, axes, strict=True):
            if isinstance(dim, int):
                dims.append(dim)
            else:
                dims.append({"B": self.batch or 1, "T": self.steps or DEFAULT_STEPS}.get(letter, 0))
        return Layout(port.name, axes, tuple(dims), tuple(dims), port.dtype)

    def _of_all(self, first: Port, layout: Layout) -> Iterator[list[Layout]]:
        """The other inputs beside the first: sequences like it, or states and static inputs of the same batch."""
        each = [[layout] if port is first else self._beside(port, layout) for port in self.ports]
        if 0 not in layout.extents:
            yield from map(list, islice(product(*each), _MOST_CHOICES))

    def _beside(self, port: Port, first: Layout) -> list[Layout]:
        rank = len(port.dims)
        forms = {1: ["B"], 2: ["BN"], 3: ["CBN", "BCN"], 4: ["BCHW", "LBCN"], 5: ["LBCHW", "BLCHW"]}[rank]
        if port.name not in self.pairs and first.length and rank == len(first.shape) and "(" not in first.axes:
            forms.insert(0, first.axes)
        found = [self._layout(port, axes) for axes in forms]
        return [f for f in found if f.batch == first.batch and f.length in (0, first.length) and 0 not in f.extents]

    def tell_defaults(self, layouts: list[Layout]) -> None:
        """Notes on dynamic dimensions that got a default, and on types that are computed in float32."""
        for port, layout in zip(self.ports, layouts, strict=True):
            dynamic = {a for a, d in zip(layout.axes, port.dims, strict=False) if not isinstance(d, int)}
            if "B" in dynamic and self.batch is None:
                self.problems.note("the batch of the file is dynamic; 1 is used unless --batch says otherwise")
            if "T" in dynamic and self.steps is None:
                self.problems.note(f"the number of time steps of the file is dynamic; {DEFAULT_STEPS} are used unless "
                                   "--steps says otherwise")
            if port.dtype in ("float16", "double", "bfloat16"):
                self.problems.note(f"input '{port.name}' has type {port.dtype}; the model is computed in float32")


def rows_of(array: np.ndarray, axes: str, batch: int) -> list[np.ndarray]:
    """The rows `[batch, width]` of an array in time order; one row without time."""
    plain = axes.replace("(", "").replace(")", "")
    if "(" in axes:
        place = axes.index("(")
        count = array.shape[place] // batch
        pair = [count, batch] if axes[place + 1] == "T" else [batch, count]
        array = array.reshape([*array.shape[:place], *pair, *array.shape[place + 1:]])
    order = [i for i, a in enumerate(plain) if a == "T"] + [plain.index("B")]
    array = array.transpose(order + [i for i in range(array.ndim) if i not in order])
    return list(array.reshape(-1, batch, prod(array.shape[len(order):])))


def _means(name: str, letter: str) -> bool:
    """Whether the name of a dynamic dimension fits an axis: names that say nothing fit batch and time."""
    text = name.lower()
    if letter not in "BT":
        return False
    if text.startswith(("b", "n")):
        return letter == "B"
    if text.startswith(("t", "s", "l")):
        return letter == "T"
    return True
