# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turns constants of the file into the model's named parameters: names, trainable marks, untying.

Both exporters merge equal initializers, so a name says little: `lif1.threshold` may be every 1.0 of a file.
A constant becomes a parameter when it is a weight, differs from neuron to neuron, or is marked as trained;
other numbers become attributes and constants of operations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from .ir import Op, Parameter, Step, Value, cone
from .onnx_graph import Const, SourceGraph
from .problems import ProblemList, Source


class ParameterTable:
    """Makes parameters, one for each constant and use as weights or as values per neuron."""

    def __init__(self, graph: SourceGraph, problems: ProblemList, train: str | None) -> None:
        self.graph = graph
        self.problems = problems
        self.pattern = re.compile(train) if train is not None else None
        self._made: dict[tuple, Parameter] = {}

    def is_marked(self, const: Const) -> bool:
        """Whether the exporter (or --train-parameters) says that this constant is trained."""
        names = self._origins(const)
        if self.pattern is not None:
            return any(self.pattern.search(n) for n in (*const.names, *names))
        if self.graph.marks is None:
            return const.affine
        return any(n in self.graph.marks for n in names)

    def is_original(self, const: Const) -> bool:
        """Whether a constant is an initializer into which nothing was folded."""
        return const.direct and not any(n in self.graph.folded_from for n in const.names)

    def _origins(self, const: Const) -> list[str]:
        """Initializer names, and what the exporter says it folded into them."""
        names = list(const.names)
        for name in const.names:
            names += self.graph.folded_from.get(name, [])
        return names

    def make(self, const: Const, value: np.ndarray, weight: bool, source: Source,
             transposed: bool = False, suffix: str = "") -> Parameter:
        """The parameter of a constant in the given form; finite float32 or a reported problem.

        A constant of several parameters gives each a `suffix` to its name.
        """
        value = np.array(value, dtype=np.float32, order="C")
        key = (const.names, const.direct, value.shape, transposed, suffix, value.tobytes())
        if key in self._made:
            return self._made[key]
        name = self._name(const, source) + suffix
        bad = int(value.size - np.count_nonzero(np.isfinite(value)))
        if bad:
            first = [int(i) for i in np.argwhere(~np.isfinite(value))[0]]
            self.problems.error(f"'{name}' holds {bad} values that are not finite (NaN or infinite), the first at "
                                f"{first}; train or export the model again", source)
        trainable = self.is_marked(const) or (weight and self.graph.marks is None and self.pattern is None)
        parameter = Parameter(name, value, trainable, transposed=transposed)
        if transposed:
            parameter.note = "stored transposed in the file; kept here as [out, in]"
        self._folding_note(const, parameter)
        self._made[key] = parameter
        return parameter

    def merged_away(self) -> list[str]:
        """Parameters that the exporter lists but that no initializer has the name of: merged with an equal one."""
        kept = {n for c in self.graph.constants.values() for n in self._origins(c)}
        return sorted(t for t in self.graph.marks or () if t not in kept)

    def _name(self, const: Const, source: Source) -> str:
        if const.names:
            return const.names[0]
        return source.node or "constant"

    def _folding_note(self, const: Const, parameter: Parameter) -> None:
        """Says that what trains is the folded value, when exporter or importer folded arithmetic into it."""
        origins = [n for n in self.graph.folded_from.get(parameter.name, [])
                   if self.graph.marks is None or n in self.graph.marks]
        if const.names and not const.direct:
            by = f"node '{const.source.node}'" if const.source.node else "constant arithmetic"
            origins = list(const.names)
            note = f"'{parameter.name}' holds the value that {by} computes from {', '.join(origins)}"
        elif origins:
            note = f"'{parameter.name}' holds the value that the exporter folded from {', '.join(origins)}"
        else:
            return
        if parameter.trainable:
            note += "; the folded value is what trains"
        parameter.note = "; ".join(filter(None, [parameter.note, note]))


@dataclass(eq=False)
class Use:
    """One place where a parameter is read: as weights, bias, threshold, or another factor of a neuron."""

    op: Op
    key: str
    role: str
    label: str
    parameter: Parameter


