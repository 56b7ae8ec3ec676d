# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The importer's own small IR: one time step as a straight list of operations on rows.

Every value is a tensor `[batch, width]`, either `f32` or `i1` (a mask). Operations:

- `const` {value}, `broadcast` (parameter `value`), `linear` (parameters `weight` [out, in], `bias` [out])
- `add sub mul div max min` and `neg abs floor ceil sign exp log sqrt tanh sigmoid`
- `cmp` {pred: ogt oge olt ole oeq une ugt uge ult ule}, `and or xor`, `select`, `tofloat` (mask to 0/1)
- `neuron` and `integrator`, with the attributes of the dialect operations of the same name
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from .problems import Source


@dataclass(eq=False)
class Parameter:
    """A named buffer of the model: weights `[out, in]`, per-neuron values `[N]` or a scalar `[]`."""

    name: str
    value: np.ndarray
    trainable: bool = False
    note: str = ""
    transposed: bool = False


@dataclass(eq=False)
class Value:
    """A tensor `[batch, width]` of `f32` or `i1`, made by `op` or coming in from outside (`op` is None)."""

    width: int
    dtype: str = "f32"
    op: Op | None = None
    name: str = ""


@dataclass(eq=False)
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
class State:
    """A value carried from step to step: graph input `name`, graph output `output`."""

    name: str
    output: str
    value: Value
    next: Value
    initial: float = 0.0
    is_bool: bool = False


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
        order: list[Op] = []
        seen: set[int] = set()
        rank = {id(op): i for i, op in enumerate(self.ops)}

        def visit(op: Op) -> None:
            stack = [(op, iter(_producers(op)))]
            seen.add(id(op))
            while stack:
                top, rest = stack[-1]
                child = next((o for o in rest if id(o) not in seen), None)
                if child is None:
                    order.append(top)
                    stack.pop()
                else:
                    seen.add(id(child))
                    stack.append((child, iter(_producers(child))))

        live = [v.op for v in self.roots() if v.op]
        for op in sorted(live, key=lambda o: rank[id(o)]):
            if id(op) not in seen:
                visit(op)
        self.ops = order

    def users(self) -> dict[int, list[Op]]:
        """Operations by the `id` of a value they read."""
        found: dict[int, list[Op]] = {}
        for op in self.ops:
            for value in op.operands:
                found.setdefault(id(value), []).append(op)
        return found


def _producers(op: Op) -> Iterator[Op]:
    return (v.op for v in op.operands if v.op is not None)


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
    states = [State(s.name, s.output, same(s.value), same(s.next), s.initial, s.is_bool) for s in step.states]
    return Step(step.name, step.batch, [same(v) for v in step.inputs], states,
                [(n, same(v)) for n, v in step.outputs], ops, step.is_sequence)
