# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small network and its data, and a way to call the command line as people do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "test" / "python")]

from onnx_maker import Maker  # noqa: E402
from spikeloom.errors import UserError  # noqa: E402
from spikeloom.tools import find_tool  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _tools():
    """These tests need the whole build."""
    try:
        find_tool("snn-compile")
    except UserError as error:
        pytest.skip(str(error))


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def spikeloom(tmp_path):
    """Run the installed command in the test's folder."""

    def call(*arguments: str, code: int = 0) -> Result:
        command = [str(find_tool("spikeloom")), *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return call


FEATURES, HIDDEN, CLASSES, STEPS = 12, 20, 3, 6


def make_network(path: Path, batch: int = 4) -> Path:
    """Write 12-20-3 leaky neurons as ONNX."""
    maker = Maker(seed=5, batch=batch)
    x = maker.input("x", FEATURES)
    spikes, mem1 = maker.leaky(maker.linear(x, "fc1", HIDDEN, FEATURES), "mem1", HIDDEN)
    out, mem2 = maker.leaky(maker.linear(spikes, "fc2", CLASSES, HIDDEN), "mem2", CLASSES)
    maker.output(out, "spk", CLASSES)
    maker.output(mem1, "mem1_out", HIDDEN)
    maker.output(mem2, "mem2_out", CLASSES)
    maker.save(path)
    return path


@pytest.fixture
def net(tmp_path) -> Path:
    return make_network(tmp_path / "net.onnx")


@pytest.fixture
def net_of_two(tmp_path) -> Path:
    """The same network, exported for a batch of two."""
    return make_network(tmp_path / "two.onnx", batch=2)


@pytest.fixture
def data(tmp_path) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that differ in which features spike: x [30, 6, 12] uint8 and y [30], also as x.npy, y.npy."""
    rng = np.random.default_rng(0)
    y = np.arange(30) % CLASSES
    chance = np.where(np.arange(FEATURES)[None] // 4 == y[:, None], 0.8, 0.1)
    x = (rng.random((30, STEPS, FEATURES)) < chance[:, None]).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    return x, y
