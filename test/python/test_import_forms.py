# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Network forms built by hand: the importer finds their neurons and computes what the graph computes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from onnx_maker import BATCH, Maker, iterate
from spikeloom.importers import load_onnx
from spikeloom.importers.evaluate import run_steps


def compare(path, model, steps=12, seed=1, sequence=None):
    """Iterates both from zero states; spikes exactly, other values to 1e-5."""
    step = model.step
    width = step.inputs[0].width
    if sequence is None:
        sequence = np.random.default_rng(seed).random((steps, BATCH, width)).astype(np.float32)
    states = {s.name: s.initial for s in model.states}
    expected = iterate(path, sequence, {s.name: s.output for s in step.states}, states)
    step.outputs = list(dict([*step.outputs, *((s.output, s.next) for s in step.states)]).items())
    found, _ = run_steps(step, {step.inputs[0].name: sequence}, states)
    fired = 0
    for name, value in expected.items():
        if set(np.unique(value)) <= {0.0, 1.0}:
            np.testing.assert_array_equal(found[name], value, err_msg=name)
            fired += int(value.sum())
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
    return fired


def imported(maker, folder, opset=20):
    """The path of a graph's file, and the model that the importer makes of it."""
    path = maker.save(folder / "net.onnx", opset)
    return path, load_onnx(path)


def only(model, kind="neuron"):
    (op,) = [op for op in model.neurons if op.kind == kind]
    return op


def test_three_layers(tmp_path):
    m = Maker()
    x = m.input("x", 20)
    s1, v1 = m.leaky(m.linear(x, "fc1", 24, 20), "mem1", 24)
    s2, v2 = m.leaky(m.linear(s1, "fc2", 16, 24), "mem2", 16, beta=0.8)
    s3, v3 = m.leaky(m.linear(s2, "fc3", 10, 16), "mem3", 10, reset="zero")
    m.output(s3, "spk_out", 10)
    for name, value, width in (("mem1_out", v1, 24), ("mem2_out", v2, 16), ("mem3_out", v3, 10)):
        m.output(value, name, width)
    path, model = imported(m, tmp_path)
    assert [op.kind for op in model.neurons] == ["neuron"] * 3
    assert not model.arithmetic
    assert model.neurons[1].attrs["decay"] == pytest.approx(0.8)
    assert model.neurons[2].attrs["reset_scope"] == "decayed_state"
    assert compare(path, model) > 20


def test_residual(tmp_path):
    m = Maker()
    x = m.input("x", 20)
    s1, v1 = m.leaky(m.linear(x, "fc1", 16, 20), "mem1", 16)
    s2, v2 = m.leaky(m.node("Add", m.linear(s1, "fc2", 16, 16), s1), "mem2", 16)
    m.output(m.linear(m.node("Add", s1, s2), "fc3", 10, 16), "y", 10)
    m.give(16, spk=s2, mem1_out=v1, mem2_out=v2)
    path, model = imported(m, tmp_path)
    assert [op.kind for op in model.neurons] == ["neuron"] * 2
    assert [op.kind for op in model.arithmetic] == ["add", "add"]
    assert compare(path, model) > 5


def test_states_that_take_what_others_have(tmp_path):
    """A delay line whose old values are tested: state and current have no update that a neuron could be."""
    m = Maker()
    current = m.linear(m.input("x", 20), "fc1", 16, 20)
    first, second, third = (m.input(name, 16) for name in ("s0", "s1", "s2"))
    m.give(16, spk=m.fires(second, m.number(0.3)), early=m.fires(first, m.number(0.3)))
    for name, value in (("s0_out", current), ("s1_out", first), ("s2_out", m.node("Add", third, second))):
        m.output(value, name, 16)
    path, model = imported(m, tmp_path)
    assert [op.kind for op in model.neurons] == ["integrator"]
    assert compare(path, model) > 5


