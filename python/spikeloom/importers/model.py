# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The importer's front: `load_onnx` and `check`, and the `Model` that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .emit import emit
from .ir import Op, Parameter, Program, Scan, State, Step, Trace, Value, copy_step
from .onnx_graph import SourceGraph, check_valid, load_graph
from .parameters import finish_parameters
from .problems import ImportFailed, Problem, ProblemList, Source, check_request
from .programs import finish, operations, outside_scope, parameters, scans, scope_of, step_program
from .raise_neurons import raise_neurons, spike_tests
from .rerolling import reroll, reroll_repeats
from .sparsity import mark_sparse
from .tracing import Traced, trace_graph
from .verify import find_difference

_NEURONS = ("neuron", "integrator")
_FREE = ("const", "broadcast", "linear")


@dataclass(frozen=True)
class Array:
    """An input, output or state: shape as the program takes it, states with their initial value."""

    name: str
    shape: tuple[int, ...]
    initial: np.ndarray | None = None


@dataclass
class Model:
    """An imported model: a step function (`step`), or a file that is a program of its own (`whole`).

    `batch`, and the `steps` of a step function, may be changed; everything else follows.
    """

    path: str
    name: str
    step: Step | None
    batch: int
    steps: int
    problems: list[Problem] = field(default_factory=list)
    pairing: str = ""
    whole: Program | None = None

    @property
    def program(self) -> Program:
        """What is compiled."""
        return step_program(self.step, self.steps) if self.step is not None else self.whole

    @property
    def is_sequence(self) -> bool:
        """Whether the model is no step function: it has the steps of its file, or no time at all."""
        return self.step is None or self.step.is_sequence

    @property
    def inputs(self) -> list[Array]:
        """Inputs `[steps, batch, features]` (what has no time: `[batch, features]`)."""
        return [Array(p.name, self._shape(p.value)) for p in self.program.inputs]

    @property
    def outputs(self) -> list[Array]:
        """Outputs, for every step where they have time, then the states after the last step `[batch, features]`."""
        program = self.program
        return [Array(p.name, self._shape(p.value)) for p in program.outputs] \
            + [Array(s.output, self._shape(s.value)) for s in program.states]

    @property
    def states(self) -> list[Array]:
        """States `[batch, features]` with the values they start from."""
        return [Array(s.name, self._shape(s.value), np.full(self._shape(s.value), s.initial, np.float32))
                for s in self.program.states]

    @property
    def loops(self) -> list[Scan]:
        """The loops over time of the program."""
        return scans(self.program)

    @property
    def form(self) -> str:
        """What the file is: a step, loops over time, time steps without a loop, or none at all."""
        if self.step is not None:
            return "no time" if self.step.is_sequence else "step"
        loops = [f"{scan.steps} steps{' backward' if scan.reverse else ''}" for scan in self.loops]
        return f"loop over {' and '.join(loops)}" if loops else "unrolled"

    @property
    def parameters(self) -> list[Parameter]:
        """Named parameters: `name`, `value`, `trainable`, `note`."""
        return parameters(self.program)

    @property
    def neurons(self) -> list[Op]:
        """The raised neurons and integrators, in order."""
        return [op for op in operations(self.program) if op.kind in _NEURONS]

    @property
    def arithmetic(self) -> list[Op]:
        """The operations that stayed arithmetic."""
        return [op for op in operations(self.program) if op.kind not in _NEURONS + _FREE]

    def to_mlir(self) -> str:
        """The model as text of the snn dialect."""
        return emit(self.program, self.batch, self.name)

    def _shape(self, value: Value) -> tuple[int, ...]:
        return (value.steps, self.batch, value.width) if value.steps else (self.batch, value.width)


def load_onnx(path: str | Path, *, batch: int | None = None, steps: int | None = None, as_: str | None = None,
              state: Iterable[str] | Mapping[str, str] = (), name: str | None = None,
              train_parameters: str | None = None, sparse_weights: float | None = None) -> Model:
    """Imports an ONNX file: a step function `(x, state...) -> (y, state...)`, whole sequences, or a graph without time.

    `batch` re-batches the file, `steps` is the length of the sequences of a step function or of a dynamic axis of time,
    `as_` is `step` or `sequence`, `state` holds pairs `IN=OUT` (or is a mapping), `train_parameters` is a regular
    expression of the initializers to train, `sparse_weights` the part of non-zeros up to which a weight matrix is kept
    as connections (default: `sparsity.SPARSE_BELOW`, 0 keeps all dense). Raises `ImportFailed` with the complete list
    of reasons.
    """
    path = str(path)
    problems = ProblemList()
    pairs = [f"{a}={b}" for a, b in state.items()] if isinstance(state, Mapping) else list(state)
    model = _load(path, batch, steps, as_, pairs, name, train_parameters, problems)
    if model is not None:
        mark_sparse(model.program, sparse_weights, problems)
    if model is None or problems.has_errors:
        raise ImportFailed(path, problems.items)
    model.problems = problems.items
    return model


def check(path: str | Path, **options) -> list[Problem]:
    """Every problem of a file; takes the options of `load_onnx` and never raises for a bad model."""
    try:
        return load_onnx(path, **options).problems
    except ImportFailed as failure:
        return failure.problems


