# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# A training may die at any moment: what it needs to go on is in one file that is whole or not there.
"""Checkpoints: everything that a training needs to continue with the bits it would have had.

A checkpoint is a safetensors file: parameters under their own names, the optimiser's state under ``optimizer/NAME``,
and in the metadata ``spikeloom.step``, ``spikeloom.learning_rate`` (as ``snn-run --checkpoint`` writes them) and
``spikeloom.training``, a JSON object with the position in the data and the options.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .arrays import atomic_file
from .errors import UserError
from .session import Session

PREFIX = "optimizer/"
STEP, RATE, TRAINING = "spikeloom.step", "spikeloom.learning_rate", "spikeloom.training"


@dataclass
class Snapshot:
    """What changes in a session from step to step: arrays by name and role, and the optimiser's step counter."""

    parameters: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray]
    step: int

    @staticmethod
    def of(session: Session) -> Snapshot:
        """Copy it out of a session."""
        native = session.native
        arrays = {
            role: {port.name: np.array(native.get(port.name, role)) for port in session.info.of_role(role)}
            for role in ("parameter", "optimizer")
        }
        return Snapshot(arrays["parameter"], arrays["optimizer"], native.step)

    def restore(self, session: Session) -> None:
        """Put it into a session of the same network."""
        for role, arrays in (("parameter", self.parameters), ("optimizer", self.optimizer)):
            for name, array in arrays.items():
                session.native.set(name, np.ascontiguousarray(array), role)
        session.native.step = self.step


@dataclass
class Checkpoint:
    """A snapshot with the position of its training in the data.

    ``training`` is plain data (JSON): ``options`` by name, and whatever the training loop wants back.
    """

    snapshot: Snapshot
    learning_rate: float
    training: dict[str, Any] = field(default_factory=dict)

    def write(self, path: str | Path) -> None:
        """Write it so that at any moment the file is the previous checkpoint or this one, whole."""
        tensors = {name: np.ascontiguousarray(a) for name, a in self.snapshot.parameters.items()}
        tensors |= {PREFIX + name: np.ascontiguousarray(a) for name, a in self.snapshot.optimizer.items()}
        metadata = {STEP: str(self.snapshot.step), RATE: repr(self.learning_rate), TRAINING: json.dumps(self.training)}
        with atomic_file(path, "--checkpoint") as file:
            file.write(save(tensors, metadata))
        sync_folder(Path(path).parent)

    @staticmethod
    def read(path: str | Path) -> Checkpoint:
        """Read what ``write`` wrote.

        Raises:
            UserError: the file is missing, damaged or not a checkpoint of a training.
        """
        if not Path(path).is_file():
            raise UserError(f"--resume: {path} does not exist or is not a file")
        try:
            with safe_open(str(path), "np") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(f"--resume: {path} cannot be read as a checkpoint: {error}") from error
        try:
            step, rate = int(metadata[STEP]), float(metadata[RATE])
            training = json.loads(metadata[TRAINING])
        except (KeyError, ValueError) as error:
            raise UserError(
                f"--resume: {path} is no checkpoint of 'spikeloom train' (its metadata lacks {error}); start from "
                "plain parameters with --weights"
            ) from error
        parameters = {name: array for name, array in tensors.items() if not name.startswith(PREFIX)}
        optimizer = {name[len(PREFIX) :]: array for name, array in tensors.items() if name.startswith(PREFIX)}
        return Checkpoint(Snapshot(parameters, optimizer, step), rate, training)

    def restore(self, session: Session, path: str | Path) -> None:
        """Put parameters, optimiser and step into a session.

        Raises:
            UserError: it is of another network; names and shapes that differ are listed.
        """
        found, wanted = _shapes(self.snapshot), _session_shapes(session)
        lines = [f"'{name}' {wanted[name]} is not in the checkpoint" for name in wanted if name not in found]
        lines += [f"'{name}' {found[name]} is not in the network" for name in found if name not in wanted]
        lines += [
            f"'{name}' is {found[name]} in the checkpoint, {wanted[name]} in the network"
            for name in wanted
            if name in found and found[name] != wanted[name]
        ]
        if lines:
            raise UserError(f"--resume: {path} is a checkpoint of another network:\n  " + "\n  ".join(lines))
        self.snapshot.restore(session)


def _shapes(snapshot: Snapshot) -> dict[str, list[int]]:
    """Return the shapes of a snapshot's arrays, by the names that the file has."""
    result = {name: list(array.shape) for name, array in snapshot.parameters.items()}
    return result | {PREFIX + name: list(array.shape) for name, array in snapshot.optimizer.items()}


def _session_shapes(session: Session) -> dict[str, list[int]]:
    """Return the shapes that a session wants, by the same names."""
    result = {port.name: list(port.shape) for port in session.info.of_role("parameter")}
    return result | {PREFIX + port.name: list(port.shape) for port in session.info.of_role("optimizer")}


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a crash of the machine, where the system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # some file systems refuse to sync folders; the file itself is on the disk
    finally:
        os.close(handle)


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_options(found: Mapping[str, Any], wanted: Mapping[str, Any], path: str | Path) -> None:
    """Refuse to continue a training with options that would give other bits, naming them.

    Args:
        found: options by name, of the checkpoint.
        wanted: options by name, of now.
        path: of the checkpoint, for the message.
    """
    names = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    if names:
        lines = [f"{name}: {found.get(name)} in the checkpoint, {wanted.get(name)} now" for name in names]
        raise UserError(
            f"--resume: {path} is of a training with other options:\n  " + "\n  ".join(lines) + "\n"
            "give the same options to continue it, or start a new training from its parameters with --weights"
        )
