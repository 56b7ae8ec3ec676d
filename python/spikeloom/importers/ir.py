# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The importer's own small IR: straight lists of operations on rows, and loops over time of them.

Every value is a tensor `[batch, width]`, either `f32` or `i1` (a mask); a stacked one is `[steps, batch, width]`.
A file becomes a `Trace` (everything unrolled, one value for each time step), the trace a `Program` (loops over time
found again). A `Step` is the view of one step on which neurons are recognised. Operations:

- `const` {value}, `broadcast` (parameter `value`), `linear` (parameters `weight` [out, in], `bias` [out])
- `add sub mul div max min` and `neg abs floor ceil sign exp log sqrt tanh sigmoid`
- `cmp` {pred: ogt oge olt ole oeq une ugt uge ult ule}, `and or xor`, `select`, `tofloat` (mask to 0/1)
- `slice` {shape, offsets, sizes, strides, fill}, `concat`, `softmax` {log}: as the dialect operations of that name
- `conv` (parameters `weight` [out, in / groups, k…], `bias`) {input, strides, padding, dilations, groups}: a row seen
  as `[C, H, W]` or `[C, L]`; `broadcast` may have {inner}: each value of the parameter that often in a row
- `batch_norm` (parameters `scale`, `shift`, `mean`, `variance` [C]) {inner, epsilon, momentum} and `dropout` {rate}: as
  the dialect operations, which do one thing in training and another in inference; every step has its own
- `count` (parameter or attribute `threshold`) {max_spikes}: how many thresholds a value has reached, at most that many
  (0: no limit); the spikes of a neuron that fires several times in a step
- `neuron` and `integrator`, with the attributes of the dialect operations of the same name
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TypeVar

import numpy as np

from .problems import Source

Item = TypeVar("Item")


@dataclass(eq=False)
class Parameter:
    """A named buffer of the model: weights `[out, in]`, per-neuron values `[N]` or a scalar `[]`.

    A `sparse` matrix has connections where it is not zero and nowhere else, for good. `made` marks what the importer
    made itself. `place` tells of a part of an initializer: its name, and where in it (flat, row-major) each element of
    the value stands.
    """

    name: str
    value: np.ndarray
    trainable: bool = False
    note: str = ""
    transposed: bool = False
    sparse: bool = False
    made: bool = False
    place: tuple[str, np.ndarray] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that a program has; a kernel of a convolution is `[out, in / groups * positions]` there."""
        shape = self.value.shape
        return shape if len(shape) <= 2 else (shape[0], prod(shape[1:]))

    @property
    def density(self) -> float:
        """The part of the value that is not zero."""
        return float(np.count_nonzero(self.value)) / max(1, self.value.size)


@dataclass(eq=False, repr=False)  # operands of operands: a repr would never end
class Value:
    """A tensor `[batch, width]` of `f32` or `i1`, made by `op` or coming in from outside (`op` is None).

    With `steps` above 0 it is stacked over time, `[steps, batch, width]`, and comes from outside or out of a scan.
    """

    width: int
    dtype: str = "f32"
    op: Op | None = None
    name: str = ""
    steps: int = 0


@dataclass(eq=False, repr=False)  # operands of operands: a repr would never end
class Op:
    """One operation; `params` are the parameters it reads, by role."""

    kind: str
    operands: list[Value]
    params: dict[str, Parameter] = field(default_factory=dict)
    attrs: dict = field(default_factory=dict)
    results: list[Value] = field(default_factory=list)
    source: Source = field(default_factory=Source)

    @property
    def result(self) -> Value:
        """The first result."""
        return self.results[0]


@dataclass(eq=False)
class TraceInput:
    """A graph input as rows: one value for each time step, a single one where `axes` has no `T`.

    `axes` names the dimensions of the file in order: `T` time, `B` batch, any other letter a feature axis. A row is
    the features flattened in that order; so `TBCHW` has rows `[B, C*H*W]`, and states `LBN` rows `[B, L*N]`.
    """

    name: str
    rows: list[Value]
    axes: str
    shape: tuple[int, ...]


@dataclass(eq=False)
class TraceOutput:
    """A graph output as rows in the order of time, see `TraceInput`."""

    name: str
    rows: list[Value]
    axes: str
    shape: tuple[int, ...]


@dataclass(eq=False)
class Trace:
    """A file with all its loops unrolled. `pairs` maps state inputs to outputs and is empty for whole sequences.

    `ops` are in an order of dependence. `batch` is that of the file; the operations fit any batch.
    """

    name: str
    batch: int
    inputs: list[TraceInput]
    outputs: list[TraceOutput]
    ops: list[Op]
    pairs: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class ScanState:
    """A value carried from step to step of a scan.

    `value` is what the body reads, `next` what it gives, `init` (outside) what it starts from: a row value, or a
    number for all of it; `final` (outside) is the value after the last step.
    """

    value: Value
    next: Value
    init: Value | float
    final: Value
    name: str = ""


@dataclass(eq=False)
class Scan:
    """A loop over time: step t reads row t of `sequences` and writes row t of `stacked`.

    `sequences` are pairs (outer stacked value, inner row), `stacked` pairs (inner row, outer stacked value). With
    `reverse` the steps run from the last to the first. `ops` may read rows of outside the scan.
    """

    steps: int
    reverse: bool
    sequences: list[tuple[Value, Value]]
    states: list[ScanState]
    ops: list[Op]
    stacked: list[tuple[Value, Value]]


@dataclass(eq=False)
class Port:
    """An input or output of a program: its value and how the file's array lies (`axes`, `shape`, see `TraceInput`)."""

    name: str
    value: Value
    axes: str
    shape: tuple[int, ...]


