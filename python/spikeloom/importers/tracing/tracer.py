# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Executes an ONNX graph on symbolic tensors, which gives the straight list of row operations of the whole file.

Everything that has no translation is listed at once: a result without translation is `Poison`, and nodes that use it
are not reported again.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Hashable, MutableMapping
from math import prod

import numpy as np

from ..builder import Builder, kind_of
from ..ir import Op, Parameter, Trace, TraceInput, TraceOutput, Value
from ..onnx_graph import Body, Const, Node, SourceGraph
from ..parameters import ParameterTable
from ..problems import ProblemList
from .constants import CONSTANT_OPERATORS, Folder
from .layout import Layout
from .rows import Rows
from .tensor import MixedBatch, Poison, Tensor, Unsupported, check_size

# More operations than this are not unrolled: the file is a long loop, which is better given as a step function.
_MOST_OPS = 400_000


class Tracer:
    """One run over a graph with one assumption about the axes of its inputs."""

    def __init__(self, graph: SourceGraph, table: ParameterTable, problems: ProblemList, folder: Folder) -> None:
        from .operators import CONTROL, OPERATORS

        self.graph, self.table, self.problems, self.folder = graph, table, problems, folder
        self.builder = Builder()
        self.rows = Rows(self.builder)
        self.operators, self.control = OPERATORS, CONTROL
        self.mixed: list[list[int]] = []
        self.used = {p.name for p in graph.outputs} | _used_names(graph.nodes)
        self.batch = 1
        self._weights: dict[tuple, tuple[Parameter, Const]] = {}

    def run(self, layouts: list[Layout], pairs: dict[str, str]) -> Trace | None:
        """The trace, or None when an input, node or output was reported as a problem."""
        env: MutableMapping = ChainMap(dict(self.graph.constants))
        self.batch = layouts[0].batch if layouts else 1
        try:
            inputs = [self._input(layout, env) for layout in layouts]
        except Unsupported as reason:
            self.problems.error(f"an input is too large: {reason}")
            return None
        self.execute(self.graph.nodes, env)
        length = max((len(i.rows) for i in inputs if "T" in i.axes), default=0)
        outputs = [self._output(p.name, env.get(p.name, Poison()), length, bool(pairs)) for p in self.graph.outputs]
        if self.problems.has_errors or not all(o.rows for o in outputs):
            return None
        if not self._fit(inputs, outputs, pairs):
            return None
        ops = _live(self.builder.ops, [v for o in outputs for v in o.rows])
        return Trace(self.graph.name or "main", self.batch, inputs, outputs, ops, dict(pairs))

    def _input(self, layout: Layout, env: MutableMapping) -> TraceInput:
        """One row for each time step of an input, and the symbolic tensor of them."""
        extents, axes = layout.extents, layout.plain_axes
        batch = axes.index("B")
        steps = tuple(a == "T" for a in axes)
        width = prod(n for n, a in zip(extents, axes, strict=True) if a not in "BT")
        shape = [1 if a == "B" else n for n, a in zip(extents, axes, strict=True)]
        check_size(prod(shape))
        cells = np.empty(shape, np.int64)
        rows = []
        for t in range(layout.length or 1):
            value = Value(width, "f32", None, f"{layout.name}[{t}]" if layout.length else layout.name)
            rows.append(value)
            place = tuple(t if a == "T" else 0 if a == "B" else slice(None) for a in axes)
            row = self.builder.tobool(value) if layout.dtype == "bool" else value
            cells[place] = self.rows.cells(row).reshape(cells[place].shape)
        kind = "i1" if layout.dtype == "bool" else "int" if "int" in layout.dtype else "f32"
        env[layout.name] = Tensor(cells, steps, batch, self.batch, layout.fold, kind)
        return TraceInput(layout.name, rows, layout.axes, layout.shape)

    def _fit(self, inputs: list[TraceInput], outputs: list[TraceOutput], pairs: dict[str, str]) -> bool:
        """Whether states and their next values have one size, whatever the file declares."""
        widths = {o.name: o.rows[0].width for o in outputs}
        for state in (i for i in inputs if i.name in pairs):
            width, found = state.rows[0].width, widths[pairs[state.name]]
            if width != found:
                self.problems.error(f"state '{state.name}' has {width} values a sample, its output "
                                    f"'{pairs[state.name]}' has {found}")
        return not self.problems.has_errors

    def execute(self, nodes: list[Node], env: MutableMapping) -> None:
        """Runs nodes in order; `env` maps ONNX value names to Tensor, Const, list (a sequence) or Poison."""
        for node in nodes:
            results = self._node(node, env)
            for i, name in enumerate(node.outputs):
                if not name:
                    continue
                value = results[i] if i < len(results) else None
                if value is None:
                    value = Poison()
                    if name in self.used:
                        self.problems.error(f"output {i} of {node.op} is used, which is not supported", node.source)
                env[name] = value
                if isinstance(value, Tensor):
                    row = self.rows.whole(value.cells.reshape(-1))
                    if row is not None and not row.name and row.op is not None:
                        row.name = name

    def body(self, body: Body, values: list, env: ChainMap) -> list:
        """The outputs of an inner graph for the given values of its inputs; it sees the values around it."""
        inner = env.new_child(dict(body.constants))
        inner.update(zip(body.inputs, values, strict=True))
        self.execute(body.nodes, inner)
        return [inner.get(n, Poison()) for n in body.outputs]

    def _node(self, node: Node, env: MutableMapping) -> list:
        self.builder.source = node.source
        try:
            if node.domain not in ("", "ai.onnx"):
                raise Unsupported(f"operator {node.domain}.{node.op} is not known (custom domain)")
            if len(self.builder.ops) > _MOST_OPS:
                raise Unsupported(f"the unrolled file has more than {_MOST_OPS} operations; export fewer time steps, "
                                  "or one step as a function (x, state...) -> (y, state...)")
            values = [env.get(n, Poison()) if n else None for n in node.inputs]
            if any(isinstance(v, Poison) for v in values):
                return self._without_operands(node, env)
            if node.op in self.control:
                return self.control[node.op](self, node, values, env)
            with np.errstate(all="ignore"):  # what is not finite is reported by name when it becomes a parameter
                return self._operator(node, values)
        except Unsupported as reason:
            if isinstance(reason, MixedBatch):
                self.mixed.append(reason.wanted)
            self.problems.error(str(reason), node.source)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Operands and attributes come from the file: wrong ones must not end the list of problems.
            self.problems.error(f"{node.op} is ill-formed ({type(error).__name__}: {error})", node.source)
        return [Poison() for _ in node.outputs]

    def _without_operands(self, node: Node, env: MutableMapping) -> list:
        """Reports what would have no translation in any case, also in the bodies of loops."""
        if node.op not in self.operators and node.op not in self.control and node.op not in CONSTANT_OPERATORS:
            raise Unsupported(f"operator {node.op} is not supported")
        for body in node.attrs.values():
            if isinstance(body, Body):
                self.body(body, [Poison() for _ in body.inputs], env)
        decisive = node.inputs[:{"If": 1, "Loop": 2}.get(node.op, 0)]
        if any(isinstance(env.get(n), Poison) for n in decisive):
            raise Unsupported(f"the condition of {node.op} depends on the data; what a network does must not depend on "
                              "its input")
        return [Poison() for _ in node.outputs]

    def _operator(self, node: Node, values: list) -> list:
        if all(v is None or isinstance(v, Const) for v in values):
            folded = self.folder.fold(node, values)
            if folded is not None:
                return folded
        if node.op not in self.operators:
            raise Unsupported(f"operator {node.op} is not supported")
        results = self.operators[node.op](self, node, values)
        return results if isinstance(results, list) else [results]

    def _output(self, name: str, value, length: int, is_step: bool) -> TraceOutput:
        """The rows of an output in time order; step axes that are not time are parts of one row."""
        port = next(p for p in self.graph.outputs if p.name == name)
        nothing = TraceOutput(name, [], "", ())
        if isinstance(value, Const):
            self.problems.error(f"output '{name}' does not depend on any input")
            return nothing
        if isinstance(value, list):
            self.problems.error(f"output '{name}' is a sequence of tensors; stack them into one tensor")
            return nothing
        if not isinstance(value, Tensor):
            return nothing
        if value.dtype == "i1":
            self.problems.warn(f"output '{name}' is bool in the file and is given as float32 0 and 1")
        stepping = [a for a, s in enumerate(value.steps) if s and a != value.batch and not is_step]
        time = next((a for a in stepping if value.cells.shape[a] == length), None) if length else \
            next((a for a in stepping if value.cells.shape[a] > 1), None)
        letters = _letters(len(value.steps), value.batch, time)
        low, high = value.fold
        axes = letters[:low] + (f"({letters[low:high]})" if high - low > 1 else letters[low]) + letters[high:]
        try:
            self.builder.source = next((n.source for n in self.graph.nodes if name in n.outputs), self.builder.source)
            parts = [value.cells] if time is None else list(np.moveaxis(value.cells, time, 0))
            rows = [self.rows.value(p) for p in parts]
        except Unsupported as reason:
            self.problems.error(f"output '{name}': {reason}")
            return nothing
        rows = [self.builder.tofloat(r) if r.dtype == "i1" else r for r in rows]
        return TraceOutput(port.name, rows, axes, tuple(value.dims))

    # Helpers of the operators.

    def tensor(self, value, what: str = "an operand") -> Tensor:
        """A value that depends on the inputs."""
        if not isinstance(value, Tensor):
            raise Unsupported(f"{what} that should depend on the inputs is "
                              + ("a sequence" if isinstance(value, list) else "constant or missing"))
        return value

    def weight(self, const: Const, form: Hashable, make: Callable[[], Parameter]) -> Parameter:
        """The parameter that `make` makes of a constant in some form; looked up where a loop uses it again."""
        key = (id(const), form)
        if key not in self._weights:
            self._weights[key] = (make(), const)  # the constant is kept, so that its id stays its own
        return self._weights[key][0]

    def integers(self, value, what: str) -> list[int]:
        """A constant list of integers (axes, shapes, indices)."""
        if not isinstance(value, Const):
            raise Unsupported(f"its {what} must be constant")
        return [int(i) for i in np.asarray(value.value).reshape(-1)]

    def spread(self, const: Const, value: np.ndarray, dims: list[int]) -> Value:
        """A constant as a row: a number, or a parameter that differs from neuron to neuron.

        `value` is what `const` holds there, with the extent of the feature axes `dims` or 1 along each.
        """
        width = prod(dims)
        if value.dtype == np.bool_:
            return self.builder.tobool(self.spread(const, value.astype(np.float32), dims))
        if value.dtype.kind not in "fiu":
            raise Unsupported(f"a constant of type {value.dtype} is not supported; export the model in float32")
        value, inner = _per_channel(value, dims)
        # What is folded to zeros (`beta * 0` of the first step) is no parameter, whoever folded it.
        keep = self.table.is_marked(const) and (self.table.is_original(const) or bool(np.any(value)))
        if value.size == 1 or (not keep and not const.direct and np.ptp(value) == 0):
            if not keep:
                return self.builder.const(value.reshape(-1)[0], width)
            value = value.reshape(())
        elif not keep and np.all(value == 0):
            return self.builder.const(0.0, width)
        parameter = self.table.make(const, value, False, self.builder.source)
        attrs = {"inner": inner} if inner > 1 and value.size > 1 else {}
        return self.builder.make("broadcast", [], width, params={"value": parameter}, **attrs)

    def is_indicator(self, value) -> bool:
        """Whether a value is 0 or 1 by construction."""
        return isinstance(value, Tensor) and value.cells.size > 0 and kind_of(self.rows.first(value.cells)) == "tofloat"


