# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a program as MLIR text of the snn dialect: one function, its loops over time, weights as resources."""

from __future__ import annotations

from .emit_ops import OpWriter, connections_alias, key, number, parameter_type, string, typed, value_type
from .ir import Parameter, Port, Program, Scan, State, Step, Value
from .programs import outside_scope, parameters
from .sparsity import connections


def emit(program: Program, batch: int, name: str) -> str:
    """The module as text, for `batch` samples."""
    return _Emitter(program, batch, name).text()


def file_layout(port: Port) -> str:
    """How the file's array lies where that is not `[steps, batch, features]`: its dimensions, `T` and `B` by letter.

    `B,T,20` is batch-major; `(T,B),2,34,34` has steps and samples in one dimension.
    """
    parts, place, folded = [], 0, ""
    for axis in port.axes:
        if axis == "(":
            folded = "("
            continue
        if axis == ")":
            parts.append(f"({','.join(folded[1:])})")
            folded = ""
            place += 1
        elif folded:
            folded += axis
        else:
            parts.append(axis if axis in "TB" else str(port.shape[place]))
            place += 1
    natural = [*("TB" if port.value.steps else "B"), str(port.value.width)]
    return "" if parts == natural else ",".join(parts)


class _Emitter:
    def __init__(self, program: Program, batch: int, name: str) -> None:
        self.program, self.batch, self.name = program, batch, name
        self.parameters = parameters(program)
        self.writer = OpWriter(batch)
        self.initial: dict[tuple[float, int], str] = {}

    def type_of(self, value: Value) -> str:
        """The type of a row, or of rows stacked over time."""
        row = self.writer.row(value)
        return row.replace("<", f"<{value.steps}x", 1) if value.steps else row

    def text(self) -> str:
        """The whole module."""
        arguments, results = self._arguments(), self._results()
        writer = self.writer
        for i, item in enumerate(self._groups()):
            if isinstance(item, Scan):
                self._scan(item, i)
            else:
                writer.write(item, "    ")
        outputs = [p.value for p in self.program.outputs] + [s.final for s in self.program.states]
        last = typed([writer.use(v) for v in outputs], [self.type_of(v) for v in outputs])
        head = "  func.func @main(" + ",\n                  ".join(arguments) + ")"
        head += f"\n      -> ({', '.join(results)}) {{" if results else " {"
        aliases = [_alias(p) for p in self.parameters if p.sparse]
        return "\n".join([*aliases, f"module attributes {{snn.model = {string(self.name)}}} {{", head, *writer.hoisted,
                          *writer.lines, f"    return {last}".rstrip(), "  }", "}", "", *self._resources()]) + "\n"

    def _arguments(self) -> list[str]:
        found, names = [], self.writer.names
        for i, port in enumerate(self.program.inputs):
            names[id(port.value)] = f"%x{i}"
            found.append(f"%x{i}: {self.type_of(port.value)} {{snn.name = {string(port.name)}, "
                         f"snn.kind = #snn.kind<input>{_axes(port)}}}")
        for i, parameter in enumerate(self.parameters):
            names[id(parameter)] = f"%p{i}"
            found.append(f"%p{i}: {_parameter_argument(parameter)}")
        for i, state in enumerate(self.program.states):
            names[id(state.value)] = f"%s{i}"
            found.append(f"%s{i}: {self.type_of(state.value)} {{snn.name = {string(state.name)}, "
                         f"snn.kind = #snn.kind<state>, snn.initial = {number(state.initial)} : f32}}")
        return found

    def _results(self) -> list[str]:
        found = [f"{self.type_of(p.value)} {{snn.name = {string(p.name)}{_axes(p)}}}" for p in self.program.outputs]
        return found + [f"{self.type_of(s.final)} {{snn.name = {string(s.output)}, snn.state = {string(s.name)}}}"
                        for s in self.program.states]

    def _groups(self) -> list[Step | Scan]:
        """Loops, and the runs of operations between them as steps."""
        groups: list[Step | Scan] = []
        for item in self.program.items:
            if isinstance(item, Scan):
                groups.append(item)
                continue
            if not groups or isinstance(groups[-1], Scan):
                groups.append(Step("", self.batch, [], [], [], []))
            groups[-1].ops.append(item)
        read = [v for _, v in outside_scope(self.program).step.outputs]
        steps = [g for g in groups if isinstance(g, Step)]
        for step in steps:
            elsewhere = [v for other in steps if other is not step for op in other.ops for v in op.operands]
            step.outputs = [("", v) for v in (*read, *elsewhere)]
        return groups

    def _scan(self, scan: Scan, index: int) -> None:
        """One loop. Names of its arguments and results carry its index where there are several."""
        writer, names = self.writer, self.writer.names
        inits = [self._initial(s.init, s.value.width) for s in scan.states]
        mark = f"{index}_" if len(self.program.items) > 1 else ""
        over, carried = [], []
        for i, (outer, inner) in enumerate(scan.sequences):
            names[id(inner)] = f"%in{mark}{i}"
            over.append(f"%in{mark}{i} = {writer.use(outer)} : {self.type_of(outer)}")
        for i, (state, init) in enumerate(zip(scan.states, inits, strict=True)):
            names[id(state.value)] = f"%st{mark}{i}"
            carried.append(f"%st{mark}{i} = {init} : {writer.row(state.value)}")
        results = [o for _, o in scan.stacked] + [s.final for s in scan.states]
        for i, value in enumerate(results):
            names[id(value)] = f"%r{mark}{i}"
        rows, types = [writer.row(v) for v, _ in scan.stacked], [writer.row(s.value) for s in scan.states]
        head = "    " + (", ".join(map(writer.use, results)) + " = " if results else "") + "snn.scan"
        head += " reverse" if scan.reverse else ""
        head += f" over({', '.join(over)})" if over else ""
        head += f" state({', '.join(carried)})" if carried else ""
        head += f"\n        -> ({', '.join(self.type_of(o) for _, o in scan.stacked)}), ({', '.join(types)})"
        head += f" attributes {{steps = {scan.steps} : i64}} {{" if not over else " {"
        writer.lines.append(head)
        writer.write(Step("", self.batch, [], [State("", "", s.value, s.next) for s in scan.states],
                          [("", v) for v, _ in scan.stacked], scan.ops), "      ")
        text = "      snn.yield"
        text += f" step({typed([writer.use(v) for v, _ in scan.stacked], rows)})" if rows else ""
        text += f" state({typed([writer.use(s.next) for s in scan.states], types)})" if types else ""
        writer.lines += [text, "    }"]

    def _initial(self, init: Value | float, width: int) -> str:
        if isinstance(init, Value):
            return self.writer.use(init)
        if (init, width) not in self.initial:
            name = self.writer.fresh()
            self.writer.hoisted.append(
                f"    {name} = arith.constant dense<{number(init)}> : tensor<{self.batch}x{width}xf32>")
            self.initial[init, width] = name
        return self.initial[init, width]

    def _resources(self) -> list[str]:
        if not self.parameters:
            return []
        blobs = [f"      {key(p.name)}: \"0x04000000{p.value.astype('<f4').tobytes().hex().upper()}\""
                 for p in self.parameters]
        return ["{-#", "  dialect_resources: {", "    builtin: {", ",\n".join(blobs), "    }", "  }", "#-}"]


def _axes(port: Port) -> str:
    layout = file_layout(port)
    return f", snn.axes = {string(layout)}" if layout else ""


def _parameter_argument(parameter: Parameter) -> str:
    kind = parameter_type(parameter)
    trainable = ", snn.trainable" if parameter.trainable else ""
    return (f"{kind} {{snn.name = {string(parameter.name)}, snn.kind = #snn.kind<parameter>{trainable}, "
            f"snn.value = dense_resource<{key(parameter.name)}> : {value_type(parameter)}}}")


def _alias(parameter: Parameter) -> str:
    """The line that says which inputs the outputs of a sparse weight are connected to."""
    found = connections(parameter.value)
    rows, most = found.shape
    digits = found.astype("<i4").tobytes().hex().upper()
    return f'{connections_alias(parameter)} = #snn.connections<dense<"0x{digits}"> : tensor<{rows}x{most}xi32>>'
