# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers that do one thing in training and another in inference: batch normalisation and dropout.

A file that was exported in training mode has both as operations of the program, which a training step and inference
each compute in their own way; one exported for inference has arithmetic and nothing in their place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..ir import Parameter, Value
from ..onnx_graph import Const, Node
from .elementwise import apply
from .shapes import map_rows
from .tensor import Tensor, Unsupported, dims_text

if TYPE_CHECKING:
    from .tracer import Tracer

_ROLES = ("scale", "shift", "mean", "variance")  # the operands of BatchNormalization after the first
_EPSILON, _MOMENTUM = 1e-5, 0.9  # of ONNX, where they are not given


def _batch_norm(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    constants = dict(zip(_ROLES, values[1:5], strict=True))
    bad = [role for role, const in constants.items() if not isinstance(const, Const)]
    if bad:
        raise Unsupported(f"BatchNormalization whose {' and '.join(bad)} depends on the inputs is not supported")
    if node.attrs.get("training_mode", 0):
        return [_by_batch(t, node, x, constants)]
    return [_by_running(t, node, x, constants)]


def _by_running(t: Tracer, node: Node, x: Tensor, constants: dict[str, Const]) -> Tensor:
    """With fixed statistics it is a factor and a shift for each channel: what trains are these."""
    scale, shift, mean, variance = (np.asarray(constants[role].value, np.float32) for role in _ROLES)
    factor = scale / np.sqrt(variance + np.float32(node.attrs.get("epsilon", _EPSILON)))
    shape = [-1] + [1] * (len(x.dims) - 2)
    factors = Const(factor.reshape(shape), constants["scale"].names, False, node.source, True)
    shifts = Const((shift - mean * factor).reshape(shape), constants["shift"].names, False, node.source, True)
    scaled = apply(t, [x, factors], lambda a, b: t.builder.binary("mul", a, b))
    return apply(t, [scaled, shifts], lambda a, b: t.builder.binary("add", a, b))


def _by_batch(t: Tracer, node: Node, x: Tensor, constants: dict[str, Const]) -> Tensor:
    """With the statistics of the batch: one operation a step, whose running statistics a training step moves.

    Rows are `[C * inner]`, channels first.
    """
    channel = x.axis(1, node.op)
    rest = [a for a in range(x.cells.ndim) if a not in (channel, x.batch)]
    steps = [x.cells.shape[a] for a in rest if (x.steps[a] or x.fold[0] <= a < x.fold[1]) and x.cells.shape[a] > 1]
    if x.steps[channel] and x.cells.shape[channel] > 1:
        raise Unsupported("BatchNormalization in training mode takes steps of time for channels; give it the channels "
                          "in dimension 1")
    if steps:
        raise Unsupported(f"BatchNormalization in training mode takes one mean over {dims_text(steps)} steps at once, "
                          "but a network that runs step by step does not know the later ones; normalise every step "
                          "by itself, or export the model after .eval()")
    # PyTorch's momentum is the share of the new value; the file's float32 is read as the decimal it stands for.
    kept = float(str(np.float32(node.attrs.get("momentum", _MOMENTUM))))
    attrs = {"epsilon": float(node.attrs.get("epsilon", _EPSILON)), "momentum": 1.0 - kept}
    params = {role: _channel_parameter(t, const, role) for role, const in constants.items()}

    def build(row: Value, dims: list[int]) -> Value:
        return t.builder.make("batch_norm", [row], row.width, params=params, inner=row.width // dims[0], **attrs)

    return map_rows(t, x, [channel, *rest], build, list)


def _channel_parameter(t: Tracer, const: Const, role: str) -> Parameter:
    """Scale and shift, which train as weights do, or a statistic, which no gradient moves."""
    learns = role in ("scale", "shift")

    def make() -> Parameter:
        own = replace(const, affine=learns)
        parameter = t.table.make(own, own.value.reshape(-1), False, t.builder.source)
        return parameter if learns else replace(parameter, trainable=False)

    return t.weight(const, role, make)


def _dropout(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    ratio = values[1] if len(values) > 1 and values[1] is not None else Const(np.float32(node.attrs.get("ratio", 0.5)))
    training = values[2] if len(values) > 2 else None
    for value, what in ((ratio, "ratio"), (training, "training mode")):
        if value is not None and not isinstance(value, Const):
            raise Unsupported(f"Dropout whose {what} depends on the inputs is not supported")
    rate = float(np.asarray(ratio.value).reshape(-1)[0])
    if training is None or not bool(np.asarray(training.value).reshape(-1)[0]) or rate == 0:
        return [x]
    if not 0 < rate < 1:
        raise Unsupported(f"Dropout with ratio {rate:g} is not supported; it must be at least 0 and less than 1")
    return [apply(t, [x], lambda row: t.builder.make("dropout", [row], row.width, rate=rate))]


OPERATORS = {"BatchNormalization": _batch_norm, "Dropout": _dropout}
