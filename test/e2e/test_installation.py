# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What users install: the CMake package with a plugin and the tutorial built against it, and the Python package."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spiking_models import BUILD, ROOT


def run(*command: object, **options) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=1200, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def cached(name: str) -> str:
    """A variable of the build's CMake cache."""
    found = re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)
    return found[1] if found else ""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home folder with Spikeloom installed as the tutorial says."""
    if not (BUILD / "CMakeCache.txt").is_file():
        pytest.skip(f"{BUILD} is not a build folder of CMake")
    folder = tmp_path_factory.mktemp("home")
    run("cmake", "--install", BUILD, "--prefix", folder / "spikeloom")
    return folder


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """The compiler that the project is built with; nothing of the source tree."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPIKELOOM")}
    return {**kept, "HOME": str(home), "CC": cached("CMAKE_C_COMPILER"), "CXX": cached("CMAKE_CXX_COMPILER")}


def test_example_plugin(home: Path, environment: dict[str, str], tmp_path: Path) -> None:
    build = tmp_path / "build"
    source = ROOT / "examples" / "plugin"
    run("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={home}/spikeloom", env=environment)
    assert "Passed: 2" in run("ninja", "-C", build, "check", env=environment)


def test_tutorial(home: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Every block of the page that follows a mark is written to the file, or run."""
    page = (ROOT / "docs" / "tutorials" / "WriteAPass.md").read_text()
    blocks = re.findall(r"<!-- (?:file: (\S+)|run) -->\n```\w+\n(.*?)```\n", page, re.DOTALL)
    assert len(blocks) == page.count("<!--")
    printed = ""
    for name, text in blocks:
        if not name:
            printed += run("bash", "-euc", text, cwd=tmp_path, env=environment)
            continue
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert "PASS: set-near :: set-near.mlir" in printed


def test_pip(net: Path, tmp_path: Path) -> None:
    """The wheel, made from the existing build so that nothing is compiled twice, in a folder of its own."""
    for module in ("scikit_build_core", "nanobind", "pip"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install scikit-build-core nanobind")
    if cached("Python_EXECUTABLE") != sys.executable:
        pytest.skip(f"{BUILD} was configured for another Python")
    target, cache = tmp_path / "target", tmp_path / "CMakeCache.txt"
    shutil.copy(BUILD / "CMakeCache.txt", cache)
    try:
        run(
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-build-isolation", "--no-deps", "--target", target, f"-Cbuild-dir={BUILD}", ROOT),
        )
    finally:  # as the developer configured it
        shutil.copy(cache, BUILD / "CMakeCache.txt")
        run("cmake", BUILD)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPIKELOOM")}
    environment["PYTHONPATH"] = str(target)
    tools = {path.name for path in (target / "bin").iterdir()}
    assert tools >= {"spikeloom", "snn-import", "snn-compile", "snn-run", "snn-opt", "snn-interpret"}
    assert re.fullmatch(r"spikeloom \d+\.\d+\.\d+\n", run(target / "bin" / "spikeloom", "--version", env=environment))
    np.save(tmp_path / "x.npy", np.ones((6, 4, 12), np.float32))
    arguments = ("run", net, "--machine=tiny", "--steps=6", "--input=x.npy", "--output=out")
    run(target / "bin" / "spikeloom", *arguments, cwd=tmp_path, env=environment)
    assert np.load(tmp_path / "out" / "spk.npy").shape == (6, 4, 3)
    assert "snn.scan" in run(target / "bin" / "snn-import", net, "-o", "-", cwd=tmp_path, env=environment)
