# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds the scan of a schedule: its operations, states, sequences and what leaves it."""

from __future__ import annotations

from ..ir import Op, Scan, ScanState, Value
from .families import Family
from .schedule import MATRIX, Schedule

_ROWS_OF_CONSTANTS = ("const", "broadcast")


class Body:
    """A scan over `outer` stacked values, one for each sequence; states start from 0 until someone sets `init`.

    `states[family, age]` holds the member computed `age` steps ago, `rows[family]` the stacked rows of a family,
    `finals[family, level]` the member of that level after the last step.
    """

    def __init__(self, schedule: Schedule, outer: list[Value], reverse: bool) -> None:
        self.schedule = schedule
        self.values: dict[tuple[Family, int], Value] = {}
        self.states: dict[tuple[Family, int], ScanState] = {}
        self.rows: dict[Family, Value] = {}
        self.finals: dict[tuple[Family, int], Value] = {}
        self.scan = Scan(schedule.steps, reverse, [], [], [], [])
        self.constants: list[Value] = []  # of the trace, which the body repeats
        self._constants: dict[int, Value] = {}
        for family in schedule.families:
            if family.is_tap:
                inner = Value(family.width, family.dtype, None, outer[family.sequence].name)
                self.values[family, 0] = inner
                self.scan.sequences.append((outer[family.sequence], inner))
        for family, count in schedule.kept.items():
            for age in range(1, count + 1):
                state = ScanState(Value(family.width), Value(family.width), 0.0, Value(family.width))
                self.values[family, age] = self._mask(state.value) if family.dtype == "i1" else state.value
                self.states[family, age] = state
                self.scan.states.append(state)
        for family in schedule.order():
            self.value(family, 0)
        for (family, age), state in self.states.items():
            state.next = self._float(self.value(family, age - 1))
        for family in schedule.needs.rows:
            inner = self._float(self.value(family, schedule.lag(family)))
            stacked = Value(family.width, "f32", None, "", schedule.steps)
            self.scan.stacked.append((inner, stacked))
            self.rows[family] = stacked
        for family, levels in schedule.needs.finals.items():
            for level in levels:
                self.finals[family, level] = self.states[family, schedule.age(family, level) + 1].final

    def value(self, family: Family, age: int, user: Family | None = None) -> Value:
        """The value of a family that was computed `age` steps ago, inside the scan, as `user` reads it."""
        key = (family, age)
        if age and family in self.schedule.again and user is not None and user.op.kind not in MATRIX:
            key = (family, -age)  # beside the state
        if key not in self.values:
            operands = [self._constant(e.outside) if e.family is None
                        else self.value(e.family, age + self.schedule.delay(family, e), family) for e in family.edges]
            self.values[key] = self._append(family.op, operands, family.op.result)
        return self.values[key]

    def _constant(self, value: Value) -> Value:
        """Constants are repeated inside, where neurons are recognised; other values from outside are captured."""
        if value.op is None or value.op.kind not in _ROWS_OF_CONSTANTS:
            return value
        if id(value) not in self._constants:
            self.constants.append(value)
            self._constants[id(value)] = self._append(value.op, [], value)
        return self._constants[id(value)]

    def _append(self, like: Op, operands: list[Value], result: Value) -> Value:
        op = Op(like.kind, operands, dict(like.params), dict(like.attrs), [], like.source)
        op.results = [Value(result.width, result.dtype, op, result.name)]
        self.scan.ops.append(op)
        return op.result

    def _mask(self, value: Value) -> Value:
        zero = self._append(Op("const", [], {}, {"value": 0.0}), [], value)
        return self._append(Op("cmp", [], {}, {"pred": "une"}), [value, zero], Value(value.width, "i1"))

    def _float(self, value: Value) -> Value:
        """States and rows are numbers; a mask becomes 0 and 1."""
        if value.dtype != "i1":
            return value
        return self._append(Op("tofloat", []), [value], Value(value.width))
