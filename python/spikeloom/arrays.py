# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Users' arrays are the most common place of a mistake, so every file goes through here and every refusal says why.
"""Reading and checking of `.npy` and `.npz` files, and writing that never leaves half a file behind."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import UserError

NUMBERS = ("float32", "uint8", "bool")


def load_array(path: str | Path, what: str, *, mapped: bool = False) -> np.ndarray:
    """Read a `.npy` file.

    Args:
        path: the file.
        what: what the array is for, for messages ("input 'x'").
        mapped: leave the data on disk until it is used (large training sets).

    Raises:
        UserError: the file is missing, truncated, pickled or not in NumPy's format.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{what}: {path} does not exist or is not a file")
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        if magic[:1] == b"\x80" or (magic[:2] != b"PK" and magic != b"\x93NUMPY"):
            kind = "a pickle" if magic[:1] == b"\x80" else "no .npy file"
            raise UserError(f"{what}: {path} is {kind}; save the array with numpy.save(file, array)")
        if magic[:2] == b"PK":
            raise UserError(f"{what}: {path} is an .npz archive of several arrays; a single .npy is wanted")
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        if "pickle" in str(error) or "Object arrays" in str(error) or "Python objects" in str(error):
            raise UserError(
                f"{what}: {path} holds pickled Python objects (dtype object), which are not read because that could "
                "run code; save it as float32, uint8 or bool: numpy.save(file, array.astype('float32'))"
            ) from error
        raise UserError(f"{what}: {path} cannot be read: {error}") from error


def load_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Read all arrays of a safetensors file by name."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as a safetensors file of weights: {error}") from error


def check_numbers(array: np.ndarray, what: str) -> None:
    """Refuse dtypes that networks do not take, naming the cast that helps."""
    if array.dtype.name not in NUMBERS:
        raise UserError(
            f"{what} has dtype {array.dtype}; float32, uint8 or bool is wanted: convert with array.astype('float32')"
        )


def check_finite(array: np.ndarray, what: str) -> None:
    """Refuse NaN and infinity, naming the first place."""
    if array.dtype.kind != "f":
        return
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        count = array.size - int(np.count_nonzero(finite))
        raise UserError(f"{what}: {count} of {array.size} values are NaN or infinite, the first at {list(first)}")


def check_labels(labels: np.ndarray, samples: int, classes: int, what: str) -> np.ndarray:
    """Return labels ``[N]`` as int32, or refuse their dtype, length or range (``classes`` 0: range unknown)."""
    if labels.dtype.kind not in "iu":
        raise UserError(f"{what} have dtype {labels.dtype}; whole numbers are wanted: labels.astype('int32')")
    if labels.ndim != 1:
        raise UserError(f"{what} have shape {list(labels.shape)}; one class number per sample [{samples}] is wanted")
    if len(labels) != samples:
        raise UserError(f"{what}: {len(labels)} labels for {samples} samples")
    if classes and samples:
        bad = np.flatnonzero((labels < 0) | (labels >= classes))
        if bad.size:
            raise UserError(
                f"{what}: {bad.size} labels lie outside [0, {classes}); the first is {int(labels[bad[0]])} "
                f"at sample {int(bad[0])} (the network has {classes} classes)"
            )
    return labels.astype(np.int32)


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order ``[N]`` in which an epoch visits the samples: a function of these numbers alone."""
    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass
class Samples:
    """A data set that is read batch by batch.

    ``take(indices, epoch)`` gives ``[T, B, ...]`` numbers (the epoch matters to codings that draw); ``steps`` is 0 when
    the coding decides it.
    """

    count: int
    steps: int
    shape: tuple[int, ...]
    take: Callable[..., np.ndarray]


def event_samples(path: Path, units: int, what: str) -> Samples:
    """Read events from `.npz`: ``ids [N, T, S]`` and ``counts [N, T]``; ``units`` is the width of the input."""
    if not path.is_file():
        raise UserError(f"{what}: {path} does not exist or is not a file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ("ids", "counts") if name not in archive.files]
            if missing:
                raise UserError(
                    f"{what}: {path} has no array '{missing[0]}'; events are ids [N, T, S] and counts [N, T]"
                )
            ids, counts = archive["ids"], archive["counts"]
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{what}: {path} cannot be read: {error}") from error
    if ids.dtype.kind not in "iu" or counts.dtype.kind not in "iu":
        raise UserError(f"{what}: ids and counts must be whole numbers, not {ids.dtype} and {counts.dtype}")
    if ids.ndim != 3 or counts.shape != ids.shape[:2]:
        raise UserError(
            f"{what}: ids {list(ids.shape)} and counts {list(counts.shape)} do not fit; [N, T, S] and [N, T] are wanted"
        )
    if counts.size and (int(counts.min()) < 0 or int(counts.max()) > ids.shape[2]):
        raise UserError(f"{what}: counts must lie in [0, {ids.shape[2]}], the length of the lists")
    used = np.arange(ids.shape[2]) < counts[..., None]
    bad = used & ((ids < 0) | (ids >= units))
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise UserError(f"{what}: id {int(ids[first])} at {list(first)} lies outside [0, {units}), the network's input")

    def take(indices: np.ndarray, _epoch: int = 0) -> np.ndarray:
        dense = np.zeros((ids.shape[1], len(indices), units), np.float32)
        sample, step, entry = np.nonzero(used[indices])
        dense[step, sample, ids[indices][sample, step, entry]] = 1.0
        return dense

    return Samples(len(ids), ids.shape[1], (units,), take)


@contextlib.contextmanager
def atomic_file(path: str | Path, what: str):
    """Open a temporary file beside ``path`` for writing bytes and move it there when all is written.

    A full disk or an interrupt leaves the old file as it was. Devices are written in place.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise UserError(f"{what}: {path} is a folder, not a file")
            with path.open("wb") as device:
                yield device
            return
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent or Path("."))
    except OSError as error:
        raise UserError(f"{what}: cannot write {path}: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{what}: cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | Path, what: str) -> None:
    """Refuse an output before hours of work rather than after: its folder must exist and be writable."""
    path = Path(path)
    folder = path.parent
    if path.is_dir():
        raise UserError(f"{what}: {path} is a folder, not a file")
    if not folder.is_dir():
        raise UserError(f"{what}: cannot write {path}: the folder {folder} does not exist")
    target = path if path.exists() else folder
    if not os.access(target, os.W_OK):
        raise UserError(f"{what}: cannot write {path}: permission denied")


def save_array(path: str | Path, array: np.ndarray, what: str) -> None:
    """Write a `.npy` file atomically."""
    with atomic_file(path, what) as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
