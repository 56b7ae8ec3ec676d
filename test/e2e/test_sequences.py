# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files of whole sequences, compiled and run: PyTorch's outputs in the shapes of the file."""

from pathlib import Path

import numpy as np
import pytest

import spikeloom as sl
from spikeloom.importers.compiled import CompiledRunner
from spikeloom.importers.conformance import examine
from test_rerolling import SEQUENCES

DATA = Path(__file__).parents[1] / "python" / "data"
TINY = "--machine=tiny"


def stored(name):
    arrays = np.load(DATA / f"{name}.npz")
    return {n: arrays[n] for n in arrays.files}


@pytest.mark.parametrize("name", ["snn_leaky_sub__seqB5__dynamo", "sj_lif_vreset__multiT5__dynamo",
                                  "snn_rleaky_all_zero__seqT5__dynamo", "loop_scan_batch__dynamo"])
def test_session_keeps_the_shapes_of_the_file(name):
    arrays = stored(name)
    with sl.compile(DATA / f"{name}.onnx", machine="tiny").session() as session:
        inputs = {port.name: arrays[port.name] for port in session.info.of_role("input")}
        outputs = session.run(inputs)
        for port in session.info.results:
            expected = arrays[port.name]
            assert outputs[port.name].shape == expected.shape
            np.testing.assert_allclose(outputs[port.name], expected, atol=1e-4)
        short = {n: a[:3] if a.shape[0] == 4 else a[:, :3] for n, a in inputs.items()}
        for label, array in session.run(short).items():
            expected = arrays[label]
            np.testing.assert_allclose(array, expected[:3] if expected.shape[0] == 4 else expected[:, :3], atol=1e-4)


@pytest.mark.parametrize("name", SEQUENCES)
def test_program_gives_pytorchs_outputs(name):
    """Loops in both directions, what comes before and after them, convolutions, recurrent cells."""
    row = examine(DATA / f"{name}.onnx", [], CompiledRunner("tiny").run_program)
    assert row["status"] == "imported", row["problems"]
    assert row["flips"] == 0
    assert row["difference"] < 1e-4


def test_command_reads_and_writes_the_shapes_of_the_file(spikeloom, tmp_path):
    arrays = stored("snn_leaky_sub__seqB5__dynamo")
    np.save(tmp_path / "x.npy", np.concatenate([arrays["x"], arrays["x"][:2]]))
    spikeloom("run", DATA / "snn_leaky_sub__seqB5__dynamo.onnx", TINY, "--input", "x.npy", "--output", "out")
    (name,) = [n for n in arrays if n != "x"]
    found = np.load(tmp_path / "out" / f"{name}.npy")
    np.testing.assert_array_equal(found, np.concatenate([arrays[name], arrays[name][:2]]))
