# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""RNN, GRU and LSTM: the arithmetic of their cells at every step.

The gates' weights stay one matrix, `[gates * hidden, in]`, and its row is cut into gates afterwards, so that the
parameters are those that PyTorch trains, with the gates in its order. Both biases stay as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..ir import Parameter, Value
from ..onnx_graph import Const, Node
from .elementwise import without_batch
from .tensor import Tensor, Unsupported, dims_text, plain

if TYPE_CHECKING:
    from .tracer import Tracer

_ACTIVATIONS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
# PyTorch's order of gates by their places in the file: LSTM input, forget, cell, output; GRU reset, update, new.
_GATES = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 2, 3, 1]}


@dataclass
class Cell:
    """The weights and activations of one direction; `bias` parts are None where the file has none."""

    t: Tracer
    hidden: int
    weight: Parameter
    recurrent: Parameter
    bias: Parameter | None
    recurrent_bias: Parameter | None
    activations: list[Callable[[Value], Value]]

    def from_input(self, x: Value) -> Value:
        """All gates' part of the input."""
        return _linear(self.t, x, self.weight, self.bias)

    def from_state(self, h: Value) -> Value:
        """All gates' part of the last output."""
        return _linear(self.t, h, self.recurrent, self.recurrent_bias)

    def gate(self, row: Value, number: int) -> Value:
        """One gate of a row of all."""
        return self.t.rows.columns(row, [row.width], [number * self.hidden], [self.hidden], [1])

    def one_minus(self, row: Value) -> Value:
        """1 - row."""
        return self.t.builder.binary("sub", self.t.builder.const(1.0, row.width), row)


def _linear(t: Tracer, x: Value, weight: Parameter, bias: Parameter | None) -> Value:
    params = {"weight": weight} | ({"bias": bias} if bias is not None else {})
    return t.builder.make("linear", [x], weight.value.shape[0], params=params)


def _rnn_step(cell: Cell, x: Value, state: list[Value]) -> list[Value]:
    total = cell.t.builder.binary("add", cell.from_input(x), cell.from_state(state[0]))
    return [cell.activations[0](total)]


def _lstm_step(cell: Cell, x: Value, state: list[Value]) -> list[Value]:
    b = cell.t.builder
    gates = b.binary("add", cell.from_input(x), cell.from_state(state[0]))
    inner, squash, last = cell.activations
    i, f, o = (inner(cell.gate(gates, n)) for n in (0, 1, 3))
    memory = b.binary("add", b.binary("mul", f, state[1]), b.binary("mul", i, squash(cell.gate(gates, 2))))
    return [b.binary("mul", o, last(memory)), memory]


def _gru_step(linear_before_reset: bool) -> Callable:
    def step(cell: Cell, x: Value, state: list[Value]) -> list[Value]:
        b = cell.t.builder
        h, (inner, squash) = state[0], cell.activations
        given, kept = cell.from_input(x), cell.from_state(h)
        r, z = (inner(b.binary("add", cell.gate(given, n), cell.gate(kept, n))) for n in range(2))
        back = b.binary("mul", r, cell.gate(kept, 2)) if linear_before_reset else \
            cell.gate(cell.from_state(b.binary("mul", r, h)), 2)
        candidate = squash(b.binary("add", cell.gate(given, 2), back))
        return [b.binary("add", b.binary("mul", cell.one_minus(z), candidate), b.binary("mul", z, h))]
    return step


