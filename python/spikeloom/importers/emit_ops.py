# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes operations of the importer's IR as lines of the snn, arith and math dialects."""

from __future__ import annotations

import re

import numpy as np

from .builder import constant_of
from .evaluate import NEURON_DEFAULTS
from .ir import Op, Parameter, Step, Value
from .problems import Source
from .spike_states import is_reset_test, is_signal

_ARITH = {"add": "arith.addf", "sub": "arith.subf", "mul": "arith.mulf", "div": "arith.divf",
          "max": "arith.maximumf", "min": "arith.minimumf", "and": "arith.andi", "or": "arith.ori",
          "xor": "arith.xori"}
_MATH = {"neg": "arith.negf", "abs": "math.absf", "floor": "math.floor", "ceil": "math.ceil", "exp": "math.exp",
         "log": "math.log", "sqrt": "math.sqrt", "tanh": "math.tanh"}
_ENUMS = {"order": "order", "reset_time": "reset_time", "reset_kind": "reset_kind", "reset_scope": "reset_scope",
          "cmp": "cmp"}


class OpWriter:
    """Appends operations to `lines`. `names` holds the MLIR name of every value and parameter by `id`."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.names: dict[int, str] = {}
        self.lines: list[str] = []
        self.hoisted: list[str] = []  # lines before all others: what is made of parameters alone
        self._hoisted: dict[str, str] = {}
        self.count = 0
        self.dropouts = 0

    def row(self, value: Value) -> str:
        """The type of a row."""
        return f"tensor<{self.batch}x{value.width}x{'i1' if value.dtype == 'i1' else 'f32'}>"

    def use(self, value: Value | Parameter) -> str:
        """The name of a value that is written already."""
        return self.names[id(value)]

    def fresh(self) -> str:
        """A new name."""
        self.count += 1
        return f"%{self.count - 1}"

    def line(self, results: list[str], text: str, source: Source) -> None:
        """Appends a line."""
        left = ", ".join(results) + " = " if results else ""
        self.lines.append(f"{self.indent}{left}{text}{_location(source)}")

    def write(self, scope: Step, indent: str) -> None:
        """All operations of a scope: a step, whose inputs and states have names already."""
        self.indent = indent
        users = scope.users()
        self.roots = {id(v) for v in scope.roots()}
        self.detached = {id(op) for op in scope.ops if op.kind == "tofloat" and self._is_old_spike(scope, op, users)}
        for op in scope.ops:
            if op.kind == "cmp" and id(op.result) not in self.roots and self._is_spike_test(op, users):
                continue
            if op.kind in ("const", "broadcast") and self._only_in_spikes(op, users):
                continue
            self._op(op)

    def _is_old_spike(self, scope: Step, op: Op, users: dict) -> bool:
        """A reset by the old membrane: written as a comparison, since frameworks let no gradient through it."""
        test = op.operands[0].op
        return test is not None and test.kind == "cmp" and id(op.result) not in self.roots \
            and is_reset_test(scope, test) \
            and not any(is_signal(o, op.result, test.operands[1]) for o in users.get(id(op.result), []))

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
            text = f"arith.constant dense<{number(op.attrs['value'])}> : {row}"
        elif kind == "broadcast":
            text = f"snn.broadcast {self._spread(op.params['value'], op.attrs.get('inner', 1))} -> {row}"
        elif kind in ("linear", "conv"):
            text = self._linear(op, operands, row)
        elif kind == "slice":
            text = f"snn.slice {operands[0]}{_geometry(op.attrs)} : {self.row(op.operands[0])} -> {row}"
        elif kind == "concat":
            text = f"snn.concat {', '.join(operands)} : ({', '.join(map(self.row, op.operands))}) -> {row}"
        elif kind == "softmax":
            text = f"snn.softmax {operands[0]}{' {log}' if op.attrs.get('log') else ''} : {row}"
        elif kind == "batch_norm":
            text = self._batch_norm(op, operands[0], row)
        elif kind == "dropout":
            text = self._dropout(op, operands[0], row)
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
        elif kind == "count":
            text = self._count(op, operands[0], row)
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
        """A product with a weight matrix, or with that of a convolution."""
        weight, bias = op.params["weight"], op.params.get("bias")
        matrix, kind = self.use(weight), parameter_type(weight)
        if op.kind == "conv":
            matrix, kind = self._conv_matrix(op)
        inner = op.result.width // weight.value.shape[0]
        more = f" bias({self._spread(bias, inner)})" if bias is not None else ""
        return f"snn.linear {operands[0]}, {matrix}{more} : ({self.row(op.operands[0])}, {kind}) -> {row}"

    def _conv_matrix(self, op: Op) -> tuple[str, str]:
        weight = op.params["weight"]
        attrs = dict(op.attrs) | {"kernel": weight.value.shape[2:]}
        kind = f"tensor<{op.result.width}x{op.operands[0].width}xf32>"
        text = f"snn.conv_matrix {self.use(weight)}{_geometry(attrs)} : {parameter_type(weight)} -> {kind}"
        return self._hoist(text), kind

    def _spread(self, parameter: Parameter, inner: int) -> str:
        """A parameter as an operand with its type, each value `inner` times."""
        name, kind = self.use(parameter), parameter_type(parameter)
        if inner == 1 or parameter.value.ndim == 0:
            return f"{name} : {kind}"
        wide = f"tensor<{parameter.value.size * inner}xf32>"
        text = f"snn.spread {name} {{inner = {inner} : i64}} : {kind} -> {wide}"
        return f"{self._hoist(text)} : {wide}"

    def _hoist(self, text: str) -> str:
        if text not in self._hoisted:
            name = self.fresh()
            self.hoisted.append(f"    {name} = {text}")
            self._hoisted[text] = name
        return self._hoisted[text]

    def _batch_norm(self, op: Op, operand: str, row: str) -> str:
        values = " ".join(f"{role}({self.use(op.params[role])})" for role in ("mean", "variance", "scale", "shift"))
        attrs = f"inner = {op.attrs['inner']} : i64, epsilon = {number(op.attrs['epsilon'])} : f32"
        attrs += f", momentum = {number(op.attrs['momentum'])} : f32"
        return f"snn.batch_norm {operand} {values} {{{attrs}}} : {row}, {parameter_type(op.params['mean'])}"

    def _dropout(self, op: Op, operand: str, row: str) -> str:
        self.dropouts += 1  # its number keeps two dropouts of one operand apart
        attrs = f"rate = {number(op.attrs['rate'])} : f32, salt = {self.dropouts} : i64"
        return f"snn.dropout {operand} {{{attrs}}} : {row}"

    def _operand(self, op: Op, role: str) -> str:
        parameter = op.params.get(role)
        return f" {role}({self.use(parameter)} : {parameter_type(parameter)})" if parameter is not None else ""

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
            more = f" threshold({self._spread(threshold.op.params['value'], threshold.op.attrs.get('inner', 1))})"
        else:
            more = f" threshold({self.use(threshold)} : {self.row(threshold)})"
        return f"snn.spike {self.use(value)}{more}{_attributes(attrs)} : {row}"

    def _count(self, op: Op, operand: str, row: str) -> str:
        parameter = op.params.get("threshold")
        attrs = [f"max_spikes = {int(op.attrs['max_spikes'])} : i64"]
        if parameter is None and op.attrs["threshold"] != 1:
            attrs.append(f"threshold = {number(op.attrs['threshold'])} : f32")
        more = f" threshold({self._spread(parameter, 1)})" if parameter is not None else ""
        return f"snn.spike {operand}{more} {{{', '.join(attrs)}}} : {row}"

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


def parameter_type(parameter: Parameter) -> str:
    """The type of a parameter; that of a sparse one names its connections by an alias, see `connections_alias`."""
    kind = value_type(parameter)
    return f"{kind[:-1]}, {connections_alias(parameter)}>" if parameter.sparse else kind


def value_type(parameter: Parameter) -> str:
    """The type of a parameter's value, which is dense."""
    return "tensor<" + "".join(f"{d}x" for d in parameter.shape) + "f32>"