@pytest.mark.parametrize("op", ["Greater", "GreaterOrEqual"])
def test_no_reset(tmp_path, op):
    m = Maker()
    s, v = m.leaky(m.linear(m.input("x", 20), "fc1", 16, 20), "mem", 16, reset="none", op=op, beta=0.7)
    m.give(16, spk=s, mem_out=v)
    path, model = imported(m, tmp_path)
    neuron = only(model)
    assert neuron.attrs["reset_kind"] == "none"
    assert neuron.attrs["cmp"] == ("gt" if op == "Greater" else "ge")
    assert compare(path, model) > 5


@pytest.mark.parametrize("reset", ["subtract", "zero_all"])
def test_one_to_one_recurrence(tmp_path, reset):
    """RLeaky with a vector V: the new membrane sees V * last spikes; zero reset discards the whole update."""
    m = Maker()
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    spk = m.input("spk1", 16)
    mem = m.input("mem1", 16)
    recurrent = m.node("Mul", spk, m.array("lif1.V", m.generator.normal(0, 0.5, 16).astype(np.float32)))
    old = m.fires(mem, m.number(1.0))
    base = m.node("Add", m.node("Add", m.node("Mul", m.number(0.9), mem), x), recurrent)
    new = m.node("Sub", base, m.node("Mul", old, base if reset == "zero_all" else m.number(1.0)))
    s = m.fires(new, m.number(1.0))
    m.give(16, spk1_out=s, mem1_out=new)
    path, model = imported(m, tmp_path)
    neuron = only(model)
    assert neuron.attrs["reset_time"] == "delayed"
    assert neuron.attrs.get("reset_scope") == ("whole_update" if reset == "zero_all" else None)
    assert [p.name for p in model.parameters] == ["fc1.weight", "fc1.bias", "lif1.V"]
    assert [o.name for o in model.outputs] == ["spk1_out", "spk1#final", "mem1_out"]
    assert compare(path, model) > 5


@pytest.mark.parametrize("reset", ["value", "subtract"])
@pytest.mark.parametrize("leak", [0.0, 0.2])
def test_lif_box(tmp_path, reset, leak):
    """Norse LIFBox: Euler step without synapse, v_leak and v_reset free."""
    m = Maker(scale=3.0)
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    v = m.input("v", 16)
    one = m.number(1.0)
    change = m.node("Mul", m.number(0.1), m.node("Add", m.node("Sub", m.number(leak), v), x))
    charged = m.node("Add", v, change)
    s = m.fires(charged, one)
    if reset == "value":
        new = m.node("Add", m.node("Mul", m.node("Sub", one, s), charged), m.node("Mul", s, m.number(-0.25)))
    else:
        new = m.node("Sub", charged, s)
    m.give(16, z=s, v_out=new)
    path, model = imported(m, tmp_path)
    neuron = only(model)
    assert not model.arithmetic
    assert neuron.attrs["decay"] == pytest.approx(0.9)
    assert neuron.attrs["gain"] == pytest.approx(0.1)
    assert neuron.attrs.get("leak", 0.0) == pytest.approx(leak)
    assert neuron.attrs["reset_kind"] == reset
    if reset == "value":
        assert neuron.attrs["v_reset"] == -0.25
        assert any("resets to -0.25" in p.message for p in model.problems)
    assert compare(path, model) > 5


def tie_network(path, form, op):
    """Weights and inputs are dyadic, so that membranes hit the threshold exactly."""
    m = Maker()
    m.array("fc.weight", m.generator.integers(-2, 4, (16, 20)).astype(np.float32) / 4)
    x = m.node("Gemm", m.input("x", 20), "fc.weight", transB=1)
    if form == "leaky":
        s, new = m.leaky(x, "v", 16, beta=0.5, op=op)
    else:
        v = m.input("v", 16)
        charge = x if form == "if_soft" else m.node("Div", m.node("Sub", x, v), m.number(2.0))
        charged = m.node("Add", v, charge)
        s = m.fires(charged, m.number(1.0), op)
        new = m.node("Sub", charged, s)
    m.give(16, s=s, v_out=new)
    return m.save(path)


