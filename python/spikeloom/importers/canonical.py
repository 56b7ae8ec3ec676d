# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A form of a network that does not depend on how its file was written: unrolled, as a loop, or as one step.

Two programs with equal forms have the same operations on the same weights with the same states. The form leaves out
what files of one network differ in on purpose: what a state starts from, and what is made of the network's signals
outside of it (counts, means, the last value).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from itertools import combinations

import numpy as np

from .ir import Op, Parameter, Program, Scan, ScanState, Trace, Value
from .problems import ProblemList
from .programs import scans, scope_of
from .raise_neurons import raise_neurons
from .rerolling import reroll
from .rerolling.families import freeze, is_commutative
from .rerolling.unroll import unroll

_NEURONS = ("neuron", "integrator")
_STEPS = 5
_ROUNDS = 12  # after n rounds, n states that differ have n colors


def forms_of_step(trace: Trace) -> Iterator[Counter[str]]:
    """Forms of a step function, for the outputs that a sequence file of its network may have.

    Where a step ends can be seen in a step function only. So it is unrolled, and its loop found as in any other file.
    """
    names = list(dict.fromkeys(o.name for o in trace.outputs))
    choices = [tuple(names), *((n,) for n in names), *combinations(names, 2)]
    for choice in dict.fromkeys(choices):
        program = reroll(unroll(trace, _STEPS, choice), ProblemList())
        if program is not None:
            for scan in scans(program):
                scope = scope_of(program, scan)
                raise_neurons(scope.step, ProblemList())
                scope.apply(scope.step)
            yield canonical(program)


def canonical(program: Program) -> Counter[str]:
    """How often each distinct computation occurs in the loops of a program."""
    form: Counter[str] = Counter()
    for scan in scans(program):
        form.update(_Colors(scan).core())
    return form


class _Colors:
    """Colors of a loop's values: equal for values that are computed alike, through any number of steps."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.states = {id(s.value): s for s in scan.states}
        self.made = {id(r): op for op in scan.ops for r in op.results}
        self.fixed = {id(row): f"sequence {i}" for i, (_, row) in enumerate(scan.sequences)}
        self.state_colors = {key: f"state {s.value.width}" for key, s in self.states.items()}
        for _ in range(_ROUNDS):
            colors = self._round()
            self.state_colors = {key: colors(s.next) for key, s in self.states.items()}
        self.color = self._round()

    def _round(self):
        known: dict[int, str] = dict(self.fixed) | self.state_colors

        def color(value: Value) -> str:
            if id(value) not in known and id(value) not in self.made:
                known[id(value)] = f"outside {value.width}"
            return known[id(value)]

        for op in self.scan.ops:
            operands = [color(v) for v in op.operands]
            if is_commutative(op):
                operands.sort()
            params = tuple((role, _digest(p)) for role, p in sorted(op.params.items()))
            attrs = freeze({k: _rounded(v) for k, v in op.attrs.items()})
            for i, value in enumerate(op.results):
                text = repr((op.kind, i, value.width, params, attrs, operands))
                known[id(value)] = blake2b(text.encode(), digest_size=12).hexdigest()
        return color

    def core(self) -> list[str]:
        """Colors of all operations that neurons (or, without any, states) are computed from."""
        roots = [v for op in self.scan.ops if op.kind in _NEURONS and not _is_sum(op) for v in op.results]
        if not roots:
            roots = [s.next for s in self.scan.states if not self._accumulates(s)]
        found: dict[int, Op] = {}
        seen: set[int] = set()
        stack = roots
        while stack:
            value = stack.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if id(value) in self.states:
                stack.append(self.states[id(value)].next)
            elif id(value) in self.made:
                op = self.made[id(value)]
                found[id(op)] = op
                stack += op.operands
        return [self.color(op.result) for op in found.values() if op.kind != "const"]

    def _accumulates(self, state: ScanState) -> bool:
        """Whether a state only adds up or compares something that it has no influence on."""
        readers = [op for op in self.scan.ops if state.value in op.operands]
        return all(op.result is state.next and (op.kind in ("add", "max", "min") or _is_sum(op)) for op in readers)


def _is_sum(op: Op) -> bool:
    return op.kind == "integrator" and "decay" not in op.params and op.attrs.get("decay", 1.0) == 1.0


def _digest(parameter: Parameter) -> str:
    value = parameter.value
    return f"{value.shape}{blake2b(np.ascontiguousarray(value).tobytes(), digest_size=12).hexdigest()}"


def _rounded(value):
    """Numbers that were folded in another order differ in their last digits."""
    return float(f"{value:.5g}") if isinstance(value, float) else value
