# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators: the trace of each computes what the ONNX reference implementation does, with the operations expected."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from graph_maker import B, Graph, N, T, close, kinds, messages, run_trace, traced
from spikeloom.importers import load_onnx


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


# What only moves data.


def test_data_movement_computes_nothing(path):
    g = Graph()
    x = g.input("x", T, B, N)
    parts = g.node("Split", x, outputs=T, axis=0, num_outputs=T)
    rows = [g.node("Squeeze", p, g.ints(0)) for p in parts]
    back = g.node("Concat", *[g.node("Unsqueeze", r, g.ints(1)) for r in rows[::-1]], axis=1)
    y = g.node("Slice", g.node("Transpose", back, perm=[1, 0, 2]), g.ints(-1), g.ints(-100), g.ints(0), g.ints(-1))
    y = g.node("Reshape", g.node("Reshape", y, g.ints(T * B, -1)), g.ints(T, B, N))
    last = g.node("Gather", y, g.constant(np.int64(-1)), axis=0)
    assert kinds(g.check(path, y, last, axes="TBN TBN BN")) == []


def test_parts_of_features(path):
    g = Graph()
    x = g.input("x", B, 24)
    a, b, c = g.node("Split", x, g.ints(4, 12, 8), outputs=3, axis=-1)
    image = g.node("Reshape", b, g.ints(B, 3, 2, 2))
    corner = g.node("Slice", image, g.ints(1, 1), g.ints(3, 2), g.ints(1, 3))
    flat = g.node("Flatten", corner)
    y = g.node("Concat", c, a, flat, axis=1)
    result = g.check(path, y)
    assert kinds(result) == ["slice", "slice", "slice", "concat"]  # one for each operand of Concat


def test_any_order_of_features_is_a_product_with_a_constant_matrix(path):
    g = Graph()
    x = g.input("x", B, 4, 5, 4)
    y = g.node("Flatten", g.node("Transpose", x, perm=[0, 2, 3, 1]))
    z = g.node("Gather", x, g.ints(3, 0, 0), axis=1)
    result = g.check(path, y, z)
    weights = [op.params["weight"] for op in result.trace.ops if op.kind == "linear"]
    assert weights[0].value.sum() == 80
    assert not weights[0].trainable
    assert weights[0].density < 0.05


def test_padding_of_time_and_features(path):
    g = Graph()
    x = g.input("x", T, B, N)
    y = g.node("Pad", x, g.ints(1, 0, 0, 2, 0, 0))
    z = g.node("Pad", x, g.ints(0, 0, 2, 0, 0, 1), g.constant(np.float32(0.5)))
    result = g.check(path, y, z)
    assert sorted(set(kinds(result))) == ["concat", "const", "slice"]
    assert [len(o.rows) for o in result.trace.outputs] == [1, T]  # time of another length is a feature axis


def test_expand_tile_and_masks(path):
    g = Graph()
    x = g.input("x", B, N)
    spread = g.node("Expand", g.node("Unsqueeze", x, g.ints(0)), g.ints(T, 1, 1))
    time = g.constant(np.arange(T, dtype=np.float32).reshape(T, 1, 1))
    y = g.node("Where", g.node("Greater", spread, time), g.node("Mul", spread, time), g.constant(np.float32(-1)))
    z = g.node("Tile", x, g.ints(1, 2))
    g.check(path, y, z)


def test_scatter_into_a_buffer(path):
    g = Graph()
    x = g.input("x", T, B, N)
    row = g.node("Slice", x, g.ints(1), g.ints(2), g.ints(0))
    y = g.node("ScatterND", g.constant(np.zeros((4, B, N), np.float32)), g.constant(np.array([[2]])), row)
    z = g.node("ScatterElements", x, g.constant(np.full((1, B, N), 3)), row, axis=0)
    g.check(path, y, z)


# Arithmetic.


@pytest.mark.parametrize(("op", "attributes"), [
    ("LeakyRelu", {"alpha": 0.2}), ("Elu", {"alpha": 0.7}), ("Softplus", {}), ("Softsign", {}), ("Mish", {}),
    ("HardSigmoid", {"alpha": 0.3}), ("HardSwish", {}), ("Gelu", {}), ("Gelu", {"approximate": "tanh"}), ("Erf", {}),
    ("Round", {}), ("Reciprocal", {}), ("Relu", {}), ("Sigmoid", {}), ("Ceil", {})])
