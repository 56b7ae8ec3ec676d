# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Steps that are computed again in the backward pass: the same bits as tapes of all steps, in less memory of tiles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engines import Prepared, Sibling, given_states, step_differences, tool
from safetensors.numpy import save_file
from siblings import SIBLINGS, lif

from spiking_models import Net

STEPS = 2


def recomputed(sibling: Sibling, every: int, *more: str) -> Sibling:
    """The same training step with tapes of `every` steps."""
    return replace(sibling, more=(*sibling.more, f"--recompute={every}", *more))


def prepared(sibling: Sibling, folder: Path, machine: str = "tiny") -> Prepared:
    """Its files, in a folder of its own."""
    folder.mkdir()
    return Prepared(sibling, machine, folder)


@pytest.mark.parametrize("name", SIBLINGS)
def test_same_bits_as_stored(name: str, tmp_path: Path) -> None:
    sibling = SIBLINGS[name]
    steps = sibling.net.steps
    every = max(k for k in range(1, steps) if steps % k == 0)
    expected = prepared(sibling, tmp_path / "stored").run("fast", 2, STEPS)
    again = prepared(recomputed(sibling, every), tmp_path / "again")
    strict, fast = again.run("strict", 1, STEPS), again.run("fast", 2, STEPS)
    for key, found in {"interpreter": again.interpret(STEPS), "strict": strict, "fast": fast}.items():
        wrong = step_differences(found, expected)
        assert not wrong, f"{key}:\n" + "\n".join(wrong)
    assert strict.cycles == fast.cycles
    assert strict.supersteps == fast.supersteps


@pytest.mark.parametrize("name", ["lists, recurrent", "recurrent one to one, sgd"])
def test_given_states(name: str, tmp_path: Path) -> None:
    """Membranes and spikes before the first step, which the loop over segments starts from."""
    sibling = SIBLINGS[name]
    states = given_states(sibling, tmp_path)
    expected = prepared(sibling, tmp_path / "stored").run("fast", 1, STEPS, *states)
    again = prepared(recomputed(sibling, 3), tmp_path / "again")
    for engine in ("strict", "fast"):
        found = again.run(engine, 2, STEPS, *states)
        wrong = step_differences(found, expected)
        assert not wrong, f"{engine}:\n" + "\n".join(wrong)


LONG = Sibling(Net(lif(90, 61, 10), inputs=40, steps=96, batch=4, slope=10.0, seed=51))


def profile(of: Prepared) -> dict:
    """The profile of one step, and that step."""
    of.run("fast", 2, 1)
    return json.loads((of.folder / "fast-2-1" / "profile.json").read_text())


def test_memory_and_counts(tmp_path: Path) -> None:
    """Tapes hold a segment and its starts: the largest tile shrinks; spikes are counted once; two forward passes."""
    stored = profile(prepared(LONG, tmp_path / "stored"))
    found = {every: profile(prepared(recomputed(LONG, every), tmp_path / str(every))) for every in (12, 48)}
    largest = [p["tiles"]["memory_bytes_max"] for p in (found[12], found[48], stored)]
    assert largest == sorted(largest)
    assert largest[0] < 0.5 * largest[2]
    for p in found.values():
        assert p["layers"] == [
            {**layer, "cycles": p["layers"][i]["cycles"]} for i, layer in enumerate(stored["layers"])
        ]
        phases = {part["phase"] for part in p["supersteps"]}
        assert {"forward", "recompute", "backward"} <= phases
        assert stored["cycles"]["total"] < p["cycles"]["total"] < 2 * stored["cycles"]["total"]


def test_with_micro_batches(tmp_path: Path) -> None:
    """A loop over segments in a loop over micro-batches."""
    sibling = SIBLINGS["lists, recurrent"]
    net = sibling.net
    x = np.stack([net.x, net.x[:, ::-1]])
    save_file(net.values, tmp_path / "given")
    steps = []
    for name, options in {"stored": (), "again": ("--recompute=4",)}.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.mlir").write_text(net.mlir())
        np.save(folder / "x.npy", x)
        np.save(folder / "labels.npy", np.concatenate([net.labels, net.labels]))
        save = [f"--output={folder}", f"--save-gradients={folder / 'gradients'}", f"--save={folder / 'weights'}"]
        accumulate = "--gradient-accumulation=2"
        tool(
            *("snn-compile", folder / "model.mlir", "-o", folder / "net.loom"),
            *(*sibling.options("tiny"), accumulate, *options),
        )
        tool(
            *("snn-run", folder / "net.loom", f"--input=x={folder / 'x.npy'}", f"--labels={folder / 'labels.npy'}"),
            f"--weights={tmp_path / 'given'}",
            "--engine=strict" if options else "--engine=fast",
            *save,
        )
        steps.append([(folder / file).read_bytes() for file in ("gradients", "weights", "loss.npy")])
    assert steps[0] == steps[1]


def test_wrong_lengths(tmp_path: Path) -> None:
    sibling = SIBLINGS["lists, recurrent"]
    (tmp_path / "model.mlir").write_text(sibling.net.mlir())
    command = ["snn-compile", tmp_path / "model.mlir", "-o", tmp_path / "net.loom", *sibling.options("tiny")]
    error = tool(*command, "--recompute=5", code=1).stderr
    assert "cannot be recomputed every 5 steps, which do not divide its 12 steps; take one of 1, 2, 3, 4, 6" in error
    error = tool(*command, "--recompute=-1", code=1).stderr
    assert "cannot be recomputed every -1 steps; at least 1 is wanted, or 0 to keep all tapes" in error
    warning = tool(*command, "--recompute=12").stderr
    assert "keeps all tapes: no scan of more than 12 steps has one" in warning
    error = tool(*command[:4], "--recompute=4", code=2).stderr
    assert "--recompute is for tapes, which --train and --gradients have" in error
