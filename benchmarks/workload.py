# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The measuring rod, 2312-1466-1466-10: weights and inputs that keep its hidden lists full with changing neurons.

Weights are random with mean zero, so that neurons fire by chance: every step lists other neurons. Each hidden
layer is scaled until its lists hold just under their capacity on average, by simulating the layers with the
rules that lists have (ascending, first come, cut at the capacity).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

SIZES = [2312, 1466, 1466, 10]
BATCH = 48
STEPS = 100
DECAY = 0.95
THRESHOLD = 1.0
INPUT_SPIKES = 32  # of each step and sample
FULLNESS = 0.985  # mean list length over capacity that the scaling aims at


@dataclass
class Lists:
    """What the lists of a layer hold: mean spikes of a list, its capacity, and how many neurons it names."""

    capacity: int
    mean: float
    distinct: int  # neurons listed anywhere in the batch
    distinct_per_sample: float  # neurons listed in one sample's steps, mean over samples
    dropped: float  # share of the spikes


def draw_input(seed: int) -> np.ndarray:
    """Spikes [T, B, 2312] f32: other neurons at every step of every sample."""
    rng = np.random.default_rng(seed)
    ids = np.argpartition(rng.random((STEPS * BATCH, SIZES[0]), dtype=np.float32), INPUT_SPIKES)[:, :INPUT_SPIKES]
    x = np.zeros((STEPS * BATCH, SIZES[0]), np.float32)
    np.put_along_axis(x, ids, np.float32(1), axis=1)
    return x.reshape(STEPS, BATCH, SIZES[0])


def fire(current: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes [T, B, N] bool and final state [B, N] of neurons with delayed subtracting reset."""
    fired = np.empty(current.shape, bool)
    for t, x in enumerate(current):
        state = (np.float32(DECAY) * state + x) - (state > THRESHOLD) * np.float32(THRESHOLD)
        fired[t] = state > THRESHOLD
    return fired, state


def cut(fired: np.ndarray, capacity: int) -> np.ndarray:
    """The spikes that lists keep: the first `capacity` of each row."""
    return fired & (np.cumsum(fired, axis=-1, dtype=np.int32) <= capacity)


def measure(kept: np.ndarray, fired: np.ndarray, capacity: int) -> Lists:
    """Describes the lists of a layer from its spikes [T, B, N]."""
    return Lists(
        capacity,
        float(kept.sum(axis=-1).mean()),
        int(kept.any(axis=(0, 1)).sum()),
        float(kept.any(axis=0).sum(axis=-1).mean()),
        1 - float(kept.sum()) / max(1, int(fired.sum())),
    )


@dataclass
class Workload:
    """Weights by name, first states by name, and what the lists of the hidden layers hold with them."""

    weights: dict[str, np.ndarray]
    states: dict[str, np.ndarray]
    lists: list[Lists]

    def save(self, folder: Path, x: np.ndarray, seed: int) -> None:
        """Writes weights.safetensors, x.npy, mem<l>.npy and labels.npy."""
        save_file(self.weights, folder / "weights.safetensors")
        np.save(folder / "x.npy", x)
        for name, state in self.states.items():
            np.save(folder / f"{name}.npy", state)
        labels = np.random.default_rng(seed).integers(0, SIZES[-1], BATCH).astype(np.int32)
        np.save(folder / "labels.npy", labels)


def silent() -> Workload:
    """Weights of zero: the hidden layers list nobody."""
    shapes = enumerate(itertools.pairwise(SIZES), 1)
    return Workload({f"fc{n}.weight": np.zeros((b, a), np.float32) for n, (a, b) in shapes}, {}, [])


def make_workload(capacities: list[int], x: np.ndarray, seed: int = 1) -> Workload:
    """Scales random weights until hidden lists of these capacities are just full, on average, for input `x`."""
    rng = np.random.default_rng(seed)
    result = Workload({}, {}, [])
    spikes = x
    for number, (inputs, units) in enumerate(itertools.pairwise(SIZES), 1):
        weight = rng.standard_normal((units, inputs), dtype=np.float32)
        current = (spikes.reshape(-1, inputs) @ weight.T).reshape(STEPS, BATCH, units)
        # The output layer keeps no list; one in ten of its neurons firing is as good as any activity.
        capacity = capacities[number - 1] if number <= len(capacities) else units
        wanted = FULLNESS * capacity if capacity < units else units / 10
        low, high = 0.0, 1.0
        for _ in range(14):
            scale = np.float32((low + high) / 2)
            _, state = fire(current * scale, np.zeros((BATCH, units), np.float32))
            fired, _ = fire(current * scale, state)
            kept = cut(fired, capacity)
            if kept.sum(axis=-1).mean() < wanted:
                low = float(scale)
            else:
                high = float(scale)
        result.weights[f"fc{number}.weight"] = weight * scale
        result.states[f"mem{number}"] = state.astype(np.float32)
        if capacity < units:
            result.lists.append(measure(kept, fired, capacity))
        spikes = kept.astype(np.float32)
    return result
