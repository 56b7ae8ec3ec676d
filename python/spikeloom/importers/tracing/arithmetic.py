# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that treat every element by itself: arithmetic, comparisons, masks, casts, activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from ..builder import Builder, kind_of
from ..ir import Value
from ..onnx_graph import Const, Node
from .elementwise import Operand, apply
from .tensor import Tensor, Unsupported, element_kind

if TYPE_CHECKING:
    from .tracer import Tracer

_FLOAT_TYPES = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}
_INT_TYPES = {TensorProto.INT64, TensorProto.INT32, TensorProto.INT16, TensorProto.INT8, TensorProto.UINT8,
              TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}


def dtype_of(value: Operand) -> str:
    """`f32`, `i1` or `int`."""
    if isinstance(value, Tensor):
        return value.dtype
    return element_kind(value.value) if isinstance(value, Const) else "f32"


def _numbers(node: Node, values: list[Operand]) -> str:
    """The type of arithmetic on the operands; masks have none."""
    if any(dtype_of(v) == "i1" for v in values):
        raise Unsupported(f"{node.op} of masks is not supported")
    return "int" if all(dtype_of(v) == "int" for v in values) else "f32"


def _literal(t: Tracer, value: Operand, others: list[Operand]) -> Operand:
    """`1 - s` and `s * 1` use a literal even where the exporter merged it with a trained parameter."""
    if isinstance(value, Const) and value.value.size == 1 and float(value.value.reshape(-1)[0]) == 1.0 \
            and any(t.is_indicator(o) for o in others):
        return Const(value.value.astype(np.float32))
    return value


def _binary(kind: str) -> Callable:
    def build(t: Tracer, node: Node, values: list):
        dtype = _numbers(node, values)
        result, *rest = (_literal(t, v, values) for v in values)
        for operand in rest:
            result = apply(t, [result, operand], lambda a, b: t.builder.binary(kind, a, b), dtype)
        if kind == "div" and dtype == "int":
            result = truncated(t, result)
        return result
    return build


def _add(t: Tracer, node: Node, values: list):
    """MatMul + Add of a vector of one value per output is a linear layer with bias."""
    for x, bias in (values, values[::-1]):
        if isinstance(x, Tensor) and isinstance(bias, Const) and bias.direct and bias.value.size > 1 \
                and bias.value.size == bias.value.shape[-1]:
            rows = [t.rows.whole(x.cells[i].reshape(-1)) for i in np.ndindex(*x.cells.shape[:-1])]
            if all(r is not None and r.op is not None and r.op.kind == "linear" and "bias" not in r.op.params
                   and r.width == bias.value.size for r in rows):
                return apply(t, [x], lambda row, b=bias: with_bias(t, row, b))
    return _binary("add")(t, node, values)


def with_bias(t: Tracer, row: Value, bias: Const) -> Value:
    """The `linear` or `conv` that makes a row, with a bias of one value an output or channel."""
    weight = row.op.params["weight"]
    value = np.broadcast_to(np.asarray(bias.value, np.float32).reshape(-1), weight.value.shape[:1])
    parameter = t.table.make(bias, value, True, t.builder.source)
    return t.builder.make(row.op.kind, row.op.operands, row.width, params={"weight": weight, "bias": parameter},
                          **row.op.attrs)


def _unary(kind: str) -> Callable:
    def build(t: Tracer, node: Node, values: list):
        return apply(t, values[:1], lambda a: t.builder.unary(kind, a), _numbers(node, values[:1]))
    return build


def _composed(function: Callable) -> Callable:
    """An operator of one float operand written with others; `function(builder, row, attrs)`."""
    def build(t: Tracer, node: Node, values: list):
        return apply(t, values[:1], lambda a: function(t.builder, a, node.attrs), _numbers(node, values[:1]))
    return build


def _relu(b: Builder, x: Value, attrs: dict) -> Value:
    return b.binary("max", x, b.const(0.0, x.width))


def _leaky_relu(b: Builder, x: Value, attrs: dict) -> Value:
    below = b.binary("min", x, b.const(0.0, x.width))
    return b.binary("add", _relu(b, x, attrs), b.binary("mul", below, b.const(attrs.get("alpha", 0.01), x.width)))


def _elu(b: Builder, x: Value, attrs: dict) -> Value:
    below = b.binary("sub", b.unary("exp", b.binary("min", x, b.const(0.0, x.width))), b.const(1.0, x.width))
    return b.binary("add", _relu(b, x, attrs), b.binary("mul", below, b.const(attrs.get("alpha", 1.0), x.width)))


def _softplus(b: Builder, x: Value, attrs: dict) -> Value:
    small = b.unary("exp", b.unary("neg", b.unary("abs", x)))
    return b.binary("add", _relu(b, x, attrs), b.unary("log", b.binary("add", small, b.const(1.0, x.width))))


