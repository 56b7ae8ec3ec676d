# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What test/python says about imports holds for compiled programs: exported files and forms built by hand on `tiny`."""

import numpy as np
import pytest

import test_import_forms as forms
from onnx_maker import BATCH, Maker
from spikeloom.importers import load_onnx
from spikeloom.importers.compiled import CompiledRunner
from spikeloom.importers.conformance import examine
from spikeloom.importers.evaluate import run_steps
from test_import_files import DATA, REFUSED, STEPS


@pytest.fixture(autouse=True)
def _compiled(monkeypatch):
    monkeypatch.setattr(forms, "run_steps", CompiledRunner("tiny"))


globals().update({name: test for name, test in vars(forms).items() if name.startswith("test_")})


@pytest.mark.parametrize("name", [name for name in STEPS if name not in REFUSED])
def test_program_gives_pytorchs_outputs(name):
    engine = "strict" if name.endswith("legacy") else "fast"
    row = examine(DATA / f"{name}.onnx", [], CompiledRunner("tiny", engine).run_program)
    assert row["status"] == "imported", row["problems"]
    assert row["flips"] == 0
    assert row["difference"] < 1e-4


@pytest.mark.parametrize("engine", ["fast", "strict"])
def test_dense_state_that_all_tiles_of_its_layer_read(tmp_path, engine):
    """Feedback within one stage: on `bow` 33 units are several groups, which must advance step by step together."""
    m = Maker(3)
    s = m.input("s", 33)
    current = m.node("Add", m.linear(s, "fc", 33, 33), m.linear(m.input("x", 5), "fcx", 33, 5))
    m.inputs.reverse()
    m.output(m.node("Tanh", current), "s_out", 33)
    step = load_onnx(m.save(tmp_path / "net.onnx")).step
    sequence = {"x": np.random.default_rng(0).random((3, BATCH, 5)).astype(np.float32)}
    states = {"s": np.random.default_rng(1).random((BATCH, 33)).astype(np.float32)}
    expected, _ = run_steps(step, sequence, states)
    found, _ = CompiledRunner("bow", engine)(step, sequence, states)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-4)