def connections_alias(parameter: Parameter) -> str:
    """The alias of a sparse parameter's encoding: distinct for distinct names."""
    plain = "".join(c if c.isascii() and c.isalnum() else f"${ord(c):x}$" for c in parameter.name)
    return f"#connections_{plain}"


def typed(values: list[str], types: list[str]) -> str:
    """Values with their types, as the dialects write them."""
    return f"{', '.join(values)} : {', '.join(types)}" if values else ""


def _geometry(attrs: dict) -> str:
    """Lists of integers and what is not the default of the operations on features."""
    parts = []
    for name, value in attrs.items():
        if isinstance(value, (tuple, list)):
            parts.append(f"{name} = [{', '.join(map(str, value))}]")
        elif name == "fill" and value != 0:
            parts.append(f"fill = {number(value)} : f32")
        elif name == "groups" and value != 1:
            parts.append(f"groups = {value} : i64")
    return f" {{{', '.join(parts)}}}"


def _attributes(attrs: dict) -> str:
    """Attributes that differ from the defaults, in alphabetical order."""
    parts = []
    for name in sorted(attrs):
        value = attrs[name]
        if name in _ENUMS:
            if value != NEURON_DEFAULTS[name]:
                parts.append(f"{name} = #snn.{_ENUMS[name]}<{value}>")
        elif np.float32(value) != np.float32(NEURON_DEFAULTS[name]):
            parts.append(f"{name} = {number(value)} : f32")
    return f" {{{', '.join(parts)}}}" if parts else ""


def number(value: float) -> str:
    """A float32 so that reading it back gives the same bits."""
    single = np.float32(value)
    if not np.isfinite(single):
        return f"0x{single.view(np.uint32):08X}"
    text = np.format_float_scientific(single, unique=True, trim="0", exp_digits=2)
    return text


def string(text: str) -> str:
    """An MLIR string literal."""
    out = ['"']
    for byte in text.encode():
        char = chr(byte)
        out.append(char if 32 <= byte < 127 and char not in '"\\' else f"\\{byte:02X}")
    return "".join(out) + '"'


def key(name: str) -> str:
    """The resource key of a parameter: its name, quoted where the name is not an identifier."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$.]*", name) else string(name)


def _location(source: Source) -> str:
    if not source.node:
        return ""
    child = f"({string(source.file)}:{source.line}:0)" if source.file else ""
    return f" loc({string(source.node)}{child})"