def _used_names(nodes: list[Node]) -> set[str]:
    """Every value that a node or the end of a body reads."""
    found: set[str] = set()
    for node in nodes:
        found.update(node.inputs)
        for body in node.attrs.values():
            if isinstance(body, Body):
                found |= _used_names(body.nodes) | set(body.outputs)
    return found


def _per_channel(value: np.ndarray, dims: list[int]) -> tuple[np.ndarray, int]:
    """The values of a constant along features, and how often each is repeated in a row (per-channel constants)."""
    if value.size == 1:
        return value.reshape(()), 1
    kept = max(a for a, n in enumerate(value.shape) if n > 1) + 1
    if list(value.shape[:kept]) == list(dims[:kept]):
        return value.reshape(-1), prod(dims[kept:])
    return np.broadcast_to(value, dims).reshape(-1), 1


def _letters(rank: int, batch: int, time: int | None) -> str:
    """Names of axes: features are `N`, `CN`, `CHW`, … in order."""
    count = rank - 1 - (time is not None)
    names = iter({0: "", 1: "N", 2: "CN", 3: "CHW"}.get(count, "".join(chr(ord("a") + i) for i in range(count))))
    return "".join("B" if a == batch else "T" if a == time else next(names) for a in range(rank))


def _live(ops: list[Op], roots: list[Value]) -> list[Op]:
    """The operations that the roots are computed from, in their order."""
    needed = {id(v) for v in roots}
    kept = []
    for op in reversed(ops):
        if any(id(r) in needed for r in op.results):
            needed.update(id(v) for v in op.operands)
            kept.append(op)
    return kept[::-1]
