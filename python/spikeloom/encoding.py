# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Turns still data (images, features) into spike trains; the command line and the examples share this one definition.
"""Codings of still data as sequences.

Every function takes samples ``[N, ...]`` and returns ``[T, N, ...]`` (time first, as networks take it). Values are
intensities in ``[0, 1]``; ``uint8`` counts as ``value / 255``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import UsageError, UserError

CODINGS = ("none", "latency", "rate", "direct")
RATE_GAIN = 0.15


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


def rate(
    samples: np.ndarray,
    steps: int,
    *,
    gain: float = RATE_GAIN,
    seed: int = 0,
    indices: np.ndarray | None = None,
    epoch: int = 0,
) -> np.ndarray:
    """Code intensities as independent spikes: in each step a value ``a`` fires with probability ``gain * a``.

    Every sample has a stream of its own, made of seed, epoch and the sample's index alone, so that its spikes do not
    depend on what else is in the batch, and a training that is continued draws what it would have drawn.

    Args:
        samples: ``[N, ...]`` uint8, bool or float32 in [0, 1].
        steps: T, the number of time steps.
        gain: chance a step of the brightest value, in (0, 1].
        seed: of the whole data set.
        indices: ``[N]``, where the samples are in the data set (default: 0 to N - 1).
        epoch: draws anew in every epoch.

    Returns:
        ``[T, N, ...]`` bool.
    """
    _check_intensities(samples, "rate")
    if not 0 < gain <= 1:
        raise UserError(f"the gain of the rate coding is {gain:g}; a chance in (0, 1] is wanted")
    chance = samples.astype(np.float32) * np.float32(gain)
    if samples.dtype == np.uint8:
        chance /= np.float32(255)
    result = np.empty((steps, *samples.shape), np.bool_)
    for at, index in enumerate(range(len(samples)) if indices is None else indices.tolist()):
        stream = np.random.Generator(np.random.SFC64([seed, epoch, index]))
        np.less(stream.random((steps, *samples.shape[1:]), np.float32), chance[at], out=result[:, at])
    return result


def direct(samples: np.ndarray, steps: int) -> np.ndarray:
    """Give the same values in every step: ``[N, ...]`` -> ``[T, N, ...]`` float32 (uint8 is scaled to [0, 1])."""
    values = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        values /= np.float32(255)
    return np.broadcast_to(values[None], (steps, *samples.shape))


@dataclass(frozen=True)
class Encoding:
    """How still data become sequences: every field is an option of the command line and of ``Session.fit``.

    Args:
        coding: ``none`` (the data are sequences already), ``latency``, ``rate`` or ``direct``; `--encode`.
        gain: ``rate``: a value a fires with probability ``gain * a`` in each step; `--encode-gain`.
    """

    coding: str = "none"
    gain: float = RATE_GAIN

    def __post_init__(self) -> None:
        """Refuse unknown codings, and a gain that nothing reads."""
        if self.coding not in CODINGS:
            raise UsageError(f"unknown coding '{self.coding}'; known: {', '.join(CODINGS)}")
        if self.gain != RATE_GAIN and self.coding != "rate":
            raise UsageError(f"a gain is for the coding 'rate'; '{self.coding}' has none")

    def encoder(self, steps: int, seed: int) -> Encoder | None:
        """Return what makes sequences of still data, or None if the data are sequences already."""
        return None if self.coding == "none" else Encoder(self, steps, seed)


@dataclass(frozen=True)
class Encoder:
    """A coding for a number of steps: call it with samples ``[N, ...]`` to get ``[T, N, ...]``."""

    encoding: Encoding
    steps: int
    seed: int

    def __call__(self, samples: np.ndarray, indices: np.ndarray | None = None, epoch: int = 0) -> np.ndarray:
        """Encode; ``indices [N]`` and the epoch choose what ``rate`` draws."""
        if self.encoding.coding == "latency":
            return latency(samples, self.steps, np.bool_)
        if self.encoding.coding == "rate":
            gain = self.encoding.gain
            return rate(samples, self.steps, gain=gain, seed=self.seed, indices=indices, epoch=epoch)
        return direct(samples, self.steps)
