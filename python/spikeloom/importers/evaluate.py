# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the importer's IR with numpy: what the dialect's operations mean, each float32 operation rounded by itself."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping

import numpy as np

from .ir import Op, Program, Scan, Step, Value
from .programs import step_program

F32 = np.float32

_UNARY = {
    "neg": np.negative, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "sign": np.sign, "exp": np.exp,
    "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh,
    "sigmoid": lambda a: F32(1) / (F32(1) + np.exp(-a)),
}
_BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "max": np.maximum,
           "min": np.minimum}
_COMPARE = {
    "ogt": np.greater, "oge": np.greater_equal, "olt": np.less, "ole": np.less_equal, "oeq": np.equal,
    "une": np.not_equal, "ugt": lambda a, b: ~np.less_equal(a, b), "uge": lambda a, b: ~np.less(a, b),
    "ult": lambda a, b: ~np.greater_equal(a, b), "ule": lambda a, b: ~np.greater(a, b),
}
_LOGIC = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}

NEURON_DEFAULTS = {
    "order": "integrate_fire", "reset_time": "same_step", "reset_kind": "subtract",
    "reset_scope": "decayed_state", "cmp": "gt", "decay": 1.0, "gain": 1.0, "leak": 0.0, "threshold": 1.0,
    "v_reset": 0.0, "graded": 1.0,
}


def run_steps(step: Step, sequences: dict[str, np.ndarray], states: dict[str, np.ndarray]) -> tuple[dict, dict]:
    """All steps of sequences `[T, batch, width]`: (outputs stacked over time, states after the last step).

    A model without time gets and gives one step.
    """
    if step.is_sequence:
        outputs, _ = run_program(step_program(step, 0), {n: a[0] for n, a in sequences.items()}, {})
        return {n: a[None] for n, a in outputs.items()}, {}
    return run_program(step_program(step, len(next(iter(sequences.values())))), sequences, states)


def run_program(program: Program, inputs: dict[str, np.ndarray], states: dict[str, np.ndarray]) -> tuple[dict, dict]:
    """A whole program on rows `[T, batch, width]` or `[batch, width]`: (outputs, states at the end) by name."""
    values = {id(p.value): inputs[p.name].astype(F32) for p in program.inputs}
    values.update((id(s.value), states[s.name].astype(F32)) for s in program.states)
    batch = next((a.shape[-2] for a in values.values()), program.batch)
    for item in program.items:
        if isinstance(item, Scan):
            _run_scan(item, values, batch)
        else:
            run_ops([item], values, batch)
    return {p.name: values[id(p.value)] for p in program.outputs}, {s.name: values[id(s.final)] for s in program.states}


def _run_scan(scan: Scan, values: dict[int, np.ndarray], batch: int) -> None:
    carried = [values[id(s.init)] if isinstance(s.init, Value) else np.full((batch, s.value.width), s.init, F32)
               for s in scan.states]
    rows: list[dict[int, np.ndarray]] = [{} for _ in range(scan.steps)]
    for t in reversed(range(scan.steps)) if scan.reverse else range(scan.steps):
        inner = ChainMap({}, values)
        inner.update((id(row), values[id(outer)][t]) for outer, row in scan.sequences)
        inner.update((id(s.value), a) for s, a in zip(scan.states, carried, strict=True))
        run_ops(scan.ops, inner, batch)
        carried = [inner[id(s.next)] for s in scan.states]
        rows[t] = {id(row): inner[id(row)] for row, _ in scan.stacked}
    for row, outer in scan.stacked:
        values[id(outer)] = np.stack([r[id(row)] for r in rows])
    values.update((id(s.final), a) for s, a in zip(scan.states, carried, strict=True))


def run_ops(ops: list[Op], values: MutableMapping[int, np.ndarray], batch: int) -> None:
    """Evaluates operations in order; `values` holds arrays by the `id` of a value."""
    with np.errstate(all="ignore"):
        for op in ops:
            results = evaluate(op, [values[id(v)] for v in op.operands], batch)
            for value, array in zip(op.results, results, strict=True):
                values[id(value)] = array


