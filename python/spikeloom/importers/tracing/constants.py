# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evaluates nodes whose operands are all constant, and remembers which initializers a result comes from.

Exporters leave very different amounts of constant arithmetic behind (`Clip(beta, 0, 1)`, `Exp(-1/tau)`, `Identity`
aliases of merged initializers, shapes). Here all of it becomes arrays.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from ..onnx_graph import Const, Node
from .tensor import Unsupported

# Results of these never depend on their operands alone.
_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
# What exporters use on shapes and constants only.
CONSTANT_OPERATORS = {"Constant", "ConstantOfShape", "EyeLike", "OneHot", "Range", "Trilu"}
_LIMIT = 1 << 26


class Folder:
    """Evaluates with the ONNX reference implementation; one evaluator a node, since loops run nodes again."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.opsets = list(model.opset_import)
        self._evaluators: dict[int, ReferenceEvaluator] = {}

    def fold(self, node: Node, operands: list[Const | None]) -> list[Const] | None:
        """The results, or None if the node cannot be evaluated."""
        if node.op in _RANDOM or _drops(node, operands) or node.domain not in ("", "ai.onnx"):
            return None
        if node.op == "Identity" and operands and operands[0] is not None:
            return [operands[0]]
        _check_size(node, operands)
        values = {n: o.value for n, o in zip(node.inputs, operands, strict=True) if n and o is not None}
        outputs = [o for o in node.outputs if o]
        try:
            with np.errstate(all="ignore"):
                results = self._evaluator(node, values, outputs).run(None, values)
        except Exception:  # unimplemented or ill-formed: reported as an operator without translation
            return None
        names: dict[str, None] = {}
        for operand in operands:
            names.update(dict.fromkeys(operand.names if operand is not None else ()))
        made = {n: Const(np.asarray(v), tuple(names), False, node.source)
                for n, v in zip(outputs, results, strict=True)}
        return [made.get(n) for n in node.outputs]

    def _evaluator(self, node: Node, values: dict[str, np.ndarray], outputs: list[str]) -> ReferenceEvaluator:
        if id(node) not in self._evaluators:
            inputs = [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), None)
                      for n, v in values.items()]
            graph = onnx.helper.make_graph([node.proto], "constant", inputs,
                                           [onnx.ValueInfoProto(name=o) for o in outputs])
            self._evaluators[id(node)] = ReferenceEvaluator(
                onnx.helper.make_model(graph, opset_imports=self.opsets))
        return self._evaluators[id(node)]


def _drops(node: Node, operands: list[Const | None]) -> bool:
    """Whether a node is a dropout that draws."""
    mode = operands[2] if node.op == "Dropout" and len(operands) > 2 else None
    return mode is not None and bool(np.any(mode.value))


def _check_size(node: Node, operands: list[Const | None]) -> None:
    """Refuses what a small file can ask for but no memory holds."""
    size = sum(o.value.size for o in operands if o is not None)
    shape = operands[0] if node.op == "ConstantOfShape" else operands[1] if node.op in ("Expand", "Tile") else None
    if shape is not None:
        size += abs(prod(int(d) for d in np.asarray(shape.value).reshape(-1)))
    if size > _LIMIT:
        raise Unsupported(f"{node.op} works on a constant of {size} numbers; more than {_LIMIT} are not supported")
