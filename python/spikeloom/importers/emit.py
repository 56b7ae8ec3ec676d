# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a step as MLIR text of the snn dialect: one function, one scan, weights as resources."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .builder import constant_of
from .evaluate import NEURON_DEFAULTS
from .ir import Op, Parameter, Step, Value
from .problems import Source

_ARITH = {"add": "arith.addf", "sub": "arith.subf", "mul": "arith.mulf", "div": "arith.divf",
          "max": "arith.maximumf", "min": "arith.minimumf", "and": "arith.andi", "or": "arith.ori",
          "xor": "arith.xori"}
_MATH = {"neg": "arith.negf", "abs": "math.absf", "floor": "math.floor", "ceil": "math.ceil", "exp": "math.exp",
         "log": "math.log", "sqrt": "math.sqrt", "tanh": "math.tanh"}
_ENUMS = {"order": "order", "reset_time": "reset_time", "reset_kind": "reset_kind", "reset_scope": "reset_scope",
          "cmp": "cmp"}


@dataclass
class StateOutput:
    """The name under which a state's value after the last step is returned."""

    state: str
    name: str


def emit(step: Step, batch: int, steps: int, model_name: str) -> str:
    """The module as text. `batch` samples, `steps` time steps (ignored for a model without time)."""
    return _Emitter(step, batch, steps, model_name).text()


def state_outputs(step: Step) -> list[StateOutput]:
    """A state's own output, or `<state>_out` where that one is written for every step."""
    taken = {name for name, _ in step.outputs}
    found = []
    for state in step.states:
        name = state.output
        if name in taken:
            name = f"{state.name}_out" if f"{state.name}_out" not in taken else f"{state.name}#final"
        taken.add(name)
        found.append(StateOutput(state.name, name))
    return found


