# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turns a trace into a program: the loops over time that were unrolled, and what stays outside of them.

In each round one loop is found: forward in time where something depends on earlier steps, else backward (the second
direction of a bidirectional network). What a loop gives for every step is a sequence for the next round. What is left
when no loop is found any more runs before, between or after the loops.
"""

from __future__ import annotations

import numpy as np

from ..builder import constant_of
from ..evaluate import agree, run_ops, run_program
from ..ir import Op, Port, Program, Scan, Trace, TraceOutput, Value
from ..problems import ProblemList
from ..programs import free_values, ordered
from .body import Body
from .families import Analysis, Family
from .initial import InitialValues
from .repeats import Repeats, find_repeats
from .schedule import Needs, Schedule

UNROLLED_LIMIT = 16
_CHECK_BATCH = 3


class Irregular(Exception):
    """The steps of a trace have no common form; the message says which ones differ and how."""


def reroll(trace: Trace, problems: ProblemList) -> Program | None:
    """The program of whole sequences. Reports an error and gives None if the steps are too different."""
    lengths = {len(i.rows) for i in trace.inputs if "T" in i.axes}
    if len(lengths) > 1:
        problems.error(f"the input sequences have different lengths ({', '.join(map(str, sorted(lengths)))} steps)")
        return None
    steps = lengths.pop() if lengths else 0
    try:
        if not steps:
            raise Irregular("an output has an axis of time but no input has one")
        return _Rerolling(trace, steps, None).run()
    except Irregular as reason:
        if steps > UNROLLED_LIMIT:
            problems.error(f"no loop over the {steps} time steps is found: {reason}; up to {UNROLLED_LIMIT} steps "
                           "would be kept unrolled. Export a step function (x, state...) -> (y, state...) instead")
            return None
        problems.note(f"no loop over the {steps} time steps is found, they stay unrolled: {reason}")
        return unrolled(trace)


def reroll_repeats(trace: Trace) -> Program | None:
    """The program of a file that shows its input in every one of some steps; None if it has no such steps."""
    for repeats in find_repeats(trace):
        try:
            return _Rerolling(repeats.trace, repeats.steps, repeats).run()
        except Irregular:
            continue
    return None


def unrolled(trace: Trace) -> Program:
    """The trace as it is: every axis of time becomes features, steps are parts of long rows."""
    ops: list[Op] = []
    inputs, outputs = [], []
    for port in trace.inputs:
        if "T" not in port.axes:
            inputs.append(Port(port.name, port.rows[0], port.axes, port.shape))
            continue
        width = port.rows[0].width
        whole = Value(width * len(port.rows), "f32", None, port.name)
        for t, row in enumerate(port.rows):
            attrs = {"shape": [len(port.rows), width], "offsets": [t, 0], "sizes": [1, width], "strides": [1, 1],
                     "fill": 0.0}
            row.op = Op("slice", [whole], {}, attrs, [row])
            ops.append(row.op)
        inputs.append(Port(port.name, whole, port.axes.replace("T", "S"), port.shape))
    ops += trace.ops
    for port in trace.outputs:
        value, axes = port.rows[0], port.axes
        if "T" in axes:
            joined = Op("concat", list(port.rows))
            value = Value(sum(r.width for r in port.rows), "f32", joined, port.name)
            joined.results = [value]
            ops.append(joined)
            axes = axes.replace("T", "S")
        outputs.append(Port(port.name, value, axes, port.shape))
    return Program(trace.name, trace.batch, 0, inputs, [], outputs, list(ops))


class _Rerolling:
    """The program of one trace, built scan by scan."""

    def __init__(self, trace: Trace, steps: int, repeats: Repeats | None) -> None:
        self.trace = trace
        self.repeats = repeats
        self.steps = steps
        self.outer: dict[int, Value] = {}  # what stands in the program for a value of the trace
        self.scans: list[Scan] = []
        self.sequences: list[list[Value]] = []  # rows of the trace that a scan may read, one for each step
        self.stacks: list[Value] = []  # `[T, B, N]`: what holds each of them in the program
        self.inputs: list[Port] = []
        self.open = {o.name: o for o in trace.outputs}  # outputs that no scan gives yet
        self.rows: dict[str, Value] = {}  # the stacked values of the others
        self.arrays = _sample(trace)

    def run(self) -> Program:
        """Finds scans until nothing reads a single step any more; raises `Irregular` if one is missing."""
        for port in self.trace.inputs:
            value = port.rows[0]
            if "T" in port.axes:
                value = Value(value.width, "f32", None, port.name, self.steps)
                self.sequences.append(port.rows)
                self.stacks.append(value)
            self.inputs.append(Port(port.name, value, port.axes, port.shape))
        for rows in self.repeats.rows if self.repeats else ():
            self.sequences.append(rows)
            self.stacks.append(Value(rows[0].width, "f32", None, "", self.steps))
        ops = self.trace.ops
        rounds = 0
        while any("T" in o.axes for o in self.open.values()) or rounds == 0 or self._reads_steps(ops):
            rest = self._round(ops, False)
            if rest is None:
                rest = self._round(ops, True)
            if rest is None:
                raise Irregular(self._why(ops))
            ops, rounds = rest, rounds + 1
        if self.repeats:
            self._still()
        return self._program()

    def _reads_steps(self, ops: list[Op]) -> bool:
        """Whether outputs or operations still read the row of a step."""
        taps = {id(row) for rows in self.sequences for row in rows}
        roots = [v for o in self.open.values() for v in o.rows]
        return any(id(v) in taps and id(v) not in self.outer
                   for v in (*roots, *(v for op in ops for v in op.operands)))

    def _round(self, ops: list[Op], reverse: bool) -> list[Op] | None:
        """Finds one scan; what remains to be computed after it, or None if there is no scan in this direction."""
        order = slice(None, None, -1) if reverse else slice(None)
        analysis = Analysis(ops, [rows[order] for rows in self.sequences])
        wanted = _Wanted(analysis, self.open, self.steps, reverse, set(self.outer))
        if not wanted.needs.rows and not wanted.needs.finals:
            return None
        for family in wanted.needs.rows | wanted.needs.finals:
            _check_closed(family, analysis)
        schedule = Schedule(wanted.needs, self.steps)
        body = Body(schedule, self.stacks, reverse)
        InitialValues(body, analysis, self._invariants(ops, analysis), self.arrays).choose()
        self._take(body, wanted, analysis)
        return wanted.rest

    def _invariants(self, ops: list[Op], analysis: Analysis) -> list[Value]:
        """Values that depend on no step: inputs without time and what is computed from them, nearest use first."""
        found: dict[int, Value] = {}
        for op in ops:
            if any(analysis.level_of(v) == 0 for v in op.results):
                for value in op.operands:
                    if analysis.level_of(value) < 0:
                        found.setdefault(id(value), value)
        for port in self.trace.inputs:
            if "T" not in port.axes:
                found.setdefault(id(port.rows[0]), port.rows[0])
        return list(found.values())

    def _take(self, body: Body, wanted: _Wanted, analysis: Analysis) -> None:
        """Enters the scan and what it gives into the program."""
        for family, stacked in body.rows.items():
            if family in wanted.taps:
                rows = [analysis.value(family, t) for t in range(self.steps)]
                self.sequences.append(rows[::-1] if body.scan.reverse else rows)
                self.stacks.append(stacked)
        for name, family in wanted.row_outputs.items():
            self.rows[name] = body.rows[family]
            del self.open[name]
        for (family, level), final in body.finals.items():
            self.outer[id(analysis.value(family, level))] = final
        self.scans.append(body.scan)

    def _why(self, ops: list[Op]) -> str:
        """What is wrong with operations of which no scan is found, for the message."""
        analysis = Analysis(ops, self.sequences)
        counts = [sum(analysis.level_of(op.result) == t for op in ops) for t in range(self.steps)]
        return f"the steps have {', '.join(map(str, counts))} operations of their own and no common form"

    def _still(self) -> None:
        """Lets the loops read values that are the same in each step from outside, instead of as sequences."""
        values = dict(zip(map(id, self.stacks[-len(self.repeats.rows):]), self.repeats.values, strict=True))
        for scan in self.scans:
            still = {id(inner): values[id(outer)] for outer, inner in scan.sequences if id(outer) in values}
            scan.sequences = [(outer, inner) for outer, inner in scan.sequences if id(outer) not in values]
            for op in scan.ops:
                op.operands = [still.get(id(v), v) for v in op.operands]
            for state in scan.states:
                state.next = still.get(id(state.next), state.next)
            scan.stacked = [(still.get(id(v), v), outer) for v, outer in scan.stacked]

    def _program(self) -> Program:
        """The scans, and around them copies of what else the outputs need."""
        wanted = [self.rows.get(o.name, o.rows[0]) for o in self.trace.outputs]
        inits = [s.init for scan in self.scans for s in scan.states if isinstance(s.init, Value)]
        place = self._outside([*wanted, *inits, *(v for scan in self.scans for v in free_values(scan))])
        for scan in self.scans:
            for op in scan.ops:
                op.operands = [place.get(id(v), v) for v in op.operands]
            for state in scan.states:
                state.init = place.get(id(state.init), state.init)
        outputs = [Port(o.name, place.get(id(v), v), o.axes, o.shape)
                   for o, v in zip(self.trace.outputs, wanted, strict=True)]
        program = Program(self.trace.name, self.trace.batch, self.steps, self.inputs, [], outputs, [])
        program.items = ordered([p.value for p in outputs], self.scans)
        self._check(program)
        return program

    def _outside(self, roots: list[Value]) -> dict[int, Value]:
        """What stands for values of the trace outside of the loops; copies, since the trace may be needed again."""
        needed: set[int] = set()
        steps = {id(row): t for port in self.trace.inputs if "T" in port.axes for t, row in enumerate(port.rows)}
        stack = list(roots)
        while stack:
            value = stack.pop()
            if id(value) in steps and id(value) not in self.outer:
                raise Irregular(f"step {steps[id(value)]} of an input is read outside of the loop")
            if id(value) not in self.outer and value.op is not None and id(value.op) not in needed:
                needed.add(id(value.op))
                stack += value.op.operands
        place = dict(self.outer)
        for op in self.trace.ops:
            if id(op) in needed:
                new = _folded(op) or Op(op.kind, [place.get(id(v), v) for v in op.operands], dict(op.params),
                                        dict(op.attrs), [], op.source)
                new.results = [Value(v.width, v.dtype, new, v.name) for v in op.results]
                place.update((id(old), v) for old, v in zip(op.results, new.results, strict=True))
        return place

    def _check(self, program: Program) -> None:
        """The loops must compute what the trace computes."""
        inputs = {}
        for port in self.trace.inputs:
            rows = [self.arrays[id(r)] for r in port.rows]
            inputs[port.name] = np.stack(rows) if "T" in port.axes else rows[0]
        found, _ = run_program(program, inputs, {})
        for port in self.trace.outputs:
            for t, row in enumerate(port.rows):
                value = found[port.name][t] if "T" in port.axes else found[port.name]
                if not agree(value, self.arrays[id(row)]):
                    raise Irregular(f"step {t} of output '{port.name}' is not what the other steps would compute")


class _Wanted:
    """What a round takes out of the trace: rows and last values of families, and what remains to be done."""

    def __init__(self, analysis: Analysis, outputs: dict[str, TraceOutput], steps: int, reverse: bool,
                 given: set[int]) -> None:
        self.analysis = analysis
        self.steps = steps
        self.reverse = reverse
        self.given = given
        self.needs = Needs()
        self.taps: set[Family] = set()
        self.row_outputs: dict[str, Family] = {}
        self.recurrent = _recurrent(analysis.families)
        for output in outputs.values():
            if "T" in output.axes:
                self._output(output)
        left = [o for n, o in outputs.items() if n not in self.row_outputs]
        self.rest: list[Op] = []
        self._walk([v for o in left for v in o.rows])

    def _output(self, output: TraceOutput) -> None:
        """An output for every step: one family, each row as many levels after its own as the others."""
        rows = output.rows[::-1] if self.reverse else output.rows
        found = [(self.analysis.family.get(id(v)), t) for t, v in enumerate(rows)]
        family = next((f for f, _ in reversed(found) if f is not None), None)
        if family is None:
            return
        lags = {t - level for t, v in enumerate(rows) for level, m in family.members.items() if m is v}
        # A constant row (a state that has not seen any input) may be a member of no family.
        if len(lags) != 1 or (lag := lags.pop()) < 0 or (family in self.needs.rows and self.needs.rows[family] != lag):
            return
        if any(family.members.get(t - lag, v) is not v for t, v in enumerate(rows)):
            return
        if sum(f is family for f, _ in found) < min(2, self.steps - 2):
            return
        self.needs.rows[family] = lag
        self.row_outputs[output.name] = family
        for t, value in enumerate(rows):
            self.analysis.learn(family, t - lag, value)

    def _walk(self, roots: list[Value]) -> None:
        """Collects what is not in the loop, and what it reads of the loop."""
        read: dict[Family, dict[int, Value]] = {}
        seen: set[int] = set()
        inside: set[int] = set()
        stack = list(roots)
        while stack:
            value = stack.pop()
            if id(value) in seen or id(value) in self.given:
                continue
            seen.add(id(value))
            family, level = self.analysis.place.get(id(value), (None, 0))
            if family is not None and (family.is_tap or family in self.recurrent):
                read.setdefault(family, {})[level] = value
            elif value.op is not None:
                inside.add(id(value.op))
                stack += value.op.operands
        self.rest = [op for op in self.analysis.ops if id(op) in inside]
        for family, levels in read.items():
            last = max(levels)
            known = all((family, t) in self.analysis.known for t in range(self.steps))
            if last == max(family.members) and (len(levels) == 1 or (known and not family.is_tap)):
                self.needs.finals.setdefault(family, set()).add(last)
            if len(levels) > 1 and known and not family.is_tap:
                self.taps.add(family)
                self.needs.rows.setdefault(family, 0)


def _recurrent(families: list[Family]) -> set[Family]:
    """Families that depend on earlier steps."""
    found = {f for f in families if any(e.delay for e in f.edges)}
    grown = True
    while grown:
        more = {f for f in families if f not in found and any(e.family in found for e in f.edges)}
        grown = bool(more)
        found |= more
    return found


def _check_closed(root: Family, analysis: Analysis) -> None:
    """Every operand must be a family: what one step reads of the one before, all steps must read."""
    seen: set[Family] = set()
    stack = [root]
    while stack:
        family = stack.pop()
        if family in seen:
            continue
        seen.add(family)
        for edge in family.edges:
            if edge.family is not None:
                stack.append(edge.family)
            elif (level := analysis.level_of(edge.outside)) >= 0:
                op = edge.outside.op
                raise Irregular(f"step {level} computes '{op.kind}' ({op.source.describe() or edge.outside.name}), "
                                "which has no counterpart in the other steps")


def _folded(op: Op) -> Op | None:
    """A product with a state that is zero, which a first step leaves: its bias, or zero."""
    if op.kind != "linear" or constant_of(op.operands[0]) != 0.0:
        return None
    if "bias" in op.params:
        return Op("broadcast", [], {"value": op.params["bias"]}, {}, [], op.source)
    return Op("const", [], {}, {"value": 0.0}, [], op.source)


def _sample(trace: Trace) -> dict[int, np.ndarray]:
    """The value of everything in the trace for random inputs."""
    generator = np.random.default_rng(0)
    arrays: dict[int, np.ndarray] = {}
    for port in trace.inputs:
        for row in port.rows:
            arrays[id(row)] = generator.normal(0.3, 0.8, (_CHECK_BATCH, row.width)).astype(np.float32)
    run_ops(trace.ops, arrays, _CHECK_BATCH)
    return arrays
