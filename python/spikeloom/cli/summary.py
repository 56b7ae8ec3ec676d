# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Runs and trainings end with the same figures in the same words.
"""What a run or a training took, for people."""

from __future__ import annotations

import json
from pathlib import Path

from ..arrays import atomic_file
from ..ports import Info
from ..results import EventTotals
from ..session import Session


def machine_rate(info: Info, cycles: int, samples: int) -> float:
    """Return samples per second on the modelled machine."""
    return samples * float(info.machine["clock_hz"]) / cycles if cycles else 0.0


def machine_text(info: Info, cycles: int, what: str) -> str:
    """Describe the machine's side of one run of a full batch."""
    micro = 1e6 * cycles / float(info.machine["clock_hz"])
    name = info.machine["name"]
    return (
        f"{cycles:,} modelled cycles a {what} of {info.samples} samples = {micro:,.0f} µs on {name}, "
        f"{machine_rate(info, cycles, info.samples):,.0f} images/s"
    )


def tiles_text(info: Info) -> str:
    """Describe how much of the machine is in use."""
    limit = float(info.machine["tile_memory_bytes"]) / 1024
    return (
        f"{info.tiles_used:,} of {int(info.machine['tiles']):,} tiles used, largest tile memory "
        f"{info.tile_memory_max / 1024:,.1f} of {limit:,.0f} KiB"
    )


def overflow_text(events: EventTotals) -> str:
    """Describe the lists of every layer."""
    if not events.layers:
        return "no event lists"
    parts = []
    for name, layer in events.layers.items():
        parts.append(f"{name} {layer.overflow:.2%} (lists of {layer.capacity} for {layer.units} neurons)")
    return "spikes dropped: " + ", ".join(parts)


def write_profile(session: Session, path: str | Path) -> None:
    """Write the profile of the last run."""
    with atomic_file(path, "the profile") as file:
        file.write(json.dumps(session.profile(), indent=1).encode() + b"\n")
