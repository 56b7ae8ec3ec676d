# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products with weight matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ir import Parameter
from ..onnx_graph import Const, Node
from .arithmetic import with_bias
from .elementwise import apply, without_batch
from .shapes import map_rows
from .tensor import Tensor, Unsupported, dims_text

if TYPE_CHECKING:
    from .tracer import Tracer


def contract(t: Tracer, x: Tensor, dim: int, weight: Const, out_in: bool, node: Node, alpha: float = 1.0) -> Tensor:
    """One `linear` for every place of the other axes; dimension `dim` becomes the outputs."""
    if x.dtype == "i1":
        raise Unsupported(f"{node.op} of a mask is not supported")
    value = weight.value
    if value.ndim > 2 and value.shape[:-2] == (1,) * (value.ndim - 2):
        value = value.reshape(value.shape[-2:])
    if value.ndim != 2:
        raise Unsupported(f"{node.op} with weights of shape {dims_text(value.shape)} is not supported")
    if value.dtype.kind != "f":
        raise Unsupported(f"weights '{', '.join(weight.names)}' have type {value.dtype}; export in float32")
    value = value if out_in else value.T
    axis = x.axis(dim, node.op)
    if value.shape[1] != x.cells.shape[axis]:
        raise Unsupported(f"{node.op}: the input has {x.cells.shape[axis]} features, the weights expect "
                          f"{value.shape[1]}")

    def make() -> Parameter:
        const = weight if alpha == 1.0 else Const(weight.value, weight.names, False, node.source)
        return t.table.make(const, value * np.float32(alpha), True, node.source, transposed=not out_in)

    parameter, count = t.weight(weight, (out_in, alpha), make), value.shape[0]
    return map_rows(t, x, [axis], lambda row, dims: t.builder.make("linear", [row], count,
                                                                   params={"weight": parameter}),
                    lambda dims: [count])


def _gemm(t: Tracer, node: Node, values: list):
    attrs = node.attrs
    alpha, beta = float(attrs.get("alpha", 1.0)), float(attrs.get("beta", 1.0))
    x, weight = values[0], values[1]
    if isinstance(x, Tensor) and isinstance(weight, Const):
        dim = 0 if attrs.get("transA", 0) else 1
        result = contract(t, x, dim, weight, bool(attrs.get("transB", 0)), node, alpha)
        result = result.transpose([1, 0]) if dim == 0 else result
    elif isinstance(x, Const) and isinstance(weight, Tensor):
        dim = 1 if attrs.get("transB", 0) else 0
        result = contract(t, weight, dim, x, not attrs.get("transA", 0), node, alpha)
        result = result.transpose([1, 0]) if dim == 1 else result
    else:
        raise Unsupported("Gemm needs a row value times a constant weight matrix; this one has two operands that "
                          "depend on the inputs")
    if len(values) < 3 or values[2] is None:
        return result
    bias = values[2]
    if isinstance(bias, Const):
        if beta != 1.0:
            bias = Const((bias.value * np.float32(beta)).astype(np.float32), bias.names, False, node.source)
        return _biased(t, result, bias)
    if beta != 1.0:
        bias = apply(t, [bias], lambda row: t.builder.binary("mul", row, t.builder.const(beta, row.width)))
    return apply(t, [result, bias], lambda a, b: t.builder.binary("add", a, b))


def _biased(t: Tracer, x: Tensor, bias: Const) -> Tensor:
    """A constant added to the rows of linear layers becomes their bias."""
    value = bias.value
    if (value.ndim == 2 and value.shape[0] not in (1, x.dims[0])) or x.batch_dim != 0:
        raise Unsupported(f"a bias of shape {dims_text(value.shape)} does not fit a value of shape {dims_text(x.dims)}")
    value = without_batch(value, 0) if value.ndim == 2 else value
    if value.size not in (1, x.cells.shape[-1]):
        raise Unsupported(f"a bias of shape {dims_text(bias.value.shape)} does not fit a value of shape "
                          f"{dims_text(x.dims)}")
    const = bias if value.size == bias.value.size else Const(value, bias.names, False, bias.source)
    return apply(t, [x], lambda row: with_bias(t, row, const))


def _matmul(t: Tracer, node: Node, values: list):
    x, weight = values
    if isinstance(x, Tensor) and isinstance(weight, Const):
        if weight.value.ndim == 1:
            found = contract(t, x, -1, replace_value(weight, weight.value[:, None]), False, node)
            return found.remove(found.axis(-1, "MatMul"))
        return contract(t, x, -1, weight, False, node)
    if isinstance(x, Const) and isinstance(weight, Tensor) and len(weight.dims) > 1:
        return contract(t, weight, -2, x, True, node)
    raise Unsupported("MatMul needs a row value times a constant weight matrix; this one has two operands that depend "
                      "on the inputs")


def replace_value(const: Const, value: np.ndarray) -> Const:
    """The same constant in another shape."""
    return Const(value, const.names, const.direct, const.source)


def _einsum(t: Tracer, node: Node, values: list):
    equation = str(node.attrs.get("equation", "")).replace(" ", "")
    terms, _, result = equation.partition("->")
    parts = terms.split(",")
    if len(parts) == 2 and isinstance(values[0], Const):
        parts, values = parts[::-1], values[::-1]
    if len(parts) == 2 and isinstance(values[0], Tensor) and isinstance(values[1], Const) and len(parts[1]) == 2:
        summed = [c for c in parts[0] if c in parts[1] and c not in result]
        made = [c for c in parts[1] if c not in parts[0]]
        if len(summed) == 1 and len(made) == 1 and "." not in equation:
            found = contract(t, values[0], parts[0].index(summed[0]), values[1], parts[1][1] == summed[0], node)
            now = parts[0].replace(summed[0], made[0])
            if sorted(now) == sorted(result):
                return found.transpose([now.index(c) for c in result])
    raise Unsupported(f"Einsum '{equation}' is not supported")


OPERATORS = {"Gemm": _gemm, "MatMul": _matmul, "Einsum": _einsum}