@dataclass(eq=False)
class ProgramState:
    """A state argument of a whole program: `value` at its start, `final` at its end under the name `output`."""

    name: str
    value: Value
    final: Value
    output: str
    initial: float = 0.0


@dataclass(eq=False)
class Program:
    """A model: operations and scans in an order of dependence. `steps` is the number of time steps, 0 without time."""

    name: str
    batch: int
    steps: int
    inputs: list[Port]
    states: list[ProgramState]
    outputs: list[Port]
    items: list[Op | Scan]


@dataclass(eq=False)
class State:
    """A value carried from step to step: graph input `name`, graph output `output`.

    A `private` one belongs to a loop and starts at `initial`, whatever the caller does; `kept` says that its value
    after the last step is read.
    """

    name: str
    output: str
    value: Value
    next: Value
    initial: float = 0.0
    is_bool: bool = False
    private: bool = False
    kept: bool = True


@dataclass(eq=False)
class Step:
    """One time step: inputs and states in, outputs and next states out.

    `outputs` are written for every step. `batch` is the batch of the file; the operations fit any batch.
    """

    name: str
    batch: int
    inputs: list[Value]
    states: list[State]
    outputs: list[tuple[str, Value]]
    ops: list[Op]
    is_sequence: bool = False

    def parameters(self) -> list[Parameter]:
        """All parameters in order of first use."""
        found: dict[int, Parameter] = {}
        for op in self.ops:
            for parameter in op.params.values():
                found.setdefault(id(parameter), parameter)
        return list(found.values())

    def roots(self) -> list[Value]:
        """The values that leave the step."""
        return [v for _, v in self.outputs] + [s.next for s in self.states]

    def replace(self, old: Value, new: Value) -> None:
        """Makes every user of `old` read `new` instead."""
        for op in self.ops:
            if op.result is not new:
                op.operands = [new if v is old else v for v in op.operands]
        self.outputs = [(n, new if v is old else v) for n, v in self.outputs]
        for state in self.states:
            if state.next is old:
                state.next = new

    def clean(self) -> None:
        """Drops operations without use and puts the rest into an order of dependence (stable)."""
        rank = {id(op): i for i, op in enumerate(self.ops)}
        live = [v.op for v in self.roots() if v.op]
        self.ops = dependence_order(sorted(live, key=lambda op: rank[id(op)]), _producers)

    def users(self) -> dict[int, list[Op]]:
        """Operations by the `id` of a value they read."""
        found: dict[int, list[Op]] = {}
        for op in self.ops:
            for value in op.operands:
                found.setdefault(id(value), []).append(op)
        return found


def _producers(op: Op) -> Iterator[Op]:
    return (v.op for v in op.operands if v.op is not None)


def dependence_order(roots: Iterable[Item], producers: Callable[[Item], Iterable[Item]]) -> list[Item]:
    """The roots and all that they need, each once and after its producers; without recursion, for deep graphs."""
    order: list[Item] = []
    seen: set[int] = set()
    for root in roots:
        if id(root) in seen:
            continue
        seen.add(id(root))
        stack = [(root, iter(producers(root)))]
        while stack:
            top, rest = stack[-1]
            child = next((p for p in rest if id(p) not in seen), None)
            if child is None:
                order.append(top)
                stack.pop()
            else:
                seen.add(id(child))
                stack.append((child, iter(producers(child))))
    return order


def cone(value: Value) -> set[int]:
    """The `id` of every value that `value` is computed from, itself included."""
    found: set[int] = set()
    stack = [value]
    while stack:
        top = stack.pop()
        if id(top) in found:
            continue
        found.add(id(top))
        if top.op is not None:
            stack.extend(top.op.operands)
    return found


def copy_step(step: Step) -> Step:
    """A copy whose operations can be rewritten without touching the original; parameters are shared."""
    values: dict[int, Value] = {}

    def same(value: Value) -> Value:
        if id(value) not in values:
            values[id(value)] = Value(value.width, value.dtype, None, value.name)
        return values[id(value)]

    ops = []
    for op in step.ops:
        new = Op(op.kind, [same(v) for v in op.operands], dict(op.params), dict(op.attrs), [], op.source)
        new.results = [same(v) for v in op.results]
        for value in new.results:
            value.op = new
        ops.append(new)
    states = [State(s.name, s.output, same(s.value), same(s.next), s.initial, s.is_bool, s.private, s.kept)
              for s in step.states]
    return Step(step.name, step.batch, [same(v) for v in step.inputs], states,
                [(n, same(v)) for n, v in step.outputs], ops, step.is_sequence)
