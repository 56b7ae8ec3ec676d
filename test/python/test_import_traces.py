# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Symbolic execution of whole files: outputs of PyTorch, all forms of loops, axes of inputs, what is refused."""

from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graph_maker import B, Graph, N, T, close, messages, run_trace, traced
from spikeloom.importers import load_onnx
from spikeloom.importers.onnx_graph import load_graph
from spikeloom.importers.problems import ProblemList
from spikeloom.importers.tracing import trace_graph
from spikeloom.onnx_export import export_onnx

DATA = Path(__file__).parent / "data"
FILES = sorted(p.stem for p in DATA.glob("*.onnx") if "inhibition" not in p.stem)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


@pytest.mark.parametrize("name", FILES)
def test_outputs_are_pytorchs(name):
    stored = np.load(DATA / f"{name}.npz")
    first = stored[load_graph(str(DATA / f"{name}.onnx"), ProblemList()).inputs[0].name]
    result, _ = traced(DATA / f"{name}.onnx", batch=first.shape[0 if "B5" in name else -2])
    outputs = run_trace(result.trace, {i.name: stored[i.name] for i in result.trace.inputs})
    for name, found in outputs.items():
        expected = np.asarray(stored[name], np.float32)
        if len(np.unique(expected)) <= 2:
            np.testing.assert_allclose(found, expected, atol=1e-6)
        close(expected, found)


# Loops, branches, sequences.


def body(nodes, inputs, outputs, initializers=()):
    return helper.make_graph(nodes, "body", [onnx.ValueInfoProto(name=i) for i in inputs],
                             [onnx.ValueInfoProto(name=o) for o in outputs], list(initializers))


