# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""In which step of the loop each family runs, and which of its values are states.

A family can run later than its level says as long as who reads it does. What is kept from step to step should be few
values, and those of the network's own step: `beta * mem` belongs to the step that adds the input, a spike that the
next step's reset asks for again is computed from the membrane again, and the reset of this step's spike is the last
thing that happens in a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .families import Edge, Family

_ELEMENTWISE = {"add", "sub", "mul", "div", "max", "min", "neg", "abs", "floor", "ceil", "sign", "exp", "log", "sqrt",
                "tanh", "sigmoid", "cmp", "and", "or", "xor", "not", "select", "tofloat"}
_TESTS = {"cmp", "and", "or", "xor", "not", "tofloat"}
MATRIX = {"linear", "conv"}
# Run in the step of their input: a step that comes before the first one would move running statistics.
_ONCE = {"batch_norm"}


@dataclass
class Needs:
    """What has to leave the loop: rows for every step `{family: lag}`, single members `{family: {level}}`."""

    rows: dict[Family, int] = field(default_factory=dict)
    finals: dict[Family, set[int]] = field(default_factory=dict)


class Schedule:
    """The step of each family that `needs` asks for: a member of level t runs in step t + `shift`."""

    def __init__(self, needs: Needs, steps: int) -> None:
        self.needs = needs
        self.steps = steps
        self.families = _closure([*needs.rows, *needs.finals])
        self.users: dict[Family, list[tuple[Family, Edge]]] = {f: [] for f in self.families}
        for family in self.families:
            for edge in family.edges:
                if edge.family is not None:
                    self.users[edge.family].append((family, edge))
        self.shift = dict.fromkeys(self.families, 0)
        self._limit = {f: self._latest(f) for f in self.families}
        self._sink()
        self.kept = self._registers(self.shift)
        # Kept for a matrix product (recurrent spikes) or as a result, but computed from its state again for a reset.
        self.again = {f for f, count in self.kept.items() if self._again(f, count, self.shift, self.kept, f)}

    def delay(self, user: Family, edge: Edge) -> int:
        """How many steps ago the operand of `user` was computed."""
        return edge.delay + self.shift[user] - self.shift[edge.family]

    def lag(self, family: Family) -> int:
        """How many steps after its computation a family's row is written."""
        return self.needs.rows[family] - self.shift[family]

    def age(self, family: Family, level: int) -> int:
        """How many steps before the last one a member was computed."""
        return self.steps - 1 - self.shift[family] - level

    def order(self) -> list[Family]:
        """The families in an order of dependence within a step."""
        return self._order(self.shift)

    def _latest(self, family: Family) -> int:
        if family.is_tap or family.op.kind in _ONCE:
            return 0
        limits = [self.needs.rows[family]] if family in self.needs.rows else []
        limits += [self.steps - 1 - level for level in self.needs.finals.get(family, ())]
        return min(limits, default=self.steps)

    def _sink(self) -> None:
        """Moves families later, with who reads them in the same step, while that keeps fewer or better values."""
        kept = self._registers(self.shift)
        moved = True
        while moved:
            moved = False
            for family in reversed(self._order(self.shift)):
                group = self._group(family)
                if not group:
                    continue
                shift = {f: n + (f in group) for f, n in self.shift.items()}
                after = self._registers(shift)
                gain = sum(kept.values()) - sum(after.values())
                # A reset may only move along with everything between it and the states.
                if gain > 0 or (gain == 0 and (kept == after or not any(self._is_reset(f) for f in group))):
                    self.shift, kept, moved = shift, after, True

    def _group(self, family: Family) -> set[Family]:
        """A family and everyone who reads it in the same step; empty if one of them cannot run later."""
        group: set[Family] = set()
        stack = [family]
        while stack:
            top = stack.pop()
            if top in group:
                continue
            if self.shift[top] >= self._limit[top]:
                return set()
            group.add(top)
            stack += [user for user, edge in self.users[top] if self.delay(user, edge) == 0]
        return group

    def _is_reset(self, family: Family) -> bool:
        """Whether a value is put together from this step's spikes and another value of this step."""
        if family.is_tap or family.op.kind not in ("add", "sub", "mul", "select"):
            return False
        now = [e.family for e in family.edges if e.family is not None and self.delay(family, e) == 0]
        return any(self._is_test(f) for f in now) and any(not self._is_test(f) for f in now)

    def _is_test(self, family: Family) -> bool:
        """Whether a value is a comparison of this step, or arithmetic of it and constants."""
        if family.is_tap:
            return False
        if family.op.kind in _TESTS:
            return True
        inside = [e for e in family.edges if e.family is not None]
        return family.op.kind in ("mul", "sub", "neg") and len(inside) == 1 and self._is_test(inside[0].family)

    def _registers(self, shift: dict[Family, int]) -> dict[Family, int]:
        """How many steps back each family's value is kept; without those that are cheaply computed again."""
        needed: dict[Family, int] = {}
        by_matrix = self._by_matrix(shift)
        for family in self.families:
            for user, edge in self.users[family]:
                needed[family] = max(needed.get(family, 0), edge.delay + shift[user] - shift[family])
        for family, lag in self.needs.rows.items():
            needed[family] = max(needed.get(family, 0), lag - shift[family])
        for family, levels in self.needs.finals.items():
            needed[family] = max(needed.get(family, 0), *(self.steps - shift[family] - level for level in levels))
        fixed = by_matrix | set(self.needs.finals)
        for family in [f for f, count in needed.items() if count and f not in fixed]:
            root = self._tested(family, shift)  # a spike that a later reset asks for: the membrane is kept
            if root is not None:
                needed[root] = max(needed.get(root, 0), needed[family])
        kept = dict(needed)
        for family in self._order(shift):
            count = needed.get(family, 0)
            if count and family not in fixed and self._again(family, count, shift, kept, family):
                kept[family] = 0
        return {f: n for f, n in kept.items() if n}

    def _tested(self, family: Family, shift: dict[Family, int]) -> Family | None:
        """The one value of the same step that a comparison, or arithmetic of it and constants, is computed from."""
        if not self._is_test(family):
            return None
        while self._is_test(family):
            inside = {e.family: e.delay + shift[family] - shift[e.family] for e in family.edges if e.family is not None}
            if list(inside.values()) != [0]:
                return None
            family = next(iter(inside))
        return family

    def _by_matrix(self, shift: dict[Family, int]) -> set[Family]:
        """Families whose old values are multiplied with a matrix."""
        return {f for f in self.families for user, edge in self.users[f]
                if user.op.kind in MATRIX and edge.delay + shift[user] - shift[f]}

    def _again(self, family: Family, age: int, shift: dict[Family, int], kept: dict[Family, int], root: Family) -> bool:
        """Whether a value of `age` steps ago can be computed again from what is kept, by cheap operations."""
        if family is not root and kept.get(family, 0) >= age:
            return True
        if family.is_tap or family.op.kind not in _ELEMENTWISE:
            return False
        delays = [(e.family, age + e.delay + shift[family] - shift[e.family]) for e in family.edges if e.family]
        return all(kept.get(f, 0) >= delay if delay > age or f is root else self._again(f, age, shift, kept, root)
                   for f, delay in delays)

    def _order(self, shift: dict[Family, int]) -> list[Family]:
        order: list[Family] = []
        state: dict[Family, int] = {}
        for root in sorted(self.families, key=lambda f: f.rank):
            stack = [root]
            while stack:
                top = stack[-1]
                if state.get(top) == 2:
                    stack.pop()
                    continue
                pending = [] if state.get(top) else [
                    e.family for e in top.edges if e.family is not None and not state.get(e.family)
                    and e.delay + shift[top] - shift[e.family] == 0]
                state[top] = 1
                if pending:
                    stack += reversed(pending)
                else:
                    stack.pop()
                    state[top] = 2
                    order.append(top)
        return order


def _closure(roots: list[Family]) -> list[Family]:
    """The roots and all families that they are computed from, by rank."""
    found: set[Family] = set()
    stack = list(roots)
    while stack:
        top = stack.pop()
        if top not in found:
            found.add(top)
            stack += [e.family for e in top.edges if e.family is not None]
    return sorted(found, key=lambda f: f.rank)
