# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each ONNX operator means in a step: a table from operator name to a function of the translator."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from .ir import Value
from .onnx_graph import Const, Node
from .translate import Translator, Unsupported, View, Whole

_FLOAT_TYPES = {TensorProto.FLOAT}
_INT_TYPES = {TensorProto.INT64, TensorProto.INT32, TensorProto.INT16, TensorProto.INT8, TensorProto.UINT8,
              TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}


def _binary(kind: str):
    def build(t: Translator, node: Node, values: list):
        result = None
        if len(values) == 1:
            return values[0]
        # `1 - s` and `s * 1` use a literal even where the exporter merged it with a trained parameter.
        values = [_literal(t, v, values) for v in values]
        rows = t.rows(values)
        for row in rows:
            result = row if result is None else t.builder.binary(kind, result, row)
        return result
    return build


def _literal(t: Translator, value, others: list):
    if isinstance(value, Const) and value.value.size == 1 and float(value.value.reshape(-1)[0]) == 1.0 \
            and any(t.is_indicator(o) for o in others):
        return Const(np.float32(1.0))
    return value


def _unary(kind: str):
    return lambda t, node, values: t.builder.unary(kind, t.row(values[0]))


def _compare(pred: str, negate: bool = False):
    def build(t: Translator, node: Node, values: list):
        if any(isinstance(v, Value) and v.dtype == "i1" for v in values):
            raise Unsupported(f"{node.op} of masks is not supported")
        mask = t.builder.compare(pred, *t.rows(values))
        return t.builder.invert(mask) if negate else mask
    return build


def _logic(kind: str):
    return lambda t, node, values: t.builder.logic(kind, *t.rows(values, "i1"))


def _cast(t: Translator, node: Node, values: list):
    target = node.attrs.get("to", TensorProto.FLOAT)
    if isinstance(target, str):  # opset 5 and older spell the type
        target = TensorProto.DataType.Value(target)
    return cast_to(t, values[0], target)


def cast_to(t: Translator, value, target: int):
    """Cast between masks, float32 and 0/1 integers."""
    if target in _FLOAT_TYPES:
        if isinstance(value, Whole):
            return value.value
        return t.builder.tofloat(value) if isinstance(value, Value) and value.dtype == "i1" else value
    if target == TensorProto.BOOL:
        row = value.value if isinstance(value, Whole) else value
        return row if isinstance(row, Value) and row.dtype == "i1" else t.builder.tobool(t.row(row))
    if target in _INT_TYPES:
        if isinstance(value, Whole):
            return value
        if isinstance(value, Value) and value.dtype == "i1":
            return Whole(t.builder.tofloat(value))
        if t.is_indicator(value):
            return Whole(value)
        raise Unsupported("Cast of a number to an integer type (rounding) is not supported")
    raise Unsupported(f"Cast to {TensorProto.DataType.Name(target).lower()} is not supported; export in float32")


def _cast_like(t: Translator, node: Node, values: list):
    like = values[1]
    if isinstance(like, Const):
        kinds = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}
        return cast_to(t, values[0], kinds.get(like.value.dtype.kind, TensorProto.FLOAT))
    return cast_to(t, values[0], TensorProto.BOOL if getattr(like, "dtype", "") == "i1" else TensorProto.FLOAT)


def _clip(t: Translator, node: Node, values: list):
    row = t.row(values[0])
    low = values[1] if len(values) > 1 else node.attrs.get("min")
    high = values[2] if len(values) > 2 else node.attrs.get("max")
    for kind, bound in (("max", low), ("min", high)):
        if bound is None:
            continue
        bound = bound if isinstance(bound, (Const, Value)) else Const(np.float32(bound))
        row = t.builder.binary(kind, *t.rows([row, bound]))
    return row


def _relu(t: Translator, node: Node, values: list):
    row = t.row(values[0])
    return t.builder.binary("max", row, t.builder.const(0.0, row.width))


def _reciprocal(t: Translator, node: Node, values: list):
    row = t.row(values[0])
    return t.builder.binary("div", t.builder.const(1.0, row.width), row)


def _pow(t: Translator, node: Node, values: list):
    exponent = values[1].value if isinstance(values[1], Const) else None
    row = t.row(values[0])
    if exponent is None or exponent.size != 1 or float(exponent.reshape(-1)[0]) not in (1.0, 2.0):
        raise Unsupported("Pow is supported with the constant exponents 1 and 2 only")
    return row if float(exponent.reshape(-1)[0]) == 1.0 else t.builder.binary("mul", row, row)


def _where(t: Translator, node: Node, values: list):
    mask = values[0]
    if not isinstance(mask, Value) or mask.dtype != "i1":
        raise Unsupported("Where needs a mask that depends on the inputs")
    rest = [mask.op.operands[0] if isinstance(v, Const) and mask.op is not None else v for v in values[1:]]
    width = next((v.width for v in rest if isinstance(v, Value)), mask.width)
    rows = [t.row(v, width) for v in values[1:]]
    if {r.width for r in rows} != {mask.width} or any(r.dtype != "f32" for r in rows):
        raise Unsupported("Where with operands of different widths or of masks is not supported")
    return t.builder.select(mask, *rows)