class _Emitter:
    def __init__(self, step: Step, batch: int, steps: int, model_name: str) -> None:
        self.step, self.batch, self.steps, self.model_name = step, batch, steps, model_name
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.parameters = step.parameters()
        self.arguments: dict[int, str] = {}
        self.count = 0

    # Types and attributes.

    def row(self, value: Value) -> str:
        return f"tensor<{self.batch}x{value.width}x{'i1' if value.dtype == 'i1' else 'f32'}>"

    def stacked(self, value: Value) -> str:
        lead = "" if self.step.is_sequence else f"{self.steps}x"
        return f"tensor<{lead}{self.batch}x{value.width}xf32>"

    @staticmethod
    def shape(parameter: Parameter) -> str:
        return "tensor<" + "".join(f"{d}x" for d in parameter.value.shape) + "f32>"

    # The module.

    def text(self) -> str:
        self._name_arguments()
        arguments, results = self._signature()
        body = self._sequence_body() if self.step.is_sequence else self._scan_body()
        attributes = f"module attributes {{snn.model = {_string(self.model_name)}}} {{"
        head = "  func.func @main(" + ",\n                  ".join(arguments) + ")"
        head += f"\n      -> ({', '.join(results)}) {{" if results else " {"
        return "\n".join([attributes, head, *body, "  }", "}", "", *self._resources()]) + "\n"

    def _name_arguments(self) -> None:
        for i, value in enumerate(self.step.inputs):
            self.arguments[id(value)] = f"%x{i}"
        for i, parameter in enumerate(self.parameters):
            self.arguments[id(parameter)] = f"%p{i}"
        for i, state in enumerate(self.step.states):
            self.arguments[id(state)] = f"%s{i}"

    def _signature(self) -> tuple[list[str], list[str]]:
        arguments = []
        for value in self.step.inputs:
            arguments.append(f"{self.arguments[id(value)]}: {self.stacked(value)} "
                             f"{{snn.name = {_string(value.name)}, snn.kind = #snn.kind<input>}}")
        for parameter in self.parameters:
            trainable = ", snn.trainable" if parameter.trainable else ""
            kind = self.shape(parameter)
            arguments.append(f"{self.arguments[id(parameter)]}: {kind} {{snn.name = {_string(parameter.name)}, "
                             f"snn.kind = #snn.kind<parameter>{trainable}, "
                             f"snn.value = dense_resource<{_key(parameter.name)}> : {kind}}}")
        for state in self.step.states:
            arguments.append(f"{self.arguments[id(state)]}: {self.row(state.value)} "
                             f"{{snn.name = {_string(state.name)}, snn.kind = #snn.kind<state>, "
                             f"snn.initial = {_number(state.initial)} : f32}}")
        results = [f"{self.stacked(v)} {{snn.name = {_string(n)}}}" for n, v in self.step.outputs]
        for state, final in zip(self.step.states, state_outputs(self.step), strict=True):
            results.append(f"{self.row(state.value)} {{snn.name = {_string(final.name)}, "
                           f"snn.state = {_string(state.name)}}}")
        return arguments, results

    def _scan_body(self) -> list[str]:
        self._ops("      ")
        body = self.lines
        over = ", ".join(f"%in{i} = {self.arguments[id(v)]} : {self.stacked(v)}"
                         for i, v in enumerate(self.step.inputs))
        carried = ", ".join(f"%st{i} = {self.arguments[id(s)]} : {self.row(s.value)}"
                            for i, s in enumerate(self.step.states))
        step_types = [self.stacked(v) for _, v in self.step.outputs]
        state_types = [self.row(s.value) for s in self.step.states]
        results = [f"%r{i}" for i in range(len(step_types) + len(state_types))]
        head = "    " + (", ".join(results) + " = " if results else "") + "snn.scan"
        head += f" over({over})" if over else ""
        head += f" state({carried})" if carried else ""
        head += f"\n        -> ({', '.join(step_types)}), ({', '.join(state_types)}) {{"
        yields = "      snn.yield"
        if step_types:
            yields += " step(" + _typed([self.use(v) for _, v in self.step.outputs],
                                        [self.row(v) for _, v in self.step.outputs]) + ")"
        if state_types:
            yields += " state(" + _typed([self.use(s.next) for s in self.step.states], state_types) + ")"
        types = step_types + state_types
        return [head, *body, yields, "    }", f"    return {_typed(results, types)}"]

    def _sequence_body(self) -> list[str]:
        self._ops("    ")
        values = [self.use(v) for _, v in self.step.outputs]
        return [*self.lines, f"    return {_typed(values, [self.stacked(v) for _, v in self.step.outputs])}"]

    def _resources(self) -> list[str]:
        if not self.parameters:
            return []
        blobs = [f"      {_key(p.name)}: \"0x04000000{p.value.astype('<f4').tobytes().hex().upper()}\""
                 for p in self.parameters]
        return ["{-#", "  dialect_resources: {", "    builtin: {", ",\n".join(blobs), "    }", "  }", "#-}"]

    # Operations.

    def use(self, value: Value) -> str:
        return self.names[id(value)]

    def fresh(self) -> str:
        self.count += 1
        return f"%{self.count - 1}"

    def line(self, results: list[str], text: str, source: Source) -> None:
        left = ", ".join(results) + " = " if results else ""
        self.lines.append(f"{self.indent}{left}{text}{_location(source)}")

    def _ops(self, indent: str) -> None:
        self.indent = indent
        for i, value in enumerate(self.step.inputs):
            self.names[id(value)] = self.arguments[id(value)] if self.step.is_sequence else f"%in{i}"
        for i, state in enumerate(self.step.states):
            self.names[id(state.value)] = f"%st{i}"
        users = self.step.users()
        self.roots = {id(v) for v in self.step.roots()}
        self.detached = {id(op) for op in self.step.ops if op.kind == "tofloat" and self._is_old_spike(op, users)}
        for op in self.step.ops:
            if op.kind == "cmp" and self._is_spike_test(op, users):
                continue
            if op.kind in ("const", "broadcast") and self._only_in_spikes(op, users):
                continue
            self._op(op)

    def _is_old_spike(self, op: Op, users: dict) -> bool:
        """A reset by the old membrane: written as a comparison, since frameworks let no gradient through it."""
        test = op.operands[0].op
        return test is not None and test.kind == "cmp" and id(op.result) not in self.roots \
            and any(test.operands[0] is s.value for s in self.step.states) \
            and all(o.kind != "linear" for o in users.get(id(op.result), []))

    def _only_in_spikes(self, op: Op, users: dict) -> bool:
        """A threshold that became an attribute or operand of `snn.spike` needs no rows of its own."""
        if id(op.result) in self.roots:
            return False
        readers = users.get(id(op.result), [])
        return all(r.kind == "cmp" and r.operands[1] is op.result and r.operands[0] is not op.result
                   and self._is_spike_test(r, users) for r in readers)

    def _is_spike_test(self, op: Op, users: dict) -> bool:
        """Whether all that reads a comparison is written as `snn.spike`."""
        return all(o.kind == "tofloat" and self._spike_form(o) for o in users.get(id(op.result), []))

    def _spike_form(self, op: Op) -> bool:
        """Whether a 0/1 value is `snn.spike`: a test against a number, a parameter or another value."""
        if id(op) in self.detached:
            return False
        test = op.operands[0].op
        return test is not None and test.kind == "cmp" and test.attrs["pred"] in ("ogt", "oge", "ugt", "uge")

    def _op(self, op: Op) -> None:
        results = [self.fresh()]
        kind, row = op.kind, self.row(op.result)
        operands = [self.use(v) for v in op.operands] if not (kind == "tofloat" and self._spike_form(op)) else []
        self.names[id(op.result)] = results[0]
        if kind == "const":
            text = f"arith.constant dense<{_number(op.attrs['value'])}> : {row}"
        elif kind == "broadcast":
            parameter = op.params["value"]
            text = f"snn.broadcast {self.arguments[id(parameter)]} : {self.shape(parameter)} -> {row}"
        elif kind == "linear":
            text = self._linear(op, operands, row)
        elif kind in _ARITH:
            text = f"{_ARITH[kind]} {operands[0]}, {operands[1]} : {row}"
        elif kind in _MATH:
            text = f"{_MATH[kind]} {operands[0]} : {row}"
        elif kind == "cmp":
            text = f"arith.cmpf {op.attrs['pred']}, {operands[0]}, {operands[1]} : {self.row(op.operands[0])}"
        elif kind == "select":
            text = f"arith.select {', '.join(operands)} : {self.row(op.operands[0])}, {row}"
        elif kind == "not":
            text = f"arith.xori {operands[0]}, {self._constant('true', row, op)} : {row}"
        elif kind == "tofloat":
            text = self._tofloat(op, operands, row)
        elif kind == "sign":
            text = self._sign(op, operands[0], row)
        elif kind == "sigmoid":
            text = self._sigmoid(op, operands[0], row)
        elif kind == "integrator":
            text = f"snn.integrator {operands[0]}, {operands[1]}{self._operand(op, 'decay')}" \
                   f"{_attributes(op.attrs)} : {self.row(op.operands[0])}, {self.row(op.operands[1])}"
        else:
            text = self._neuron(op, operands, results)
        self.line(results, text, op.source)

    def _constant(self, literal: str, row: str, op: Op) -> str:
        name = self.fresh()
        self.line([name], f"arith.constant dense<{literal}> : {row}", op.source)
        return name

    def _linear(self, op: Op, operands: list[str], row: str) -> str:
        weight, bias = op.params["weight"], op.params.get("bias")
        more = f" bias({self.arguments[id(bias)]} : {self.shape(bias)})" if bias is not None else ""
        return (f"snn.linear {operands[0]}, {self.arguments[id(weight)]}{more} : "
                f"({self.row(op.operands[0])}, {self.shape(weight)}) -> {row}")

    def _operand(self, op: Op, role: str) -> str:
        parameter = op.params.get(role)
        return f" {role}({self.arguments[id(parameter)]} : {self.shape(parameter)})" if parameter is not None else ""

    def _tofloat(self, op: Op, operands: list[str], row: str) -> str:
        if not self._spike_form(op):
            one, zero = (self._constant(c, row, op) for c in ("1.000000e+00", "0.000000e+00"))
            return f"arith.select {operands[0]}, {one}, {zero} : {self.row(op.operands[0])}, {row}"
        value, threshold = op.operands[0].op.operands
        attrs: dict = {"cmp": op.operands[0].op.attrs["pred"][1:]}
        number = constant_of(threshold)
        more = ""
        if number is not None:
            attrs["threshold"] = number
        elif threshold.op is not None and threshold.op.kind == "broadcast":
            parameter = threshold.op.params["value"]
            more = f" threshold({self.arguments[id(parameter)]} : {self.shape(parameter)})"
        else:
            more = f" threshold({self.use(threshold)} : {self.row(threshold)})"
        return f"snn.spike {self.use(value)}{more}{_attributes(attrs)} : {row}"

    def _sign(self, op: Op, operand: str, row: str) -> str:
        one, zero, minus = (self._constant(c, row, op) for c in ("1.000000e+00", "0.000000e+00", "-1.000000e+00"))
        mask = f"tensor<{self.batch}x{op.result.width}xi1>"
        above, below, part = self.fresh(), self.fresh(), self.fresh()
        self.line([above], f"arith.cmpf ogt, {operand}, {zero} : {row}", op.source)
        self.line([below], f"arith.cmpf olt, {operand}, {zero} : {row}", op.source)
        self.line([part], f"arith.select {below}, {minus}, {zero} : {mask}, {row}", op.source)
        return f"arith.select {above}, {one}, {part} : {mask}, {row}"

    def _sigmoid(self, op: Op, operand: str, row: str) -> str:
        one = self._constant("1.000000e+00", row, op)
        negative, power, below = self.fresh(), self.fresh(), self.fresh()
        self.line([negative], f"arith.negf {operand} : {row}", op.source)
        self.line([power], f"math.exp {negative} : {row}", op.source)
        self.line([below], f"arith.addf {one}, {power} : {row}", op.source)
        return f"arith.divf {one}, {below} : {row}"

    def _neuron(self, op: Op, operands: list[str], results: list[str]) -> str:
        results.append(self.fresh())
        self.names[id(op.results[1])] = results[-1]
        row = self.row(op.result)
        return f"snn.neuron {operands[0]}, {operands[1]}{self._operand(op, 'decay')}{self._operand(op, 'threshold')}" \
               f"{_attributes(op.attrs)} : {row}, {row} -> {row}, {row}"