def test_activations(path, op, attributes):
    g = Graph()
    g.check(path, g.node(op, g.input("x", B, 40), **attributes))


def test_rounding_is_half_to_even(path):
    g = Graph()
    x = np.array([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.4999]], np.float32)
    g.check(path, g.node("Round", g.input("x", 1, 7)), data={"x": x})


@pytest.mark.parametrize("exponent", [0.5, 1, 2, 3, -1, -2])
def test_powers(path, exponent):
    g = Graph()
    x = g.node("Add", g.node("Abs", g.input("x", B, N)), g.constant(np.float32(0.5)))
    g.check(path, g.node("Pow", x, g.constant(np.float32(exponent))))


def test_whole_numbers(path):
    g = Graph()
    count = g.input("count", B, N, dtype=TensorProto.INT64)
    held = g.node("Greater", count, g.constant(np.int64(0)))
    fewer = g.node("Where", held, g.node("Sub", count, g.constant(np.int64(1))), g.constant(np.int64(5)))
    half = g.node("Div", fewer, g.constant(np.int64(2)))
    number = g.node("Cast", half, to=TensorProto.FLOAT)
    cut = g.node("Cast", g.node("Cast", g.node("Mul", number, g.constant(np.float32(-0.7))), to=TensorProto.INT32),
                 to=TensorProto.FLOAT)
    g.check(path, cut, data={"count": np.arange(-3, 15).reshape(B, N)})


def test_masks(path):
    g = Graph()
    a = g.input("a", B, N, dtype=TensorProto.BOOL)
    b = g.node("Less", g.input("b", B, N), g.constant(np.linspace(-1, 1, N, dtype=np.float32)))
    both = g.node("Xor", g.node("And", a, b), g.node("Not", g.node("Or", a, b)))
    same = g.node("Equal", a, both)
    joined = g.node("Concat", a, same, axis=1)
    g.check(path, g.node("Cast", g.node("Slice", joined, g.ints(3), g.ints(9), g.ints(1)), to=TensorProto.FLOAT))


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2",
                                "ReduceSumSquare", "ReduceProd"])
@pytest.mark.parametrize(("dims", "keep"), [((0,), 0), ((2,), 1), ((0, 2), 0)])
def test_reductions(path, op, dims, keep):
    g = Graph()
    g.check(path, g.node(op, g.input("x", T, B, N), g.ints(*dims), keepdims=keep))


def test_a_sum_over_time_is_a_chain_in_the_order_of_time(path):
    g = Graph()
    result = g.check(path, g.node("ReduceSum", g.input("x", T, B, N), g.ints(0), keepdims=0))
    (trace_input,) = result.trace.inputs
    assert kinds(result) == ["add"] * (T - 1)
    assert result.trace.ops[0].operands == trace_input.rows[:2]
    assert [op.operands[1] for op in result.trace.ops] == trace_input.rows[1:]


def test_running_sum_softmax_and_norms(path):
    g = Graph()
    x = g.input("x", T, B, N)
    g.check(path, g.node("CumSum", x, g.constant(np.int64(0)), reverse=1), g.node("Softmax", x),
            g.node("LogSoftmax", x, axis=-1), g.node("LayerNormalization", x, g.weights(N), g.weights(N)),
            g.node("LayerNormalization", x, g.weights(N)))


@pytest.mark.parametrize(("op", "opset", "attributes"), [
    ("InstanceNormalization", 20, {}), ("GroupNormalization", 21, {"num_groups": 2})])
def test_norms_of_images(path, op, opset, attributes):
    g = Graph(opset=opset)
    x = g.node("Reshape", g.input("x", T, B, 4, 3, 2), g.ints(T * B, 4, 3, 2))
    y = g.node(op, x, g.weights(4), g.weights(4), epsilon=0.01, **attributes)
    g.check(path, g.node("Reshape", y, g.ints(T, B, 4, 3, 2)))


def test_a_mean_over_an_image_is_a_pooling(path):
    g = Graph()
    result = g.check(path, g.node("ReduceMean", g.input("x", B, 4, 3, 2), g.ints(2, 3), keepdims=0))
    assert [op.attrs.get("groups") for op in result.trace.ops if op.kind == "conv"] == [4]