def _gemm(t: Translator, node: Node, values: list):
    attrs = node.attrs
    if attrs.get("transA", 0):
        raise Unsupported("Gemm with transA=1 is not supported")
    result = _linear(t, values[0], values[1], bool(attrs.get("transB", 0)), float(attrs.get("alpha", 1.0)), node)
    if len(values) < 3 or values[2] is None:
        return result
    bias, beta = values[2], float(attrs.get("beta", 1.0))
    if isinstance(bias, Const):
        if beta != 1.0:
            bias = Const((bias.value * np.float32(beta)).astype(np.float32), bias.names, False, node.source)
        return _with_bias(t, result, bias)
    row = t.row(bias, result.width)
    if beta != 1.0:
        row = t.builder.binary("mul", row, t.builder.const(beta, row.width))
    return t.builder.binary("add", result, row)


def _linear(t: Translator, x, weight, out_in: bool, alpha: float, node: Node) -> Value:
    if isinstance(x, Const) or not isinstance(weight, Const):
        found = "its weights first" if isinstance(x, Const) else "two operands that depend on the inputs"
        raise Unsupported(f"{node.op} needs a row value times a constant weight matrix; this one has {found}")
    x = t.row(x)
    if x.dtype != "f32":
        raise Unsupported(f"{node.op} of a mask is not supported")
    value = weight.value
    if value.ndim != 2:
        raise Unsupported(f"{node.op} with weights of shape {list(value.shape)} is not supported")
    if value.dtype != np.float32:
        raise Unsupported(f"weights '{', '.join(weight.names)}' have type {value.dtype}; export in float32")
    if not out_in:
        value = value.T
    if value.shape[1] != x.width:
        raise Unsupported(f"{node.op}: the input has {x.width} features, the weights expect {value.shape[1]}")
    if alpha != 1.0:
        value = value * np.float32(alpha)
        weight = Const(weight.value, weight.names, False, node.source)
    parameter = t.table.make(weight, value, True, node.source, transposed=not out_in)
    return t.builder.make("linear", [x], value.shape[0], params={"weight": parameter})


def _with_bias(t: Translator, row: Value, bias: Const) -> Value:
    value = t.per_neuron(bias.value, row.width)
    if value.ndim == 0:
        value = np.full(row.width, value, np.float32)
    parameter = t.table.make(bias, value, True, t.builder.source)
    return t.builder.make("linear", row.op.operands, row.width,
                          params={"weight": row.op.params["weight"], "bias": parameter})


def _matmul(t: Translator, node: Node, values: list):
    return _linear(t, values[0], values[1], False, 1.0, node)


def _einsum(t: Translator, node: Node, values: list):
    equation = str(node.attrs.get("equation", "")).replace(" ", "")
    terms, _, result = equation.partition("->")
    parts = terms.split(",")
    if len(parts) == 2 and len(parts[0]) == 2 and len(parts[1]) == 2 and len(result) == 2:
        b, i = parts[0]
        if result[0] == b and set(parts[1]) == {i, result[1]} and len({b, i, result[1]}) == 3:
            return _linear(t, values[0], values[1], parts[1][1] == i, 1.0, node)
    raise Unsupported(f"Einsum '{equation}' is not supported")


def _add(t: Translator, node: Node, values: list):
    """MatMul + Add of a vector of one value per output is a linear layer with bias."""
    for row, bias in (values, values[::-1]):
        if isinstance(row, Value) and row.op is not None and row.op.kind == "linear" and isinstance(bias, Const) \
                and "bias" not in row.op.params and bias.value.shape in ((row.width,), (1, row.width)) and bias.direct:
            return _with_bias(t, row, bias)
    return _binary("add")(t, node, values)


def _axes(t: Translator, node: Node, values: list, rank: int) -> list[int]:
    axes = t.integers(values[1], "axes") if len(values) > 1 and values[1] is not None else node.attrs.get("axes")
    return [] if axes is None else [int(a) % rank for a in axes]


def _unsqueeze(t: Translator, node: Node, values: list):
    axes = _axes(t, node, values, 3)
    if not isinstance(values[0], Value) or len(axes) != 1:
        raise Unsupported("Unsqueeze of anything but one axis of a [batch, features] value is not supported")
    return View(values[0], axes[0])


def _squeeze(t: Translator, node: Node, values: list):
    if isinstance(values[0], View) and _axes(t, node, values, 3) in ([], [values[0].axis]):
        return values[0].value
    raise Unsupported("Squeeze of an axis that Unsqueeze did not make is not supported")


def _gather(t: Translator, node: Node, values: list):
    axis = int(node.attrs.get("axis", 0))
    if isinstance(values[0], View) and isinstance(values[1], Const) and axis % 3 == values[0].axis \
            and values[1].value.ndim == 0 and int(values[1].value) in (0, -1):
        return values[0].value
    raise Unsupported("Gather (an element or slice of a value) is not supported in a step function")


