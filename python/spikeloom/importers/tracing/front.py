# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Traces a graph under the likeliest assumption about its inputs' axes that gives the whole graph a translation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..ir import Trace
from ..onnx_graph import SourceGraph
from ..parameters import ParameterTable
from ..problems import ProblemList
from ..states import Pairing, pair_states
from .constants import Folder
from .layout import Layout, Layouts
from .tensor import dims_text
from .tracer import Tracer


@dataclass
class Traced:
    """A trace, the parameters that its operations read, and how states were paired (no pairs for a sequence)."""

    trace: Trace
    table: ParameterTable
    pairing: Pairing


def trace_graph(graph: SourceGraph, problems: ProblemList, *, batch: int | None = None, steps: int | None = None,
                state: dict[str, str] | None = None, as_: str | None = None,
                train: str | None = None) -> Traced | None:
    """The trace of a graph; None if `problems` says why there is none.

    `batch` and `steps` are the sizes of dynamic dimensions, `state` are explicit pairs of state input and output.
    `as_` is `step` or `sequence` if the user says what the graph is.
    """
    told = ProblemList()
    pairing = pair_states(graph, state or {}, told)
    layouts = Layouts(graph, pairing.pairs, batch, steps, as_, problems)
    folder = Folder(graph.model)
    tries: list[tuple[Tracer, ProblemList]] = []
    for choice in _choices(layouts, tries):
        is_step = not any(layout.length for layout in choice)
        found = ProblemList()
        if is_step:
            found.items += told.items
        tracer = Tracer(graph, ParameterTable(graph, found, train), found, folder)
        pairs = pairing.pairs if is_step and as_ != "sequence" else {}
        trace = tracer.run(choice, pairs)
        if trace is not None:
            layouts.tell_defaults(choice)
            problems.items += found.items
            tracer.table.problems = problems
            return Traced(trace, tracer.table, pairing if pairs else Pairing({}, ""))
        tries.append((tracer, found))
    _report(graph, layouts, tries, problems)
    return None


def _choices(layouts: Layouts, tries: list[tuple[Tracer, ProblemList]]) -> Iterator[list[Layout]]:
    """The plain candidates, then those with a folded axis that the failed ones hint at."""
    yield from layouts.candidates()
    yield from layouts.folded([shape for tracer, _ in tries for shape in tracer.mixed])


def _report(graph: SourceGraph, layouts: Layouts, tries: list[tuple[Tracer, ProblemList]],
            problems: ProblemList) -> None:
    """The problems of the attempt that came furthest."""
    if tries:
        best = min(tries, key=lambda t: sum(p.severity == "error" for p in t[1].items))
        problems.items += best[1].items
        return
    if not layouts.is_valid:
        return
    shapes = ", ".join(f"{p.name} [{dims_text(p.dims or ())}]" for p in graph.inputs)
    problems.error(f"the inputs have different batch sizes, or shapes of no known form: {shapes or 'there are none'}. "
                   "The first one that is no state is [batch, features], [time, batch, features] or an image, and all "
                   "have the same batch")
