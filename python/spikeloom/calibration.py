# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Lists that are too short cost accuracy and lists that are too long cost time; a batch of data tells which are right.
"""Calibration on a batch: lengths of event lists, and weights that make layers fire as wanted."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .compiler import compile, is_machine_file
from .errors import UserError
from .options import Events
from .session import Session

ROOMY = 1 << 32  # bytes of a tile; full lists of a batch must fit
CLOSE = 0.01  # relative error at which a layer's activity is as wanted
LARGEST_SCALE = 4096.0


@dataclass(frozen=True)
class Activity:
    """What a layer did in a calibration batch: spikes a row, that is of one sample in one step.

    ``quantile`` is the number of spikes that the asked share of rows does not exceed.
    """

    name: str
    units: int
    mean: float
    quantile: int
    largest: int


@dataclass(frozen=True)
class Scaling:
    """How a layer's weights were scaled, and the share of its neurons that fires in a step before and after."""

    name: str
    scale: float
    before: float
    after: float


def roomy_machine(machine: str, folder: Path) -> str:
    """Write a machine like another whose tiles hold anything, because calibration keeps full lists."""
    if is_machine_file(machine):
        try:
            fields = json.loads(Path(machine).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"--machine: {machine} cannot be read: {error}") from error
    else:
        fields = {"base": machine}
    path = folder / "roomy.json"
    path.write_text(json.dumps({**fields, "name": "roomy", "tileMemoryBytes": ROOMY}), encoding="utf-8")
    return str(path)


def full_session(source, settings: Mapping[str, Any], engine: str, threads: int | None) -> Session:
    """Open a session for inference whose lists hold all neurons; ``settings`` are those of `compile`."""
    with tempfile.TemporaryDirectory(prefix="spikeloom-") as folder:
        machine = roomy_machine(settings["machine"], Path(folder))
        return compile(source, **{**settings, "machine": machine, "events": Events(), "extra": ()}).session(
            engine, threads
        )


def hidden_layers(session: Session) -> dict[str, int]:
    """Return the units of every layer that has lists, in the order of the network, inputs left out."""
    inputs = {"input"} | {port.name for port in session.info.of_role("input")}
    return {event["name"]: event["units"] for event in session.events() if event["name"] not in inputs}


def fired(session: Session) -> dict[str, np.ndarray]:
    """Return how many neurons of each hidden layer fired in each row ``[T * B]`` of the last run."""
    layers = hidden_layers(session)
    names = [event["name"] for event in session.events()]
    return {name: np.asarray(session.native.fired(names.index(name))) for name in layers}


def measure(session: Session, x: np.ndarray, percentile: float) -> list[Activity]:
    """Run a batch ``[T, B, ...]`` and describe the activity of every hidden layer."""
    session.run(x)
    units = hidden_layers(session)
    result = []
    for name, counts in fired(session).items():
        quantile = int(np.quantile(counts, percentile, method="higher"))
        result.append(Activity(name, units[name], float(counts.mean()), quantile, int(counts.max())))
    return result


def capacities(layers: list[Activity], margin: float) -> dict[str, int]:
    """Return list lengths by layer: the quantile times a margin, even, at least 2 and at most all neurons."""
    return {layer.name: min(layer.units, max(2, 2 * math.ceil(margin * layer.quantile / 2))) for layer in layers}


def scale_to_activity(session: Session, x: np.ndarray, wanted: float) -> list[Scaling]:
    """Scale the weights of one hidden layer after the other until a batch makes a share of its neurons fire.

    The bisection is deterministic: the same weights and batch give the same bits. Layers whose weight is not called
    ``LAYER.weight`` are left alone, as are those that no scale makes fire.

    Args:
        session: for inference with full lists; its parameters change.
        x: the batch ``[T, B, ...]``.
        wanted: mean share of the neurons of a layer that fire in a step.
    """
    weights = {port.name: port for port in session.info.of_role("parameter") if len(port.shape) == 2}
    result = []
    for name, units in hidden_layers(session).items():
        weight = f"{name}.weight" if f"{name}.weight" in weights else name
        if weight not in weights:
            continue
        start = session.weights[weight]

        def share(scale: float, name=name, units=units, weight=weight, start=start) -> float:
            session.weights = {weight: start * np.float32(scale)}
            session.run(x)
            return float(fired(session)[name].mean()) / units

        before = share(1.0)
        scale, after = _bisect(share, before, wanted)
        session.weights = {weight: start * np.float32(scale)}
        result.append(Scaling(name, scale, before, after))
    return result


def _bisect(share, before: float, wanted: float) -> tuple[float, float]:
    """Find the scale at which ``share(scale)`` is as wanted; return it and what it gives."""
    low = high = 1.0
    best = (1.0, before)
    if before < wanted:
        while best[1] < wanted and high < LARGEST_SCALE:
            low, high = high, 2 * high
            best = (high, share(high))
        if best[1] < wanted:
            return (1.0, before)
    else:
        while best[1] > wanted and low > 1 / LARGEST_SCALE:
            low, high = low / 2, low
            best = (low, share(low))
    for _ in range(24):
        if abs(best[1] - wanted) <= CLOSE * wanted:
            break
        middle = math.sqrt(low * high)
        value = share(middle)
        if abs(value - wanted) < abs(best[1] - wanted):
            best = (middle, value)
        low, high = (middle, high) if value < wanted else (low, middle)
    return best


def describe(layers: list[Activity], lengths: Mapping[str, int], percentile: float, margin: float) -> list[str]:
    """Return a line for every layer, for people."""
    return [
        f"lists: {layer.name} holds {lengths[layer.name]} of {layer.units} neurons "
        f"({lengths[layer.name] / layer.units:.1%}): {margin:g} times the {layer.quantile} spikes that "
        f"{percentile:.0%} of the rows do not exceed (mean {layer.mean:.1f}, most {layer.largest})"
        for layer in layers
    ]


def to_json(layers: list[Activity], lengths: Mapping[str, int]) -> dict[str, Any]:
    """Return what the log says about list lengths."""
    return {layer.name: {**asdict(layer), "capacity": lengths[layer.name]} for layer in layers}
