# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds ONNX graphs of a few nodes and compares their traces with the ONNX reference implementation."""

from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from spikeloom.importers.evaluate import evaluate
from spikeloom.importers.onnx_graph import load_graph
from spikeloom.importers.problems import ProblemList
from spikeloom.importers.tracing import trace_graph
from spikeloom.importers.tracing.layout import rows_of

# Sizes of most graphs: time, batch, features.
T, B, N = 5, 3, 6


def traced(path, **options):
    problems = ProblemList()
    result = trace_graph(load_graph(str(path), problems), problems, **options)
    assert result is not None, "\n".join(map(str, problems.items))
    return result, problems


def run_trace(trace, inputs):
    """Outputs by name for inputs by name, with the shapes of the file."""
    values = {}
    for port in trace.inputs:
        for value, array in zip(port.rows, rows_of(np.asarray(inputs[port.name], np.float32), port.axes, trace.batch),
                                strict=True):
            values[id(value)] = array
    with np.errstate(all="ignore"):
        for op in trace.ops:
            results = evaluate(op, [values[id(v)] for v in op.operands], trace.batch)
            values.update(zip(map(id, op.results), results, strict=True))
    return {o.name: _array(o, [values[id(v)] for v in o.rows], trace.batch) for o in trace.outputs}


def _array(output, rows, batch):
    """The inverse of `rows_of` for the shape of an output."""
    numbers = np.arange(prod(output.shape), dtype=np.int64).reshape(output.shape)
    result = np.empty(prod(output.shape), np.float32)
    for row, places in zip(rows, rows_of(numbers, output.axes, batch), strict=True):
        result[places] = row
    return result.reshape(output.shape)


def close(expected, found):
    assert expected.shape == found.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


class Graph:
    """A graph of a few nodes, its trace, and the comparison with the ONNX reference implementation."""

    def __init__(self, seed=0, opset=20):
        self.random = np.random.default_rng(seed)
        self.nodes, self.inputs, self.initializers, self.opset = [], [], [], opset

    def input(self, name, *shape, dtype=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def weights(self, *shape, scale=0.5):
        return self.constant(self.random.normal(0, scale, shape).astype(np.float32))

    def constant(self, value):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, op, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"n{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def save(self, path, *outputs):
        infos = [onnx.ValueInfoProto(name=o) for o in outputs]
        graph = helper.make_graph(self.nodes, "made", self.inputs, infos, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)
        return path

    def check(self, path, *outputs, axes=None, data=None, **options):
        """The trace of the outputs, which must agree with the reference."""
        result, problems = traced(self.save(path, *outputs), **options)
        feed = {}
        for value in self.inputs:
            shape = [d.dim_value or options.get({"T": "steps"}.get(d.dim_param, "batch"), 1)
                     for d in value.type.tensor_type.shape.dim]
            kind = value.type.tensor_type.elem_type
            array = self.random.normal(0, 1, shape).astype(np.float32)
            feed[value.name] = array > 0.3 if kind == TensorProto.BOOL else \
                array.astype(helper.tensor_dtype_to_np_dtype(kind))
        feed |= data or {}
        expected = ReferenceEvaluator(onnx.load(path)).run(None, feed)
        found = run_trace(result.trace, feed)
        for name, value in zip(outputs, expected, strict=True):
            close(np.asarray(value, np.float32), found[name])
        if axes is not None:
            assert [p.axes for p in [*result.trace.inputs, *result.trace.outputs]] == axes.split()
        result.problems = problems
        return result


def kinds(result):
    return [op.kind for op in result.trace.ops]


def messages(g, path, *outputs, **options):
    problems = ProblemList()
    assert trace_graph(load_graph(str(g.save(path, *outputs)), problems), problems, **options) is None
    return [str(p) for p in problems.items if p.severity == "error"]
