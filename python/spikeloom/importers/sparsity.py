# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Masked weights, found by counting zeros: matrices whose connections are fixed, so that training keeps the zeros."""

from __future__ import annotations

import numpy as np

from .ir import Parameter, Program
from .problems import ProblemList
from .programs import operations, parameters

# Weights of which at most this part is not zero are kept as connections, unless the user gives another limit. More
# of them take more memory and time as connections than as a dense matrix.
SPARSE_BELOW = 0.25
# What the compiler's connections can name (see #snn.connections).
_MOST_INPUTS = 65535
# Up to this part, zeros are told of: nobody trains that many by chance.
_TOLD_BELOW = 0.5


def mark_sparse(program: Program, limit: float | None, problems: ProblemList) -> None:
    """Makes matrices of synapses with at most `limit` non-zeros sparse (0: none), and tells of all with many zeros.

    A matrix of zeros alone is dense: it is a value to start from, not a mask.
    """
    limit = SPARSE_BELOW if limit is None else limit
    if not 0 <= limit <= 1:
        problems.error(f"--sparse-weights={limit}: it must lie in [0, 1]")
        return
    synapses, others = set(), set()
    for op in operations(program):
        for key, parameter in op.params.items():
            (synapses if op.kind == "linear" and key == "weight" else others).add(id(parameter))
    for parameter in parameters(program):
        if parameter.value.ndim < 2 or not 0 < parameter.density <= max(limit, _TOLD_BELOW):
            continue
        parameter.sparse = parameter.density <= limit and id(parameter) in synapses - others \
            and parameter.value.shape[1] <= _MOST_INPUTS
        if not parameter.made:
            problems.note(_told(parameter))


def _told(parameter: Parameter) -> str:
    """What becomes of the zeros of a matrix."""
    zeros = f"'{parameter.name}': {1 - parameter.density:.0%} of its weights are zero"
    if not parameter.sparse:
        return f"{zeros}; they are kept as numbers{', and training changes them' if parameter.trainable else ''}"
    counts = np.count_nonzero(parameter.value, axis=1)
    padding = 1 - counts.mean() / counts.max()
    waste = f", {padding:.0%} of it padding" if padding > 0 else ""
    return f"{zeros}; it is kept as {counts.sum()} connections, at most {counts.max()} for a unit{waste}" \
        + (", and training keeps the zeros" if parameter.trainable else "")


def connections(matrix: np.ndarray) -> np.ndarray:
    """Row by row the columns that are not zero, ascending; int32 `[out, most]`, -1 behind the last."""
    counts = np.count_nonzero(matrix, axis=1)
    found = np.full((matrix.shape[0], counts.max()), -1, np.int32)
    rows, columns = np.nonzero(matrix)
    found[rows, np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)] = columns
    return found
