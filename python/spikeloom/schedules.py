# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What changes during a training is a function of the step alone, so that a run that is continued changes alike.
"""Schedules of learning rates and second thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import UsageError


@dataclass(frozen=True)
class RateSchedule:
    """How the learning rate changes: a factor for every step.

    Args:
        kind: ``constant``, ``step`` or ``cosine``.
        every: ``step``: after so many epochs the rate is multiplied by ``factor``, as torch's StepLR does.
        factor: of ``step``.
        warmup: ``cosine``: the rate rises in a straight line for so many steps first.
    """

    kind: str = "constant"
    every: int = 1
    factor: float = 1.0
    warmup: int = 0

    def at(self, step: int, steps_per_epoch: int, total: int) -> float:
        """Return the factor of a step (counted from 0) of a training of ``total`` steps."""
        if self.kind == "step":
            return self.factor ** (step // steps_per_epoch // self.every)
        if self.kind == "cosine":
            if step < self.warmup:
                return (step + 1) / (self.warmup + 1)
            return 0.5 * (1 + math.cos(math.pi * (step - self.warmup) / max(1, total - self.warmup)))
        return 1.0


def parse_rate_schedule(text: str) -> RateSchedule:
    """Read ``constant``, ``step:EVERY:FACTOR`` or ``cosine[:WARMUP]``."""
    kind, *words = text.split(":")
    try:
        if kind == "constant" and not words:
            return RateSchedule()
        if kind == "step" and len(words) == 2 and int(words[0]) >= 1 and 0 < float(words[1]) < math.inf:
            return RateSchedule("step", int(words[0]), float(words[1]))
        if kind == "cosine" and len(words) <= 1 and all(int(word) >= 0 for word in words):
            return RateSchedule("cosine", warmup=int(words[0]) if words else 0)
    except ValueError:
        pass
    raise UsageError(
        f"schedule '{text}' is not known; constant, step:EVERY:FACTOR (EVERY epochs, as step:2:0.5) or cosine[:WARMUP] "
        "(WARMUP steps, as cosine:100) are wanted"
    )


@dataclass(frozen=True)
class ThresholdSchedule:
    """The share of the threshold above which neurons take part in the backward pass, from first to last epoch."""

    first: float
    last: float

    def at(self, epoch: int, epochs: int) -> float:
        """Return the share of an epoch (counted from 1); the steps between epochs are equal."""
        if epochs <= 1 or epoch >= epochs:
            return self.last
        return self.first + (self.last - self.first) * (epoch - 1) / (epochs - 1)


def parse_threshold_schedule(text: str) -> ThresholdSchedule:
    """Read ``F`` or ``FIRST:LAST``."""
    words = text.split(":")
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(math.isfinite(value) for value in values):
        raise UsageError(f"second threshold '{text}': a share F, or FIRST:LAST for the first and last epoch, is wanted")
    return ThresholdSchedule(values[0], values[-1])
