# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Turns still data (images, features) into spike trains; the command line and the examples share this one definition.
"""Codings of still data as sequences.

Every function takes samples ``[N, ...]`` and returns ``[T, N, ...]`` (time first, as networks take it). Values are
intensities in ``[0, 1]``; ``uint8`` counts as ``value / 255``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .errors import UserError

CODINGS = ("none", "latency", "rate", "direct")


def _check_intensities(samples: np.ndarray, coding: str) -> None:
    """Refuse values that are no intensities (``uint8`` and ``bool`` always are)."""
    if samples.dtype.kind == "f" and samples.size:
        low, high = float(samples.min()), float(samples.max())
        if not (low >= 0.0 and high <= 1.0):
            raise UserError(
                f"--encode={coding} takes intensities in [0, 1] (or uint8), "
                f"but the values lie in [{low:g}, {high:g}]; scale them, or use --encode=direct"
            )


def latency(samples: np.ndarray, steps: int, dtype: type = np.float32) -> np.ndarray:
    """Code intensities as one spike each: the brighter, the earlier; zero never fires.

    Intensity ``a`` fires in step ``floor((1 - a) * T)``; step ``T`` does not exist, so 0 stays silent. ``uint8`` is
    computed in integers, so that every machine gives the same spikes.

    Args:
        samples: ``[N, ...]`` uint8, bool or float32 in [0, 1].
        steps: T, the number of time steps.
        dtype: of the result.

    Returns:
        ``[T, N, ...]`` of zeros and ones.
    """
    _check_intensities(samples, "latency")
    if samples.dtype == np.uint8:
        when = (255 - samples.astype(np.int32)) * steps // 255
    else:
        when = np.floor((1.0 - samples.astype(np.float64)) * steps).astype(np.int32)
    times = np.arange(steps, dtype=np.int32).reshape((steps,) + (1,) * samples.ndim)
    return (when[None] == times).astype(dtype, copy=False)


def rate(samples: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Code intensities as independent spikes, one chance a step: ``[N, ...]`` -> ``[T, N, ...]`` float32."""
    _check_intensities(samples, "rate")
    chance = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        chance /= np.float32(255)
    draws = rng.random((steps, *samples.shape), dtype=np.float32)
    return (draws < chance[None]).astype(np.float32)


def direct(samples: np.ndarray, steps: int) -> np.ndarray:
    """Give the same values in every step: ``[N, ...]`` -> ``[T, N, ...]`` float32 (uint8 is scaled to [0, 1])."""
    values = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        values /= np.float32(255)
    return np.broadcast_to(values[None], (steps, *samples.shape))


def encoder(coding: str, steps: int, seed: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function ``[N, ...] -> [T, N, ...]`` of a coding's name; ``rate`` draws from its own seeded stream."""
    if coding == "latency":
        return lambda samples: latency(samples, steps, np.bool_)
    if coding == "rate":
        rng = np.random.default_rng(seed)
        return lambda samples: rate(samples, steps, rng)
    if coding == "direct":
        return lambda samples: direct(samples, steps)
    raise UserError(f"unknown coding '{coding}'; known: {', '.join(CODINGS)}")
