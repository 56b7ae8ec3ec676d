# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The tools read .npy files; Debian's data set is in IDX files.
"""Write Fashion-MNIST (Debian package dataset-fashion-mnist) as `.npy` files for `spikeloom`.

::

    python examples/fashion_mnist/prepare.py FOLDER

writes ``train_images.npy [60000, 784]``, ``train_labels.npy [60000]``, ``test_images.npy [10000, 784]`` and
``test_labels.npy [10000]``, all uint8. Coding them as spikes is left to ``--encode=latency``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from spikeloom.datasets import fashion_mnist


def prepare(folder: Path) -> None:
    """Write the four arrays unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in (("train", "train"), ("t10k", "test")):
        targets = [folder / f"{name}_{kind}.npy" for kind in ("images", "labels")]
        if not all(target.is_file() for target in targets):
            for target, array in zip(targets, fashion_mnist(part), strict=True):
                np.save(target, array)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