def _mish(b: Builder, x: Value, attrs: dict) -> Value:
    return b.binary("mul", x, b.unary("tanh", _softplus(b, x, attrs)))


def _softsign(b: Builder, x: Value, attrs: dict) -> Value:
    return b.binary("div", x, b.binary("add", b.unary("abs", x), b.const(1.0, x.width)))


def _hard_sigmoid(b: Builder, x: Value, attrs: dict) -> Value:
    line = b.binary("add", b.binary("mul", x, b.const(attrs.get("alpha", 0.2), x.width)),
                    b.const(attrs.get("beta", 0.5), x.width))
    return b.binary("min", b.binary("max", line, b.const(0.0, x.width)), b.const(1.0, x.width))


def _hard_swish(b: Builder, x: Value, attrs: dict) -> Value:
    return b.binary("mul", x, _hard_sigmoid(b, x, {"alpha": 1 / 6, "beta": 0.5}))


def _swish(b: Builder, x: Value, attrs: dict) -> Value:
    alpha = attrs.get("alpha", 1.0)
    return b.binary("mul", x, b.unary("sigmoid", b.binary("mul", x, b.const(alpha, x.width))))


def _reciprocal(b: Builder, x: Value, attrs: dict) -> Value:
    return b.binary("div", b.const(1.0, x.width), x)


def _round(b: Builder, x: Value, attrs: dict) -> Value:
    """Half to even: `floor(x + 1/2)`, less one where that rounded a half up to an odd number."""
    up = b.unary("floor", b.binary("add", x, b.const(0.5, x.width)))
    half = b.binary("mul", up, b.const(0.5, x.width))
    odd = b.compare("une", b.unary("floor", half), half)
    tie = b.compare("oeq", b.binary("sub", up, x), b.const(0.5, x.width))
    return b.binary("sub", up, b.tofloat(b.logic("and", odd, tie)))