def _slice(t: Translator, node: Node, values: list):
    if len(values) > 1:
        starts, ends = t.integers(values[1], "starts"), t.integers(values[2], "ends")
        axes = t.integers(values[3], "axes") if len(values) > 3 and values[3] is not None else list(range(len(starts)))
        steps = t.integers(values[4], "steps") if len(values) > 4 and values[4] is not None else [1] * len(starts)
    else:
        starts, ends = node.attrs["starts"], node.attrs["ends"]
        axes, steps = node.attrs.get("axes", list(range(len(starts)))), [1] * len(starts)
    if isinstance(values[0], View):
        sizes = _shape(t, values[0])
        whole = all(s == 1 and range(*slice(b, e, s).indices(sizes[a % 3])) == range(sizes[a % 3])
                    for b, e, a, s in zip(starts, ends, axes, steps, strict=True))
        if whole:
            return values[0]
    raise Unsupported("Slice (a part of a value) is not supported in a step function")


def _shape(t: Translator, value) -> list[int]:
    if isinstance(value, View):
        dims = [t.batch, value.value.width]
        dims.insert(value.axis, 1)
        return dims
    row = value.value if isinstance(value, Whole) else value
    return [t.batch, row.width]


def _shape_of(t: Translator, node: Node, values: list):
    dims = _shape(t, values[0])
    return Const(np.asarray(dims[node.attrs.get("start", 0):node.attrs.get("end", len(dims))], np.int64))


def _reshape(t: Translator, node: Node, values: list):
    now = _shape(t, values[0])
    if node.op == "Reshape":
        wanted = [now[i] if d == 0 and i < len(now) else d for i, d in enumerate(t.integers(values[1], "shape"))]
        if wanted.count(-1) == 1:
            rest = int(np.prod([d for d in wanted if d != -1]))
            wanted = [int(np.prod(now)) // rest if d == -1 else d for d in wanted] if rest else wanted
    elif node.op == "Expand":
        wanted = t.integers(values[1], "shape")
        wanted = [1] * (len(now) - len(wanted)) + wanted
        wanted = [n if w == 1 else w for n, w in zip(now, wanted, strict=True)] if len(wanted) == len(now) else wanted
    elif node.op == "Flatten":
        axis = int(node.attrs.get("axis", 1)) % (len(now) + 1)
        wanted = [int(np.prod(now[:axis])), int(np.prod(now[axis:]))]
    else:
        perm = node.attrs.get("perm", list(range(len(now)))[::-1])
        wanted = now if list(perm) == list(range(len(now))) else [-1]
    if wanted == now:
        return values[0]
    if isinstance(values[0], View) and wanted == [t.batch, values[0].value.width]:
        return values[0].value
    raise Unsupported(f"{node.op} changes the shape {now} of a value, which is not supported in a step function")


def _split(t: Translator, node: Node, values: list):
    if len(node.outputs) == 1 and isinstance(values[0], View):
        return values[0]
    raise Unsupported("Split (parts of a value) is not supported in a step function")


def _concat(t: Translator, node: Node, values: list):
    if len(values) == 1:
        return values[0]
    raise Unsupported("Concat is not supported in a step function")


def _dropout(t: Translator, node: Node, values: list):
    training = values[2] if len(values) > 2 else None
    if isinstance(training, Const) and bool(training.value.reshape(-1)[0]):
        raise Unsupported("Dropout in training mode is not supported; export the model after .eval()")
    return [values[0]] + [None] * (len(node.outputs) - 1)


OPERATORS = {
    "Add": _add, "Sub": _binary("sub"), "Mul": _binary("mul"), "Div": _binary("div"), "Max": _binary("max"),
    "Min": _binary("min"), "Sum": _binary("add"), "Neg": _unary("neg"), "Abs": _unary("abs"),
    "Floor": _unary("floor"), "Ceil": _unary("ceil"), "Sign": _unary("sign"), "Exp": _unary("exp"),
    "Log": _unary("log"), "Sqrt": _unary("sqrt"), "Tanh": _unary("tanh"), "Sigmoid": _unary("sigmoid"),
    "Greater": _compare("ogt"), "GreaterOrEqual": _compare("oge"), "Less": _compare("olt"),
    "LessOrEqual": _compare("ole"), "Equal": _compare("oeq"), "And": _logic("and"), "Or": _logic("or"),
    "Xor": _logic("xor"), "Not": lambda t, node, values: t.builder.invert(*t.rows(values[:1], "i1")),
    "Cast": _cast, "CastLike": _cast_like, "Clip": _clip, "Relu": _relu, "Reciprocal": _reciprocal, "Pow": _pow,
    "Where": _where, "Gemm": _gemm, "MatMul": _matmul, "Einsum": _einsum,
    "Identity": lambda t, node, values: values[0], "Dropout": _dropout, "Shape": _shape_of,
    "Unsqueeze": _unsqueeze, "Squeeze": _squeeze, "Gather": _gather, "Slice": _slice, "Split": _split,
    "Concat": _concat, "Reshape": _reshape, "Expand": _reshape, "Flatten": _reshape, "Transpose": _reshape,
}
