# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# A model file keeps the shapes of its arrays; the program is always time-major rows.
"""Arrays as the user's file has them, and as a program takes them."""

from __future__ import annotations

import re
from math import prod

import numpy as np

_AXIS = r"[^,()]+"


class Layout:
    """The dimensions of a file's array: ``B,T,20`` is batch-major, ``(T,B),2,34,34`` has steps and samples in one.

    The rows of a program are ``[T, B, N]``, or ``[B, N]`` where the array has no time.
    """

    def __init__(self, axes: str, steps: int) -> None:
        """Read ``axes``, as the attribute ``snn.axes`` writes it, for a number of time steps."""
        self.axes = axes
        self.steps = steps
        self.parts = re.findall(r"\([^)]*\)|[^,()]+", axes)
        self.plain = re.findall(_AXIS, axes)
        self.order = [self.plain.index(a) for a in "TB" if a in self.plain]
        self.order += [i for i, a in enumerate(self.plain) if a not in "TB"]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape may be one of the file's, with any number of samples."""
        return self._samples(shape) is not None

    def rows(self, array: np.ndarray) -> np.ndarray:
        """Turn the file's array with ``b`` samples into rows ``[T, b, N]`` or ``[b, N]``."""
        batch = self._samples(array.shape)
        extents = [self._extent(a, batch) for a in self.plain]
        lead = [extents[i] for i in self.order if self.plain[i] in "TB"]
        return array.reshape(extents).transpose(self.order).reshape(*lead, -1)

    def array(self, rows: np.ndarray) -> np.ndarray:
        """Turn rows back into the file's array."""
        batch = rows.shape[1 if "T" in self.plain else 0]
        extents = [self._extent(a, batch) for a in self.plain]
        straight = rows.reshape([extents[i] for i in self.order]).transpose(np.argsort(self.order))
        return straight.reshape(self._shape(batch))

    def _shape(self, batch: int) -> tuple[int, ...]:
        return tuple(prod(self._extent(a, batch) for a in re.findall(_AXIS, p)) for p in self.parts)

    def _extent(self, axis: str, batch: int) -> int:
        return batch if axis == "B" else self.steps if axis == "T" else int(axis)

    def _samples(self, shape: tuple[int, ...]) -> int | None:
        """The number of samples in an array of the file; None if it has another shape."""
        if len(shape) != len(self.parts):
            return None
        place = next(i for i, p in enumerate(self.parts) if "B" in p)
        batch = shape[place] // (self.steps if "T" in self.parts[place] else 1)
        return batch if self._shape(batch) == tuple(shape) else None
