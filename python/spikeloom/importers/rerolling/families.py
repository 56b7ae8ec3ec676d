# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which operations of an unrolled trace repeat from step to step.

A tap is the value of one time step of a sequence. The level of an operation is the largest step among the taps that
it depends on. Operations of different levels that have the same structure, as seen from their own level, are members
of one family: one operation of the loop's body. The first level (whose states are constants, so that the exporter
folded parts of it away) and what is left over in the last one need not fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir import Op, Parameter, Value

_COMMUTATIVE = {"add", "mul", "max", "min", "and", "or", "xor"}


@dataclass(eq=False)
class Edge:
    """An operand of a family: another family `delay` levels ago, or (`family` is None) a value from outside."""

    family: Family | None
    delay: int = 0
    outside: Value | None = None


@dataclass(eq=False)
class Family:
    """One operation of the body. `sequence` is not negative for the taps of a sequence, which have no operation."""

    rank: int
    width: int
    dtype: str
    op: Op | None = None
    sequence: int = -1
    members: dict[int, Value] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    @property
    def is_tap(self) -> bool:
        """Whether this is a sequence that comes from outside."""
        return self.sequence >= 0


def is_commutative(op: Op) -> bool:
    """Whether the operands may be swapped."""
    return op.kind in _COMMUTATIVE or (op.kind == "cmp" and op.attrs["pred"] in ("oeq", "une"))


