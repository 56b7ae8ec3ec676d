# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares an imported model with the original ONNX graph on random inputs, over several steps.

The importer must never give a silently different network, so this runs on every import. Both sides iterate their
own states: one spike that differs grows into a difference that cannot be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from .evaluate import run_program
from .ir import Port, Program, Trace, TraceInput, TraceOutput
from .onnx_graph import SourceGraph
from .programs import parameters
from .tracing.layout import rows_of

TOLERANCE = 1e-4
_HALF_TOLERANCE = 2e-3
_WORK = 40_000_000
_TYPES = {"bool": np.bool_, "uint8": np.uint8, "int32": np.int32, "int64": np.int64, "float16": np.float16,
          "double": np.float64}


def find_difference(graph: SourceGraph, trace: Trace, program: Program) -> str:
    """Empty if both agree, else what differs: output, step and by how much.

    A step function (`trace.pairs`) is run one step at a time, a whole sequence at once.
    """
    try:
        oracle = _Oracle(graph)
    except Exception as error:  # ill-formed in a way that both implementations see before any input
        return f"the original graph cannot be run: {str(error).splitlines()[0]}"
    is_half = any(p.dtype == "float16" for p in [*graph.inputs, *graph.outputs])
    types = {p.name: p.dtype for p in graph.inputs}
    weights = sum(p.value.size for p in parameters(program)) + 1
    repeats = max(3, min(8, _WORK // (weights * trace.batch))) if trace.pairs and not is_half else 1
    stacked = {p.name for p in program.inputs if p.value.steps}
    # Where the steps stay unrolled the program has one long row for the rows of the trace.
    long = {p.name: p for p in [*program.inputs, *program.outputs] if "S" in p.axes}
    for draw in range(3 if weights * trace.batch < _WORK else 1):
        generator = np.random.default_rng(draw)
        theirs = {i.name: _draw(generator, i.shape, types[i.name], draw) for i in trace.inputs if i.name in trace.pairs}
        ours = {i.name: _rows(i, theirs[i.name], trace.batch)[0] for i in trace.inputs if i.name in theirs}
        for t in range(repeats):
            feed = {i.name: _draw(generator, i.shape, types[i.name], 1 + (t + draw) % 2)
                    for i in trace.inputs if i.name not in theirs}
            try:
                expected = oracle.run({n: _as_type(a, types[n]) for n, a in {**feed, **theirs}.items()})
            except Exception as error:  # the reference implementation rejects the graph or an operator in it
                return f"the original graph cannot be run by the ONNX reference implementation: {error}"
            rows = {i.name: _rows(long.get(i.name, i), feed[i.name], trace.batch)
                    for i in trace.inputs if i.name in feed}
            outputs, ours = run_program(program, {n: a if n in stacked else a[0] for n, a in rows.items()}, ours)
            found = {p.name: outputs[p.name] if p.value.steps else outputs[p.name][None] for p in program.outputs}
            found |= {trace.pairs[n]: a[None] for n, a in ours.items()}
            for port in trace.outputs:
                difference = _difference(_rows(long.get(port.name, port), expected[port.name], trace.batch),
                                         found[port.name], is_half)
                if difference:
                    step = f" at step {t}" if trace.pairs else ""
                    return f"output '{port.name}' differs{step} of random input {draw}: {difference}"
            theirs = {n: np.asarray(expected[o], np.float32) for n, o in trace.pairs.items()}
    return ""


class _Oracle:
    """The ONNX reference implementation; for a graph that it cannot run, onnxruntime where that is installed."""

    def __init__(self, graph: SourceGraph) -> None:
        self.model = without_dropout(graph.model)
        self.names = [p.name for p in graph.outputs]
        if any(node.op in ("RNN", "GRU", "LSTM") and len(node.inputs) > 4 and node.inputs[4] for node in graph.nodes):
            self.session = self._runtime()
            if self.session is None:
                raise RuntimeError("the reference implementation does not know sequence_lens; install onnxruntime")
            return
        try:
            self.session = ReferenceEvaluator(self.model)
        except Exception:  # it refuses some operators before it has seen any input
            self.session = self._runtime()

    def run(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name."""
        with np.errstate(all="ignore"):
            try:
                values = self.session.run(None, feed)
            except Exception:
                if not isinstance(self.session, ReferenceEvaluator):
                    raise
                self.session = self._runtime() or self.session
                values = self.session.run(None, feed)
        return dict(zip(self.names, values, strict=True))

    def _runtime(self):
        try:
            import onnxruntime
        except ImportError:
            return None
        onnxruntime.set_default_logger_severity(4)
        return onnxruntime.InferenceSession(self.model.SerializeToString(), providers=["CPUExecutionProvider"])


def without_dropout(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with dropout as in inference, where it draws nothing; the model itself if it has none that does."""
    def drawing(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
        for node in nodes:
            if node.op_type == "Dropout" and len(node.input) > 2:
                yield node
            for attribute in node.attribute:
                yield from drawing(attribute.g.node)

    if not any(drawing(model.graph.node)) and not any(any(drawing(f.node)) for f in model.functions):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for nodes in (copy.graph.node, *(f.node for f in copy.functions)):
        for node in drawing(nodes):
            del node.input[2:]
    return copy


def _rows(port: TraceInput | TraceOutput | Port, array: np.ndarray, batch: int) -> np.ndarray:
    """An array of the file as rows `[steps, batch, width]`; one step without time."""
    return np.stack(rows_of(np.asarray(array, np.float32), port.axes, batch))


def _draw(generator: np.random.Generator, shape: tuple[int, ...], dtype: str, kind: int) -> np.ndarray:
    """Inputs: binary, uniform, and (for states) values that lie exactly on round thresholds."""
    if dtype in ("bool", "uint8"):
        return generator.integers(0, 2, shape).astype(np.float32)
    if dtype.startswith("int"):
        return generator.integers(0, 3, shape).astype(np.float32)
    if kind == 0:
        return np.zeros(shape, np.float32)
    if kind == 1:
        return (generator.random(shape) < 0.4).astype(np.float32)
    return generator.normal(0.3, 0.8, shape).astype(np.float32)


def _as_type(array: np.ndarray, dtype: str) -> np.ndarray:
    return array.astype(_TYPES.get(dtype, np.float32))


def _difference(expected: np.ndarray, found: np.ndarray, is_half: bool) -> str:
    """Spikes (outputs of 0 and a few other values) exactly, other numbers to the tolerance.

    The file's half precision is float32 here: one spike in a hundred may be decided by that.
    """
    if expected.shape != found.shape:
        return f"shape {list(found.shape)} instead of {list(expected.shape)}"
    scale = np.maximum(1.0, np.abs(expected))
    with np.errstate(invalid="ignore"):
        close = np.abs(expected - found) <= (_HALF_TOLERANCE if is_half else TOLERANCE) * scale
    bad = ~close & ~(np.isnan(expected) & np.isnan(found)) & (expected != found)
    if np.count_nonzero(bad) <= (bad.size // 100 if is_half else 0):
        return ""
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    return (f"{int(bad.sum())} of {expected.size} values, the first at {list(where)}: {found[where]:.9g} instead of "
            f"{expected[where]:.9g}")
