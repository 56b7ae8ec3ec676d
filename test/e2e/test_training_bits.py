# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training steps give the same bits in the interpreter, in `strict` and in `fast`, on one thread and on two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from engines import Prepared, differences, given_states, step_differences
from siblings import SIBLINGS

MACHINES = {"tiny": "tiny", "forty": Path(__file__).parent / "machines" / "forty.json"}
STEPS = 3


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", SIBLINGS)
def test_same_bits_everywhere(name: str, machine: str, tmp_path: Path) -> None:
    prepared = Prepared(SIBLINGS[name], MACHINES[machine], tmp_path)
    expected = prepared.interpret(STEPS)
    assert all(np.linalg.norm(value) > 0 for value in expected.gradients.values()), "a gradient of zero tests nothing"
    runs = {key: prepared.run(*key, STEPS) for key in [("strict", 1), ("strict", 2), ("fast", 1), ("fast", 2)]}
    for key, run in runs.items():
        wrong = step_differences(run, expected)
        assert not wrong, f"{key}:\n" + "\n".join(wrong)
        assert run.cycles == runs["strict", 1].cycles, key
        assert run.supersteps == runs["strict", 1].supersteps, key
    assert prepared.compile("again.loom").read_bytes() == (tmp_path / "net.loom").read_bytes()


@pytest.mark.parametrize("name", ["lists, recurrent", "recurrent one to one, sgd"])
def test_given_states(name: str, tmp_path: Path) -> None:
    """Membranes and spikes of the step before the first, spikes beyond the capacity of their list among them."""
    sibling = SIBLINGS[name]
    states = given_states(sibling, tmp_path)
    prepared = Prepared(sibling, "tiny", tmp_path)
    expected = prepared.interpret(1, *states)
    for engine in ("strict", "fast"):
        run = prepared.run(engine, 2, 1, *states)
        wrong = differences(run.outputs, expected.outputs) + differences(run.gradients, expected.gradients)
        assert not wrong, f"{engine}:\n" + "\n".join(wrong)
