# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decides which graph outputs are the next values of which graph inputs, and what the batch axis is.

Nothing in an ONNX file says which output feeds which input of the next time step, so the rule is fixed and
public: explicit pairs, then names, then shapes that leave no choice, then the order of trailing outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from .onnx_graph import Port, SourceGraph
from .problems import ProblemList


@dataclass
class Pairing:
    """Pairs of (state input, its output); `how` tells the user which rule found them."""

    pairs: dict[str, str]
    how: str


def pair_states(graph: SourceGraph, explicit: dict[str, str], problems: ProblemList) -> Pairing:
    """Pairs states by the public rule; reports an error with the candidates if it leaves a choice."""
    inputs = {p.name: p for p in graph.inputs}
    outputs = {p.name: p for p in graph.outputs}
    pairs: dict[str, str] = {}
    for origin, wanted in (("--state", explicit), ("metadata 'spikeloom.states'", graph.state_pairs)):
        for source, target in wanted.items():
            if source in pairs:
                continue
            if source not in inputs:
                problems.error(f"{origin}: '{source}' is not an input; inputs are {_list(inputs)}")
            elif target not in outputs:
                problems.error(f"{origin}: '{target}' is not an output; outputs are {_list(outputs)}")
            elif target in pairs.values():
                problems.error(f"{origin}: output '{target}' is given for two states")
            elif not _same(inputs[source], outputs[target]):
                problems.error(f"{origin}: '{source}' has shape {_dims(inputs[source])}, "
                               f"'{target}' has {_dims(outputs[target])}")
            else:
                pairs[source] = target
    how = "--state" if explicit else "metadata" if pairs else ""
    named = 0
    for name in inputs:
        target = f"{name}_out"
        if name not in pairs and target in outputs and target not in pairs.values():
            pairs[name] = target
            named += 1
    how = how or ("names" if named else "")
    if pairs:
        _pair_by_shape(graph, pairs)
        return Pairing(pairs, how)
    return _pair_by_order(graph, problems)


def _pair_by_shape(graph: SourceGraph, pairs: dict[str, str]) -> None:
    """Pairs what is left when exactly one input and one output share a shape.

    The first graph input is the sequence unless its name says otherwise: a network whose layers all have
    one width would lose its input by shape alone.
    """
    first = graph.inputs[0].name if graph.inputs else ""
    left_in = [p for p in graph.inputs if p.name not in pairs and p.name != first]
    left_out = [p for p in graph.outputs if p.name not in pairs.values()]
    for port in left_in:
        same_in = [p for p in left_in if _same(p, port)]
        same_out = [p for p in left_out if _same(p, port)]
        if len(same_in) == 1 and len(same_out) == 1:
            pairs[port.name] = same_out[0].name


def _pair_by_order(graph: SourceGraph, problems: ProblemList) -> Pairing:
    """No name fits: the inputs after the first against as many trailing outputs, shape by shape."""
    candidates = graph.inputs[1:]
    trailing = graph.outputs[len(graph.outputs) - len(candidates):] if candidates else []
    if not candidates:
        return Pairing({}, "")
    if len(trailing) == len(candidates) and all(_same(a, b) for a, b in zip(candidates, trailing, strict=True)):
        return Pairing({a.name: b.name for a, b in zip(candidates, trailing, strict=True)}, "order of trailing outputs")
    if any(_same(a, b) for a in candidates for b in graph.outputs):
        problems.error(
            "cannot tell which outputs are the next values of which states: no output is named '<state>_out' and "
            f"the trailing outputs do not have the shapes of the inputs after the first. Inputs: {_ports(candidates)}; "
            f"outputs: {_ports(graph.outputs)}. Say it with --state IN=OUT")
    return Pairing({}, "")


def _same(a: Port, b: Port) -> bool:
    """Equal shapes; a dynamic dimension of an output fits anything (TorchScript loses static ones)."""
    if a.dims is None or b.dims is None or len(a.dims) != len(b.dims):
        return False
    return all(x == y or (isinstance(x, int) != isinstance(y, int)) for x, y in zip(a.dims, b.dims, strict=True))


def _dims(port: Port) -> str:
    return "unknown" if port.dims is None else "x".join(map(str, port.dims))


def _ports(ports: list[Port]) -> str:
    return ", ".join(f"{p.name} [{_dims(p)}]" for p in ports)


def _list(names) -> str:
    return ", ".join(names) or "none"