class Analysis:
    """Levels, colors and families of operations with respect to sequences of rows, in one direction of time.

    `sequences` holds the rows of each sequence in the order in which the loop meets them.
    """

    def __init__(self, ops: list[Op], sequences: list[list[Value]]) -> None:
        self.ops = ops
        self.steps = len(sequences[0]) if sequences else 0
        self.families: list[Family] = []
        # By the `id` of a value: its level, the family it is a member of, and the family and level in whose place it
        # stands (also without being a member, in a first step of another structure).
        self.level: dict[int, int] = {}
        self.family: dict[int, Family] = {}
        self.place: dict[int, tuple[Family, int]] = {}
        # What stands in the place of a family's member at a level; below level 0 it is an initial value.
        self.known: dict[tuple[Family, int], Value] = {}
        self._colors: dict[tuple[int, int], int] = {}
        self._interned: dict[tuple, int] = {}
        self._constants: dict[int, tuple] = {}
        for i, rows in enumerate(sequences):
            tap = Family(i, rows[0].width, rows[0].dtype, None, i, dict(enumerate(rows)))
            self.families.append(tap)
            for t, row in enumerate(rows):
                self.level[id(row)] = t
                self.family[id(row)] = tap
                self.place[id(row)] = (tap, t)
        for op in ops:
            level = max((self.level.get(id(v), -1) for v in op.operands), default=-1)
            for value in op.results:
                self.level.setdefault(id(value), level)
        self._group()
        for family in self.families[len(sequences):]:
            self._connect(family)
        for family in self.families[len(sequences):]:
            for level, value in family.members.items():
                self.learn(family, level, value)
        self._resolve()

    def level_of(self, value: Value) -> int:
        """The largest step that a value depends on; -1 if none."""
        return self.level.get(id(value), -1)

    def value(self, family: Family, level: int) -> Value:
        """The value of a family at a level that is known."""
        return family.members[level] if level in family.members else self.known[family, level]

    def color(self, value: Value, depth: int = 0) -> int:
        """Equal for values of equal structure; what comes from earlier levels counts to the given depth only."""
        key = (id(value), depth)
        if key not in self._colors:
            stack = [value]
            while stack:  # without recursion, for deep graphs
                top = stack[-1]
                pending = [v for v in self._same_level(top) if (id(v), depth) not in self._colors]
                if pending:
                    stack += pending
                else:
                    stack.pop()
                    self._colors[id(top), depth] = self._intern(self._structure(top, depth))
        return self._colors[key]

    def learn(self, family: Family, level: int, value: Value) -> None:
        """Records what stands in the place of a family's member; a level below 0 is an initial value.

        A value with the family's operation also tells what stands in the place of each operand: so the values of a
        first step of another structure are found.
        """
        stack = [(family, level, value)]
        while stack:
            family, level, value = stack.pop()
            if family.is_tap or (family, level) in self.known:
                continue
            self.known[family, level] = value
            if self.level_of(value) >= 0:
                self.place.setdefault(id(value), (family, level))
            if value.op is not None and value.op.kind == family.op.kind and len(value.op.operands) == len(family.edges):
                operands = self._aligned(value.op, family, level)
                stack += [(edge.family, level - edge.delay, operand)
                          for operand, edge in zip(operands, family.edges, strict=True) if edge.family is not None]

    def _aligned(self, op: Op, family: Family, level: int) -> list[Value]:
        """The operands of a value in the order of the family's edges."""
        if not is_commutative(op) or len(op.operands) != 2:
            return op.operands

        def fit(operands: list[Value]) -> int:
            points = 0
            for value, edge in zip(operands, family.edges, strict=True):
                if edge.family is None:
                    points += 1 if self.level_of(value) < 0 else -1
                    continue
                there = edge.family.members.get(level - edge.delay)
                found = self.family.get(id(value))
                points += 2 if there is value else -1 if there is not None or found is not None else 0
            return points

        return max([op.operands, op.operands[::-1]], key=fit)

    def _is_leaf(self, value: Value) -> bool:
        family = self.family.get(id(value))
        return value.op is None or (family is not None and family.is_tap)

    def _same_level(self, value: Value) -> list[Value]:
        if self._is_leaf(value):
            return []
        level = self.level_of(value)
        return [v for v in value.op.operands if self.level_of(v) in (level, -1)]

    def _structure(self, value: Value, depth: int) -> tuple:
        family = self.family.get(id(value))
        if family is not None and family.is_tap:
            return ("tap", family.sequence)
        if value.op is None:
            return ("argument", id(value))
        op, level = value.op, self.level_of(value)
        operands = [self._operand(v, level, depth) for v in op.operands]
        if is_commutative(op):
            operands.sort()
        params = tuple((role, self._constant(p)) for role, p in sorted(op.params.items()))
        return (op.kind, op.results.index(value), value.width, params, freeze(op.attrs), tuple(operands), level < 0)

    def _operand(self, value: Value, level: int, depth: int) -> tuple:
        own = self.level_of(value)
        if own in (level, -1):
            return (0 if own == level else -1, self.color(value, depth))
        if depth and own > 0:
            return (level - own, self.color(value, depth - 1))
        family = self.family.get(id(value))
        return (level - own, family.sequence if family is not None and family.is_tap else -1)

    def _constant(self, parameter: Parameter) -> tuple:
        if id(parameter) not in self._constants:
            value = parameter.value
            self._constants[id(parameter)] = (value.shape, hash(value.tobytes()), parameter.transposed)
        return self._constants[id(parameter)]

    def _intern(self, structure: tuple) -> int:
        return self._interned.setdefault(structure, len(self._interned))

    def _group(self) -> None:
        """Families: colors that occur in a level which is neither the first nor the last."""
        classes: dict[int, dict[int, list[Value]]] = {}
        for op in self.ops:
            for value in op.results:
                level = self.level_of(value)
                if level >= 0 and id(value) not in self.family:
                    classes.setdefault(self.color(value), {}).setdefault(level, []).append(value)
        for levels in classes.values():
            for members in self._separate(levels):
                if any(0 < level < self.steps - 1 for level in members):
                    top = members[max(members)]
                    family = Family(len(self.families), top.width, top.dtype, top.op, -1, members)
                    self.families.append(family)
                    for value in members.values():
                        self.family[id(value)] = family

    def _separate(self, levels: dict[int, list[Value]]) -> list[dict[int, Value]]:
        """Members by level for each family of a class: by what they read from earlier levels, else by order."""
        if all(len(values) == 1 for values in levels.values()):
            return [{level: values[0] for level, values in levels.items()}]
        finer: dict[tuple, dict[int, Value]] = {}
        for level, values in levels.items():
            if level < 2 < self.steps:  # reads the first level, which may have another structure
                continue
            seen: dict[int, int] = {}
            for value in values:
                color = self.color(value, 1)
                seen[color] = seen.get(color, -1) + 1
                finer.setdefault((color, seen[color]), {})[level] = value
        return list(finer.values())

    def _connect(self, family: Family) -> None:
        """Operands of the body's operation, read off the last member (it is the farthest from the first level)."""
        level = max(family.members)
        op = family.members[level].op
        for value in op.operands:
            own = self.level_of(value)
            if own < 0:
                family.edges.append(Edge(None, 0, value))
            else:
                family.edges.append(Edge(self.family.get(id(value)), level - own, value))

    def _resolve(self) -> None:
        """Operands in the first level that are no members themselves, but stand in the place of one."""
        open_edges = [(f, e) for f in self.families for e in f.edges if e.family is None and e.outside in self]
        found = True
        while found:
            found = False
            for family, edge in open_edges:
                place = self.place.get(id(edge.outside))
                if edge.family is None and place is not None and place[1] == max(family.members) - edge.delay:
                    edge.family = place[0]
                    found = True
                    for level, value in family.members.items():
                        self.known.pop((family, level))
                        self.learn(family, level, value)

    def __contains__(self, value: Value) -> bool:
        """Whether a value depends on a step."""
        return self.level_of(value) >= 0


def freeze(value):
    """Attributes in a form that can be compared and hashed."""
    if isinstance(value, dict):
        return tuple((k, freeze(v)) for k, v in sorted(value.items()))
    return tuple(map(freeze, value)) if isinstance(value, (list, tuple)) else value