def leaky_nodes(x, v):
    return [helper.make_node("Mul", [v, "beta"], ["kept"]), helper.make_node("Add", ["kept", x], ["sum"]),
            helper.make_node("Greater", ["sum", "one"], ["fires"]),
            helper.make_node("Cast", ["fires"], ["s"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["sum", "s"], ["next"])]


def leaky_graph():
    g = Graph()
    x = g.input("x", T, B, N)
    for name, value in (("beta", np.float32(0.8)), ("one", np.float32(0.7)), ("true", np.array(True))):
        g.initializers.append(numpy_helper.from_array(value, name))
    return g, x, g.constant(np.zeros((B, N), np.float32))


def test_scan_axes_directions_and_captures(path):
    g, x, zero = leaky_graph()
    x = g.node("Transpose", x, perm=[1, 0, 2])
    inner = body([*leaky_nodes("xt", "v"), helper.make_node("Identity", ["s"], ["out"])], ["v", "xt"], ["next", "out"])
    final, spikes = g.node("Scan", zero, x, outputs=2, body=inner, num_scan_inputs=1, scan_input_axes=[1],
                           scan_input_directions=[1], scan_output_axes=[1], scan_output_directions=[1])
    result, _ = traced(g.save(path, final, spikes))
    sequence = g.random.normal(0, 1, (T, B, N)).astype(np.float32)
    found = run_trace(result.trace, {"x": sequence})
    v, rows = np.zeros((B, N), np.float32), []
    for xt in sequence[::-1]:
        v = np.float32(0.8) * v + xt
        rows.insert(0, (v > np.float32(0.7)).astype(np.float32))
        v = v - rows[0]
    close(v, found[final])
    close(np.stack(rows, 1), found[spikes])


@pytest.mark.parametrize("form", ["scan output", "sequence", "cat", "buffer", "while"])
def test_forms_of_loop(path, form):
    g, x, zero = leaky_graph()
    step = [helper.make_node("Gather", [x, "i"], ["xt"], axis=0), *leaky_nodes("xt", "v"),
            helper.make_node("Identity", ["more"], ["again"])]
    axis, count = g.ints(0), g.constant(np.int64(T))
    row = helper.make_node("Unsqueeze", ["s", axis], ["row"])
    inputs, outputs, carried, extra = ["i", "more", "v"], ["again", "next"], [zero], []
    if form == "scan output":
        extra, outputs = [helper.make_node("Identity", ["s"], ["out"])], [*outputs, "out"]
    elif form == "sequence":
        extra = [helper.make_node("SequenceInsert", ["acc", "s"], ["grown"])]
        carried.append(g.node("SequenceEmpty"))
    elif form == "cat":
        extra = [row, helper.make_node("Concat", ["acc", "row"], ["grown"], axis=0)]
        carried.append(g.constant(np.zeros((0, B, N), np.float32)))
    else:
        extra = [row, helper.make_node("Unsqueeze", ["i", axis], ["i1"]),
                 helper.make_node("Unsqueeze", ["i1", axis], ["i2"]),
                 helper.make_node("ScatterND", ["acc", "i2", "row"], ["grown"])]
        carried.append(g.constant(np.zeros((T, B, N), np.float32)))
    if form == "while":  # its own counter, no trip count
        step[-1:] = [helper.make_node("Add", ["n", g.constant(np.int64(1))], ["n1"]),
                     helper.make_node("Less", ["n1", count], ["again"])]
        inputs, outputs, carried = [*inputs, "n"], [*outputs, "n1"], [zero, g.constant(np.int64(0)), carried[1]]
        count = ""
    if form != "scan output":
        inputs, outputs = [*inputs, "acc"], [*outputs, "grown"]
    inner = body(step + extra, inputs, outputs)
    results = g.node("Loop", count, "true", *carried, outputs=len(outputs) - 1, body=inner)
    spikes = results[-1]
    if form == "sequence":
        spikes = g.node("ConcatFromSequence", spikes, axis=0, new_axis=1)
    result, _ = traced(g.save(path, results[0], spikes))
    sequence = g.random.normal(0, 1, (T, B, N)).astype(np.float32)
    found = run_trace(result.trace, {"x": sequence})
    v = np.zeros((B, N), np.float32)
    for t, xt in enumerate(sequence):
        v = np.float32(0.8) * v + xt
        close((v > np.float32(0.7)).astype(np.float32), found[spikes][t])
        v = v - (v > np.float32(0.7))
    close(v, found[results[0]])


def test_branches_with_constant_condition_and_sequences(path):
    g = Graph()
    x = g.input("x", T, B, N)
    relu, neg = (body([helper.make_node(op, [x], ["out"])], [], ["out"]) for op in ("Relu", "Neg"))
    y = g.node("If", g.constant(np.array([True])), then_branch=relu, else_branch=neg)
    parts = g.node("SplitToSequence", y, g.constant(np.int64(2)), axis=0)
    second = g.node("SequenceAt", parts, g.constant(np.int64(1)))
    joined = g.node("ConcatFromSequence", g.node("SequenceInsert", parts, second), axis=0)
    g.check(path, joined, g.node("Sub", g.node("Slice", x, g.ints(0), g.ints(2), g.ints(0)), second))


# Axes of inputs, dynamic dimensions.


def test_batch_major_is_found_by_how_time_is_used(path):
    g = Graph()
    x = g.input("x", B, T, N)
    y = g.node("MatMul", x, g.weights(N, 4))
    y = g.node("ReduceSum", y, g.ints(1), keepdims=0)
    g.check(path, y, axes="BTN BN")


def test_dynamic_dimensions(path):
    g = Graph()
    y = g.node("Relu", g.input("x", "T", "batch", N))
    result = g.check(path, y, axes="TBN TBN", batch=2, steps=7)
    assert result.trace.inputs[0].shape == (7, 2, N)
    _, problems = traced(path)
    notes = " ".join(p.message for p in problems.items)
    assert "number of time steps of the file is dynamic; 5 are used" in notes
    assert "the batch of the file is dynamic; 1 is used" in notes


def test_states_with_axes_of_their_own(path):
    """A stack of states, and a delay line of the last three inputs."""
    g = Graph()
    x, stack, line = g.input("x", B, N), g.input("stack", 2, B, N), g.input("line", B, 3, N)
    upper = g.node("Gather", stack, g.constant(np.int64(1)), axis=0)
    lower = g.node("Add", g.node("Gather", stack, g.constant(np.int64(0)), axis=0), x)
    rows = [g.node("Unsqueeze", r, g.ints(0)) for r in (lower, g.node("Mul", upper, lower))]
    new_stack = g.node("Concat", *rows, axis=0)
    newest = g.node("Unsqueeze", x, g.ints(1))
    new_line = g.node("Concat", g.node("Slice", line, g.ints(1), g.ints(3), g.ints(1)), newest, axis=1)
    oldest = g.node("Gather", line, g.constant(np.int64(0)), axis=1)
    result = g.check(path, oldest, new_stack, new_line, state={"stack": new_stack, "line": new_line},
                     axes="BN CBN BCN BN CBN BCN")
    assert result.trace.pairs == {"stack": new_stack, "line": new_line}
    assert all(len(p.rows) == 1 for p in result.trace.inputs)
    assert result.trace.inputs[2].rows[0].width == prod((3, N))


def test_a_step_on_signals_with_states_of_their_size(path):
    g = Graph()
    kernel = g.weights(2, 4, 3)
    x = g.node("Conv", g.node("Relu", g.input("x", B, 4, 8)), kernel, pads=[1, 1], kernel_shape=[3])
    v = g.node("Add", g.node("Mul", g.input("v", B, 2, 8), g.constant(np.float32(0.9))), x)
    g.check(path, g.node("Relu", v), v, state={"v": v}, axes="BCN BCN BCN BCN")


def test_parts_of_packed_weights_go_back_to_their_places(tmp_path):
    """Gates and directions of one initializer are parameters of their own; trained, they fill it again."""
    file = DATA / "torch_lstm_bi__lastT5__legacy.onnx"
    before = load_onnx(file)
    random = np.random.default_rng(1)
    trained = {p.name: p.value + random.normal(0, 0.1, p.value.shape).astype(np.float32) for p in before.parameters
               if p.trainable}
    assert {n.rpartition(".")[2] for n in trained if "LSTM_" in n} >= {"ih", "hh", "ih_reverse", "hh_reverse"}
    changed = export_onnx(file, trained, tmp_path / "out.onnx")
    assert len(changed) == 5
    after = {p.name: p.value for p in load_onnx(tmp_path / "out.onnx").parameters}
    for name, value in trained.items():
        np.testing.assert_array_equal(after[name], value)


# What is refused.


def test_loops_and_branches_that_depend_on_the_data(path):
    g, x, zero = leaky_graph()
    total = g.node("ReduceMax", g.node("ReduceMax", x, g.ints(0, 2), keepdims=0), keepdims=0)
    step = body([helper.make_node("Add", ["v", zero], ["w"])], ["i", "more", "v"], ["more", "w"])
    then = body([helper.make_node("Identity", [zero], ["out"])], [], ["out"])
    a = g.node("Loop", "", g.node("Greater", total, "one"), zero, body=step)
    b = g.node("If", g.node("Greater", total, "one"), then_branch=then, else_branch=then)
    found = messages(g, path, a, b)
    assert any("along the batch axis (dimension 0 of 3) treats samples of one batch differently" in m for m in found)
    assert any("the condition of Loop depends on the data" in m for m in found)
    assert any("the condition of If depends on the data" in m for m in found)


def test_loop_without_end(path):
    g, x, _ = leaky_graph()
    step = body(leaky_nodes("v", "v"), ["i", "more", "v"], ["more", "next"])
    first = g.node("Gather", x, g.constant(np.int64(0)))
    (message,) = messages(g, path, g.node("Loop", "", "true", first, body=step))
    assert "node 'n1': Loop has neither a trip count nor a condition that changes" in message


def test_a_state_whose_next_value_is_smaller_than_declared(path):
    g = Graph()
    v = g.node("Slice", g.node("Add", g.input("v", B, N), g.input("x", B, N)), g.ints(0), g.ints(4), g.ints(1))
    g.save(path, v)
    model = onnx.load(path)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(v, TensorProto.FLOAT, [B, N]))
    onnx.save(model, path)
    problems = ProblemList()
    assert trace_graph(load_graph(str(path), problems), problems, state={"v": v}) is None
    assert "state 'v' has 6 values a sample, its output 'v1_0' has 4" in str(problems.items[0])


def test_loop_of_too_many_iterations(path):
    g, x, _ = leaky_graph()
    step = body(leaky_nodes("v", "v"), ["i", "more", "v"], ["more", "next"])
    first = g.node("Gather", x, g.constant(np.int64(0)))
    (message,) = messages(g, path, g.node("Loop", g.constant(np.int64(1 << 30)), "true", first, body=step))
    assert "node 'n1': Loop has 1073741824 iterations; more than 32768 are not unrolled" in message


def test_inputs_of_no_known_form(path):
    g = Graph()
    assert "inputs are [batch, features]" in messages(g, path, g.node("Relu", g.input("x", 7)))[0]
    g = Graph()
    assert "more than 4294967296 numbers" in messages(g, path, g.node("Relu", g.input("x", 1 << 16, 1 << 17)))[0]
    g = Graph()
    assert "134217728 numbers a sample" in messages(g, path, g.node("Relu", g.input("x", 2, 1 << 27)))[0]
