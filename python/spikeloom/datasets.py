# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Reads the one real data set that a Debian machine can install without asking the internet at large.
"""Data sets for the examples."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from .errors import UserError

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of bytes (gzip): images ``[N, H, W]`` or labels ``[N]``, uint8."""
    try:
        data = gzip.decompress(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error}); on Debian: apt install dataset-fashion-mnist") from error
    zero, kind, rank = struct.unpack_from(">HBB", data)
    if zero != 0 or kind != 8:
        raise UserError(f"{path}: not an IDX file of bytes")
    shape = struct.unpack_from(f">{rank}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def fashion_mnist(part: str, folder: Path = FASHION_MNIST) -> tuple[np.ndarray, np.ndarray]:
    """Fashion-MNIST as ``images [N, 784]`` and ``labels [N]``, uint8; ``part`` is 'train' or 't10k'."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return images.reshape(len(images), -1), labels