def _recurrent(t: Tracer, node: Node, values: list) -> list[Tensor]:
    """Y `[T, directions, B, H]`, then the states after the last step `[directions, B, H]`."""
    values = values + [None] * (8 - len(values))
    batch_first = bool(node.attrs.get("layout", 0))
    x = t.tensor(values[0], "the sequence")
    x = x.transpose([1, 0, 2]) if batch_first else x
    if len(x.dims) != 3 or x.batch != 1 or x.fold != (1, 2):
        raise Unsupported(f"{node.op} reads a sequence of shape {dims_text(x.dims)} whose batch is not at dimension "
                          f"{0 if batch_first else 1}")
    names = _directions(node)
    _check(node, values, len(names), x)
    states = 2 if node.op == "LSTM" else 1
    step = {"RNN": _rnn_step, "LSTM": _lstm_step,
            "GRU": _gru_step(bool(node.attrs.get("linear_before_reset", 0)))}[node.op]
    inputs = [t.rows.value(part) for part in x.cells[:, 0]]
    outputs, finals = [], []
    for d, name in enumerate(names):
        cell = _cell(t, node, values, d, name, len(names))
        state = [_initial(t, values[5 + i], d, cell.hidden, batch_first) for i in range(states)]
        rows = []
        active = _lasting(t, node, values[4], len(inputs), name == "reverse")
        for row in inputs[::-1] if name == "reverse" else inputs:
            given, state = _while_it_lasts(t, next(active), step(cell, row, state), state)
            rows.append(given)
        outputs.append(rows[::-1] if name == "reverse" else rows)
        finals.append(state)

    def cells(rows: list[Value]) -> np.ndarray:
        return np.stack([t.rows.cells(r) for r in rows])

    y = plain(np.stack([cells(rows) for rows in outputs], 1)[:, :, None], (True, True, False, False), 2, x.size)
    last = [plain(cells([s[i] for s in finals])[:, None], (True, False, False), 1, x.size) for i in range(states)]
    if batch_first:
        return [y.transpose([2, 0, 1, 3]), *(s.transpose([1, 0, 2]) for s in last)]
    return [y, *last]


def _directions(node: Node) -> list[str]:
    direction = str(node.attrs.get("direction", "forward"))
    found = {"forward": ["forward"], "reverse": ["reverse"], "bidirectional": ["forward", "reverse"]}
    if direction not in found:
        raise Unsupported(f"{node.op} with direction '{direction}' is not known")
    return found[direction]


def _lasting(t: Tracer, node: Node, value, count: int, backward: bool) -> Iterator[bool | Value]:
    """Whether a sample's sequence lasts at each step: the same for all samples, or a mask of one column.

    Lengths that are inputs are counted down (up from the end), so that every step does the same.
    """
    steps = range(count)[::-1] if backward else range(count)
    if value is None:
        yield from (True for _ in steps)
        return
    if isinstance(value, Const):
        if np.ptp(value.value) != 0:
            raise Unsupported(f"{node.op} with the constant sequence_lens {value.value.tolist()}, which differ from "
                              "sample to sample, is not supported; make them an input")
        yield from (step < int(value.value.flat[0]) for step in steps)
        return
    if len(value.dims) != 1 or value.dtype == "i1":
        raise Unsupported(f"{node.op} with sequence_lens of shape {dims_text(value.dims)} is ill-formed")
    b = t.builder
    zero, one = b.const(0.0, 1), b.const(1.0, 1)
    left = t.rows.value(value.cells)
    left = b.binary("sub", left, b.const(float(count - 1), 1)) if backward else left
    for _ in steps:
        yield b.make("cmp", [left, zero], 1, "i1", pred="ogt")
        left = b.binary("add" if backward else "sub", left, one)


def _while_it_lasts(t: Tracer, active: bool | Value, new: list[Value], old: list[Value]) -> tuple[Value, list[Value]]:
    """The output and the states of a step; after a sequence's end the output is 0 and states stay."""
    if active is True:
        return new[0], new
    zero = t.builder.const(0.0, new[0].width)
    if active is False:
        return zero, old
    mask = t.rows.value(np.repeat(t.rows.cells(active), zero.width))
    return t.builder.select(mask, new[0], zero), [t.builder.select(mask, a, b) for a, b in zip(new, old, strict=True)]