@pytest.mark.parametrize("equation", ["bi,oi->bo", "tbi,io->tbo", "oi,tbi->tbo", "tbi,oi->bto"])
def test_einsum_with_weights(path, equation):
    g = Graph()
    sizes = {"b": B, "i": N, "t": T, "o": 4}
    first, second = equation.split("->")[0].split(",")
    names = [g.weights(*(sizes[c] for c in term)) if "o" in term else g.input("x", *(sizes[c] for c in term))
             for term in (first, second)]
    g.check(path, g.node("Einsum", *names, equation=equation))


def test_products_with_the_weights_first_and_transposed(path):
    g = Graph()
    x = g.input("x", B, N)
    turned = g.node("Transpose", x, perm=[1, 0])
    a = g.node("Transpose", g.node("MatMul", g.weights(4, N), turned), perm=[1, 0])
    b = g.node("Gemm", turned, g.weights(4, N), g.weights(4), transA=1, transB=1, alpha=0.5, beta=2.0)
    c = g.node("MatMul", x, g.weights(N))
    g.check(path, a, b, g.node("Unsqueeze", c, g.ints(1)))


# Images.


@pytest.mark.parametrize("attributes", [
    {"kernel_shape": [3, 3]}, {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 2, 1]},
    {"kernel_shape": [3, 3], "dilations": [2, 1], "auto_pad": "VALID"},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution(path, attributes, groups):
    g = Graph()
    weights = g.weights(6, 4 // groups, *attributes["kernel_shape"])
    result = g.check(path, g.node("Conv", g.input("x", B, 4, 7, 6), weights, g.weights(6), group=groups, **attributes),
                     axes="BCHW BCHW")
    assert kinds(result) == ["conv"]


def test_convolution_over_a_line_and_of_time_folded_into_the_batch(path):
    g = Graph()
    line = g.node("Conv", g.input("x", B, 2, 9), g.weights(3, 2, 3), pads=[1, 1], strides=[2], kernel_shape=[3])
    assert kinds(g.check(path, line, axes="BCN BCN")) == ["conv"]
    g = Graph()
    folded = g.node("Reshape", g.input("x", T, B, 2, 4, 4), g.ints(-1, 2, 4, 4))
    images = g.node("Reshape", g.node("Conv", folded, g.weights(3, 2, 3, 3), kernel_shape=[3, 3]),
                    g.ints(T, B, 3, 2, 2))
    assert kinds(g.check(path, images, folded, axes="TBCHW TBCHW (TB)CHW")) == ["conv"] * T


@pytest.mark.parametrize(("order", "batch"), [("(BT)N", B), ("(TB)N", B), ("(BT)N", 1)])
def test_an_input_with_time_and_batch_in_one_axis(path, order, batch):
    g = Graph()
    inner = (batch, T) if order == "(BT)N" else (T, batch)
    x = g.node("Reshape", g.node("Relu", g.input("x", T * batch, N)), g.ints(*inner, N))
    axis = inner.index(T)
    rows = [g.node("Gather", x, g.constant(np.int64(t)), axis=axis) for t in range(T)]
    total = rows[0]
    for row in rows[1:]:
        total = g.node("Add", g.node("Mul", total, g.constant(np.float32(0.5))), row)
    result = g.check(path, total)
    assert result.trace.inputs[0].axes == order
    assert result.trace.batch == batch


@pytest.mark.parametrize(("op", "attributes"), [
    ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1], "dilations": [1, 2]}),
    ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("LpPool", {"kernel_shape": [2, 2], "strides": [2, 2], "p": 1}), ("LpPool", {"kernel_shape": [2, 2], "p": 2}),
    ("GlobalAveragePool", {}), ("GlobalMaxPool", {})])
def test_pooling(path, op, attributes):
    g = Graph()
    g.check(path, g.node(op, g.input("x", B, 2, 7, 6), **attributes))


def test_ceil_mode(path):
    """Windows that start inside the image and end outside; the reference has no such windows for averages."""
    g = Graph()
    x = g.input("x", 1, 1, 5, 5)
    y = g.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    result, _ = traced(g.save(path, y))
    image = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    found = run_trace(result.trace, {"x": image})[y][0, 0]
    np.testing.assert_allclose(found, [[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]])


