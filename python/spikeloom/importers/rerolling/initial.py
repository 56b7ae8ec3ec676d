# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the states of a found loop start from.

The exporters fold the states of the first step away when they are constants, so a file often does not say what they
were. The unrolled trace still tells: the value that the loop computes in each step must be the trace's. Candidates
are tried until as many values agree as possible.
"""

from __future__ import annotations

from collections import ChainMap

import numpy as np

from ..evaluate import agree, run_ops
from ..ir import Op, Parameter, ScanState, Value
from .body import Body
from .families import Analysis, Family

_STEPS = 6  # of the loop that are looked at: more than any delay line of the files that are known
_LARGEST = float(np.finfo(np.float32).max)
_NEUTRAL = {"mul": 1.0, "max": -_LARGEST, "min": _LARGEST}


class InitialValues:
    """Chooses initial values for the states of a body.

    `outside` are values of the trace that no step takes part in, `arrays` the trace's values for random inputs by id.
    """

    def __init__(self, body: Body, analysis: Analysis, outside: list[Value], arrays: dict[int, np.ndarray]) -> None:
        self.body = body
        self.outside = outside
        self.arrays = arrays
        self.batch = next(iter(arrays.values())).shape[0]
        self.known = analysis.known
        self.level_of = analysis.level_of
        self.steps = min(_STEPS, body.schedule.steps)

    def choose(self) -> None:
        """Sets `init` of every state."""
        choices = {key: self._candidates(*key) for key in self.body.states}
        for key, state in self.body.states.items():
            state.init = choices[key][0]
        best = self._agreement()
        improved = True
        while improved and best[0] < best[1]:
            improved = False
            for key, state in self.body.states.items():
                current = state.init
                for candidate in choices[key]:
                    if candidate is current:
                        continue
                    state.init = candidate
                    found = self._agreement()
                    if found[0] > best[0]:
                        best, current, improved = found, candidate, True
                state.init = current
                if best[0] < best[1] and (solved := self._solve(state)) is not None:
                    state.init = solved
                    found = self._agreement()
                    if found[0] > best[0]:
                        best, current, improved = found, solved, True
                    state.init = current

    def _solve(self, state: ScanState) -> Value | None:
        """The row from which a state must start if what disagrees is linear in it.

        An exporter may have folded the first step so far that no constant of the file is the initial value.
        """
        before = state.init
        wrong = [key for key, (found, expected) in self._first_values().items() if not agree(found, expected)]
        outcomes = []
        for number in (0.0, 1.0):
            state.init = number
            outcomes.append(self._first_values())
        state.init = before
        for key in wrong:
            (low, expected), (high, _) = outcomes[0][key], outcomes[1][key]
            if expected.dtype != np.float32 or expected.shape[1] != state.value.width:
                continue
            with np.errstate(all="ignore"):
                slope = high - low
                rows = (expected - low) / slope
            if np.any(slope == 0) or not np.all(np.isfinite(rows)):
                continue
            if agree(rows, np.broadcast_to(rows[:1], rows.shape)):
                op = Op("broadcast", [], {"value": Parameter("initial", rows[0].astype(np.float32))})
                op.results = [Value(state.value.width, "f32", op)]
                self.arrays[id(op.result)] = np.broadcast_to(rows[0], rows.shape).astype(np.float32)
                return op.result
        return None

    def _candidates(self, family: Family, age: int) -> list[Value | float]:
        """What the trace has in that place, zero, values from outside of this width, constants of the loop."""
        found: list[Value | float] = []
        before = self.known.get((family, -self.body.schedule.shift[family] - age))
        if before is not None and self.level_of(before) < 0:
            found.append(_number(before))
        if family.op is not None and any(e.family is family for e in family.edges):
            found += [_NEUTRAL[family.op.kind]] if family.op.kind in _NEUTRAL else []
        found.append(0.0)
        found += [_number(v) for v in self.outside if v.width == family.width and v.dtype == "f32"]
        found += [_number(v) for v in self.body.constants if v.width == family.width]
        found.append(1.0)
        unique: dict[object, Value | float] = {}
        for candidate in found:
            unique.setdefault(id(candidate) if isinstance(candidate, Value) else float(candidate), candidate)
        return list(unique.values())

    def _agreement(self) -> tuple[list[int], list[int]]:
        """How many known values agree in each of the first steps, the first of which counts most, and of how many."""
        good, total = [0] * self.steps, [0] * self.steps
        for (_, step), (found, expected) in self._first_values().items():
            total[step] += 1
            good[step] += agree(found, expected)
        return good, total

    def _first_values(self) -> dict[tuple[Family, int], tuple[np.ndarray, np.ndarray]]:
        """What the loop computes in its first steps and what the trace has there, by family and step."""
        schedule, scan = self.body.schedule, self.body.scan
        carried = {id(s.value): self._initial(s) for s in scan.states}
        pairs = {}
        for step in range(self.steps):
            values = ChainMap({}, carried, self.arrays)
            for family in schedule.families:
                if family.is_tap:
                    values[id(self.body.values[family, 0])] = self.arrays[id(family.members[step])]
            run_ops(scan.ops, values, self.batch)
            for family in schedule.families:
                expected = self.known.get((family, step - schedule.shift[family]))
                if expected is not None and not family.is_tap:
                    pairs[family, step] = (values[id(self.body.values[family, 0])], self.arrays[id(expected)])
            carried = {id(s.value): values[id(s.next)] for s in scan.states}
        return pairs

    def _initial(self, state: ScanState) -> np.ndarray:
        if isinstance(state.init, Value):
            return self.arrays[id(state.init)]
        return np.full((self.batch, state.value.width), state.init, np.float32)


def _number(value: Value) -> Value | float:
    return value.op.attrs["value"] if value.op is not None and value.op.kind == "const" else value
