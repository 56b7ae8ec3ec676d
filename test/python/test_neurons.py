# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The neurons of the frameworks become operations, and compute what their ONNX graphs compute."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from neuron_zoo import WIDTH, ZOO, Zoo, save, table
from onnx_maker import BATCH, iterate
from spikeloom.importers import load_onnx
from spikeloom.importers.evaluate import run_program, run_steps

STEPS = 5


@pytest.mark.parametrize("name", ZOO)
def test_neuron_computes_what_the_graph_computes(tmp_path, name):
    path = save(name, tmp_path / "n.onnx")
    model = load_onnx(path)
    assert not [p for p in model.problems if p.severity == "warning" and "left as arithmetic" in p.message]
    states = {s.name: s.initial for s in model.states}
    sequence = 2 * np.random.default_rng(1).random((40, BATCH, 20)).astype(np.float32)
    expected = iterate(path, sequence, {s.name: s.output for s in model.step.states}, states)
    model.step.outputs = [*model.step.outputs, *((s.output, s.next) for s in model.step.states)]
    found, _ = run_steps(model.step, {"x": sequence}, states)
    spikes = expected["y"]
    if "LI" not in name.split():
        assert 0.02 < np.count_nonzero(spikes) / spikes.size < 0.98
        np.testing.assert_array_equal(found["y"], spikes)
    for state in model.step.states:
        np.testing.assert_allclose(found[state.output], expected[state.output], rtol=1e-6, atol=2e-5,
                                   err_msg=state.name)


def test_table_of_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "Neurons.md").read_text(encoding="utf-8")
    assert table() in page


def unrolled(tmp_path, body, states, *, last=None, width=WIDTH):
    """`body(m, x, w, *states)` written out for every step from zero states; `last` names a state to give at the end."""
    m = Zoo(seed=5)
    m.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [STEPS, BATCH, width]))
    zero = m.array("zero", np.zeros((BATCH, width), np.float32))
    weights = m.array("w_in", m.generator.normal(0, 0.6, (width, width)).astype(np.float32))
    weights_back = m.array("w_rec", m.generator.normal(0, 0.6, (width, width)).astype(np.float32))
    held = [zero] * states
    rows = []
    for t in range(STEPS):
        row = m.node("MatMul", m.node("Gather", "x", m.array(f"t{t}", np.int64(t)), axis=0), weights)
        spikes, *held = body(m, row, weights_back, *held)
        rows.append(m.node("Unsqueeze", spikes, m.array(f"axis{t}", np.array([0]))))
    m.node("Concat", *rows, axis=0, name="y")
    m.outputs.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [STEPS, BATCH, width]))
    if last is not None:
        m.output(held[last], "last", width)
    path = m.save(tmp_path / "n.onnx")
    model = load_onnx(path)
    x = 3 * np.random.default_rng(2).random((STEPS, BATCH, width)).astype(np.float32)
    want, *rest = ReferenceEvaluator(path).run(None, {"x": x})
    found, _ = run_program(model.program, {"x": x}, {})
    for value in rest:
        np.testing.assert_array_equal(found["last"], value)
    assert 0.02 < want.mean() < 0.98
    np.testing.assert_array_equal(found["y"], want)
    return model


def test_reset_by_the_spike_of_the_step_before(tmp_path):
    """An exporter that shares equal values resets by the recurrent spike; it stays a delayed reset of the membrane."""
    def body(m, x, w, spk, mem):
        new = m.sub(m.add(m.add(m.mul(0.9, mem), x), m.node("MatMul", spk, w)), m.mul(spk, 1.0))
        spikes = m.above(new)
        return spikes, spikes, new

    model = unrolled(tmp_path, body, 2)
    (neuron,) = model.neurons
    assert neuron.attrs["reset_time"] == "delayed"
    assert neuron.attrs["reset_kind"] == "subtract"
    assert [op.kind for op in model.arithmetic] == ["add"]


@pytest.mark.parametrize("last", [None, 2])
def test_reset_by_a_spike_without_a_membrane(tmp_path, last):
    """Alpha's membrane is made anew in every step, so that only its spike is carried: the membrane is put back."""
    def body(m, x, w, exc, inh, spk):
        e, h = m.add(m.mul(exc, 0.85), x), m.sub(m.mul(inh, 0.7), x)
        v = m.mul(m.add(e, h), 1.837)
        spikes = m.above(m.sub(v, m.mul(v, spk)))
        return spikes, m.sub(e, m.mul(e, spk)), m.sub(h, m.mul(h, spk)), spikes

    model = unrolled(tmp_path, body, 3, last=last)
    assert not [p for p in model.problems if p.severity == "warning"]
    if last is not None:  # then the spike is what has to be carried
        assert "neuron" not in {op.kind for op in model.neurons}
        return
    (neuron,) = model.neurons
    assert neuron.attrs["reset_scope"] == "whole_update"
    assert neuron.attrs["decay"] == 0