def test_batch_normalization_becomes_a_scale_and_a_shift_a_channel(path):
    g = Graph()
    deviation = g.constant(np.array([0.5, 1.0, 2.0], np.float32))
    x = g.input("x", B, 3, 4, 4)
    result = g.check(path, g.node("BatchNormalization", x, g.weights(3), g.weights(3), g.weights(3), deviation))
    parameters = [op.params["value"] for op in result.trace.ops if op.kind == "broadcast"]
    assert [(p.value.shape, p.trainable) for p in parameters] == [((3,), True), ((3,), True)]
    assert all(op.attrs["inner"] == 16 for op in result.trace.ops if op.kind == "broadcast")


# Layers that do one thing in training and another in inference.


def normalised(g, x, channels, **attributes):
    """A BatchNormalization in training mode, its statistics last."""
    operands = [*(g.weights(channels) for _ in range(3)), g.constant(np.ones(channels, np.float32))]
    return g.node("BatchNormalization", x, *operands, outputs=3, training_mode=1, **attributes)


@pytest.mark.parametrize("shape", [(B, 6), (B, 3, 8), (B, 3, 4, 2)])
def test_batch_normalization_in_training_mode_is_one_operation(path, shape):
    g = Graph(opset=15)
    y = normalised(g, g.input("x", *shape), shape[1], momentum=0.7, epsilon=1e-3)[0]
    result = g.check(path, y)
    (op,) = result.trace.ops
    assert (op.kind, op.attrs["inner"], op.attrs["momentum"]) == ("batch_norm", np.prod(shape[2:]), pytest.approx(0.3))
    assert [(role, p.trainable) for role, p in op.params.items()] == [
        ("scale", True), ("shift", True), ("mean", False), ("variance", False)]
    everything = g.check(path, y, train=".").trace.ops[0].params
    assert not everything["mean"].trainable, "what a pattern names is no reason to have a gradient"


def test_batch_normalization_of_every_step_is_one_operation_a_step(path):
    g = Graph(opset=15)
    x = g.input("x", T, B, N)
    steps = [g.node("Squeeze", part, g.ints(0)) for part in g.node("Split", x, outputs=T, axis=0)]
    operands = [g.weights(N), g.weights(N), g.weights(N), g.constant(np.ones(N, np.float32))]
    rows = [g.node("BatchNormalization", s, *operands, outputs=3, training_mode=1)[0] for s in steps]
    y = g.node("Concat", *[g.node("Unsqueeze", r, g.ints(0)) for r in rows], axis=0)
    assert kinds(g.check(path, y, axes="TBN TBN")) == ["batch_norm"] * T


@pytest.mark.parametrize(("build", "message"), [
    (lambda g, x: normalised(g, g.node("Reshape", x, g.ints(T * B, N)), N)[0], "takes one mean over 5 steps at once"),
    (lambda g, x: normalised(g, g.node("Transpose", x, perm=[1, 0, 2]), T)[0], "takes steps of time for channels"),
    (lambda g, x: g.node("Add", x, normalised(g, g.node("ReduceSum", x, g.ints(0), keepdims=0), N)[1]),
     "output 1 of BatchNormalization is used"),
    (lambda g, x: g.node("BatchNormalization", x, *[g.weights(N)] * 3, x), "variance depends on the inputs"),
    (lambda g, x: g.node("Dropout", x, g.constant(np.float32(1)), g.constant(True)), "Dropout with ratio 1"),
    (lambda g, x: g.node("Dropout", g.weights(N), g.constant(np.float32(0.5)), g.constant(True)),
     "should depend on the inputs is constant"),
    (lambda g, x: g.node("Dropout", x, x), "Dropout whose ratio depends on the inputs")])
def test_training_layers_that_are_refused(path, build, message):
    g = Graph(opset=15)
    found = messages(g, path, build(g, g.input("x", T, B, N)))
    assert any(message in m for m in found), found


def test_the_first_input_that_is_no_state_says_what_the_axes_are(path):
    """A line `[batch, channels, length]` is one, also where the state comes first."""
    g = Graph()
    mem, x = g.input("mem", B, 4, 10), g.input("x", B, 2, 10)
    current = g.node("Conv", x, g.weights(4, 2, 3), pads=[1, 1])
    new = g.node("Add", g.node("Mul", mem, g.constant(np.float32(0.9))), current)
    spikes = g.node("Cast", g.node("Greater", new, g.constant(np.float32(1))), to=1)
    g.save(path, spikes, g.node("Sub", new, spikes))
    model = load_onnx(path, state={"mem": g.nodes[-1].output[0]})
    assert model.form == "step"
    assert [op.kind for op in model.neurons] == ["neuron"]
    assert [a.shape for a in model.inputs] == [(1, B, 20)]