def erf(b: Builder, x: Value) -> Value:
    """The error function to 2e-7 (Abramowitz and Stegun 7.1.26)."""
    def c(number: float) -> Value:
        return b.const(number, x.width)

    size = b.unary("abs", x)
    u = b.binary("div", c(1.0), b.binary("add", b.binary("mul", size, c(0.3275911)), c(1.0)))
    sum_ = c(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sum_ = b.binary("add", b.binary("mul", sum_, u), c(factor))
    tail = b.binary("mul", b.binary("mul", sum_, u), b.unary("exp", b.unary("neg", b.binary("mul", x, x))))
    return b.binary("mul", b.unary("sign", x), b.binary("sub", c(1.0), tail))


def _gelu(b: Builder, x: Value, attrs: dict) -> Value:
    if attrs.get("approximate", "none") == "tanh":
        cube = b.binary("mul", b.binary("mul", x, x), x)
        inner = b.binary("add", x, b.binary("mul", cube, b.const(0.044715, x.width)))
        curve = b.unary("tanh", b.binary("mul", inner, b.const(0.7978845608028654, x.width)))
    else:
        curve = erf(b, b.binary("mul", x, b.const(0.7071067811865476, x.width)))
    scaled = b.binary("mul", x, b.binary("add", curve, b.const(1.0, x.width)))
    return b.binary("mul", scaled, b.const(0.5, x.width))


def _prelu(t: Tracer, node: Node, values: list):
    def build(x: Value, slope: Value) -> Value:
        below = t.builder.binary("min", x, t.builder.const(0.0, x.width))
        return t.builder.binary("add", _relu(t.builder, x, {}), t.builder.binary("mul", below, slope))
    return apply(t, values[:2], build)


def _pow(t: Tracer, node: Node, values: list):
    exponent = values[1].value if isinstance(values[1], Const) else None
    number = float(exponent.reshape(-1)[0]) if exponent is not None and exponent.size == 1 else None
    b = t.builder

    def build(x: Value) -> Value:
        if number == 0.5:
            return b.unary("sqrt", x)
        result = x
        for _ in range(int(abs(number)) - 1):
            result = b.binary("mul", result, x)
        return result if number > 0 else _reciprocal(b, result, {})

    if number not in (0.5, 1.0, 2.0, 3.0, 4.0, -1.0, -2.0):
        raise Unsupported("Pow is supported with the constant exponents 0.5, 1 to 4, -1 and -2 only")
    return apply(t, values[:1], build, _numbers(node, values[:1]))


def _clip(t: Tracer, node: Node, values: list):
    x = values[0]
    dtype = _numbers(node, values[:1])
    low = values[1] if len(values) > 1 else node.attrs.get("min")
    high = values[2] if len(values) > 2 else node.attrs.get("max")
    for kind, bound in (("max", low), ("min", high)):
        if bound is None:
            continue
        bound = bound if isinstance(bound, (Const, Tensor)) else Const(np.float32(bound))
        x = apply(t, [x, bound], lambda a, b, k=kind: t.builder.binary(k, a, b), dtype)
    return x


def _compare(pred: str) -> Callable:
    def build(t: Tracer, node: Node, values: list):
        if all(dtype_of(v) == "i1" for v in values) and pred == "oeq":
            return apply(t, values, lambda a, b: t.builder.invert(t.builder.logic("xor", a, b)))
        _numbers(node, values)
        return apply(t, values, lambda a, b: t.builder.compare(pred, a, b))
    return build


def _logic(kind: str) -> Callable:
    def build(t: Tracer, node: Node, values: list):
        if any(dtype_of(v) != "i1" for v in values):
            raise Unsupported("operands are numbers where the other kind is expected")
        return apply(t, values, lambda a, b: t.builder.logic(kind, a, b))
    return build


def _not(t: Tracer, node: Node, values: list):
    return apply(t, values, t.builder.invert)


def _where(t: Tracer, node: Node, values: list):
    if any(dtype_of(v) == "i1" for v in values[1:]):
        def of_masks(mask: Value, a: Value, b: Value) -> Value:
            return t.builder.tobool(t.builder.select(mask, t.builder.tofloat(a), t.builder.tofloat(b)))
        return apply(t, values, of_masks)
    dtype = "int" if all(dtype_of(v) == "int" for v in values[1:]) else "f32"
    return apply(t, values, t.builder.select, dtype)


def truncated(t: Tracer, x: Tensor) -> Tensor:
    """Towards zero, as casts to integers round."""
    def build(row: Value) -> Value:
        if kind_of(row) in ("floor", "ceil", "sign", "tofloat"):
            return row
        return t.builder.binary("mul", t.builder.unary("sign", row),
                                t.builder.unary("floor", t.builder.unary("abs", row)))
    return apply(t, [x], build, "int")


def _cast(t: Tracer, node: Node, values: list):
    target = node.attrs.get("to", TensorProto.FLOAT)
    if isinstance(target, str):  # opset 5 and older spell the type
        target = TensorProto.DataType.Value(target)
    return cast_to(t, values[0], target)


def cast_to(t: Tracer, value: Tensor, target: int) -> Tensor:
    """Cast between masks, floats and whole numbers."""
    if target == TensorProto.BOOL:
        return value if value.dtype == "i1" else apply(t, [value], t.builder.tobool)
    if target not in _FLOAT_TYPES | _INT_TYPES:
        raise Unsupported(f"Cast to {TensorProto.DataType.Name(target).lower()} is not supported; export in float32")
    kind = "f32" if target in _FLOAT_TYPES else "int"
    if value.dtype == "i1":
        return apply(t, [value], t.builder.tofloat, kind)
    if kind == "int" and value.dtype == "f32" and not t.is_indicator(value):
        return truncated(t, value)
    return replace(value, dtype=kind)


def _cast_like(t: Tracer, node: Node, values: list):
    like = dtype_of(values[1])
    if isinstance(values[0], Const):
        dtype = {"i1": np.bool_, "int": np.int64}.get(like, np.float32)
        return Const(values[0].value.astype(dtype), values[0].names, values[0].direct, values[0].source)
    return cast_to(t, values[0], {"i1": TensorProto.BOOL, "int": TensorProto.INT64}.get(like, TensorProto.FLOAT))


OPERATORS = {
    "Add": _add, "Sub": _binary("sub"), "Mul": _binary("mul"), "Div": _binary("div"), "Max": _binary("max"),
    "Min": _binary("min"), "Sum": _binary("add"), "Neg": _unary("neg"), "Abs": _unary("abs"),
    "Floor": _unary("floor"), "Ceil": _unary("ceil"), "Sign": _unary("sign"), "Exp": _unary("exp"),
    "Log": _unary("log"), "Sqrt": _unary("sqrt"), "Tanh": _unary("tanh"), "Sigmoid": _unary("sigmoid"),
    "Relu": _composed(_relu), "LeakyRelu": _composed(_leaky_relu), "Elu": _composed(_elu),
    "Softplus": _composed(_softplus), "Softsign": _composed(_softsign), "HardSigmoid": _composed(_hard_sigmoid),
    "HardSwish": _composed(_hard_swish), "Swish": _composed(_swish), "Gelu": _composed(_gelu), "Mish": _composed(_mish),
    "Erf": _composed(lambda b, x, attrs: erf(b, x)), "Round": _composed(_round),
    "Reciprocal": _composed(_reciprocal), "PRelu": _prelu, "Pow": _pow, "Clip": _clip,
    "Greater": _compare("ogt"), "GreaterOrEqual": _compare("oge"), "Less": _compare("olt"),
    "LessOrEqual": _compare("ole"), "Equal": _compare("oeq"), "And": _logic("and"), "Or": _logic("or"),
    "Xor": _logic("xor"), "Not": _not, "Where": _where, "Cast": _cast, "CastLike": _cast_like,
}
