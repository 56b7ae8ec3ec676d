# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad input: each with its message, all problems at once, and no other exception."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx_maker import Maker
from spikeloom.importers import ImportFailed, check, load_onnx
from spikeloom.importers.__main__ import main

DATA = Path(__file__).parent / "data"
GOOD = DATA / "snn_leaky_sub__step__legacy.onnx"


def errors(path, **options) -> list[str]:
    with pytest.raises(ImportFailed) as caught:
        load_onnx(path, **options)
    return [str(p) for p in caught.value.problems if p.severity == "error"]


def leaky(tmp_path, *, before=None, after=None, states=("mem", "mem_out")):
    """A small net; `before(maker, x)` and `after(maker, spikes)` may put something odd in."""
    m = Maker()
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    s, v = m.leaky(before(m, x) if before else x, states[0], 16)
    m.output(after(m, s) if after else s, "spk", 16)
    m.output(v, states[1], 16)
    return m, tmp_path / "net.onnx"


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.95, 0.999])
def test_truncated(tmp_path, keep):
    data = GOOD.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[:int(len(data) * keep)])
    (message,) = errors(path)[:1]
    assert "cut short" in message or "no graph" in message or "cannot be decoded" in message


def test_every_prefix_is_refused_without_a_crash(tmp_path):
    data = GOOD.read_bytes()
    path = tmp_path / "cut.onnx"
    for size in range(0, len(data) - 1, 97):
        path.write_bytes(data[:size])
        check(path)


def test_flipped_bytes_never_crash(tmp_path):
    data = bytearray(GOOD.read_bytes())
    generator = np.random.default_rng(5)
    path = tmp_path / "bent.onnx"
    for _ in range(60):
        bent = bytearray(data)
        for place in generator.integers(0, len(data), 3):
            bent[place] ^= 1 << int(generator.integers(0, 8))
        path.write_bytes(bent)
        check(path)


def test_empty_missing_and_directory(tmp_path):
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    assert "no graph" in errors(empty)[0]
    assert "does not exist" in errors(tmp_path / "none.onnx")[0]
    assert "directory" in errors(tmp_path)[0]


def test_missing_external_data(tmp_path):
    name = "snn_leaky_sub__step_extdata__dynamo.onnx"
    shutil.copy(DATA / name, tmp_path)
    assert f"{name}.data, which must lie beside it" in errors(tmp_path / name)[0]


def test_truncated_external_data(tmp_path):
    name = "snn_leaky_sub__step_extdata__dynamo.onnx"
    shutil.copy(DATA / name, tmp_path)
    (tmp_path / f"{name}.data").write_bytes((DATA / f"{name}.data").read_bytes()[:100])
    assert errors(tmp_path / name)


def test_all_unsupported_operators_at_once(tmp_path):
    def odd(m, x):
        x = m.node("Hardmax", x)
        x = m.node("Bernoulli", x)
        return m.node("Det", x)

    m, path = leaky(tmp_path, before=odd, after=lambda m, s: m.node("TopK", s, m.array("k", np.int64([16]))))
    found = errors(m.save(path))
    assert [e.split("operator ")[1].split()[0] for e in found] == ["Hardmax", "Bernoulli", "Det", "TopK"]
    assert "node 'node_" in found[0]


def test_unsupported_operators_inside_a_loop_that_cannot_be_entered(tmp_path):
    m, path = leaky(tmp_path, before=lambda m, x: m.node("Hardmax", x))
    body = helper.make_graph([helper.make_node("Det", ["inner"], ["out"], name="deep")], "body",
                             [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
                             [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)])
    m.node("Scan", m.nodes[1].output[0], body=body, num_scan_inputs=1)
    found = errors(m.save(path))
    assert "operator Hardmax is not supported" in found[0]
    assert "node 'deep': operator Det is not supported" in found[1]


def test_custom_domain(tmp_path):
    m, path = leaky(tmp_path)
    m.nodes[0].domain = "com.example"
    model = m.model()
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save(model, path)
    assert "com.example.Gemm is not known (custom domain)" in errors(path)[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path, value):
    m, path = leaky(tmp_path)
    weight = onnx.numpy_helper.to_array(m.initializers[0]).copy()
    weight[3, 5] = value
    m.initializers[0].CopyFrom(onnx.numpy_helper.from_array(weight, "fc1.weight"))
    (message,) = errors(m.save(path))
    assert "'fc1.weight' holds 1 values that are not finite" in message
    assert "[3, 5]" in message


def test_other_types(tmp_path):
    m, path = leaky(tmp_path)
    m.inputs[0].type.tensor_type.elem_type = TensorProto.COMPLEX64
    assert "input 'x' has type complex64; inputs are float32, float16, bool" in errors(m.save(path))[0]


