# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One network through three ways of running it: the reference interpreter and the two engines, as subprocesses."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from spiking_models import BUILD, Net, Update

Tensors = dict[str, np.ndarray]


def tool(name: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs a tool of the build and checks its exit code."""
    command = [str(BUILD / "bin" / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Lists:
    """Capacities: a share of each hidden layer and a number of inputs; and the second threshold."""

    activity: float
    near: float
    inputs: int

    def options(self) -> list[str]:
        """Options of snn-compile."""
        return [
            f"--max-activity={self.activity}",
            f"--second-threshold={self.near}",
            f"--input-capacity=x:{self.inputs}",
        ]


@dataclass
class Sibling:
    """A small network and how to compile its training step."""

    net: Net
    lists: Lists | None = None
    update: Update = field(default_factory=Update)
    binary: bool = True
    more: tuple[str, ...] = ()  # further options of snn-compile

    def options(self, machine: str | Path) -> list[str]:
        """Options of snn-compile."""
        return [
            f"--machine={machine}",
            "--train",
            *(f"--{name}={value}" for name, value in (self.net.step_options() | self.update.options()).items()),
            *(["--binary-inputs=x"] if self.binary else []),
            *(self.lists.options() if self.lists else []),
            *self.more,
        ]


@dataclass
class Step:
    """What is compared after training steps, all by name."""

    outputs: Tensors
    checkpoint: Tensors
    gradients: Tensors = field(default_factory=dict)
    cycles: dict = field(default_factory=dict)
    supersteps: list = field(default_factory=list)


class Prepared:
    """A sibling's files in a folder."""

    def __init__(self, sibling: Sibling, machine: str | Path, folder: Path) -> None:
        self.sibling, self.machine, self.folder = sibling, machine, folder
        net = sibling.net
        (folder / "model.mlir").write_text(net.mlir())
        np.save(folder / "x.npy", net.x)
        np.save(folder / "labels.npy", net.labels)
        save_file(net.values, folder / "weights.safetensors")
        self.compile("net.loom")

    def compile(self, name: str) -> Path:
        """Compiles to an executable of that name."""
        path = self.folder / name
        tool("snn-compile", self.folder / "model.mlir", "-o", path, *self.sibling.options(self.machine))
        return path

    def run(self, engine: str, threads: int, steps: int, *more: str) -> Step:
        """Training steps in an engine; `more` are options."""
        out = self.folder / f"{engine}-{threads}-{steps}"
        out.mkdir()
        tool(
            "snn-run",
            self.folder / "net.loom",
            f"--input=x={self.folder / 'x.npy'}",
            f"--labels={self.folder / 'labels.npy'}",
            f"--weights={self.folder / 'weights.safetensors'}",
            f"--engine={engine}",
            f"--threads={threads}",
            f"--repeat={steps}",
            f"--output={out}",
            f"--checkpoint={out / 'checkpoint'}",
            f"--save-gradients={out / 'gradients'}",
            f"--profile={out / 'profile.json'}",
            *more,
        )
        profile = json.loads((out / "profile.json").read_text())
        return Step(
            {path.stem: np.load(path) for path in out.glob("*.npy")},
            load_file(out / "checkpoint"),
            load_file(out / "gradients"),
            profile["cycles"],
            profile["supersteps"],
        )

    def interpret(self, steps: int, *more: str) -> Step:
        """The same steps by the interpreter: each is one evaluation with what the one before left."""
        placed = self.folder / "placed.mlir"
        options = [*self.sibling.options(self.machine), "--stop-after=placement", "-o", placed]
        tool("snn-compile", self.folder / "model.mlir", *options)
        given = dict(self.sibling.net.values)
        moments: Tensors = {}
        for t in range(1, steps + 1):
            out = self.folder / f"interpreted-{t}"
            out.mkdir()
            np.save(out / "hyper.npy", self.sibling.update.hyper(t))
            save_file({**given, **moments}, out / "weights")
            tool(
                "snn-interpret",
                placed,
                f"--weights={out / 'weights'}",
                f"--input=x={self.folder / 'x.npy'}",
                f"--input=labels={self.folder / 'labels.npy'}",
                f"--input=hyper={out / 'hyper.npy'}",
                f"--output={out / 'results'}",
                *more,
            )
            results = {path.stem: np.load(path) for path in (out / "results").glob("*.npy")}
            given = {name: results.pop(name) for name in given}
            moments = {name: results.pop(name) for name in list(results) if name.endswith((".m", ".v", ".momentum"))}
        gradients = {name.removesuffix(".grad"): results.pop(name) for name in list(results) if name.endswith(".grad")}
        checkpoint = {**given, **{f"optimizer/{name}": value for name, value in moments.items()}}
        return Step(results, checkpoint, gradients)


def given_states(sibling: Sibling, folder: Path) -> list[str]:
    """Options for membranes and spikes before the first step, more spikes than a list holds among them."""
    rng = np.random.default_rng(7)
    shape = (sibling.net.batch, sibling.net.layers[0].units)
    np.save(folder / "mem0.npy", rng.random(shape, np.float32))
    np.save(folder / "spk0.npy", (rng.random(shape) < 0.3).astype(np.float32))
    return [f"--input={state}={folder}/{state}.npy" for state in ("mem0", "spk0")]


def step_differences(found: Step, expected: Step) -> list[str]:
    """What differs in a bit of outputs, gradients and checkpoint."""
    return [
        *differences(found.outputs, expected.outputs),
        *differences(found.gradients, expected.gradients),
        *differences(found.checkpoint, expected.checkpoint),
    ]


def differences(found: Tensors, expected: Tensors) -> list[str]:
    """Names and first differing elements of tensors that differ in a bit."""
    lines = [f"only one side has '{name}'" for name in sorted(found.keys() ^ expected.keys())]
    for name in sorted(found.keys() & expected.keys()):
        a, b = (np.asarray(side[name], np.float32).view(np.uint32) for side in (found, expected))
        if a.shape != b.shape:
            lines.append(f"{name}: shape {a.shape} against {b.shape}")
        elif (a != b).any():
            at = tuple(int(k) for k in np.argwhere(a != b)[0])
            x, y = found[name][at], expected[name][at]
            lines.append(f"{name}{list(at)}: {x!r} against {y!r}; {int((a != b).sum())} of {a.size} differ")
    return lines
