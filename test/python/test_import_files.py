# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that frameworks exported: outputs of PyTorch, metadata, text, and the comparison with the original."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from spikeloom.importers import load_onnx
from spikeloom.importers.__main__ import main
from spikeloom.importers.conformance import examine
from spikeloom.importers.conformance import main as conformance
from spikeloom.importers.evaluate import run_steps
from spikeloom.importers.ir import copy_step
from spikeloom.importers.onnx_graph import load_graph
from spikeloom.importers.problems import ProblemList
from spikeloom.importers.programs import step_program
from spikeloom.importers.tracing import trace_graph
from spikeloom.importers.verify import find_difference

DATA = Path(__file__).parent / "data"
STEPS = sorted(p.stem for p in DATA.glob("*__step*.onnx"))
REFUSED = {"snn_leaky_inhibition__step__dynamo"}
NEURONS = {
    "snn_leaky_sub__step__legacy": 2, "snn_leaky_learn__step__dynamo": 2, "norse_lif__step__dynamo": 4,
    "sj_lif_vreset__step__dynamo": 2, "snn_synaptic_zero__step__legacy": 4, "snn_rleaky_all_zero__step__dynamo": 2,
    "snn_leaky_sub__step_op9__legacy": 2, "snn_leaky_sub__step_extdata__dynamo": 2,
}


@pytest.mark.parametrize("name", STEPS)
def test_outputs_are_pytorchs(name):
    row = examine(DATA / f"{name}.onnx", [])
    if name in REFUSED:
        assert row["status"] == "refused"
        assert "operator ArgMax is not supported" in row["problems"][0]
        return
    assert row["status"] == "imported", row["problems"]
    assert row["flips"] == 0
    assert row["difference"] < 1e-5
    if name in NEURONS:
        assert len(row["neurons"]) == NEURONS[name]
    if name.startswith(("snn_leaky_learn", "sj_lif_vreset")):
        assert row["partners"]


def test_attributes_of_snntorch_leaky():
    model = load_onnx(DATA / "snn_leaky_sub__step__legacy.onnx")
    first, second = model.neurons
    assert first.attrs["reset_time"] == "delayed"
    assert first.attrs["reset_kind"] == "subtract"
    assert first.attrs["cmp"] == "gt"
    assert first.attrs["decay"] == pytest.approx(0.9)
    assert second.attrs["threshold"] == 1.0
    assert model.pairing == "names"


def test_learned_parameters_stay_parameters():
    model = load_onnx(DATA / "snn_leaky_learn__step__dynamo.onnx")
    trained = {p.name: p.value.shape for p in model.parameters if p.trainable}
    assert trained == {"fc1.weight": (32, 20), "fc1.bias": (32,), "clamp": (32,), "lif1.threshold": (32,),
                       "fc2.weight": (10, 32), "fc2.bias": (10,), "clamp_1": (10,), "lif2.threshold": (10,)}
    assert any("folded from lif1.beta; the folded value is what trains" in p.message for p in model.problems)


def test_source_lines_of_both_exporters():
    dynamo = load_onnx(DATA / "snn_leaky_learn__step__dynamo.onnx").neurons[0].source
    assert (dynamo.file, dynamo.scope) == ("nets_snn.py", "lif1")
    legacy = load_onnx(DATA / "snn_leaky_sub__step_verbose__legacy.onnx").neurons[0].source
    assert (legacy.file, legacy.line, legacy.scope) == ("nets_snn.py", 18, "lif1")


def test_memoryless_step_is_warned_about():
    model = load_onnx(DATA / "snn_leaky_hidden__step__dynamo.onnx")
    warnings = [p for p in model.problems if p.severity == "warning"]
    assert len(warnings) == 2
    assert "no memory from step to step" in warnings[0].message
    assert warnings[0].source.node
    assert main([str(DATA / "snn_leaky_hidden__step__dynamo.onnx"), "--check"]) == 0


def test_rebatching():
    model = load_onnx(DATA / "snn_leaky_sub__step__legacy.onnx", batch=7, steps=3)
    assert [a.shape for a in model.inputs] == [(3, 7, 20)]
    assert [(a.name, a.shape) for a in model.outputs] == [
        ("spk_out", (3, 7, 10)), ("mem1_out", (7, 32)), ("mem2_out", (7, 10))]
    assert model.states[0].initial.shape == (7, 32)
    sequence = np.random.default_rng(0).random((3, 7, 20)).astype(np.float32)
    outputs, _ = run_steps(model.step, {"x": sequence}, {s.name: s.initial for s in model.states})
    assert outputs["spk_out"].shape == (3, 7, 10)


