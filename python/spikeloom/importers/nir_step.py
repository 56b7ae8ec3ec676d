# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A NIR file as one time step: what `load_nir` makes a model of."""

from __future__ import annotations

import numpy as np

from .ir import Step, Value
from .nir_conventions import NirOptions, choose_rule
from .nir_file import NEURONS, read_nir
from .nir_graph import Edge, Graph, Node, flatten, infer_shapes, schedule
from .nir_layers import WEIGHTS, Delay, delay_steps, lower_layer
from .nir_neurons import StepBuilder, lower_neuron
from .problems import ProblemList


def read_step(path: str, options: NirOptions, name: str, batch: int, train: str | None,
              problems: ProblemList) -> Step | None:
    """The step of a file; None with errors in `problems`. Raises ImportFailed where there is no graph at all."""
    graph = flatten(read_nir(path, problems), problems)
    infer_shapes(graph, problems)
    rule = choose_rule(options, graph, problems)
    if rule is None or problems.has_errors:
        return None
    lowering = _Lowering(graph, StepBuilder(rule, train), problems)
    return None if problems.has_errors else lowering.run(name, batch)


class _Lowering:
    """Goes through the nodes in order; edges that carry the step before read a state."""

    def __init__(self, graph: Graph, step: StepBuilder, problems: ProblemList) -> None:
        self.graph, self.step, self.problems = graph, step, problems
        self.delays: dict[str, np.ndarray] = {}
        for node in graph.nodes.values():
            steps = delay_steps(node, step.rule.dt, problems) if node.kind == "Delay" else None
            if steps is not None:
                self.delays[node.name] = steps
        late = {n for n, steps in self.delays.items() if steps.size and steps.min() > 0}
        if step.rule.convention.weight_delay:
            late |= {n.name for n in graph.nodes.values() if n.kind in WEIGHTS}
        plan = schedule(graph, frozenset(late))
        self.order, self.delayed, self.late = plan.order, plan.delayed, late
        self.given: dict[str, Value] = {}  # what a node gives in this step
        self.before: dict[str, Value] = {}  # what it gave in the step before

    def run(self, name: str, batch: int) -> Step:
        """The step, with states in the order of the nodes."""
        sources = {a for a, _ in self.delayed}
        lines: dict[str, Delay] = {}
        for node in self._nodes():
            if node.kind == "Delay":
                lines[node.name] = Delay(self.step, node, self.delays[node.name])
                if node.name in self.late:
                    self.given[node.name] = lines[node.name].output(None)
            if node.name in sources or (node.name in self.late and node.kind != "Delay"):
                self.before[node.name] = self.step.state(f"{node.name}.before", node.width).value
                if node.name in self.late:
                    self.given[node.name] = self.before[node.name]
        now: dict[str, Value] = {}
        for node in self._nodes():
            self.step.build.source = node.source
            if node.name in self.graph.inputs:
                now[node.name] = Value(node.width, name=node.name)
            elif node.kind in NEURONS:
                now[node.name] = lower_neuron(self.step, node, self._current(node))
            elif node.kind == "Delay":
                if node.name not in self.late:
                    now[node.name] = lines[node.name].output(self._current(node))
            else:
                now[node.name] = lower_layer(self.step, node, self._current(node), self.problems)
            if node.name not in self.given:
                self.given[node.name] = now[node.name]
        for name_, line in lines.items():
            line.take(self._current(self.graph.nodes[name_]))
        states = {s.name: s for s in self.step.states}
        for name_, value in self.before.items():
            states[value.name].next = now.get(name_, self.given[name_])
        return self._finish(name, batch)

    def _nodes(self) -> list[Node]:
        return [self.graph.nodes[name] for name in self.order]

    def _current(self, node: Node) -> Value:
        """The sum of what leads to a node, edge by edge: an edge that the file repeats counts as often."""
        total: Value | None = None
        for edge in self.graph.into(node.name):
            value = self._carried(edge)
            total = value if total is None else self.step.build.binary("add", total, value)
        return total

    def _carried(self, edge: Edge) -> Value:
        return self.before[edge[0]] if edge in self.delayed else self.given[edge[0]]

    def _finish(self, name: str, batch: int) -> Step:
        inputs = [self.given[n] for n in self.graph.inputs]
        outputs = [(n, self.given[n]) for n in self.graph.outputs]
        taken = {n for n, _ in outputs} | set(self.graph.inputs)
        for state in self.step.states:
            while state.output in taken:
                state.output += "_"
            taken.add(state.output)
        result = Step(name, batch, inputs, self.step.states, outputs, self.step.build.ops)
        result.clean()
        return result