def _load(path: str, batch: int | None, steps: int | None, as_: str | None, state: list[str], name: str | None,
          train: str | None, problems: ProblemList) -> Model | None:
    check_request(batch, steps, train, problems)
    if as_ not in (None, "step", "sequence"):
        problems.error(f"--as={as_}: it is 'step' or 'sequence'")
    pairs = {}
    for item in state:
        source, equal, target = item.partition("=")
        if not equal or not source or not target:
            problems.error(f"--state {item}: write it as IN=OUT")
        pairs[source] = target
    if pairs and as_ == "sequence":
        problems.error("--state pairs states of a step function; leave it out, or --as=sequence")
    if problems.has_errors:
        return None
    graph = load_graph(path, problems)
    traced = trace_graph(graph, problems, batch=batch, steps=steps, state=pairs, as_=as_, train=train)
    if traced is None or problems.has_errors:
        return None
    check_valid(path, graph.model, problems)
    trace = traced.trace
    step = whole = None
    if any("T" in port.axes for port in (*trace.inputs, *trace.outputs)):
        whole = reroll(trace, problems)
    else:
        whole = reroll_repeats(trace) if not trace.pairs and as_ != "step" else None
    if whole is not None:
        _finish_whole(graph, traced, whole, steps, problems)
    elif not problems.has_errors:
        step = _step(graph, traced, as_ != "step" and steps is None, problems)
    if problems.has_errors:
        return None
    return Model(path, name or Path(path).stem, step, batch or trace.batch, steps or (whole.steps if whole else 1),
                 pairing=traced.pairing.how, whole=whole)


def _finish_whole(graph: SourceGraph, traced: Traced, program: Program, steps: int | None,
                  problems: ProblemList) -> None:
    """Neurons, names of parameters, and the comparison with the file, of a program that holds whole sequences."""
    if steps is not None and program.steps not in (0, steps):
        problems.error(f"--steps={steps}: the file has {program.steps} time steps, which cannot be changed; export it "
                       "with a dynamic axis of time, or one step as a function (x, state...) -> (y, state...)")
        return
    scopes = [scope_of(program, scan) for scan in scans(program)]
    told = ProblemList()
    for scope in scopes:
        raised = copy_step(scope.step)
        raise_neurons(raised, told)
        scope.apply(raised)
        _warn_memoryless(scope.step, problems)
    difference = find_difference(graph, traced.trace, program)
    if difference:
        for scope in scopes:
            scope.apply(scope.step)
        _report_difference(difference, find_difference(graph, traced.trace, program), problems)
    else:
        problems.items += told.items
    parts = [scope_of(program, scan) for scan in scans(program)]
    outside = outside_scope(program).step
    finish_parameters([*(p.step for p in parts), outside], traced.table)
    for part in parts:
        part.apply(part.step)
    finish(program, outside)


def _step(graph: SourceGraph, traced: Traced, may_be_static: bool, problems: ProblemList) -> Step | None:
    """A step function, or a graph without time, with neurons if it does what the file does, else without."""
    step = _step_of(traced.trace, graph, may_be_static, problems)
    if step is None:
        return None
    _warn_memoryless(step, problems)
    raised = copy_step(step)
    told = ProblemList()
    raise_neurons(raised, told)
    difference = find_difference(graph, traced.trace, step_program(raised, 1))
    if difference:
        _report_difference(difference, find_difference(graph, traced.trace, step_program(step, 1)), problems)
    else:
        problems.items += told.items
        step = raised
    finish_parameters([step], traced.table)
    return step


def _report_difference(raised: str, plain: str, problems: ProblemList) -> None:
    """What the model without raised neurons is worth, if the one with them differs from the file."""
    if plain:
        problems.error(f"the imported model does not compute what the file computes: {plain}")
    else:
        problems.warn(f"neurons are left as arithmetic: as neuron operations they differ from the file ({raised})")


def _step_of(trace: Trace, graph: SourceGraph, may_be_static: bool, problems: ProblemList) -> Step | None:
    """The trace of a step function, or of a graph without time, as a step."""
    outputs = {o.name: o.rows[0] for o in trace.outputs}
    rows = {i.name: i.rows[0] for i in trace.inputs}
    types = {p.name: p.dtype for p in graph.inputs}
    states = [State(n, trace.pairs[n], v, outputs[trace.pairs[n]], is_bool=types[n] == "bool")
              for n, v in rows.items() if n in trace.pairs]
    if len(states) == len(rows):
        problems.error("every input is a state, so there is no sequence to run over; a step function takes "
                       "(x, state...)")
        return None
    written = [(n, v) for i, (n, v) in enumerate(outputs.items()) if i == 0 or n not in trace.pairs.values()]
    step = Step(trace.name, trace.batch, [v for n, v in rows.items() if n not in trace.pairs], states, written,
                trace.ops, not states and may_be_static)
    step.clean()
    return step


def _warn_memoryless(step: Step, problems: ProblemList) -> None:
    """A spike test whose membrane sees no state: an exporter dropped the state of a stateful module."""
    states = {id(s.value) for s in step.states}
    for test in spike_tests(step):
        stack, seen, local = [test.value], set(), True
        while stack and local:
            value = stack.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            local = id(value) not in states
            if value.op is not None and value.op.kind != "linear":
                stack.extend(value.op.operands)
        floats = any(op.kind == "tofloat" and op.operands[0] is test.mask for op in step.ops)
        if local and floats:
            source = test.mask.op.source if test.mask.op is not None else Source()
            problems.warn("this spike does not depend on any state: the neuron has no memory from step to step. "
                          "Exporters lose hidden state (init_hidden, stateful modules); export a step that takes the "
                          "membrane as input and returns it", source)
