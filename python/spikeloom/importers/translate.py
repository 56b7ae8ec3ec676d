# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Translates the nodes of one time step into the step IR, listing everything that has no translation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .builder import Builder, kind_of
from .ir import State, Step, Value
from .onnx_graph import Const, Node, SourceGraph
from .parameters import ParameterTable
from .problems import ProblemList

SEQUENCE_OPS = {"Loop", "Scan", "If", "RNN", "GRU", "LSTM", "SequenceEmpty", "SequenceInsert", "SequenceAt",
                "ConcatFromSequence", "SplitToSequence"}
INPUT_TYPES = {"float", "bool", "uint8"}


@dataclass(eq=False)
class View:
    """A row value with an extra axis of length one, which exporters add and take away again."""

    value: Value
    axis: int


@dataclass(eq=False)
class Whole:
    """A 0/1 value that passes through an integer type."""

    value: Value


class Poison:
    """Stands for a result that has no translation; users of it are not reported again."""


class Unsupported(Exception):
    """A node cannot be translated; the message says why."""


class Translator:
    """Walks the nodes once; `env` maps ONNX value names to Value, Const, View, Whole or Poison."""

    def __init__(self, graph: SourceGraph, table: ParameterTable, batch: int, problems: ProblemList) -> None:
        self.graph = graph
        self.table = table
        self.batch = batch
        self.problems = problems
        self.builder = Builder()
        self.env: dict[str, object] = dict(graph.constants)

    def run(self, pairs: dict[str, str], is_sequence: bool) -> Step | None:
        """The step, or None when an input, node or output was reported as a problem."""
        from .operators import OPERATORS

        arguments: dict[str, Value] = {}
        for port in self.graph.inputs:
            value = self._argument(port)
            self.env[port.name] = value
            if isinstance(value, (Value, Whole)):
                row = value.value if isinstance(value, Whole) else value
                arguments[port.name] = row
                if port.dtype == "bool":
                    self.env[port.name] = self.builder.tobool(row)
        for node in self.graph.nodes:
            self._node(node, OPERATORS)
        outputs = {p.name: self._output(p) for p in self.graph.outputs}
        if self.problems.has_errors:
            return None
        types = {p.name: p.dtype for p in self.graph.inputs}
        states = [State(p.name, pairs[p.name], arguments[p.name], outputs[pairs[p.name]],
                        is_bool=types[p.name] == "bool") for p in self.graph.inputs if p.name in pairs]
        for state in states:
            if state.value.width != state.next.width:
                self.problems.error(f"state '{state.name}' has {state.value.width} values a sample, its output "
                                    f"'{state.output}' has {state.next.width}")
                return None
        first = self.graph.outputs[0].name
        written = [(p.name, outputs[p.name]) for p in self.graph.outputs
                   if p.name not in pairs.values() or p.name == first]
        inputs = [v for n, v in arguments.items() if n not in pairs]
        step = Step(self.graph.name or "main", self.batch, inputs, states, written, self.builder.ops, is_sequence)
        step.clean()
        return step

    def _argument(self, port):
        if port.dtype not in INPUT_TYPES:
            hint = " (export the model in float32)" if port.dtype in ("float16", "double", "bfloat16") else ""
            self.problems.error(f"input '{port.name}' has type {port.dtype}; inputs are float32, uint8 or bool{hint}")
            return Poison()
        if port.dims is None or len(port.dims) != 2:
            shape = "unknown shape" if port.dims is None else f"shape {'x'.join(map(str, port.dims))}"
            self.problems.error(f"input '{port.name}' has {shape}; a step function takes [batch, features] for every "
                                "input and state (whole sequences and images are not imported yet)")
            return Poison()
        if not isinstance(port.dims[1], int) or port.dims[1] <= 0:
            self.problems.error(f"input '{port.name}' has the dynamic feature dimension '{port.dims[1]}'; export it "
                                "with a fixed one")
            return Poison()
        value = Value(port.dims[1], "f32", None, port.name)
        return Whole(value) if port.dtype == "uint8" else value

    def _node(self, node: Node, operators: dict) -> None:
        self.builder.source = node.source
        try:
            if node.domain not in ("", "ai.onnx"):
                raise Unsupported(f"operator {node.domain}.{node.op} is not known (custom domain)")
            values = [self.env.get(n) if n else None for n in node.inputs]
            if node.op in SEQUENCE_OPS:
                raise Unsupported(f"operator {node.op} belongs to whole sequences; this version imports step functions "
                                  "(x, state...) -> (y, state...) only")
            if node.op not in operators:
                raise Unsupported(f"operator {node.op} is not supported in a step function")
            if any(isinstance(v, Poison) for v in values):
                results = [Poison() for _ in node.outputs]
            else:
                with np.errstate(all="ignore"):  # what is not finite is reported by name when it becomes a parameter
                    results = operators[node.op](self, node, values)
                results = results if isinstance(results, list) else [results]
        except Unsupported as reason:
            self.problems.error(str(reason), node.source)
            results = [Poison() for _ in node.outputs]
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Operands and attributes come from the file: wrong ones must not end the list of problems.
            self.problems.error(f"{node.op} is ill-formed ({type(error).__name__}: {error})", node.source)
            results = [Poison() for _ in node.outputs]
        for i, name in enumerate(node.outputs):
            if not name:
                continue
            value = results[i] if i < len(results) else Poison()
            self.env[name] = value
            if isinstance(value, Value) and not value.name and value.op is not None:
                value.name = name

    def _output(self, port):
        value = self.env.get(port.name, Poison())
        if isinstance(value, Whole):
            value = value.value
        if isinstance(value, Const):
            self.problems.error(f"output '{port.name}' does not depend on any input")
        elif isinstance(value, View):
            self.problems.error(f"output '{port.name}' has an extra axis of length one; only [batch, features] "
                                "outputs are imported")
        elif isinstance(value, Value):
            if value.dtype == "i1":
                self.problems.warn(f"output '{port.name}' is bool in the file and is given as float32 0 and 1")
                return self.builder.tofloat(value)
            if value.op is None:
                # A state that is passed on unchanged would otherwise be its own next value: keep it a value.
                return value
            return value
        return value

    # Helpers of the operator table.

    def row(self, value, width: int | None = None) -> Value:
        """A row value; constants are spread to `width`."""
        if isinstance(value, Whole):
            raise Unsupported("integer arithmetic is not supported; cast to float first")
        if isinstance(value, View):
            raise Unsupported("a value with an extra axis of length one is used in arithmetic; only [batch, features] "
                              "values are imported")
        if isinstance(value, Const):
            if width is None:
                raise Unsupported("an operand that should depend on the inputs is constant")
            return self.spread(value, width)
        if not isinstance(value, Value):
            raise Unsupported("an operand is missing")
        return value

    def rows(self, values: list, dtype: str = "f32") -> list[Value]:
        """Operands of an elementwise node as rows of one width."""
        widths = {v.width for v in values if isinstance(v, Value)}
        if not widths and any(isinstance(v, (View, Whole)) for v in values):
            self.row(next(v for v in values if isinstance(v, (View, Whole))))
        for v in values:
            if isinstance(v, Const) and v.value.ndim and v.value.shape[-1] not in (1, *widths):
                raise Unsupported(f"operands of shapes [batch, {max(widths)}] and {list(v.value.shape)} are broadcast "
                                  "along features, which is not supported")
        if len(widths) != 1:
            raise Unsupported(f"operands with {' and '.join(map(str, sorted(widths)))} features are broadcast along "
                              "features, which is not supported")
        width = widths.pop()
        rows = [self.row(v, width) for v in values]
        for value in rows:
            if value.dtype != dtype:
                raise Unsupported(f"operands are {'masks' if value.dtype == 'i1' else 'numbers'} where the other kind "
                                  "is expected")
        return rows

    def spread(self, const: Const, width: int) -> Value:
        """A constant as rows: a number, or a parameter that differs from neuron to neuron."""
        value = const.value
        if value.dtype == np.bool_:
            raise Unsupported("a constant mask is not supported")
        if value.dtype not in (np.float32, np.int64, np.int32, np.float64) and value.size > 1:
            raise Unsupported(f"a constant of type {value.dtype} is not supported; export the model in float32")
        value = self.per_neuron(value, width)
        keep = self.table.is_marked(const)
        if value.size == 1 or (not keep and not const.direct and np.ptp(value) == 0):
            number = value.reshape(-1)[0]
            if not keep:
                return self.builder.const(number, width)
            value = np.asarray(number, np.float32)
        elif not keep and np.all(value == 0):
            return self.builder.const(0.0, width)
        parameter = self.table.make(const, value, False, self.builder.source)
        return self.builder.make("broadcast", [], width, params={"value": parameter})

    def per_neuron(self, value: np.ndarray, width: int) -> np.ndarray:
        """Drops the axes of a constant that do not matter: leading ones, and a batch whose rows are equal."""
        if value.size == 1:
            return value.reshape(())
        if value.ndim > 2 and all(d == 1 for d in value.shape[:-2]):
            value = value.reshape(value.shape[-2:])
        if value.ndim == 2:
            if value.shape[0] != 1 and np.any(value != value[:1]):
                raise Unsupported(f"a constant of shape {list(value.shape)} differs along the batch axis; its rows "
                                  "must be equal, so that any batch can be run")
            value = value[0]
        if value.ndim != 1 or value.shape[0] not in (1, width):
            raise Unsupported(f"a constant of shape {list(value.shape)} does not fit [batch, {width}]")
        return value.reshape(()) if value.size == 1 else value

    def integers(self, value, what: str) -> list[int]:
        """A constant list of integers (axes, shapes, indices)."""
        if not isinstance(value, Const):
            raise Unsupported(f"its {what} must be constant")
        return [int(i) for i in np.asarray(value.value).reshape(-1)]

    def is_indicator(self, value) -> bool:
        """Whether a value is 0 or 1 by construction."""
        return isinstance(value, Value) and kind_of(value) == "tofloat"
