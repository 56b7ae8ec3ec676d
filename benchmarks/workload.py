# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks that are measured: weights and inputs that keep their hidden lists full with changing neurons.

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

DECAY = 0.95
THRESHOLD = 1.0
FULLNESS = 0.985  # mean list length over capacity that the scaling aims at


@dataclass(frozen=True)
class Network:
    """A feed-forward network: neurons by layer, input first; samples; steps; input spikes of each step and sample."""

    sizes: tuple[int, ...]
    batch: int
    steps: int
    input_spikes: int

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, units) of every layer."""
        return list(itertools.pairwise(self.sizes))

    @property
    def hidden(self) -> list[str]:
        """Names of the layers that keep lists."""
        return [f"fc{number}" for number in range(1, len(self.layers))]

    def __str__(self) -> str:
        """Layers, batch and steps in words."""
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}, {self.steps} steps"


NETWORKS = {
    "rod": Network((2312, 1466, 1466, 10), 48, 100, 32),
    "image": Network((784, 1000, 10), 128, 25, 39),
    "audio": Network((700, 256, 256, 20), 48, 100, 35),
}


@dataclass
class Lists:
    """What the lists of a layer hold: mean spikes of a list, its capacity, and how many neurons it names."""

    capacity: int
    mean: float
    distinct: int  # neurons listed anywhere in the batch
    distinct_per_sample: float  # neurons listed in one sample's steps, mean over samples
    dropped: float  # share of the spikes


def draw_input(network: Network, seed: int) -> np.ndarray:
    """Spikes [T, B, N0] f32: other neurons at every step of every sample."""
    rng = np.random.default_rng(seed)
    rows, spikes = network.steps * network.batch, network.input_spikes
    ids = np.argpartition(rng.random((rows, network.sizes[0]), dtype=np.float32), spikes)[:, :spikes]
    x = np.zeros((rows, network.sizes[0]), np.float32)
    np.put_along_axis(x, ids, np.float32(1), axis=1)
    return x.reshape(network.steps, network.batch, network.sizes[0])


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

    network: Network
    weights: dict[str, np.ndarray]
    states: dict[str, np.ndarray]
    lists: list[Lists]

    def save(self, folder: Path, x: np.ndarray, seed: int) -> None:
        """Writes weights.safetensors, x.npy, mem<l>.npy and labels.npy."""
        save_file(self.weights, folder / "weights.safetensors")
        np.save(folder / "x.npy", x)
        for name, state in self.states.items():
            np.save(folder / f"{name}.npy", state)
        labels = np.random.default_rng(seed).integers(0, self.network.sizes[-1], self.network.batch).astype(np.int32)
        np.save(folder / "labels.npy", labels)


def silent(network: Network) -> Workload:
    """Weights of zero: the hidden layers list nobody."""
    shapes = enumerate(network.layers, 1)
    return Workload(network, {f"fc{n}.weight": np.zeros((b, a), np.float32) for n, (a, b) in shapes}, {}, [])


def make_workload(network: Network, capacities: list[int], x: np.ndarray, seed: int = 1) -> Workload:
    """Scales random weights until hidden lists of these capacities are just full, on average, for input `x`."""
    rng = np.random.default_rng(seed)
    result = Workload(network, {}, {}, [])
    spikes = x
    for number, (inputs, units) in enumerate(network.layers, 1):
        weight = rng.standard_normal((units, inputs), dtype=np.float32)
        current = (spikes.reshape(-1, inputs) @ weight.T).reshape(network.steps, network.batch, units)
        # The output layer keeps no list; one in ten of its neurons firing is as good as any activity.
        capacity = capacities[number - 1] if number <= len(capacities) else units
        wanted = FULLNESS * capacity if capacity < units else units / 10
        low, high = 0.0, 1.0
        for _ in range(14):
            scale = np.float32((low + high) / 2)
            _, state = fire(current * scale, np.zeros((network.batch, units), np.float32))
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
