# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Everything that a training counts, in one place, so that a checkpoint cannot forget a part of it.
"""Where a training is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ..results import EventTotals, StepResult
from .watch import Watch


@dataclass
class Position:
    """The steps done, and the figures of the epoch so far.

    ``epoch`` counts from 1, ``batch`` is the number of steps done in it; ``entry`` is the log line of the last step,
    and ``pending`` says that it is not written yet.
    """

    step: int = 0
    epoch: int = 1
    batch: int = 0
    samples: int = 0
    right: float = 0.0
    loss_sum: float = 0.0
    shown_loss: float = 0.0
    best: float | None = None
    entry: dict[str, Any] = field(default_factory=dict)
    pending: bool = False
    events: EventTotals = field(default_factory=EventTotals)
    last_events: EventTotals = field(default_factory=EventTotals)
    watch: Watch = field(default_factory=Watch)
    start: float = 0.0
    begun: int = 0

    def count(self, result: StepResult, events: list[dict], samples: int, seconds: float, rate: float) -> None:
        """Count a step."""
        self.step += 1
        self.batch += 1
        self.samples += samples
        self.right += (result.accuracy or 0.0) * samples
        self.loss_sum += result.loss * samples
        # What the progress line shows forgets slowly.
        self.shown_loss = result.loss if self.batch == 1 else 0.95 * self.shown_loss + 0.05 * result.loss
        self.events.add(events)
        self.last_events = self.events
        self.pending = True
        self.entry = {
            "step": self.step,
            "epoch": self.epoch,
            "loss": result.loss,
            "accuracy": result.accuracy,
            "seconds": seconds,
            "cycles": result.cycles,
            "overflow": result.overflow,
            "lr": rate,
        }

    def begin(self) -> None:
        """Start the clock of an epoch, or of what is left of it."""
        self.start, self.begun = time.perf_counter(), self.samples

    def next_epoch(self) -> None:
        """Begin the next epoch."""
        self.epoch += 1
        self.batch = self.samples = 0
        self.right = self.loss_sum = self.shown_loss = 0.0
        self.events = EventTotals()

    @property
    def accuracy(self) -> float:
        """Share of the epoch's samples that were right when they were trained on."""
        return self.right / max(1, self.samples)

    @property
    def mean_loss(self) -> float:
        """Mean over the epoch's samples."""
        return self.loss_sum / max(1, self.samples)

    def progress(self) -> str:
        """Return the figures of the progress line."""
        return (
            f"loss {self.shown_loss:.3f}{self._accuracy_text(3)}, {self._rate():,.0f} images/s, "
            f"{self.entry['cycles']:,} cycles a step, overflow {self.entry['overflow']:.1%}"
        )

    def summary(self) -> str:
        """Return the figures of the epoch."""
        return f"loss {self.shown_loss:.4f}{self._accuracy_text(4)}, {self._rate():,.0f} images/s on the host"

    def _accuracy_text(self, digits: int) -> str:
        """Return the accuracy for a line of figures; nothing where there are no classes."""
        return "" if self.entry.get("accuracy") is None else f", accuracy {self.accuracy:.{digits}f}"

    def _rate(self) -> float:
        """Samples per second on the host, everything included."""
        return (self.samples - self.begun) / max(time.perf_counter() - self.start, 1e-9)

    PLAIN = ("step", "epoch", "batch", "samples", "right", "loss_sum", "shown_loss", "best", "entry", "pending")

    def to_json(self) -> dict[str, Any]:
        """Return what a checkpoint keeps; Python writes and reads numbers exactly."""
        return {
            **{name: getattr(self, name) for name in self.PLAIN},
            "events": self.events.to_json(),
            "last_events": self.last_events.to_json(),
            "watch": self.watch.to_json(),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Position:
        """Read what ``to_json`` gave."""
        return Position(
            **{name: data[name] for name in Position.PLAIN},
            events=EventTotals.from_json(data["events"]),
            last_events=EventTotals.from_json(data["last_events"]),
            watch=Watch.from_json(data["watch"]),
        )