def agree(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal but for the rounding of constants that were folded in another order."""
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True))


def evaluate(op: Op, a: list[np.ndarray], batch: int) -> list[np.ndarray]:
    """The results of one operation on float32 (or mask) arrays."""
    kind = op.kind
    width = op.result.width
    if kind == "const":
        return [np.full((batch, width), op.attrs["value"], F32)]
    if kind == "broadcast":
        return [np.broadcast_to(np.repeat(op.params["value"].value, op.attrs.get("inner", 1)), (batch, width))]
    if kind == "linear":
        rows = a[0] @ op.params["weight"].value.T
        return [rows + op.params["bias"].value if "bias" in op.params else rows]
    if kind in _BINARY:
        return [_BINARY[kind](a[0], a[1])]
    if kind in _UNARY:
        return [_UNARY[kind](a[0]).astype(F32)]
    if kind == "cmp":
        return [_COMPARE[op.attrs["pred"]](a[0], a[1])]
    if kind in _LOGIC:
        return [_LOGIC[kind](a[0], a[1])]
    if kind == "not":
        return [~a[0]]
    if kind == "tofloat":
        return [a[0].astype(F32)]
    if kind == "select":
        return [np.where(a[0], a[1], a[2])]
    if kind == "slice":
        return [_slice(a[0], **op.attrs)]
    if kind == "concat":
        return [np.concatenate(a, 1)]
    if kind == "conv":
        return [_convolve(op, a[0])]
    if kind == "batch_norm":
        return [_batch_norm(op, a[0])]
    if kind == "dropout":
        return [a[0]]
    if kind == "softmax":
        return [_softmax(a[0], op.attrs.get("log", False))]
    if kind == "count":
        reached = np.maximum(np.floor(a[0] / _coefficient(op, "threshold", op.attrs)), F32(0))
        return [np.minimum(reached, F32(op.attrs["max_spikes"])) if op.attrs["max_spikes"] else reached]
    if kind == "integrator":
        return [_integrate(op, a[0], a[1], op.attrs)]
    if kind == "neuron":
        return _neuron(op, a[0], a[1])
    raise AssertionError(f"operation {kind} has no evaluation")


def _slice(x: np.ndarray, shape: tuple, offsets: tuple, sizes: tuple, strides: tuple, fill: float) -> np.ndarray:
    """Part of rows seen as `shape`; positions outside read `fill`."""
    view = x.reshape(-1, *shape)
    inside = np.ones([1] * view.ndim, bool)
    for axis, (extent, offset, size, stride) in enumerate(zip(shape, offsets, sizes, strides, strict=True), 1):
        places = offset + stride * np.arange(size)
        valid = (places >= 0) & (places < extent)
        inside = inside & valid.reshape([-1 if i == axis else 1 for i in range(view.ndim)])
        view = np.take(view, np.clip(places, 0, extent - 1), axis)
    return np.where(inside, view, F32(fill)).reshape(len(x), -1)


def convolution_size(extents: tuple, kernel: tuple, strides: tuple, padding: tuple, dilations: tuple) -> list[int]:
    """Extents of a convolution's result; `padding` holds all low sides, then all high sides."""
    rank = len(kernel)
    return [(extents[i] + padding[i] + padding[rank + i] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
            for i in range(rank)]


def _convolve(op: Op, x: np.ndarray) -> np.ndarray:
    """Rows `[batch, C*H*W]` convolved to `[batch, out*Ho*Wo]`: one slice for each kernel position, then a product."""
    weight, groups = op.params["weight"].value, op.attrs["groups"]
    channels, *extents = op.attrs["input"]
    kernel, strides, dilations = weight.shape[2:], op.attrs["strides"], op.attrs["dilations"]
    padding = op.attrs["padding"]
    sizes = convolution_size(tuple(extents), kernel, strides, padding, dilations)
    taps = []
    for place in np.ndindex(*kernel):
        offsets = [d * k - p for d, k, p in zip(dilations, place, padding[:len(place)], strict=True)]
        tap = _slice(x, (channels, *extents), (0, *offsets), (channels, *sizes), (1, *strides), 0.0)
        taps.append(tap.reshape(len(x), groups, channels // groups, -1))
    columns = np.stack(taps, 3).reshape(len(x), groups, weight[0].size, -1)
    result = weight.reshape(groups, len(weight) // groups, -1) @ columns
    result = result.reshape(len(x), len(weight), -1)
    if "bias" in op.params:
        result = result + op.params["bias"].value[:, None]
    return result.reshape(len(x), -1)


def _batch_norm(op: Op, x: np.ndarray) -> np.ndarray:
    """With the statistics of the batch: what the file computes, which was exported in training mode."""
    scale, shift = (op.params[role].value[:, None] for role in ("scale", "shift"))
    rows = x.reshape(len(x), len(scale), -1)
    distance = rows - rows.mean((0, 2), keepdims=True)
    variance = (distance * distance).mean((0, 2), keepdims=True)
    return (distance * (scale / np.sqrt(variance + F32(op.attrs["epsilon"]))) + shift).reshape(len(x), -1)


def _softmax(x: np.ndarray, log: bool) -> np.ndarray:
    shifted = x - x.max(1, keepdims=True)
    total = np.exp(shifted).sum(1, keepdims=True)
    return shifted - np.log(total) if log else np.exp(shifted) / total


def _coefficient(op: Op, role: str, attrs: dict):
    return op.params[role].value if role in op.params else F32(attrs.get(role, NEURON_DEFAULTS[role]))


def _leak_term(op: Op, attrs: dict):
    leak = F32(attrs.get("leak", 0.0))
    return (F32(1) - _coefficient(op, "decay", attrs)) * leak if leak != 0 else None


def _integrate(op: Op, x: np.ndarray, v: np.ndarray, attrs: dict, kept: np.ndarray | None = None) -> np.ndarray:
    """`(decay*v + gain*x) + (1-decay)*leak`; `kept` replaces v where a delayed reset changed it."""
    decay, gain = _coefficient(op, "decay", attrs), F32(attrs.get("gain", 1.0))
    v = v if kept is None else kept
    update = (v if "decay" not in op.params and decay == 1 else decay * v) + (x if gain == 1 else gain * x)
    leak = _leak_term(op, attrs)
    return update if leak is None else update + leak


def _neuron(op: Op, x: np.ndarray, v: np.ndarray) -> list[np.ndarray]:
    attrs = {**NEURON_DEFAULTS, **op.attrs}
    threshold, reset = _coefficient(op, "threshold", attrs), F32(attrs["v_reset"])

    def fires(value: np.ndarray) -> np.ndarray:
        return value > threshold if attrs["cmp"] == "gt" else value >= threshold

    kind = attrs["reset_kind"]
    graded = F32(attrs["graded"])
    if attrs["order"] == "integrate_fire" and attrs["reset_time"] == "same_step":
        m = _integrate(op, x, v, attrs)
        s = fires(m)
        after = {"none": lambda: m, "subtract": lambda: m - s.astype(F32) * threshold,
                 "value": lambda: np.where(s, reset, m)}[kind]()
        return [s.astype(F32) * graded, after]
    r = fires(v)
    if kind == "value" and attrs["reset_scope"] == "decayed_state":
        after = _integrate(op, x, v, attrs, np.where(r, reset, v))
    elif kind == "value":
        decay, gain, leak = _coefficient(op, "decay", attrs), F32(attrs["gain"]), _leak_term(op, attrs)
        update = (v if "decay" not in op.params and decay == 1 else decay * v) + (x if gain == 1 else gain * x)
        after = np.where(r, reset, update)
        after = after if leak is None else after + leak
    else:
        after = _integrate(op, x, v, attrs)
        if kind == "subtract":
            after = after - r.astype(F32) * threshold
    if attrs["order"] == "fire_integrate":
        return [r.astype(F32) * graded, after]
    s = fires(after)
    return [s.astype(F32) * graded, after]
