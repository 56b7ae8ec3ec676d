# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inference from ONNX file to output files."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

import spikeloom as sl
from onnx_maker import Maker
from spikeloom.encoding import latency
from spikeloom.importers import load_onnx
from spikeloom.importers.evaluate import run_steps

TINY = "--machine=tiny"


def reference(net, x):
    """What the importer's own evaluation gives for x [T, N, F], from zero states."""
    model = load_onnx(net, batch=x.shape[1], steps=x.shape[0])
    states = {state.name: state.initial for state in model.states}
    return run_steps(model.step, {"x": x.astype(np.float32)}, states)


@pytest.mark.parametrize("engine", ["fast", "strict"])
@pytest.mark.parametrize("samples", [4, 7, 1])
def test_every_spike_equals_the_reference(spikeloom, net, tmp_path, engine, samples):
    x = (np.random.default_rng(1).random((6, samples, 12)) < 0.4).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    spikeloom("run", net, TINY, "--input", "x=x.npy", "--output", "out", f"--engine={engine}")
    outputs, states = reference(net, x)
    assert outputs["spk"].sum() > 0
    assert np.array_equal(np.load(tmp_path / "out" / "spk.npy"), outputs["spk"])
    for name in ("mem1", "mem2"):
        np.testing.assert_allclose(np.load(tmp_path / "out" / f"{name}_out.npy"), states[name], atol=1e-4)


def test_states_can_be_given(spikeloom, net, tmp_path):
    x = (np.random.default_rng(1).random((6, 4, 12)) < 0.4).astype(np.float32)
    mem1 = np.random.default_rng(2).random((4, 20)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "m.npy", mem1)
    spikeloom("run", net, TINY, "--input", "x.npy", "--input", "mem1=m.npy", "--input", "mem2=0.5", "--output", "out")
    model = load_onnx(net, batch=4, steps=6)
    states = {"mem1": mem1, "mem2": np.full((4, 3), 0.5, np.float32)}
    outputs, _ = run_steps(model.step, {"x": x}, states)
    assert np.array_equal(np.load(tmp_path / "out" / "spk.npy"), outputs["spk"])


def test_run_prints_its_figures(spikeloom, net, data, tmp_path):
    x, _ = data
    np.save(tmp_path / "t.npy", np.moveaxis(x, 0, 1))
    result = spikeloom("run", net, "--input", "t.npy", "--labels", "y.npy", "--profile", "p.json", "--max-activity=0.2")
    for text in ("accuracy: ", "of 30)", "modelled cycles a run of 4 samples", "tiles used", "spikes dropped: "):
        assert text in result.out
    for text in ("machine bow", "engine fast", "threads "):
        assert text in result.err
    profile = json.loads((tmp_path / "p.json").read_text())
    assert profile["schema"] == "spikeloom.profile/1"
    assert profile["machine"]["name"] == "bow"
    assert profile["cycles"]["total"] > 0
    assert profile["tiles"]["used"] > 0
    hidden = [layer for layer in profile["layers"] if layer["capacity"] == 4]
    assert hidden, "max(2, 2 * floor(0.2 * 20 / 2)) = 4 entries"


def test_parameters_that_training_added_are_parameters_of_a_run(spikeloom, net, tmp_path):
    """A decay is a number of the file, but a parameter for who trains it: its trained value must be found."""
    choice = "--train-parameters=^c1$"
    weights = {p.name: p.value for p in load_onnx(net, train_parameters="^c1$").parameters}
    decays = [name for name, value in weights.items() if value.ndim == 0]
    assert [weights[name] for name in decays] == [np.float32(0.9)] * 2
    save_file({**weights, **dict.fromkeys(decays, np.array(0.25, np.float32))}, tmp_path / "w.safetensors")
    np.save(tmp_path / "x.npy", (np.random.default_rng(1).random((6, 4, 12)) < 0.4).astype(np.float32))
    run = ["run", net, TINY, "--input=x.npy"]
    result = spikeloom(*run, "--weights=w.safetensors", "--output=plain")
    assert "w.safetensors: not used by the network: c1, c1#" in result.err
    assert "not used" not in spikeloom(*run, "--weights=w.safetensors", "--output=trained", choice).err
    spikeloom(*run, "--output=start", choice)
    found = {name: np.load(tmp_path / name / "mem1_out.npy") for name in ("plain", "trained", "start")}
    assert np.array_equal(found["plain"], found["start"])
    assert not np.array_equal(found["trained"], found["start"])


