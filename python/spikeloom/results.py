# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What runs give besides arrays, as plain data that can be added up and written down.
"""Results of runs and training steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np


@dataclass
class LayerEvents:
    """Spikes of a layer, added up over runs."""

    units: int
    capacity: int
    fired: int = 0
    listed: int = 0

    @property
    def overflow(self) -> float:
        """The share of spikes that did not fit into the lists."""
        return (self.fired - self.listed) / self.fired if self.fired else 0.0


@dataclass
class EventTotals:
    """Spikes of all layers, added up over runs."""

    layers: dict[str, LayerEvents] = field(default_factory=dict)

    def add(self, events: list[dict]) -> None:
        """Add one run."""
        for event in events:
            layer = self.layers.setdefault(event["name"], LayerEvents(event["units"], event["capacity"]))
            layer.fired += event["fired"]
            layer.listed += event["listed"]

    @property
    def overflow(self) -> float:
        """The share of all spikes that was dropped."""
        fired = sum(layer.fired for layer in self.layers.values())
        listed = sum(layer.listed for layer in self.layers.values())
        return (fired - listed) / fired if fired else 0.0

    def to_json(self) -> dict[str, dict[str, int]]:
        """Return plain data."""
        return {name: asdict(layer) for name, layer in self.layers.items()}

    @staticmethod
    def from_json(data: Mapping[str, Mapping[str, int]]) -> EventTotals:
        """Read what ``to_json`` gave."""
        return EventTotals({name: LayerEvents(**layer) for name, layer in data.items()})


@dataclass(frozen=True)
class StepResult:
    """What a training step tells.

    Args:
        loss: mean over the samples of the step.
        accuracy: share of samples whose label is the largest readout; None if there are no labels, but targets.
        cycles: what the step takes on the modelled machine.
        overflow: share of spikes dropped because lists were full.
        gradients: by parameter name, in the shapes of ``Session.weights``; empty unless asked for.
    """

    loss: float
    accuracy: float | None
    cycles: int
    overflow: float
    gradients: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class VjpResult:
    """What ``Session.vjp`` gives.

    Args:
        outputs: by name, as ``Session.run`` gives them.
        gradients: of inputs ``[T, b, ...]``, states ``[b, ...]`` and trainable parameters by name, as far as they act
            on an output.
    """

    outputs: Mapping[str, np.ndarray]
    gradients: Mapping[str, np.ndarray]
