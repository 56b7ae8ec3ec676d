# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Unrolls a step function, so that it can be compared with a file in which a framework did that."""

from __future__ import annotations

from ..builder import Builder
from ..ir import Trace, TraceInput, TraceOutput, Value


def unroll(trace: Trace, steps: int, names: tuple[str, ...]) -> Trace:
    """The step function of a trace over `steps` steps from zero states; the outputs `names` for every step."""
    build = Builder()
    sequences = [i for i in trace.inputs if i.name not in trace.pairs]
    inputs = [TraceInput(i.name, [Value(i.rows[0].width, "f32", None, f"{i.name}[{t}]") for t in range(steps)], "TBN",
                         (steps, trace.batch, i.rows[0].width)) for i in sequences]
    by_name = {o.name: o.rows[0] for o in trace.outputs}
    states = {i.name: build.const(0.0, i.rows[0].width) for i in trace.inputs if i.name in trace.pairs}
    rows: dict[str, list[Value]] = {name: [] for name in names}
    for t in range(steps):
        place = {id(old.rows[0]): new.rows[t] for old, new in zip(sequences, inputs, strict=True)}
        place.update((id(i.rows[0]), states[i.name]) for i in trace.inputs if i.name in states)
        for op in trace.ops:
            build.source = op.source
            place[id(op.result)] = build.make(op.kind, [place[id(v)] for v in op.operands], op.result.width,
                                              op.result.dtype, op.params, **op.attrs)
        states = {name: place[id(by_name[trace.pairs[name]])] for name in states}
        for name in names:
            rows[name].append(place[id(by_name[name])])
    outputs = [TraceOutput(n, r, "TBN", (steps, trace.batch, r[0].width)) for n, r in rows.items()]
    return Trace(trace.name, trace.batch, inputs, outputs, build.ops)