def test_two_dropouts_of_one_value_draw_by_themselves(path):
    g = Graph()
    x = g.input("x", B, N)
    first, second = (g.node("Dropout", x, g.constant(np.float32(0.25)), g.constant(True)) for _ in range(2))
    still = g.node("Dropout", x, g.constant(np.float32(0.25)), g.constant(False))
    none = g.node("Dropout", x, g.constant(np.float32(0)), g.constant(True))
    g.save(path, g.node("Sum", first, second, still, none))
    text = load_onnx(path).to_mlir()  # compared with the file, whose dropouts draw nothing there
    assert [line.split("{")[1] for line in text.splitlines() if "snn.dropout" in line] == [
        f"rate = 2.5e-01 : f32, salt = {n} : i64}} : tensor<3x6xf32> loc(\"n{n - 1}\")" for n in (1, 2)]


def test_a_layer_of_time_folded_into_the_batch_has_its_bias(path):
    g = Graph()
    x = g.node("Reshape", g.input("x", T, B, N), g.ints(T * B, N))
    y = g.node("Reshape", g.node("Gemm", x, g.weights(4, N), g.weights(4), transB=1), g.ints(T, B, 4))
    result = g.check(path, y, axes="TBN TBN")
    assert kinds(result) == ["linear"] * T
    assert all("bias" in op.params for op in result.trace.ops)


# Recurrent operators.


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("layout", [0, 1])
def test_recurrent_operators(path, op, direction, layout):
    """The reference knows neither directions nor layouts: it is asked for each direction by itself."""
    g = Graph()
    count, gates, hidden = 1 + (direction == "bidirectional"), {"RNN": 1, "GRU": 3, "LSTM": 4}[op], 4
    shapes = [(count, gates * hidden, N), (count, gates * hidden, hidden), (count, 2 * gates * hidden)]
    states = [(count, B, hidden)] * (2 if op == "LSTM" else 1)
    arrays = [g.random.normal(0, 0.5, s).astype(np.float32) for s in shapes + states]
    arrays[3:] = [np.repeat(a[:, :1], B, 1) for a in arrays[3:]]
    given = [*arrays[:3], *(a.transpose(1, 0, 2) if layout else a for a in arrays[3:])]
    names = [g.constant(a) for a in given]
    attributes = {"hidden_size": hidden} | ({"linear_before_reset": layout} if op == "GRU" else {})
    x = g.input("x", *((B, T, N) if layout else (T, B, N)))
    outputs = g.node(op, x, *names[:3], "", *names[3:], outputs=2, layout=layout, direction=direction, **attributes)
    result, _ = traced(g.save(path, *outputs), as_="sequence")
    sequence = g.random.normal(0, 1, (T, B, N)).astype(np.float32)
    found = run_trace(result.trace, {"x": sequence.transpose(1, 0, 2) if layout else sequence})
    y, last = (found[o].transpose((1, 2, 0, 3) if o == outputs[0] else (1, 0, 2)) if layout else found[o]
               for o in outputs)
    for d in range(count):
        one = Graph()
        parts = [one.constant(a[d:d + 1]) for a in arrays]
        one.node(op, one.input("x", T, B, N), *parts[:3], "", *parts[3:], outputs=2, **attributes)
        oracle = ReferenceEvaluator(onnx.load(one.save(path, "v0_0", "v0_1")))
        backward = direction == "reverse" or d == 1
        rows, final = oracle.run(None, {"x": sequence[::-1] if backward else sequence})
        close((rows[::-1] if backward else rows)[:, 0], y[:, d])
        close(final[0], last[d])


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("constant", [False, True])
def test_sequences_of_different_lengths(path, direction, constant):
    """After its end a sequence gives zeros and keeps its state; a reversed one starts at its own end."""
    g = Graph()
    arrays = [g.random.normal(0, 0.5, s).astype(np.float32) for s in ((1, 24, N), (1, 24, N), (1, 48))]
    lengths = np.array([3, 3, 3] if constant else [5, 2, 0], np.int32)
    x = g.input("x", T, B, N)
    given = g.constant(lengths) if constant else g.input("lengths", B, dtype=TensorProto.INT32)
    outputs = g.node("LSTM", x, *(g.constant(a) for a in arrays), given, outputs=3, hidden_size=N, direction=direction)
    result, _ = traced(g.save(path, *outputs))
    sequence = g.random.normal(0, 1, (T, B, N)).astype(np.float32)
    found = run_trace(result.trace, {"x": sequence, "lengths": lengths})
    for sample, length in enumerate(lengths.tolist()):
        part = sequence[:length, sample:sample + 1]
        h = np.zeros((1, 1, N), np.float32)
        rows = np.zeros((T, N), np.float32)
        if length:
            one = Graph()
            one.node("LSTM", one.input("x", length, 1, N), *(one.constant(a) for a in arrays), outputs=3, hidden_size=N)
            oracle = ReferenceEvaluator(onnx.load(one.save(path, "v0_0", "v0_1")))
            y, h = oracle.run(None, {"x": part[::-1] if direction == "reverse" else part})
            rows[:length] = (y[::-1] if direction == "reverse" else y)[:, 0, 0]
        close(rows, found[outputs[0]][:, 0, sample])
        close(h[0, 0], found[outputs[1]][0, sample])