def _typed(values: list[str], types: list[str]) -> str:
    return f"{', '.join(values)} : {', '.join(types)}" if values else ""


def _attributes(attrs: dict) -> str:
    """Attributes that differ from the defaults, in alphabetical order."""
    parts = []
    for name in sorted(attrs):
        value = attrs[name]
        if name in _ENUMS:
            if value != NEURON_DEFAULTS[name]:
                parts.append(f"{name} = #snn.{_ENUMS[name]}<{value}>")
        elif np.float32(value) != np.float32(NEURON_DEFAULTS[name]):
            parts.append(f"{name} = {_number(value)} : f32")
    return f" {{{', '.join(parts)}}}" if parts else ""


def _number(value: float) -> str:
    """A float32 so that reading it back gives the same bits."""
    single = np.float32(value)
    if not np.isfinite(single):
        return f"0x{single.view(np.uint32):08X}"
    text = np.format_float_scientific(single, unique=True, trim="0", exp_digits=2)
    return text


def _string(text: str) -> str:
    """An MLIR string literal."""
    out = ['"']
    for byte in text.encode():
        char = chr(byte)
        out.append(char if 32 <= byte < 127 and char not in '"\\' else f"\\{byte:02X}")
    return "".join(out) + '"'


def _key(name: str) -> str:
    """The resource key of a parameter: its name, quoted where the name is not an identifier."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$.]*", name) else _string(name)


def _location(source: Source) -> str:
    if not source.node:
        return ""
    child = f"({_string(source.file)}:{source.line}:0)" if source.file else ""
    return f" loc({_string(source.node)}{child})"
