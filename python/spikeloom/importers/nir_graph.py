# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A NIR graph without sub-graphs: edges resolved, shapes inferred, cycles cut where a step passes."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field

import nir
import numpy as np

from .nir_file import NEURONS, RawGraph, RawNode
from .problems import ProblemList, Source

Shape = tuple[int, ...]
Edge = tuple[str, str]
MAX_WIDTH = 1 << 24  # units of one node; more is a damaged file


@dataclass
class Node:
    """A node under its dotted name. `takes` and `gives` are shapes without the batch."""

    name: str
    node: nir.NIRNode
    metadata: dict
    takes: Shape | None = None
    gives: Shape | None = None

    @property
    def kind(self) -> str:
        """The NIR primitive."""
        return type(self.node).__name__

    @property
    def source(self) -> Source:
        """The node for messages and locations."""
        return Source(self.name)

    @property
    def width(self) -> int:
        """Values that it gives for one sample."""
        return math.prod(self.gives or ())


@dataclass
class Graph:
    """All nodes by dotted name, edges in the order of the file; `inputs` and `outputs` are those of the network."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    metadata: list[tuple[str, dict]] = field(default_factory=list)

    def into(self, name: str) -> list[Edge]:
        """The edges that end in a node."""
        return [e for e in self.edges if e[1] == name]


def flatten(raw: RawGraph, problems: ProblemList) -> Graph:
    """Takes sub-graphs apart; every edge that leads nowhere is a problem of its own."""
    graph = Graph()
    _add(raw, graph, problems)
    graph.inputs = [n.name for n in graph.nodes.values() if n.kind == "Input" and n.name in raw.nodes]
    graph.outputs = [n.name for n in graph.nodes.values() if n.kind == "Output" and n.name in raw.nodes]
    for a, b in graph.edges:
        if b in graph.inputs:
            problems.error(f"edge ('{a}', '{b}') leads into an Input of the network")
        if a in graph.outputs:
            problems.error(f"edge ('{a}', '{b}') comes out of an Output of the network")
    if not graph.nodes:
        problems.error("the graph has no nodes")
    return graph


def _add(raw: RawGraph, graph: Graph, problems: ProblemList) -> None:
    if raw.metadata:
        graph.metadata.append((raw.path, raw.metadata))
    for name, item in raw.nodes.items():
        full = f"{raw.path}.{name}" if raw.path else name
        if isinstance(item, RawGraph):
            _add(item, graph, problems)
        else:
            if item.metadata:
                graph.metadata.append((full, item.metadata))
            graph.nodes[full] = Node(full, item.node, item.metadata)
    for a, b in raw.edges:
        ends = [_resolve(raw, raw, a, "Output", (a, b), problems), _resolve(raw, raw, b, "Input", (a, b), problems)]
        if ends[0] is not None and ends[1] is not None:
            graph.edges.append((ends[0], ends[1]))


def _resolve(raw: RawGraph, scope: RawGraph, name: str, port: str, edge: Edge, problems: ProblemList) -> str | None:
    """The dotted name of what an edge of `raw` means by `name`; a sub-graph stands for its Input or Output."""
    if name in scope.nodes:
        found = scope.nodes[name]
        full = f"{scope.path}.{name}" if scope.path else name
        if isinstance(found, RawNode):
            return full
        ports = [n for n, item in found.nodes.items() if isinstance(item, RawNode) and item.kind == port]
        if len(ports) == 1:
            return f"{full}.{ports[0]}"
        many = f"it has {len(ports)} of them ({', '.join(ports)}); name one, e.g. '{name}.{ports[0]}'" if ports \
            else "it has none"
        problems.error(f"{_edge(raw, edge)} means the {port} of sub-graph '{full}', but {many}")
        return None
    for i, letter in enumerate(name):
        inner = scope.nodes.get(name[:i]) if letter == "." else None
        if isinstance(inner, RawGraph):
            rest = name[i + 1:]
            # A sub-graph may call its nodes by its own name, too.
            return _resolve(raw, inner, rest if rest in inner.nodes or name not in inner.nodes else name, port, edge,
                            problems)
    close = difflib.get_close_matches(name, scope.nodes, 1, 0.5)
    hint = f" (is '{close[0]}' meant?)" if close else ""
    place = f"sub-graph '{scope.path}'" if scope.path else "the graph"
    problems.error(f"{_edge(raw, edge)}: there is no node '{name}' in {place}{hint}; its nodes are "
                   f"{', '.join(scope.nodes) or 'none'}")
    return None


def _edge(raw: RawGraph, edge: Edge) -> str:
    place = f" of sub-graph '{raw.path}'" if raw.path else ""
    return f"edge ('{edge[0]}', '{edge[1]}'){place}"


# Shapes.


def infer_shapes(graph: Graph, problems: ProblemList) -> None:
    """Gives every node its shapes and compares the two ends of every edge; completes missing Inputs and Outputs."""
    for node in graph.nodes.values():
        node.takes = _declared(node)
        node.gives = _given(node, problems) if node.takes is not None else None
    changed = True
    while changed:
        changed = False
        for a, b in graph.edges:
            shape, node = graph.nodes[a].gives, graph.nodes[b]
            if shape is not None and node.takes is None:
                node.takes = shape
                node.gives = _given(node, problems)
                changed = True
    if not problems.has_errors:  # with edges missing, what looks loose need not be
        _complete(graph, problems)
    for node in graph.nodes.values():
        if node.gives is None and not problems.has_errors:
            problems.error(f"the shape of this {node.kind} is unknown: the file does not say it, and nothing with a "
                           "known shape leads to it", node.source)
        elif node.gives is not None and max(node.width, math.prod(node.takes or ())) > MAX_WIDTH:
            problems.error(f"this {node.kind} is of shape {list(node.gives)}, {node.width} values for one sample; at "
                           f"most {MAX_WIDTH} are read", node.source)
    for a, b in dict.fromkeys(graph.edges):
        _check_edge(graph, a, b, problems)


def _check_edge(graph: Graph, a: str, b: str, problems: ProblemList) -> None:
    left, right = graph.nodes[a].gives, graph.nodes[b].takes
    if left is None or right is None or left == right:
        return
    text = f"edge ('{a}', '{b}'): '{a}' gives {list(left)}, '{b}' takes {list(right)}"
    if math.prod(left) == math.prod(right):
        problems.warn(f"{text}; the {math.prod(left)} values are taken in their order")
    else:
        problems.error(text)


def _complete(graph: Graph, problems: ProblemList) -> None:
    """Nodes without a way in or out get an Input or Output of the network, as the nir package gives them."""
    for name, node in list(graph.nodes.items()):
        if node.kind != "Input" and not graph.into(name) and node.takes is not None:
            _port(graph, f"input_{name}", nir.Input(np.array(node.takes)), node.takes, graph.inputs)
            graph.edges.append((f"input_{name}", name))
            problems.note(f"nothing leads to this {node.kind}: it becomes an input 'input_{name}' of the network",
                          node.source)
        if node.kind == "Output" or any(e[0] == name for e in graph.edges) or node.gives is None:
            continue
        if node.kind == "Input":
            problems.warn("nothing reads this Input", node.source)
            continue
        _port(graph, f"output_{name}", nir.Output(np.array(node.gives)), node.gives, graph.outputs)
        graph.edges.append((name, f"output_{name}"))
        problems.note(f"nothing reads this {node.kind}: it becomes an output 'output_{name}' of the network",
                      node.source)
    for ports, what in ((graph.inputs, "Input"), (graph.outputs, "Output")):
        if not ports and graph.nodes:
            problems.error(f"the network has no {what}")


def _port(graph: Graph, name: str, node: nir.NIRNode, shape: Shape, ports: list[str]) -> None:
    graph.nodes[name] = Node(name, node, {}, shape, shape)
    ports.append(name)


def _declared(node: Node) -> Shape | None:
    """The input shape that a node itself says; None if what leads to it decides."""
    inner, kind = node.node, node.kind
    if kind in ("Conv1d", "Conv2d"):
        spatial = 1 if kind == "Conv1d" else 2
        if inner.input_shape is None:
            return None
        size = [int(s) for s in np.atleast_1d(inner.input_shape)]
        return (int(inner.weight.shape[1] * inner.groups), *size[-spatial:])
    if kind in ("Affine", "Linear"):
        return (*inner.weight.shape[:-2], inner.weight.shape[-1])
    if kind in ("Input", "Output", "Flatten"):
        shape = inner.input_type["input"]
        return None if shape is None else tuple(int(s) for s in np.atleast_1d(shape))
    if kind in ("SumPool2d", "AvgPool2d"):
        return None
    parameter = {"Scale": "scale", "Delay": "delay", "Threshold": "threshold"}.get(kind, "r")
    return np.shape(getattr(inner, parameter)) or None  # a scalar fits whatever leads to it


def _given(node: Node, problems: ProblemList) -> Shape | None:
    """The output shape for an input shape."""
    inner, kind, shape = node.node, node.kind, node.takes
    if kind in ("Affine", "Linear"):
        return (*inner.weight.shape[:-2], inner.weight.shape[-2])
    if kind in ("Conv1d", "Conv2d", "SumPool2d", "AvgPool2d"):
        window = Window.of(node, problems)
        return None if window is None else window.gives
    if kind == "Flatten":
        first, last = (int(d) % max(len(shape), 1) for d in (inner.start_dim, inner.end_dim))
        if first > last:
            problems.error(f"cannot flatten dimensions {inner.start_dim} to {inner.end_dim} of {list(shape)}",
                           node.source)
            return None
        return (*shape[:first], math.prod(shape[first:last + 1]), *shape[last + 1:])
    return shape


@dataclass
class Window:
    """What a convolution or a pooling slides over its input `[C, …]`; padding is (low, …, high, …)."""

    channels: int
    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    gives: Shape

    @staticmethod
    def of(node: Node, problems: ProblemList) -> Window | None:
        """The window for the input shape of a node; None if it does not fit."""
        inner, shape = node.node, node.takes
        is_conv = node.kind.startswith("Conv")
        rank = 1 if node.kind == "Conv1d" else 2
        if len(shape) != rank + 1:
            problems.error(f"this {node.kind} takes {rank + 1} dimensions (channels first), but its input is "
                           f"{list(shape)}", node.source)
            return None
        kernel = tuple(inner.weight.shape[2:]) if is_conv else _tuple(inner.kernel_size, rank)
        stride = _tuple(inner.stride, rank)
        dilation = _tuple(inner.dilation, rank) if is_conv else (1,) * rank
        padding = inner.padding
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if isinstance(padding, str) and padding == "same":
            low = tuple(r // 2 for r in reach)
            pads = low + tuple(r - lo for r, lo in zip(reach, low, strict=True))
        elif isinstance(padding, str):
            pads = (0,) * (2 * rank)
        else:
            pads = _tuple(padding, rank) * 2
        if min((*kernel, *stride, *dilation)) < 1 or min(pads) < 0:
            problems.error(f"kernel {list(kernel)}, stride {list(stride)}, padding {list(pads)} and dilation "
                           f"{list(dilation)} are not all positive", node.source)
            return None
        sizes = [(s + pads[i] + pads[rank + i] - reach[i] - 1) // stride[i] + 1 for i, s in enumerate(shape[1:])]
        if min(sizes) < 1:
            problems.error(f"the kernel {list(kernel)} of this {node.kind} does not fit into its input {list(shape)}",
                           node.source)
            return None
        out = int(inner.weight.shape[0]) if is_conv else shape[0]
        if is_conv and not _groups_fit(node, shape[0], problems):
            return None
        return Window(shape[0], tuple(map(int, kernel)), stride, tuple(map(int, pads)), dilation, (out, *sizes))


def _groups_fit(node: Node, channels: int, problems: ProblemList) -> bool:
    weight, groups = node.node.weight, int(node.node.groups)
    if groups < 1 or weight.shape[0] % groups or weight.shape[1] * groups != channels:
        problems.error(f"this {node.kind} has weights {list(weight.shape)} in {groups} groups, but its input has "
                       f"{channels} channels", node.source)
        return False
    bias = np.shape(node.node.bias)
    if bias not in ((), (weight.shape[0],)):
        problems.error(f"the bias of this {node.kind} has shape {list(bias)}; [{weight.shape[0]}] is needed",
                       node.source)
        return False
    return True


def _tuple(value, rank: int) -> Shape:
    array = np.atleast_1d(np.asarray(value))
    return tuple(int(x) for x in (array if array.size == rank else np.broadcast_to(array.ravel()[:1], rank)))


# Order.


@dataclass
class Schedule:
    """The nodes in an order of dependence; `delayed` edges carry the value of the step before."""

    order: list[str]
    delayed: set[Edge]


def schedule(graph: Graph, delaying: frozenset[str]) -> Schedule:
    """Cuts every cycle by a delay of one step behind a neuron, else where the cycle closes.

    Nodes in `delaying` (delays; with some platforms all weights) give in this step what does not depend on it, so a
    cycle through one is none.
    """
    delayed: set[Edge] = set()
    while True:
        order, cycle = _visit(graph, delayed, delaying)
        if cycle is None:
            return Schedule(order, delayed)
        neurons = [i for i, name in enumerate(cycle) if graph.nodes[name].kind in NEURONS]
        last = neurons[-1] if neurons else len(cycle) - 1
        delayed.add((cycle[last], cycle[(last + 1) % len(cycle)]))


def _visit(graph: Graph, delayed: set[Edge], delaying: frozenset[str]) -> tuple[list[str], list[str] | None]:
    """Depth first along the edges, from the inputs: (order, None), or the first cycle met."""
    out: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for a, b in dict.fromkeys(graph.edges):
        if (a, b) not in delayed and a not in delaying:
            out[a].append(b)
    done: list[str] = []
    seen: set[str] = set()
    rest = [n for n in graph.nodes if n not in graph.inputs]
    for start in [*graph.inputs, *rest]:
        if start in seen:
            continue
        path, stack = [start], [iter(out[start])]
        seen.add(start)
        while stack:
            following = next(stack[-1], None)
            if following is None:
                stack.pop()
                done.append(path.pop())
            elif following in path:
                return [], path[path.index(following):]
            elif following not in seen:
                seen.add(following)
                path.append(following)
                stack.append(iter(out[following]))
    return done[::-1], None
