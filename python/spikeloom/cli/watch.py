# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What goes wrong quietly in spiking networks: layers that never fire, lists that overflow, values that blow up.
"""Warnings during a training, and the search for the place where a training broke."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checkpoints import Snapshot
from ..results import EventTotals
from ..session import Session

SILENT_STEPS = 200
MOST_DROPPED = 0.01
FEWEST_STEPS = 20  # before the share of dropped spikes says something


@dataclass
class Watch:
    """Warns once per layer about silence and about dropped spikes."""

    totals: EventTotals = field(default_factory=EventTotals)
    steps: int = 0
    silent: list[str] = field(default_factory=list)
    crowded: list[str] = field(default_factory=list)

    def add(self, events: list[dict], end_of_epoch: bool) -> list[str]:
        """Count the events of a step; return the warnings that are due."""
        self.totals.add(events)
        self.steps += 1
        whole = end_of_epoch or self.steps >= SILENT_STEPS
        warnings = self._warnings(whole) if whole or self.steps == FEWEST_STEPS else []
        if whole:
            self.totals, self.steps = EventTotals(), 0
        return warnings

    def _warnings(self, whole: bool) -> list[str]:
        found = []
        for name, layer in self.totals.layers.items():
            if whole and layer.fired == 0 and name not in self.silent:
                self.silent.append(name)
                found.append(
                    f"layer {name} fired no spike in the last {self.steps} steps; what follows it learns nothing from "
                    "it. Larger weights help: --init=activity=F or --random-weights=GAIN"
                )
            if layer.overflow > MOST_DROPPED and self.steps >= FEWEST_STEPS and name not in self.crowded:
                self.crowded.append(name)
                found.append(
                    f"layer {name} dropped {layer.overflow:.1%} of its spikes in the last {self.steps} steps: its "
                    f"lists hold {layer.capacity} of {layer.units} neurons. Longer lists (--max-activity=auto), "
                    "--overflow-penalty=100 or a calmer start (--init=activity=F) help"
                )
        return found

    def to_json(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "totals": self.totals.to_json(),
            "steps": self.steps,
            "silent": self.silent,
            "crowded": self.crowded,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Watch:
        """Read what ``to_json`` gave."""
        return Watch(EventTotals.from_json(data["totals"]), data["steps"], data["silent"], data["crowded"])


class LastGood:
    """A copy of the session that is never older than what a few steps cost, to look for the place of a failure.

    Copies are made so rarely that they take one hundredth of the time; so going from the copy to the failure again
    takes no longer than a hundred copies.
    """

    def __init__(self) -> None:
        """Begin without a copy."""
        self.snapshot: Snapshot | None = None
        self.taken = 0.0
        self.cost = 0.0

    def keep(self, session: Session) -> bool:
        """Copy the session if the last copy is old; return False if its parameters are not finite any more."""
        now = time.perf_counter()
        if self.snapshot is not None and now - self.taken < 100 * self.cost:
            return True
        snapshot = Snapshot.of(session)
        if broken_update(snapshot.parameters, snapshot.step):
            return False
        self.snapshot = snapshot
        self.taken = time.perf_counter()
        self.cost = self.taken - now
        return True


def broken_update(parameters: Mapping[str, np.ndarray], step: int) -> str:
    """Say which parameter the update of a step has made infinite or NaN; empty if none."""
    for name, values in parameters.items():
        if not np.isfinite(values).all():
            layer = name.rpartition(".")[0] or name
            return f"the update of step {step} made parameter '{name}' of layer {layer} infinite or NaN"
    return ""


def find_failure(
    session: Session,
    good: Snapshot,
    step: int,
    again: Callable[[int], None],
    look: Callable[[int], dict[str, np.ndarray]],
) -> str:
    """Say where the values of a training stopped being finite.

    Args:
        session: whose loss is not finite at ``step``.
        good: an earlier copy of it.
        step: counted from 1.
        again: runs a step, counted from 1, once more on the session.
        look: gives what the network computes in a step with the session's parameters: membranes and outputs by name, in
            the order of the layers.
    """
    good.restore(session)
    for number in range(good.step + 1, step + 1):
        if found := broken_update(session.weights, number - 1):
            return found
        if number < step:
            again(number)
    for name, values in look(step).items():
        if not np.isfinite(values).all():
            return f"'{name}' is the first layer whose values are not finite in step {step}"
    return f"all membranes and outputs of step {step} are finite, so it is the loss itself that overflows"
