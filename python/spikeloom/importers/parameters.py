# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turns constants of the file into the model's named parameters: names, trainable marks, untying.

Both exporters merge equal initializers, so a name says little: `lif1.threshold` may be every 1.0 of a file.
A constant becomes a parameter when it is a weight, differs from neuron to neuron, or is marked as trained;
other numbers become attributes and constants of operations.
"""

from __future__ import annotations

import re

import numpy as np

from .ir import Op, Parameter, Step, cone
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
        return self.graph.marks is not None and any(n in self.graph.marks for n in names)

    def _origins(self, const: Const) -> list[str]:
        """Initializer names, and what the exporter says it folded into them."""
        names = list(const.names)
        for name in const.names:
            names += self.graph.folded_from.get(name, [])
        return names

    def make(self, const: Const, value: np.ndarray, weight: bool, source: Source,
             transposed: bool = False) -> Parameter:
        """The parameter of a constant in the given form; finite float32 or a reported problem."""
        value = np.array(value, dtype=np.float32, order="C")
        key = (id(const), value.shape, transposed, value.tobytes())
        if key in self._made:
            return self._made[key]
        name = self._name(const, source)
        bad = int(value.size - np.count_nonzero(np.isfinite(value)))
        if bad:
            first = [int(i) for i in np.argwhere(~np.isfinite(value))[0]]
            self.problems.error(f"'{name}' holds {bad} values that are not finite (NaN or infinite), the first at "
                                f"{first}; train or export the model again", source)
        trainable = self.is_marked(const)
        if self.graph.marks is None and self.pattern is None:
            trainable = weight
        parameter = Parameter(name, value, trainable, transposed=transposed)
        if transposed:
            parameter.note = "stored transposed in the file; kept here as [out, in]"
        self._folding_note(const, parameter)
        self._made[key] = parameter
        return parameter

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


def finish_parameters(step: Step, problems: ProblemList) -> None:
    """Unties parameters shared by unrelated uses, makes all names distinct, and tells what was done."""
    groups = _state_groups(step)
    owners: dict[str, list[tuple[Parameter, str, str]]] = {}
    for op in step.ops:
        for role, parameter in list(op.params.items()):
            label = op.source.scope or groups.get(id(op), "")
            known = owners.setdefault(parameter.name, [])
            match = next((k for k in known if _related(k, parameter, role, label)), None)
            if match is not None:
                op.params[role] = match[0]
                continue
            if known:
                parameter = _untied(parameter, label or op.source.node or role, owners, problems, op)
            owners.setdefault(parameter.name, []).append((parameter, role, label))
            known.append((parameter, role, label))
            op.params[role] = parameter
    for parameter in step.parameters():
        if parameter.note:
            problems.note(parameter.note)


def _related(known: tuple[Parameter, str, str], parameter: Parameter, role: str, label: str) -> bool:
    """Whether two uses are one parameter on purpose: same neuron or module, or equal values that no merge explains."""
    other, other_role, other_label = known
    if other.value.shape != parameter.value.shape or other.value.tobytes() != parameter.value.tobytes():
        return False
    synapses = ("weight", "bias")
    if label == other_label and (role == other_role or (role not in synapses and other_role not in synapses)):
        return True
    distinct = parameter.value.size > 1 and np.ptp(parameter.value) > 0
    return distinct and role == other_role


def _untied(parameter: Parameter, label: str, owners: dict, problems: ProblemList, op: Op) -> Parameter:
    name, count = f"{parameter.name}#{label}", 2
    while name in owners:
        name, count = f"{parameter.name}#{label}.{count}", count + 1
    problems.note(f"initializer '{parameter.name}' is shared by unrelated uses; this one is named '{name}'", op.source)
    return Parameter(name, parameter.value, parameter.trainable, parameter.note, parameter.transposed)


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
