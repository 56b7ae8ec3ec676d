# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks that are too large, the size of programs on small and large machines, and bad input to snn-run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from engines import Prepared, Sibling, differences, tool
from safetensors.numpy import save_file
from siblings import lif

from spiking_models import Layer, Net


def test_too_large_is_refused_with_remedies(tmp_path: Path) -> None:
    model, phases = tmp_path / "model.mlir", tmp_path / "phases"
    model.write_text(Net([Layer(1466), Layer(1466), Layer(10)], inputs=2312, batch=48, steps=5).mlir())
    options = ["--machine=tiny", "--train", f"--dump-phases={phases}", "-o", tmp_path / "net.loom"]
    message = tool("snn-compile", model, *options, code=1).stderr
    assert re.search(r"does not fit: tile \d+ needs \d+ bytes, \d+ more than the 622592 it has", message)
    shares = re.findall(r"^    (\d+) bytes: ([a-z ]+) of (\w+)$", message, re.MULTILINE)
    assert len(shares) == 5
    assert [int(share[0]) for share in shares] == sorted((int(share[0]) for share in shares), reverse=True)
    assert {"weights", "weight gradients", "optimizer state"} <= {share[1] for share in shares}
    remedies = message.split("remedies:\n")[1]
    assert len(re.findall(r"^    --(chips|batch|max-activity|machine)=", remedies, re.MULTILINE)) >= 3
    assert sorted(path.name for path in phases.iterdir()) == ["1-events.mlir", "2-training.mlir"]
    assert not (tmp_path / "net.loom").exists()


def test_other_shapes_are_tried(tmp_path: Path) -> None:
    """Where units fill the tiles and the copies that stages need do not fit, layers spread over more tiles."""
    net = Net(lif(200, 200, 10), inputs=40, batch=2, steps=24)
    small = {"base": "tiny", "name": "small", "tiles": 40, "tileMemoryBytes": 80000, "interleavedStart": 40000}
    machine = tmp_path / "small.json"
    machine.write_text(json.dumps(small))
    prepared = Prepared(Sibling(net), machine, tmp_path)
    options = [*prepared.sibling.options(machine), "-o", tmp_path / "again.loom"]
    assert "layers that take up to" in tool("snn-compile", tmp_path / "model.mlir", *options).stderr
    expected = prepared.interpret(1)
    for engine in ("strict", "fast"):
        run = prepared.run(engine, 2, 1)
        wrong = differences(run.outputs, expected.outputs) + differences(run.gradients, expected.gradients)
        assert not wrong, f"{engine}:\n" + "\n".join(wrong)
    machine.write_text(json.dumps({**small, "tileMemoryBytes": 200000}))
    assert "remark" not in tool("snn-compile", tmp_path / "model.mlir", *options).stderr


def test_programs_do_not_grow_with_the_machine(tmp_path: Path) -> None:
    """784-256-10 in training: at most 20 % between the numbers of physical operations for 8 and for 1472 tiles."""
    model = tmp_path / "model.mlir"
    model.write_text(Net([Layer(256), Layer(10)], inputs=784, batch=16, steps=10).mlir())
    counts = {}
    for machine in ("tiny", "bow"):
        options = [f"--machine={machine}", "--train", "--max-activity=0.1", "--binary-inputs=x"]
        text = tool("snn-compile", model, *options, "--stop-after=memory").stdout
        assert "tile.compute" in text
        assert "address = " in text
        counts[machine] = len(re.findall(r"^\s*(?:%[^=]+ = )?[a-z_]+\.[a-z_]+", text, re.MULTILINE))
    assert min(counts.values()) > 100
    assert max(counts.values()) <= 1.2 * min(counts.values()), counts


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Prepared:
    net = Net([Layer(9), Layer(4)], inputs=6, steps=5, batch=3)
    return Prepared(Sibling(net), "tiny", tmp_path_factory.mktemp("run"))


def refuse(prepared: Prepared, folder: Path, **given: np.ndarray) -> str:
    """What snn-run says when x, labels or weights are replaced by `given`."""
    np.save(folder / "x.npy", given.get("x", prepared.sibling.net.x))
    np.save(folder / "labels.npy", given.get("labels", prepared.sibling.net.labels))
    weights = {name: given.get(name, value) for name, value in prepared.sibling.net.values.items()}
    save_file(weights, folder / "weights.safetensors")
    files = [f"--input=x={folder / 'x.npy'}", f"--labels={folder / 'labels.npy'}"]
    return tool(
        "snn-run", prepared.folder / "net.loom", *files, f"--weights={folder / 'weights.safetensors'}", code=1
    ).stderr


def test_weights_that_are_no_numbers(prepared: Prepared, tmp_path: Path) -> None:
    bad = prepared.sibling.net.values["fc1.weight"].copy()
    bad[2, 3] = np.nan
    message = refuse(prepared, tmp_path, **{"fc1.weight": bad})
    assert "fc1.weight" in message
    assert "nan" in message.lower()


def test_wrong_input_shape(prepared: Prepared, tmp_path: Path) -> None:
    message = refuse(prepared, tmp_path, x=np.zeros((5, 3, 7), np.float32))
    assert "x.npy" in message
    assert "5, 3, 7" in message.replace("x", ", ")
    assert "6" in message


@pytest.mark.parametrize("label", [-1, 4])
def test_labels_out_of_range(prepared: Prepared, tmp_path: Path, label: int) -> None:
    message = refuse(prepared, tmp_path, labels=np.array([0, label, 1], np.int32))
    assert "labels.npy" in message
    assert str(label) in message