@pytest.mark.parametrize("form", ["leaky", "if_soft", "lif_decay_input"])
def test_ties_at_the_threshold(tmp_path, form):
    """> and >= differ visibly in the graph, and each is kept."""
    sequence = (np.random.default_rng(3).random((10, BATCH, 20)) < 0.15).astype(np.float32)
    counts = []
    for op, name in (("Greater", "gt"), ("GreaterOrEqual", "ge")):
        path = tie_network(tmp_path / f"{name}.onnx", form, op)
        model = load_onnx(path)
        assert only(model).attrs["cmp"] == name
        counts.append(compare(path, model, sequence=sequence))
    assert counts[0] != counts[1]


def test_fire_before_integrate(tmp_path):
    """Spyx: the spike that leaves the neuron is read from the old membrane."""
    m = Maker()
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    v = m.input("v", 16)
    s = m.fires(v, m.number(1.0))
    new = m.node("Sub", m.node("Add", m.node("Mul", v, m.number(0.9)), x), m.node("Mul", s, m.number(1.0)))
    m.output(m.linear(s, "fc2", 4, 16), "y", 4)
    m.output(new, "v_out", 16)
    path, model = imported(m, tmp_path)
    assert only(model).attrs["order"] == "fire_integrate"
    assert not model.arithmetic
    compare(path, model)


def test_counter_and_readout_become_integrators(tmp_path):
    m = Maker()
    s, v = m.leaky(m.linear(m.input("x", 20), "fc1", 16, 20), "mem", 16)
    count = m.node("Add", m.input("count", 16), s)
    m.give(16, spk=s, mem_out=v, count_out=count)
    path, model = imported(m, tmp_path)
    assert [op.kind for op in model.neurons] == ["neuron", "integrator"]
    assert compare(path, model) > 5


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("per_neuron", [False, True])
def test_reset_without_delay_is_exact(tmp_path, reset, per_neuron):
    """snnTorch reset_delay=False keeps a reset from the old membrane, which large inputs bring into play."""
    m = Maker(scale=1.5)
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    v, one = m.input("v", 16), m.number(1.0)
    theta = m.array("lif.threshold", np.linspace(0.5, 1.5, 16).astype(np.float32)) if per_neuron else m.number(0.75)
    old = m.fires(v, theta)
    kept = v if reset == "subtract" else m.node("Mul", m.node("Sub", one, old), v)
    base = m.node("Add", m.node("Mul", m.number(0.9), kept), x)
    if reset == "subtract":
        base = m.node("Sub", base, m.node("Mul", old, theta))
    s = m.fires(base, theta)
    new = m.node("Sub", base, m.node("Mul", m.node("Sub", s, old), theta if reset == "subtract" else base))
    m.give(16, s=s, v_out=new)
    path, model = imported(m, tmp_path)
    assert only(model).attrs["reset_time"] == "same_step"
    assert [p.name for p in model.parameters][2:] == (["lif.threshold"] if per_neuron else [])
    assert compare(path, model) > 5


def test_threshold_per_neuron_and_shared_initializers(tmp_path):
    """One uniform initializer serves two neurons: exporters merge by value, so it is untied."""
    m = Maker()
    theta = m.array("lif1.threshold", np.full(16, 1.0, np.float32))
    beta = m.array("lif1.beta", np.linspace(0.5, 0.95, 16).astype(np.float32))
    s1, v1 = m.leaky(m.linear(m.input("x", 20), "fc1", 16, 20), "mem1", 16, beta=beta, threshold=theta)
    s2, v2 = m.leaky(m.linear(s1, "fc2", 16, 16), "mem2", 16, beta=0.9, threshold=theta)
    m.give(16, spk=s2, mem1_out=v1, mem2_out=v2)
    path, model = imported(m, tmp_path)
    names = [p.name for p in model.parameters]
    assert names == ["fc1.weight", "fc1.bias", "lif1.beta", "lif1.threshold", "fc2.weight", "fc2.bias",
                     "lif1.threshold#mem2"]
    assert [p.name for p in model.parameters if p.trainable] == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert any("shared by unrelated uses" in p.message for p in model.problems)
    assert compare(path, model) > 5
    trained = load_onnx(path, train_parameters="beta|threshold")
    assert [p.name for p in trained.parameters if p.trainable] == ["lif1.beta", "lif1.threshold", "lif1.threshold#mem2"]


