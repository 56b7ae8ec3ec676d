# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What test/python says about imports holds for compiled programs: exported files and forms built by hand on `tiny`."""

import pytest

import test_import_forms as forms
from spikeloom.importers.compiled import CompiledRunner
from spikeloom.importers.conformance import examine
from test_import_files import DATA, REFUSED, STEPS


@pytest.fixture(autouse=True)
def _compiled(monkeypatch):
    monkeypatch.setattr(forms, "run_steps", CompiledRunner("tiny"))


globals().update({name: test for name, test in vars(forms).items() if name.startswith("test_")})


@pytest.mark.parametrize("name", [name for name in STEPS if name not in REFUSED])
def test_program_gives_pytorchs_outputs(name):
    engine = "strict" if name.endswith("legacy") else "fast"
    row = examine(DATA / f"{name}.onnx", [], CompiledRunner("tiny", engine))
    assert row["status"] == "imported", row["problems"]
    assert row["flips"] == 0
    assert row["difference"] < 1e-4