def test_latency_coding_on_the_way_in(spikeloom, net, tmp_path):
    pixels = np.random.default_rng(3).integers(0, 256, (5, 12), dtype=np.uint8)
    np.save(tmp_path / "still.npy", pixels)
    spikeloom("run", net, TINY, "--input", "still.npy", "--encode=latency", "--steps=6", "--output", "out")
    outputs, _ = reference(net, latency(pixels, 6))
    assert np.array_equal(np.load(tmp_path / "out" / "spk.npy"), outputs["spk"])


def test_compiled_file_runs_and_is_the_same_twice(spikeloom, net, tmp_path):
    for name in ("a.loom", "b.loom"):
        spikeloom("compile", net, TINY, "-o", name, "--steps=6", "--batch=4")
    assert (tmp_path / "a.loom").read_bytes() == (tmp_path / "b.loom").read_bytes()
    x = np.ones((6, 4, 12), np.float32)
    np.save(tmp_path / "x.npy", x)
    spikeloom("run", "a.loom", "--input", "x.npy", "--output", "out")
    outputs, _ = reference(net, x)
    assert np.array_equal(np.load(tmp_path / "out" / "spk.npy"), outputs["spk"])


def test_python_interface(net):
    x = (np.random.default_rng(1).random((6, 3, 12)) < 0.4).astype(np.uint8)
    program = sl.compile(sl.load(net), machine="tiny", batch=4, steps=6)
    with program.session(engine="fast", threads=1) as session:
        outputs = session.run(x)
    expected, _ = reference(net, x)
    assert np.array_equal(outputs["spk"], expected["spk"])
    assert outputs["mem1_out"].shape == (3, 20)


def test_mlir_models(spikeloom, net, tmp_path):
    model = load_onnx(net, batch=4, steps=6)
    (tmp_path / "net.mlir").write_text(model.to_mlir())
    x = (np.random.default_rng(1).random((6, 9, 12)) < 0.4).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    assert "no problems" in spikeloom("check", "net.mlir").out
    spikeloom("run", "net.mlir", TINY, "--input", "x.npy", "--output", "out")
    outputs, _ = reference(net, x)
    assert np.array_equal(np.load(tmp_path / "out" / "spk.npy"), outputs["spk"])
    spikeloom("run", "net.mlir", TINY, "--input", "x.npy", "--batch=5", code=2)
    (tmp_path / "bad.mlir").write_text(model.to_mlir().replace("snn.linear", "snn.lineer"))
    assert "lineer" in spikeloom("check", "bad.mlir", code=1).err
    assert "lineer" in spikeloom("run", "bad.mlir", TINY, "--input", "x.npy", code=1).err


def test_phases_are_dumped(spikeloom, net, tmp_path):
    spikeloom("compile", net, TINY, "-o", "net.loom", "--steps=6", "--dump-phases=phases")
    assert len(list((tmp_path / "phases").iterdir())) >= 5


def test_too_large_for_the_machine(spikeloom, tmp_path):
    maker = Maker(seed=1, batch=4)
    spikes, mem = maker.leaky(maker.linear(maker.input("x", 2000), "fc1", 2000, 2000), "mem", 2000)
    maker.output(spikes, "spk", 2000)
    maker.output(mem, "mem_out", 2000)
    maker.save(tmp_path / "large.onnx")
    arguments = ["compile", "large.onnx", TINY, "-o", "large.loom", "--steps=4", "--dump-phases=phases"]
    result = spikeloom(*arguments, code=1)
    for text in ("tile ", " bytes", "contributors", "remedies", "--"):
        assert text in result.err
    assert not (tmp_path / "large.loom").exists()
    assert list((tmp_path / "phases").iterdir()), "the phases up to the refusal are dumped"
