# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What a program takes and gives, without a word on how it runs.
"""Descriptions of compiled programs: their arrays, sizes and machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .options import TARGET


@dataclass(frozen=True)
class Port:
    """An array of a program that has a name.

    ``shape`` is in the user's order: ``[T, B, N]`` for sequences, ``[B, N]`` for states, the file's for parameters but
    for kernels of convolutions, which are ``[out, in / groups * positions]``.
    ``axes`` says how the arrays of the model's file lie where that differs (see ``layout``).
    """

    name: str
    role: str
    shape: tuple[int, ...]
    trainable: bool = False
    initial: float = 0.0
    pair: str = ""
    classes: int = 0
    axes: str = ""


@dataclass(frozen=True)
class Info:
    """What a program says about itself."""

    name: str
    machine: Mapping[str, float | str]
    batch: int
    steps: int
    ports: tuple[Port, ...]
    optimizer: str
    learning_rate: float
    tiles_used: int
    tile_memory_max: int
    micro_batches: int = 1

    @property
    def samples(self) -> int:
        """Samples of a run: those of all micro-batches of a training step."""
        return self.batch * self.micro_batches

    def of_role(self, role: str) -> list[Port]:
        """Return the ports of a role, in the program's order."""
        return [port for port in self.ports if port.role == role]

    @property
    def cotangents(self) -> dict[str, Port]:
        """By result the array that takes its cotangent; empty unless compiled with ``gradients``."""
        names = {f"{port.name}.cotangent": port.name for port in self.results}
        return {names[port.name]: port for port in self.ports if port.name in names and port.role in ("input", "state")}

    @property
    def inputs(self) -> list[Port]:
        """The arrays of data that a run takes."""
        given = [port.name for port in self.cotangents.values()]
        return [port for port in self.of_role("input") if port.name not in given and port is not self.target]

    @property
    def target(self) -> Port | None:
        """The input that takes what a training step is to come close to, if its loss is ``mse_target``."""
        inputs = self.of_role("input") if self.is_training else []
        return next((port for port in inputs if port.name.endswith(TARGET)), None)

    @property
    def states(self) -> list[Port]:
        """The states that a run starts from."""
        given = [port.name for port in self.cotangents.values()]
        return [port for port in self.of_role("state") if not port.pair and port.name not in given]

    @property
    def results(self) -> list[Port]:
        """The outputs, then the states after the last step (which name their input in ``pair``)."""
        return self.of_role("output") + [port for port in self.ports if port.role == "state" and port.pair]

    @property
    def is_training(self) -> bool:
        """Whether a run of the program is a training step."""
        return bool(self.of_role("label"))

    @property
    def classes(self) -> int:
        """The number of classes that labels distinguish, 0 if the program does not say."""
        known = [port.classes for port in self.of_role("label") if port.classes]
        return known[0] if known else 0


def read_info(facts: Mapping[str, Any]) -> Info:
    """Read what the runtime says about a program."""
    return Info(
        facts["program"],
        facts["machine"],
        facts["batch"],
        facts["steps"],
        tuple(_port(port, facts["micro_batches"]) for port in facts["ports"]),
        facts["optimizer"],
        facts["learning_rate"],
        facts["tiles_used"],
        facts["tile_memory_max"],
        facts["micro_batches"],
    )


def _port(facts: Mapping[str, Any], micro_batches: int) -> Port:
    """Read a port; arrays of K micro-batches ``[K, T, B, ...]`` are one of all samples ``[T, K B, ...]`` here."""
    shape = tuple(facts["shape"])
    if micro_batches > 1 and facts["role"] == "input":
        axis = 1 if len(shape) >= 4 else 0
        shape = (*shape[1 : 1 + axis], micro_batches * shape[1 + axis], *shape[2 + axis :])
    return Port(**{**facts, "shape": shape})


def batch_axis(shape: tuple[int, ...], info: Info) -> int | None:
    """Where the samples are in an array of a program: ``[T, B, ...]`` or ``[B, ...]``; None if nowhere."""
    if len(shape) >= 3 and shape[0] == info.steps and shape[1] in (info.batch, info.samples):
        return 1
    if len(shape) >= 1 and shape[0] in (info.batch, info.samples):
        return 0
    return None