def test_a_constant_that_differs_along_the_batch(tmp_path):
    mask = np.ones((4, 16), np.float32)
    mask[2] = 0.5
    m, path = leaky(tmp_path, before=lambda m, x: m.node("Mul", x, m.array("mask", mask)))
    assert "differs along the batch axis" in errors(m.save(path))[0]


def test_baked_batch_of_equal_rows_is_rebatched(tmp_path):
    m, path = leaky(tmp_path, before=lambda m, x: m.node("Mul", x, m.array("mask", np.full((4, 16), 2.0, np.float32))))
    assert load_onnx(m.save(path), batch=9).inputs[0].shape == (1, 9, 20)


def test_states_that_cannot_be_told_apart(tmp_path):
    m = Maker()
    x = m.linear(m.input("x", 20), "fc1", 16, 20)
    s1, v1 = m.leaky(x, "a", 16)
    s2, v2 = m.leaky(m.linear(s1, "fc2", 8, 16), "b", 8)
    for value, name, width in ((v1, "p", 16), (v2, "q", 8), (s2, "r", 8)):
        m.output(value, name, width)
    path = m.save(tmp_path / "net.onnx")
    (message,) = errors(path)
    assert "cannot tell which outputs" in message
    assert "Inputs: a [4x16], b [4x8]; outputs: p [4x16], q [4x8], r [4x8]" in message
    assert "--state IN=OUT" in message
    model = load_onnx(path, state=["a=p", "b=q"])
    assert len(model.neurons) == 2
    assert model.pairing == "--state"
    assert load_onnx(path, state={"a": "p", "b": "q"}).to_mlir() == model.to_mlir()


@pytest.mark.parametrize(("option", "message"), [
    ("mem", "write it as IN=OUT"), ("nix=mem_out", "'nix' is not an input; inputs are x, mem"),
    ("mem=nix", "'nix' is not an output; outputs are spk, mem_out"), ("x=spk", "'x' has shape 4x20, 'spk' has 4x16")])
def test_wrong_state_options(tmp_path, option, message):
    m, path = leaky(tmp_path)
    assert message in errors(m.save(path), state=[option])[0]


def test_states_of_a_sequence(tmp_path):
    m, path = leaky(tmp_path)
    assert "--state pairs states of a step" in errors(m.save(path), state=["mem=mem_out"], as_="sequence")[0]


def test_wrong_numbers(tmp_path):
    m, path = leaky(tmp_path)
    m.save(path)
    found = errors(path, batch=0, steps=-1, as_="layer", train_parameters="(")
    expected = ["--batch=0", "--steps=-1", "--train-parameters=(", "--as=layer"]
    assert [e.split(":")[1].strip() for e in found] == expected


def test_undefined_value_and_constant_output(tmp_path):
    m, path = leaky(tmp_path)
    m.nodes[0].input[0] = "nothing"
    assert "uses 'nothing', which is no input or initializer and which no node makes" in errors(m.save(path))[0]


def test_cycle(tmp_path):
    m, path = leaky(tmp_path)
    m.nodes[0].input[0] = m.nodes[3].output[0]
    assert "which only this or a later node makes: the graph is cyclic or out of order" in errors(m.save(path))[0]


def test_missing_initializer(tmp_path):
    m, path = leaky(tmp_path)
    del m.initializers[0]
    assert "Gemm uses 'fc1.weight', which is no input or initializer" in errors(m.save(path))[0]


def test_batches_that_differ(tmp_path):
    m, path = leaky(tmp_path)
    m.inputs[1].type.tensor_type.shape.dim[0].dim_value = 3
    assert "different batch sizes, or shapes of no known form: x [4x20], mem [3x16]" in errors(m.save(path))[0]


def test_command_exit_codes(tmp_path, capsys):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not onnx")
    assert main([str(bad), "--check"]) == 1
    assert "not imported, 1 problem" in capsys.readouterr().err
    assert main([str(bad), "--check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problems"][0]["severity"] == "error"
    assert main([str(GOOD), "-o", str(tmp_path / "no" / "net.mlir")]) == 1
    assert "cannot write" in capsys.readouterr().err
    for wrong in (["--bogus"], [str(GOOD), "--check", "-o", "net.mlir"]):
        with pytest.raises(SystemExit) as stop:
            main(wrong)
        assert stop.value.code == 2
    assert "--check converts nothing" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unreadable_file(tmp_path):
    path = tmp_path / "net.onnx"
    shutil.copy(GOOD, path)
    path.chmod(0)
    assert "cannot be read" in errors(path)[0]
