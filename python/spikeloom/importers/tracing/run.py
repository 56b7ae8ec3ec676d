# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a trace with numpy on arrays as the file has them."""

from __future__ import annotations

from math import prod

import numpy as np

from ..evaluate import evaluate
from ..ir import Trace, TraceOutput


def run_trace(trace: Trace, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by name for inputs by name, with the shapes of the file."""
    values: dict[int, np.ndarray] = {}
    for port in trace.inputs:
        for value, array in zip(port.rows, rows_of(np.asarray(inputs[port.name], np.float32), port.axes, trace.batch),
                                strict=True):
            values[id(value)] = array
    with np.errstate(all="ignore"):
        for op in trace.ops:
            results = evaluate(op, [values[id(v)] for v in op.operands], trace.batch)
            values.update(zip(map(id, op.results), results, strict=True))
    return {o.name: _array(o, [values[id(v)] for v in o.rows], trace.batch) for o in trace.outputs}


def rows_of(array: np.ndarray, axes: str, batch: int) -> list[np.ndarray]:
    """The rows `[batch, width]` of an array in time order; one row without time."""
    plain = axes.replace("(", "").replace(")", "")
    if "(" in axes:
        place = axes.index("(")
        count = array.shape[place] // batch
        pair = [count, batch] if axes[place + 1] == "T" else [batch, count]
        array = array.reshape([*array.shape[:place], *pair, *array.shape[place + 1:]])
    order = [i for i, a in enumerate(plain) if a == "T"] + [plain.index("B")]
    array = array.transpose(order + [i for i in range(array.ndim) if i not in order])
    return list(array.reshape(-1, batch, prod(array.shape[len(order):])))


def _array(output: TraceOutput, rows: list[np.ndarray], batch: int) -> np.ndarray:
    """The inverse of `rows_of` for the shape of an output."""
    numbers = np.arange(prod(output.shape), dtype=np.int64).reshape(output.shape)
    result = np.empty(prod(output.shape), np.float32)
    for row, places in zip(rows, rows_of(numbers, output.axes, batch), strict=True):
        result[places] = row
    return result.reshape(output.shape)