def test_scalar_becomes_a_parameter_when_it_is_to_be_trained(tmp_path):
    m = Maker()
    beta = m.array("lif.beta", np.float32(0.9))
    s, v = m.leaky(m.linear(m.input("x", 20), "fc1", 16, 20), "mem", 16, beta=beta)
    m.give(16, spk=s, mem_out=v)
    path = m.save(tmp_path / "net.onnx")
    assert "decay" in only(load_onnx(path)).attrs
    model = load_onnx(path, train_parameters=r"lif\.beta")
    assert only(model).params["decay"].name == "lif.beta"
    assert only(model).params["decay"].value.shape == ()
    assert compare(path, model) > 5


def test_transposed_weights_and_matmul_bias(tmp_path):
    m = Maker()
    weight = m.generator.normal(0, 0.6, (20, 16)).astype(np.float32)
    m.array("onnx::MatMul_7", weight)
    m.array("fc.bias", m.generator.normal(0, 0.1, 16).astype(np.float32))
    x = m.node("Add", "fc.bias", m.node("MatMul", m.input("x", 20), "onnx::MatMul_7"))
    s, v = m.leaky(x, "mem", 16)
    m.give(16, spk=s, mem_out=v)
    path, model = imported(m, tmp_path)
    parameter = model.parameters[0]
    assert parameter.name == "onnx::MatMul_7"
    assert parameter.transposed
    np.testing.assert_array_equal(parameter.value, weight.T)
    assert any("stored transposed" in p.message for p in model.problems)
    assert [p.name for p in model.parameters] == ["onnx::MatMul_7", "fc.bias"]
    assert compare(path, model) > 5


def test_folded_clip_keeps_the_initializers_name(tmp_path):
    m = Maker()
    m.array("lif.beta", np.linspace(-0.2, 1.2, 16).astype(np.float32))
    beta = m.node("Clip", "lif.beta", m.number(0.0), m.number(1.0))
    s, v = m.leaky(m.linear(m.input("x", 20), "fc1", 16, 20), "mem", 16, beta=beta)
    m.give(16, spk=s, mem_out=v)
    model = load_onnx(m.save(tmp_path / "net.onnx"))
    (parameter,) = [p for p in model.parameters if p.name == "lif.beta"]
    assert parameter.value.min() == 0.0
    assert parameter.value.max() == 1.0
    assert any("holds the value that" in p.message for p in model.problems)


@pytest.mark.parametrize("opset", [9, 11, 13])
def test_old_operator_sets(tmp_path, opset):
    """Clip and Squeeze/Unsqueeze with attributes."""
    m = Maker()
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    if opset < 13:
        x = m.node("Squeeze", m.node("Unsqueeze", x, axes=[0]), axes=[0])
    s, v = m.leaky(m.node("Clip", x, min=-1.0, max=2.0) if opset < 11 else x, "mem", 16)
    m.give(16, spk=s, mem_out=v)
    path, model = imported(m, tmp_path, opset)
    assert only(model)
    assert compare(path, model) > 5


def test_bool_state_and_output(tmp_path):
    """A bool spike that is a state as well: given as 0 and 1."""
    m = Maker()
    last = m.node("Cast", m.input("s", 16, TensorProto.BOOL), to=TensorProto.FLOAT)
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    v = m.input("v", 16)
    current = m.node("Add", m.node("Mul", v, m.number(0.9)), m.node("Add", x, m.node("Mul", last, m.number(-0.5))))
    fired = m.node("GreaterOrEqual", current, m.number(1.0))
    m.output(fired, "s_out", 16, TensorProto.BOOL)
    m.output(m.node("Where", fired, m.number(0.0), current), "v_out", 16)
    m.inputs = [m.inputs[1], m.inputs[0], m.inputs[2]]
    model = load_onnx(m.save(tmp_path / "net.onnx"))
    assert only(model).attrs["cmp"] == "ge"
    assert any("bool" in p.message for p in model.problems)


