# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NIR graphs: every node against a plain simulation, cycles, sub-graphs, what the user may choose."""

from pathlib import Path

import nir
import numpy as np
import pytest

import spikeloom as sl
from nir_maker import chain, lif, run, run_model, spikes, write
from spikeloom.importers import load_nir
from spikeloom.importers.__main__ import main as snn_import
from spikeloom.importers.nir_conventions import CONVENTIONS
from spikeloom.importers.nir_traces import TRACES, compare, main, table

DATA = Path(__file__).parent / "data" / "nir"
DT = 1e-4


def notes(model, severity="note"):
    return [str(p) for p in model.problems if p.severity == severity]


@pytest.mark.parametrize(("trace", "convention", "graph"), TRACES)
def test_traces_of_platforms(trace, convention, graph):
    found = compare(DATA, trace, convention, graph)
    assert found.ours == found.theirs
    limit = {"norse": 0, "snntorch": 0, "spyx": 0, "sinabs": 0, "spinnaker2": 5e-4}.get(trace, 2e-7)
    assert found.difference <= limit
    assert found.scaled_difference <= 4e-7


def test_table_of_traces_is_the_one_in_the_docs(capsys):
    assert main([str(DATA)]) == 0
    page = (Path(__file__).parents[2] / "docs" / "NIR.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() in page
    assert table(DATA)[1]
    for convention in CONVENTIONS.values():
        assert f"| `{convention.name}` | {convention.summary} |" in page


def test_table_of_traces_without_files(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert "lif_norse" in capsys.readouterr().err


def test_lif_by_forward_euler(tmp_path):
    tau, leak, threshold, reset = 1e-3, 0.2, 0.25, -0.1
    path = chain(tmp_path / "n.nir", [3], lif(np.full(3, tau), r=2.0, leak=leak, threshold=threshold, reset=reset))
    x = spikes(60, 2, 3)
    v, want = np.zeros((2, 3)), []
    for row in x:
        v = v + DT / tau * ((leak - v) + 2.0 * row)
        fired = v > threshold
        want.append(fired)
        v = np.where(fired, reset, v)
    assert 0 < np.mean(want) < 1
    np.testing.assert_array_equal(run(path, x), np.array(want, np.float32))


def test_numbers_that_differ_from_neuron_to_neuron(tmp_path):
    rng = np.random.default_rng(1)
    tau, r, leak = rng.uniform(5e-4, 2e-3, 4), rng.uniform(1, 3, 4), rng.uniform(-0.1, 0.1, 4)
    threshold, reset = rng.uniform(0.1, 0.3, 4), rng.uniform(-0.2, 0, 4)
    path = chain(tmp_path / "n.nir", [4], lif(tau, r=r, leak=leak, threshold=threshold, reset=reset))
    x = spikes(80, 1, 4)
    v, want = np.zeros((1, 4)), []
    for row in x:
        v = v + DT / tau * ((leak - v) + r * row)
        want.append(v > threshold)
        v = np.where(v > threshold, reset, v)
    assert 0 < np.mean(want) < 1
    np.testing.assert_array_equal(run(path, x), np.array(want, np.float32))
    names = {p.name for p in load_nir(path).parameters}
    assert {"a.decay", "a.gain", "a.leak", "a.threshold", "a.v_reset"} <= names


def test_parameters_are_named_by_node_and_trained_by_pattern(tmp_path):
    path = chain(tmp_path / "n.nir", [2], nir.Affine(np.eye(3, 2), np.ones(3)), lif(np.full(3, 1e-3)), out=[3])
    trained = {p.name: p.trainable for p in load_nir(path).parameters}
    assert trained == {"a.weight": True, "a.bias": True}
    model = load_nir(path, train_parameters=r"\.decay$|\.threshold$")
    assert {p.name: p.trainable for p in model.parameters} == {
        "a.weight": False, "a.bias": False, "b.decay": True, "b.threshold": True}
    assert model.neurons[0].params["decay"].value.tolist() == pytest.approx([0.9] * 3)
    assert "time step of 0.0001 s" in model.neurons[0].params["decay"].note


@pytest.mark.parametrize(("convention", "decay", "gain"), [
    ("euler", 0.9, 0.1), ("exponential", np.exp(-0.1), 1 - np.exp(-0.1)), ("sinabs", np.exp(-0.1), 0.1)])
def test_leaky_integrators(tmp_path, convention, decay, gain):
    one = np.ones(2)
    path = chain(tmp_path / "n.nir", [2], nir.LI(tau=1e-3 * one, r=2 * one, v_leak=0 * one))
    x = spikes(30, 1, 2)
    v, want = np.zeros((1, 2)), []
    for row in x:
        v = decay * v + gain * 2 * row
        want.append(v)
    np.testing.assert_allclose(run(path, x, convention=convention), np.array(want), atol=1e-6)


def test_time_constants_of_many_steps(tmp_path):
    """A decay of `1 - 1.2e-6` in float32 would be 5 % off; the rate is applied by itself."""
    one = np.ones(1)
    path = chain(tmp_path / "n.nir", [1], nir.LI(tau=83.0 * one, r=one, v_leak=-0.5 * one))
    found = run(path, np.ones((5000, 1, 1)))[-1].item()
    assert found == pytest.approx(0.5 * (1 - (1 - DT / 83) ** 5000), rel=2e-3)


def test_integrators_without_leak(tmp_path):
    path = chain(tmp_path / "n.nir", [2], nir.I(r=np.array([1e4, 2e4])))
    x = spikes(10, 1, 2)
    np.testing.assert_allclose(run(path, x), np.cumsum(x, 0) * [1, 2], rtol=1e-6)


def test_synaptic_currents(tmp_path):
    one = np.ones(2)
    node = nir.CubaLI(tau_syn=5e-4 * one, tau_mem=1e-3 * one, r=3 * one, v_leak=0.5 * one, w_in=2 * one)
    x = spikes(40, 1, 2)
    i, v, want = np.zeros((1, 2)), np.zeros((1, 2)), []
    for row in x:
        i = i + 0.2 * (-i + 2 * row)
        v = v + 0.1 * (0.5 - v + 3 * i)
        want.append(v)
    np.testing.assert_allclose(run(chain(tmp_path / "n.nir", [2], node), x), np.array(want), atol=1e-5)


def test_integrate_and_fire_counts_in_steps_where_resistance_is_one(tmp_path):
    path = chain(tmp_path / "n.nir", [1], nir.IF(r=np.ones(1), v_threshold=np.array([1.5])))
    x = np.ones((6, 1, 1))
    model = load_nir(path, steps=6)
    assert run_model(model, x).ravel().tolist() == [0, 1, 0, 1, 0, 1]
    assert "count in steps" in notes(model, "warning")[0]
    assert run(path, x, convention="euler").sum() == 0
    assert run(path, x, convention="sinabs").ravel().tolist() == [0, 1, 1, 0, 1, 1]
    assert run(path, 4 * x, convention="sinabs").ravel().tolist() == [2, 3, 3, 2, 3, 3]
    assert run(path, x, convention="snntorch").ravel().tolist() == [0, 1, 0, 1, 1, 0]


def test_reset_by_subtraction_on_demand(tmp_path):
    path = chain(tmp_path / "n.nir", [1], nir.IF(r=np.ones(1), v_threshold=np.array([1.5])))
    x = np.ones((6, 1, 1))
    assert run(path, x, reset="subtract").ravel().tolist() == [0, 1, 0, 1, 1, 0]
    assert run(path, x, convention="spyx").ravel().tolist() == [0, 0, 1, 0, 1, 1]
    assert run(path, x, convention="spyx", reset="value").ravel().tolist() == [0, 0, 1, 0, 1, 0]


def test_crossing_inside_the_step(tmp_path):
    path = chain(tmp_path / "n.nir", [1], lif(np.array([1e-3]), threshold=0.5))
    model = load_nir(path, convention="exact")
    model.step.outputs = [("v", model.step.states[0].next)]
    fine = 100000
    v, want = 0.0, []
    for _ in range(20):
        for _ in range(fine // 20):
            v += 20 * DT / fine / 1e-3 * (1 - v)
            v = 0.0 if v > 0.5 else v
        want.append(v)
    assert min(want[7:]) < 0.2
    np.testing.assert_allclose(run_model(model, np.ones((20, 1, 1))).ravel(), want, atol=2e-3)


def test_layers_without_time(tmp_path):
    rng = np.random.default_rng(0)
    weight, bias, scale = rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=4)
    nodes = [nir.Linear(weight), nir.Scale(scale), nir.Affine(np.eye(4), bias), nir.Threshold(np.full(4, 0.1))]
    x = rng.normal(size=(5, 2, 3))
    want = (x @ weight.T * scale + bias > 0.1).astype(np.float32)
    np.testing.assert_array_equal(run(chain(tmp_path / "n.nir", [3], *nodes, out=[4]), x), want)


def test_delays(tmp_path):
    x = spikes(12, 2, 3)
    path = chain(tmp_path / "n.nir", [3], nir.Delay(np.array([0.0, 2e-4, 5e-4])))
    want = np.zeros_like(x)
    for unit, steps in enumerate((0, 2, 5)):
        want[steps:, :, unit] = x[:12 - steps, :, unit]
    np.testing.assert_array_equal(run(path, x), want)
    same = chain(tmp_path / "s.nir", [3], nir.Delay(np.full(3, 4e-4)))
    np.testing.assert_array_equal(run(same, x)[4:], x[:-4])
    np.testing.assert_array_equal(run(same, x, dt=2e-4)[2:], x[:-2])
    assert "rounded to whole time steps" in notes(load_nir(same, dt=1.5e-4), "warning")[0]
    np.testing.assert_array_equal(run(chain(tmp_path / "z.nir", [3], nir.Delay(np.zeros(3))), x), x)


def test_recurrence_reads_the_spikes_of_the_step_before(tmp_path):
    rng = np.random.default_rng(3)
    weight, bias = rng.normal(size=(4, 4)) * 3, rng.normal(size=4)
    nodes = {"input": nir.Input(np.array([4])), "cell": lif(np.full(4, 1e-3), threshold=0.2),
             "rec": nir.Affine(weight, bias), "output": nir.Output(np.array([4]))}
    edges = [("input", "cell"), ("cell", "rec"), ("rec", "cell"), ("cell", "output")]
    x = spikes(60, 2, 4)
    v, s, want = np.zeros((2, 4)), np.zeros((2, 4)), []
    for row in x:
        v = v + 0.1 * (row + s @ weight.T + bias - v)
        s = (v > 0.2).astype(float)
        want.append(s)
        v = np.where(s > 0, 0, v)
    assert 0 < np.mean(want) < 1
    np.testing.assert_array_equal(run(write(tmp_path / "n.nir", nodes, edges), x), np.array(want, np.float32))


def test_a_delay_on_the_cycle_is_its_only_delay(tmp_path):
    nodes = {"input": nir.Input(np.array([1])), "sum": nir.Scale(np.ones(1)), "back": nir.Delay(np.array([3 * DT])),
             "output": nir.Output(np.array([1]))}
    edges = [("input", "sum"), ("sum", "back"), ("back", "sum"), ("sum", "output")]
    pulse = np.zeros((10, 1, 1))
    pulse[0] = 1
    path = write(tmp_path / "n.nir", nodes, edges)
    assert run(path, pulse).ravel().tolist() == [1, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    edges[1:3] = [("sum", "sum")]
    del nodes["back"]
    assert run(write(tmp_path / "m.nir", nodes, edges), pulse).ravel().tolist() == [1.0] * 10


def test_two_neurons_on_a_cycle_are_one_step_apart(tmp_path):
    integrate = nir.IF(r=np.ones(1), v_threshold=np.array([0.5]))
    nodes = {"input": nir.Input(np.array([1])), "n1": integrate, "n2": integrate, "output": nir.Output(np.array([1]))}
    edges = [("input", "n1"), ("n1", "n2"), ("n2", "n1"), ("n2", "output")]
    pulse = np.zeros((5, 1, 1))
    pulse[0] = 1
    model = load_nir(write(tmp_path / "n.nir", nodes, edges), steps=5)
    assert run_model(model, pulse).ravel().tolist() == [1.0] * 5
    assert [s.name for s in model.states] == ["n2.before", "n1.v", "n2.v"]


def test_repeated_edges_add_up(tmp_path):
    nodes = {"input": nir.Input(np.array([2])), "twice": nir.Scale(np.array([1.0, 3.0])),
             "output": nir.Output(np.array([2]))}
    edges = [("input", "twice"), ("input", "twice"), ("twice", "output"), ("input", "output")]
    x = spikes(4, 1, 2)
    np.testing.assert_array_equal(run(write(tmp_path / "n.nir", nodes, edges), x), x * [3, 7])


@pytest.mark.parametrize("inner", ["inside", "sub.inside"])
def test_sub_graphs_and_dotted_edges(tmp_path, inner):
    """A sub-graph stands for its Input and Output; its nodes may carry its name, and edges may name them."""
    sub = ({"in": nir.Input(np.array([2])), inner: nir.Scale(np.array([2.0, 3.0])), "out": nir.Output(np.array([2]))},
           [("in", inner), (inner, "out")])
    nodes = {"input": nir.Input(np.array([2])), "sub": sub, "output": nir.Output(np.array([2])),
             "probe": nir.Output(np.array([2]))}
    edges = [("input", "sub"), ("sub", "output"), ("sub.inside", "probe"), ("input", "sub.in")]
    x = spikes(4, 1, 2)
    found = run(write(tmp_path / "n.nir", nodes, edges), x)
    np.testing.assert_array_equal(found["output"], x * [4, 6])
    np.testing.assert_array_equal(found["probe"], x * [4, 6])


def test_single_node_and_loose_ends(tmp_path):
    nir.write(tmp_path / "one.nir", nir.Scale(np.array([2.0])))
    assert run(tmp_path / "one.nir", np.ones((1, 1, 1))).ravel().tolist() == [2]
    nodes = {"scale": nir.Scale(np.array([2.0])), "more": nir.Scale(np.array([3.0]))}
    model = load_nir(write(tmp_path / "loose.nir", nodes, [("scale", "more")]))
    assert [a.name for a in model.inputs] == ["input_scale"]
    assert any("becomes an output 'output_more'" in note for note in notes(model))


def test_scalar_parameters_take_the_shape_of_what_comes(tmp_path):
    """Some exporters write one number for a whole population."""
    raw = {"type": "LIF", "tau": 1e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 0.05}
    path = chain(tmp_path / "n.nir", [3], nir.Linear(np.eye(3)), raw)
    assert run(path, np.ones((2, 1, 3))).tolist() == [[[1, 1, 1]]] * 2
    mixed = chain(tmp_path / "m.nir", [2], raw | {"tau": np.array([1e-3, 1e-2])})
    assert run(mixed, np.ones((2, 1, 2))).tolist() == [[[1, 0]], [[1, 0]]]


def test_time_step_of_the_metadata_only_if_asked(tmp_path):
    path = chain(tmp_path / "n.nir", [1], lif(np.array([1e-3]), threshold=9.0), metadata={"dt": 5e-4})
    assert load_nir(path).neurons[0].attrs["decay"] == pytest.approx(0.9)
    model = load_nir(path, dt="metadata")
    assert model.neurons[0].attrs["decay"] == pytest.approx(0.5)
    assert "time step 0.0005 s (metadata)" in notes(model)[0]


def windows(x, kernel, stride, padding, dilation):
    """All windows of `[..., H, W]`: `[..., Ho, Wo, kh, kw]`."""
    x = np.pad(x, [(0, 0)] * (x.ndim - 2) + [padding[0], padding[1]])
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    found = np.lib.stride_tricks.sliding_window_view(x, reach, (-2, -1))
    return found[..., ::stride[0], ::stride[1], ::dilation[0], ::dilation[1]]


@pytest.mark.parametrize(("stride", "padding", "pads", "dilation", "groups"), [
    (1, 0, ((0, 0), (0, 0)), 1, 1), ((2, 1), (1, 2), ((1, 1), (2, 2)), 1, 1), (1, "same", ((0, 1), (2, 2)), (1, 2), 1),
    ((1, 2), "valid", ((0, 0), (0, 0)), (2, 1), 2), (1, 1, ((1, 1), (1, 1)), 1, 4)])
def test_convolutions(tmp_path, stride, padding, pads, dilation, groups):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(8, 4 // groups, 2, 3)), rng.normal(size=8)
    node = nir.Conv2d((6, 7), weight, stride, padding, dilation, groups, bias)
    x = rng.normal(size=(2, 3, 4, 6, 7))
    view = windows(x, (2, 3), np.broadcast_to(stride, 2), pads, np.broadcast_to(dilation, 2))
    want = np.concatenate([np.einsum("tbchwkl,ockl->tbohw", view[:, :, g * 4 // groups:(g + 1) * 4 // groups], part)
                           for g, part in enumerate(np.split(weight, groups))], 2) + bias[:, None, None]
    raw = node.to_dict() | {"padding": padding, "stride": stride, "dilation": dilation}
    found = run(chain(tmp_path / "n.nir", [4, 6, 7], raw, out=want.shape[2:]), x.reshape(2, 3, -1))
    np.testing.assert_allclose(found.reshape(want.shape), want, atol=1e-5)


def test_convolution_in_one_dimension(tmp_path):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(3, 2, 3))
    raw = nir.Conv1d(9, weight, 2, 1, 1, 1, np.zeros(3)).to_dict()
    x = rng.normal(size=(2, 1, 2, 9))
    view = windows(x[..., None, :], (1, 3), (1, 2), ((0, 0), (1, 1)), (1, 1))
    want = np.einsum("tbchwkl,ocl->tbow", view, weight)
    found = run(chain(tmp_path / "n.nir", [2, 9], raw, out=want.shape[2:]), x.reshape(2, 1, -1))
    np.testing.assert_allclose(found.reshape(want.shape), want, atol=1e-5)


@pytest.mark.parametrize(("kind", "join"), [(nir.SumPool2d, np.sum), (nir.AvgPool2d, np.mean)])
def test_pooling_and_flatten(tmp_path, kind, join):
    x = spikes(2, 3, 2 * 6 * 8)
    node = kind(np.array([2, 4]), np.array([2, 3]), np.array([0, 1]))
    view = windows(x.reshape(2, 3, 2, 6, 8), (2, 4), (2, 3), ((0, 0), (1, 1)), (1, 1))
    want = join(view, axis=(-2, -1)).reshape(2, 3, -1)
    flat = {"type": "Flatten", "start_dim": 0, "end_dim": -1}
    path = chain(tmp_path / "n.nir", [2, 6, 8], node, flat, nir.Scale(np.ones(want.shape[2])), out=[want.shape[2]])
    np.testing.assert_allclose(run(path, x), want, atol=1e-6)


def test_weights_with_leading_dimensions_are_groups(tmp_path):
    rng = np.random.default_rng(0)
    weight, bias, x = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4)), rng.normal(size=(2, 1, 3, 2))
    path = chain(tmp_path / "n.nir", [3, 2], nir.Affine(weight, bias), out=[3, 4])
    want = np.einsum("tbgi,goi->tbgo", x, weight) + bias
    np.testing.assert_allclose(run(path, x.reshape(2, 1, 6)), want.reshape(2, 1, 12), atol=1e-5)


def test_convolutional_graph():
    model = load_nir(DATA / "cnn_sinabs.nir", batch=2, steps=12, convention="sinabs")
    assert [a.shape for a in model.inputs + model.outputs][:2] == [(12, 2, 2 * 34 * 34), (12, 2, 10)]
    counts = run_model(model, spikes(12, 2, 2 * 34 * 34, 0.1))
    assert counts.sum() > 0
    assert sorted(p.name for p in model.parameters if p.trainable) == sorted(
        f"{n}.{w}" for n in (0, 2, 5, 9, 11) for w in ("weight", "bias"))


def test_braille_graph(tmp_path):
    model = load_nir(DATA / "braille_noDelay_bias_zero.nir", batch=2, steps=50)
    assert [a.shape for a in model.inputs + model.outputs][:2] == [(50, 2, 12), (50, 2, 7)]
    assert {p.name for p in model.parameters} == {f"{n}.{w}" for n in ("fc1", "fc2", "lif1.w_rec")
                                                  for w in ("weight", "bias")}
    assert [op.kind for op in model.neurons] == ["integrator", "neuron"] * 2
    assert run_model(model, spikes(50, 2, 12)).sum() > 0


def test_snn_import_writes_the_module(tmp_path):
    path = chain(tmp_path / "n.nir", [2], lif(np.full(2, 1e-3)))
    out = tmp_path / "n.mlir"
    assert snn_import([str(path), "-o", str(out), "--steps=5", "--nir-convention=norse", "--nir-dt=2e-4"]) == 0
    text = out.read_text()
    assert "snn.neuron" in text
    assert "gain = 2.0e-01" in text
    assert "tensor<5x1x2xf32>" in text


def test_front_door(tmp_path):
    path = chain(tmp_path / "n.nir", [1], lif(np.array([1e-3]), threshold=9.0))
    model = sl.load(path, nir_dt=2e-4, nir_convention="snntorch", nir_reset="subtract").imported(3, 7)
    assert model.inputs[0].shape == (7, 3, 1)
    assert model.neurons[0].attrs["decay"] == pytest.approx(0.8)
    assert model.neurons[0].attrs["reset_kind"] == "subtract"


def test_all_nodes_as_the_nir_package_writes_them(tmp_path):
    one, rng = np.ones, np.random.default_rng(0)
    lif_like = {"tau": one(6), "r": one(6), "v_leak": np.zeros(6)}
    graph = nir.NIRGraph.from_list(
        nir.Input(np.array([2, 8, 8])),
        nir.Conv2d((8, 8), rng.normal(size=(3, 2, 3, 3)), 1, (1, 1), 1, 1, one(3)),
        nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1),
        nir.Linear(rng.normal(size=(6, 12))), nir.Affine(rng.normal(size=(6, 6)), one(6)), nir.Scale(one(6)),
        nir.Delay(np.full(6, 2e-4)), nir.I(one(6)), nir.LI(**lif_like), nir.IF(one(6), one(6)),
        nir.LIF(**lif_like, v_threshold=one(6)), nir.CubaLI(one(6), one(6), one(6), np.zeros(6)),
        nir.CubaLIF(one(6), one(6), one(6), np.zeros(6), one(6)), nir.Threshold(one(6)),
        nir.NIRGraph.from_list(nir.Input(np.array([6])), nir.Scale(one(6)), nir.Output(np.array([6]))),
        nir.Output(np.array([6])))
    nir.write(tmp_path / "all.nir", graph)
    model = load_nir(tmp_path / "all.nir", batch=2, steps=3)
    assert [s.name for s in model.states] == ["delay.1", "delay.2", "i.v", "li.v", "if.v", "lif.v", "cubali.i",
                                              "cubali.v", "cubalif.i", "cubalif.v"]
    assert run_model(model, spikes(3, 2, 128)).shape == (3, 2, 6)
    assert model.to_mlir().count("snn.conv_matrix") == 3