def _check(node: Node, values: list, directions: int, x: Tensor) -> None:
    """Refuses what the cells do not compute, and weights of other shapes than the operator says."""
    for place, name in ((1, "weights"), (2, "recurrent weights"), (3, "biases")):
        if values[place] is not None and not isinstance(values[place], Const):
            raise Unsupported(f"{node.op} with {name} that depend on the inputs is not supported")
    if values[1] is None or values[2] is None:
        raise Unsupported(f"{node.op} without weights is ill-formed")
    hidden, gates = values[2].value.shape[-1], len(_GATES[node.op])
    for key in ("clip", "input_forget"):
        if node.attrs.get(key, 0):
            raise Unsupported(f"{node.op} with {key}={node.attrs[key]} is not supported")
    peepholes = values[7] if node.op == "LSTM" else None
    if peepholes is not None and not (isinstance(peepholes, Const) and not np.any(peepholes.value)):
        raise Unsupported("LSTM with peepholes is not supported")
    wanted = {1: (directions, gates * hidden, x.dims[2]), 2: (directions, gates * hidden, hidden),
              3: (directions, 2 * gates * hidden)}
    for place, shape in wanted.items():
        if values[place] is not None and values[place].value.shape != shape:
            raise Unsupported(f"{node.op}: operand {place} has shape {dims_text(values[place].value.shape)}, for "
                              f"{x.dims[2]} features and hidden size {hidden} it is {dims_text(shape)}")


def _cell(t: Tracer, node: Node, values: list, d: int, name: str, directions: int) -> Cell:
    """The weights of direction `d`; those of the second direction are named `<initializer>_reverse`."""
    hidden = values[2].value.shape[-1]
    suffix = "_reverse" if name == "reverse" and directions == 2 else ""

    def parameter(const: Const, place: np.ndarray, part: str = "") -> Parameter:
        """What stands at `place` in a constant, with the gates in PyTorch's order."""
        blocks = np.split(place, len(_GATES[node.op]))
        place = np.concatenate([blocks[gate] for gate in _GATES[node.op]])
        made = t.table.make(const, const.value.reshape(-1)[place], True, node.source, suffix=part + suffix)
        made.place = (const.names[0], place) if const.direct else None
        return made

    weight, recurrent, bias = (None if v is None else np.arange(v.value.size).reshape(v.value.shape)[d]
                               for v in values[1:4])
    biases = [None, None] if bias is None else [
        parameter(values[3], part, role) for part, role in zip(np.split(bias, 2), (".ih", ".hh"), strict=True)]
    found = [str(a).lower() for a in node.attrs.get("activations") or _ACTIVATIONS[node.op] * directions]
    count = len(_ACTIVATIONS[node.op])
    own = found[d * count:(d + 1) * count]
    if len(own) != count or any(a not in ("sigmoid", "tanh", "relu") for a in own):
        raise Unsupported(f"{node.op} with the activations {', '.join(found)} is not supported; Sigmoid, Tanh and Relu "
                          "are")
    b = t.builder
    functions = [(lambda row: b.binary("max", row, b.const(0.0, row.width))) if a == "relu" else
                 (lambda row, kind=a: b.unary(kind, row)) for a in own]
    return Cell(t, hidden, parameter(values[1], weight), parameter(values[2], recurrent), *biases, functions)


def _initial(t: Tracer, value, d: int, hidden: int, batch_first: bool) -> Value:
    """The row that a state of direction `d` starts from."""
    if value is None:
        return t.builder.const(0.0, hidden)
    batch = 0 if batch_first else 1
    if isinstance(value, Const):
        array = np.take(without_batch(value.value, batch), 0, batch)
        return t.spread(value, array[d], [hidden])
    if len(value.dims) != 3 or value.batch != batch:
        raise Unsupported(f"an initial state of shape {dims_text(value.dims)} does not have its batch at dimension "
                          f"{batch}")
    return t.rows.value(np.take(value.cells, 0, batch)[d])


OPERATORS = {"RNN": _recurrent, "GRU": _recurrent, "LSTM": _recurrent}