def test_first_output_that_is_a_state_is_written_for_every_step():
    model = load_onnx(DATA / "norse_lif__step__dynamo.onnx", steps=5)
    names = {a.name: a.shape for a in model.outputs}
    assert names["v_out"] == (5, 4, 10)
    assert names["z"] == (5, 4, 32)
    assert names["v2_out"] == (4, 10)
    assert [s.output for s in model.step.states] == ["v1_out", "i1_out", "v_out", "i2_out"]


def test_text_is_deterministic_and_carries_values():
    path = DATA / "snn_leaky_learn__step__dynamo.onnx"
    text = load_onnx(path, steps=5).to_mlir()
    assert text == load_onnx(path, steps=5).to_mlir()
    assert text.count("snn.neuron") == 2
    assert 'loc("node_linear"("nets_snn.py":17:0))' in text
    blob = re.search(r'fc1\.bias: "0x04000000([0-9A-F]*)"', text).group(1)
    values = np.frombuffer(bytes.fromhex(blob), "<f4")
    np.testing.assert_array_equal(values, next(p.value for p in load_onnx(path).parameters if p.name == "fc1.bias"))


@pytest.mark.skipif(not (ROOT / "build/bin/snn-opt").exists(), reason="snn-opt is not built")
@pytest.mark.parametrize("name", [n for n in STEPS if n not in REFUSED])
def test_text_is_accepted_by_snn_opt(name, tmp_path):
    file = tmp_path / "net.mlir"
    file.write_text(load_onnx(DATA / f"{name}.onnx", steps=5).to_mlir())
    done = subprocess.run([ROOT / "build/bin/snn-opt", file, "-o", "/dev/null"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:500]


@pytest.mark.parametrize(("attribute", "value"), [
    ("cmp", "ge"), ("decay", 0.89), ("threshold", 1.01), ("reset_kind", "none"), ("reset_time", "same_step")])
def test_a_wrong_neuron_would_be_noticed(attribute, value):
    """The comparison with the original sees each kind of mistake (> against >= only where values tie)."""
    path = str(DATA / "snn_leaky_sub__step__legacy.onnx")
    graph = load_graph(path, ProblemList())
    trace = trace_graph(graph, ProblemList()).trace
    step = load_onnx(path).step
    assert not find_difference(graph, trace, step_program(step, 1))
    broken = copy_step(step)
    next(op for op in broken.ops if op.kind == "neuron").attrs[attribute] = value
    found = find_difference(graph, trace, step_program(broken, 1))
    assert "differs at step" in found


def test_a_model_that_cannot_be_matched_is_left_as_arithmetic(monkeypatch):
    import spikeloom.importers.model as module

    def wrong(step, problems):
        from spikeloom.importers.raise_neurons import raise_neurons
        raise_neurons(step, problems)
        next(op for op in step.ops if op.kind == "neuron").attrs["decay"] = 0.5

    monkeypatch.setattr(module, "raise_neurons", wrong)
    model = load_onnx(DATA / "snn_leaky_sub__step__legacy.onnx")
    assert not model.neurons
    assert any("left as arithmetic" in p.message for p in model.problems)


def test_command_converts_and_reports(tmp_path, capsys):
    target = tmp_path / "net.mlir"
    assert main([str(DATA / "snn_leaky_sub__step__legacy.onnx"), "-o", str(target), "--steps", "5"]) == 0
    assert "2 neuron" in capsys.readouterr().err
    assert target.read_text().startswith("module attributes")
    assert main([str(DATA / "snn_leaky_sub__step__legacy.onnx"), "--check", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["imported"]
    assert [s["name"] for s in result["states"]] == ["mem1", "mem2"]


def test_conformance_command(capsys):
    assert conformance([str(DATA), "--match", "s*__step__legacy"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "2 neuron" in out[0]
    assert out[-1].endswith("imported")


def test_conformance_writes_a_table_below_the_text_of_a_page(tmp_path, capsys):
    page = tmp_path / "Import.md"
    page.write_text("# Imports\n\nWritten by hand.\n")
    for _ in range(2):  # a second run replaces the table
        assert conformance([str(DATA), "--match", "s*__seq*", "--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("# Imports\n\nWritten by hand.\n")
    assert text.count("## All files") == 1
    assert "| snn_leaky_sub__seqB5__dynamo | loop over 5 steps | 2 neuron | 0 | 0/200 | 0e+00 |" in text
    assert capsys.readouterr().out.count("imported") >= 2