def test_gates_stay_one_parameter(path):
    g = Graph()
    names = [g.weights(1, 4 * N, N), g.weights(1, 4 * N, N), g.weights(1, 8 * N)]
    result, _ = traced(g.save(path, *g.node("LSTM", g.input("x", T, B, N), *names, outputs=2, hidden_size=N)))
    used = {p.name: p.value.shape for op in result.trace.ops for p in op.params.values()}
    assert used == {"c0": (24, 6), "c1": (24, 6), "c2.ih": (24,), "c2.hh": (24,)}
    assert kinds(result).count("linear") == 2 * T


@pytest.mark.parametrize(("change", "message"), [
    ({"lengths": [5, 4, 5]}, "sequence_lens [5, 4, 5], which differ from sample to sample"),
    ({"clip": 1.0}, "with clip=1.0"),
    ({"activations": ["Elu", "Tanh", "Tanh"]}, "activations elu, tanh, tanh"), ({"input_forget": 1}, "input_forget=1"),
    ({"weight": (1, 25, 6)}, "operand 1 has shape 1x25x6")])
def test_recurrent_operators_that_are_refused(path, change, message):
    g = Graph()
    x = g.input("x", T, B, N)
    weight = g.weights(*change.pop("weight", (1, 24, N)))
    lengths = change.pop("lengths", None)
    y = g.node("LSTM", x, weight, g.weights(1, 24, N), "", "" if lengths is None else
               g.constant(np.array(lengths, np.int32)), hidden_size=N, **change)
    (found,) = messages(g, path, y)
    assert message in found
    assert "node 'n0'" in found


@pytest.mark.parametrize(("build", "message"), [
    (lambda g, x: g.node("MatMul", x, g.node("Transpose", x, perm=[0, 2, 1])), "two operands that depend"),
    (lambda g, x: g.node("Gather", x, g.node("Cast", x, to=7)), "indices that depend on the inputs"),
    (lambda g, x: g.node("Gather", x, g.ints(0, -9), axis=0), "index -9 is outside an axis of 5"),
    (lambda g, x: g.node("Expand", x, g.ints(1 << 40, 1, 1, 1)), "numbers a sample; more than 67108864 are not"),
    (lambda g, x: g.node("Expand", g.constant(np.float32(1)), g.ints(1 << 40)), "more than 67108864 are not supported"),
    (lambda g, x: g.node("Pad", x, g.ints(0, 0, 1, 0, 0, 1), mode="reflect"), "mode reflect"),
    (lambda g, x: g.node("Reshape", x, g.ints(4, 5)), "do not fit the shape"),
    (lambda g, x: g.node("Reshape", x, g.ints(N, -1)), "mixes the samples of the batch"),
    (lambda g, x: g.node("Add", x, g.constant(np.ones((2, N), np.float32))), "does not fit a value of shape 5x3x6"),
    (lambda g, x: g.node("Add", x, g.node("Slice", x, g.ints(0), g.ints(2), g.ints(0))), "do not fit together")])
def test_refused_operands(path, build, message):
    g = Graph()
    found = messages(g, path, build(g, g.input("x", T, B, N)))
    assert any(message in m for m in found), found