def test_recurrence_by_a_spike_keeps_its_gradient(tmp_path):
    """The old spike is a comparison in the reset, but `snn.spike` on its way through weights."""
    def body(m, x, w, mem):
        old = m.above(mem)
        scale = m.array("v", np.linspace(-0.5, 0.5, WIDTH, dtype=np.float32)) if "v" not in m.known else "v"
        m.known["v"] = "v"
        new = m.sub(m.add(m.add(m.mul(0.9, mem), x), m.mul(old, scale)), m.mul(old, 1.0))
        return m.above(new), new

    model = unrolled(tmp_path, body, 1)
    assert model.neurons[0].attrs["reset_kind"] == "subtract"
    assert model.to_mlir().count("snn.spike") == 1


def test_old_spike_that_resets_and_is_sent_on_is_two_operations(tmp_path):
    m = Zoo(seed=1)
    x = m.linear(m.input("x", 20), "fc", WIDTH, 20)
    mem, trace = m.state("mem"), m.state("trace")
    old = m.above(mem)
    new = m.sub(m.add(m.mul(0.9, mem), x), m.mul(m.node("Tanh", m.recurrent(old)), m.node("Exp", m.mul(0.1, mem))))
    m.output(m.above(new), "y", WIDTH)
    m.output(m.sub(new, m.mul(old, m.node("Abs", new))), "mem_out", WIDTH)
    m.output(m.add(m.mul(0.5, trace), old), "trace_out", WIDTH)
    text = load_onnx(m.save(tmp_path / "n.onnx")).to_mlir()
    assert "arith.select" in text
    assert text.count("snn.spike") == 2


def test_tiny_rates_stay_as_they_are(tmp_path):
    """`1 - 1e-6` in float32 would be a rate that is 5 % off."""
    m = Zoo(seed=1)
    x = m.linear(m.input("x", 20), "fc", WIDTH, 20)
    slow, fast = m.state("slow"), m.state("fast")
    m.output(m.add(slow, m.mul(1.2e-6, m.sub(x, slow))), "slow_out", WIDTH)
    m.output(m.add(fast, m.mul(1e-2, m.sub(x, fast))), "fast_out", WIDTH)
    model = load_onnx(m.save(tmp_path / "n.onnx"))
    assert [op.attrs["decay"] for op in model.neurons] == [pytest.approx(0.99)]
    assert [op.kind for op in model.arithmetic] == ["sub", "mul", "add"]


@pytest.mark.parametrize("how", ["div", "mul"])
def test_spike_written_with_sign_has_a_derivative(tmp_path, how):
    m = Zoo(seed=1)
    x = m.linear(m.input("x", 20), "fc", WIDTH, 20)
    new = m.add(m.mul(0.9, m.state("mem")), x)
    both = m.add(m.node("Sign", m.sub(new, 1.0)), 1.0)
    spikes = m.div(both, 2.0) if how == "div" else m.mul(both, 0.5)
    m.output(spikes, "y", WIDTH)
    m.output(m.sub(new, spikes), "mem_out", WIDTH)
    model = load_onnx(m.save(tmp_path / "n.onnx"))
    assert "sign" not in {op.kind for op in model.arithmetic}
    assert model.to_mlir().count("snn.spike") == 2


def test_counts_with_a_threshold_for_each_neuron(tmp_path):
    m = Zoo(seed=1)
    new = m.add(m.state("v"), m.linear(m.input("x", 20), "fc", WIDTH, 20))
    threshold = m.array("theta", np.linspace(0.5, 1.5, WIDTH, dtype=np.float32))
    spikes = m.node("Max", m.node("Floor", m.div(new, threshold)), m.number(0.0))
    m.output(spikes, "y", WIDTH)
    m.output(m.sub(new, m.mul(spikes, threshold)), "v_out", WIDTH)
    model = load_onnx(m.save(tmp_path / "n.onnx"))
    (count,) = [op for op in model.arithmetic if op.kind == "count"]
    assert count.params["threshold"].name == "theta"
    assert model.to_mlir()