def test_beta_zero(tmp_path):
    """Without decay only the reset remembers the old membrane."""
    m = Maker()
    s, v = m.leaky(m.linear(m.input("x", 20), "fc1", 16, 20), "mem", 16, beta=0.0)
    m.give(16, spk=s, mem_out=v)
    path, model = imported(m, tmp_path)
    assert only(model).attrs["decay"] == 0.0
    assert compare(path, model) > 5


def test_leak_added_to_the_current(tmp_path):
    """torch.export writes `v + a*((x + leak) - v)`."""
    m = Maker(scale=3.0)
    x = m.node("Add", m.linear(m.input("x", 20), "fc1", 16, 20), m.number(0.2))
    v = m.input("v", 16)
    charged = m.node("Add", v, m.node("Mul", m.number(0.1), m.node("Sub", x, v)))
    s = m.fires(charged, m.number(1.0))
    m.give(16, z=s, v_out=m.node("Mul", m.node("Sub", m.number(1.0), s), charged))
    path, model = imported(m, tmp_path)
    assert only(model).attrs["leak"] == pytest.approx(0.2)
    assert not model.arithmetic
    assert compare(path, model) > 5


def test_trained_threshold_merged_with_a_fixed_decay(tmp_path):
    """torch.export merged four equal numbers into `l1.threshold`; its signature still lists both thresholds."""
    m = Maker()
    half = m.array("l1.threshold", np.float32(0.5))
    s1, v1 = m.leaky(m.linear(m.input("x", 20), "fc1", 16, 20), "mem1", 16, beta=half, threshold=half)
    s2, v2 = m.leaky(m.linear(s1, "fc2", 16, 16), "mem2", 16, beta=half, threshold=half)
    m.give(16, spk=s2, mem1_out=v1, mem2_out=v2)
    proto = m.model()
    targets = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "l1.threshold", "mem2.threshold"]
    signature = "".join(f"p_x: PARAMETER target='{t}'\n" for t in targets)
    proto.graph.metadata_props.add(key="pkg.torch.export.ExportedProgram.graph_signature", value=signature)
    path = str(tmp_path / "net.onnx")
    onnx.save(proto, path)
    model = load_onnx(path)
    names = [{role: (p.name, p.trainable) for role, p in op.params.items()} for op in model.neurons]
    assert names == [
        {"decay": ("l1.threshold#mem1", False), "threshold": ("l1.threshold", True)},
        {"decay": ("l1.threshold#mem2.2", False), "threshold": ("l1.threshold#mem2", True)}]
    assert compare(path, model) > 5


def test_learned_decay_that_is_no_single_factor_stays_arithmetic(tmp_path):
    """A trained time constant used as v + (x - v)*a keeps being one parameter; the rest is a neuron."""
    m = Maker(scale=2.0)
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    v = m.input("v", 16)
    rate = m.array("plif.rate", np.linspace(0.2, 0.8, 16).astype(np.float32))
    charged = m.node("Add", v, m.node("Mul", m.node("Sub", x, v), rate))
    s = m.fires(charged, m.number(1.0), "GreaterOrEqual")
    m.give(16, s=s, v_out=m.node("Sub", charged, s))
    path = m.save(tmp_path / "net.onnx")
    model = load_onnx(path, train_parameters="rate|weight|bias")
    assert [op.kind for op in model.neurons] == ["neuron"]
    assert [op.kind for op in model.arithmetic] == ["sub", "mul"]
    assert [p.name for p in model.parameters if p.trainable] == ["fc1.weight", "fc1.bias", "plif.rate"]
    assert compare(path, model) > 5