def finish_parameters(steps: list[Step], table: ParameterTable) -> None:
    """Unties parameters shared by unrelated uses, makes all names distinct, and tells what was done.

    `steps` are a step function, or all parts of a program.
    """
    uses = [use for step in steps for use in _all_uses(step)]
    by_name: dict[str, list[Use]] = {}
    for use in uses:
        by_name.setdefault(use.parameter.name, []).append(use)
    taken = set(by_name)
    for name, group in by_name.items():
        # A threshold keeps a threshold's name, even where something else that has its value is read first.
        is_threshold = "thresh" in name.lower()
        group.sort(key=lambda use, own=is_threshold: (use.role == "threshold") != own)
        known: list[Use] = []
        for use in group:
            match = next((k for k in known if _related(k, use)), None)
            if match is not None:
                use.parameter = match.parameter
            elif known:
                use.parameter = _untied(use, taken, table)
                known.append(use)
            else:
                known.append(use)
            use.op.params[use.key] = use.parameter
    for parameter in {id(p): p for step in steps for p in step.parameters()}.values():
        if parameter.note:
            table.problems.note(parameter.note)


def _all_uses(step: Step) -> list[Use]:
    """Every use in order; rows that spread a value for two roles are made once for each."""
    groups = _state_groups(step)
    uses = []
    for op in list(step.ops):
        label = op.source.scope or groups.get(id(op), "")
        if op.kind != "broadcast":
            uses += [Use(op, key, "factor" if key == "decay" else key, label, p) for key, p in op.params.items()]
            continue
        readers: dict[str, list[Op]] = {}
        for reader in step.users().get(id(op.result), []):
            spikes = any(v.op is not None and v.op.kind in ("tofloat", "count") for v in reader.operands)
            role = "threshold" if reader.kind == "cmp" or (reader.kind == "mul" and spikes) else "factor"
            readers.setdefault(role, []).append(reader)
        readers = readers or {"initial": []}
        for role, ops in readers.items():
            spread = op
            if len(readers) > 1 and role != "threshold":
                spread = Op("broadcast", [], dict(op.params), {}, [], op.source)
                spread.results = [Value(op.result.width, "f32", spread, op.result.name)]
                step.ops.insert(step.ops.index(op), spread)
                for reader in ops:
                    reader.operands = [spread.result if v is op.result else v for v in reader.operands]
            uses.append(Use(spread, "value", role, label, op.params["value"]))
    return uses


def _related(known: Use, use: Use) -> bool:
    """Whether two uses are one parameter on purpose: same neuron or module, or values that no merging explains."""
    a, b = known.parameter, use.parameter
    if a.value.shape != b.value.shape or a.value.tobytes() != b.value.tobytes() or known.role != use.role:
        return False
    return known.label == use.label or (a.value.size > 1 and np.ptp(a.value) > 0)


def _untied(use: Use, taken: set[str], table: ParameterTable) -> Parameter:
    """A parameter of its own, trained if the exporter's list of parameters has one that it merged away."""
    shared, label = use.parameter, use.label or use.op.source.node or use.role
    name, count = f"{shared.name}#{label}", 2
    while name in taken:
        name, count = f"{shared.name}#{label}.{count}", count + 1
    taken.add(name)
    trainable = shared.trainable
    if trainable and table.pattern is None and table.graph.marks is not None:
        trainable = any(target.startswith(f"{use.label}.") and ("thresh" in target.lower()) == (use.role == "threshold")
                        for target in table.merged_away())
    table.problems.note(f"initializer '{shared.name}' is shared by unrelated uses; this one is named '{name}'",
                        use.op.source)
    return replace(shared, name=name, trainable=trainable, note="")


def _state_groups(step: Step) -> dict[int, str]:
    """For each operation the first state that it helps to update: the neuron that it belongs to."""
    cones = [(s.name, cone(s.next)) for s in step.states]
    groups: dict[int, str] = {}
    for op in step.ops:
        name = next((n for n, c in cones if any(id(r) in c for r in op.results)), None)
        if name is None:
            name = next((groups[id(v.op)] for v in op.operands if v.op is not None and id(v.op) in groups), "")
        groups[id(op)] = name
    return groups
