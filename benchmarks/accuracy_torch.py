# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Feed-forward leaky networks in PyTorch, dense: what the accuracy benchmarks are compared with.

The neuron is the one of `network.py`: ``v' = decay * v + x - (v > 1)`` and a spike where ``v' > 1``, gradients by the
fast sigmoid ``1 / (1 + slope * |v - 1|)^2`` and none through the reset.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch


class Spike(torch.autograd.Function):
    """The step function of ``u = v - threshold`` with the fast sigmoid as its derivative."""

    @staticmethod
    def forward(ctx, u: torch.Tensor, slope: float) -> torch.Tensor:
        """Return 1 where ``u > 0``."""
        ctx.save_for_backward(u)
        ctx.slope = slope
        return (u > 0).to(u.dtype)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Multiply by the surrogate derivative."""
        (u,) = ctx.saved_tensors
        return gradient / (1 + ctx.slope * u.abs()) ** 2, None


def layer(current: torch.Tensor, decay: float, slope: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Fire a layer: ``current [T, B, N]`` to spikes and membranes ``[T, B, N]``."""
    v = torch.zeros_like(current[0])
    spikes, membranes = [], []
    for x in current:
        reset = (v > 1).to(v.dtype)
        v = decay * v + x - reset
        spikes.append(Spike.apply(v - 1, slope))
        membranes.append(v)
    return torch.stack(spikes), torch.stack(membranes)


def forward(
    weights: dict[str, torch.Tensor], x: torch.Tensor, decay: float, slope: float
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Run a network on ``x [T, B, N]``; return the spikes of every layer and the membranes of the last."""
    fired = []
    for number in range(1, len(weights) + 1):
        x, membranes = layer(x @ weights[f"fc{number}.weight"].T, decay, slope)
        fired.append(x)
    return fired, membranes


READOUTS: dict[str, Callable[[list[torch.Tensor], torch.Tensor], torch.Tensor]] = {
    "spike_count": lambda fired, _: fired[-1].sum(0),
    "membrane_mean": lambda _, membranes: membranes.mean(0),
}


class Network:
    """Weights, Adam and a readout."""

    def __init__(
        self,
        weights: dict[str, np.ndarray],
        *,
        decay: float,
        slope: float,
        rate: float,
        readout: str = "spike_count",
        dtype: torch.dtype = torch.float32,
        factor: Callable[[int], float] = lambda _: 1.0,
    ) -> None:
        """Take copies of the weights ``fc<n>.weight [out, in]``; everything is computed in ``dtype``.

        The learning rate of a step (counted from 0) is ``factor`` of its number times ``rate``.
        """
        self.dtype = dtype
        self.weights = {name: torch.tensor(w, dtype=dtype, requires_grad=True) for name, w in sorted(weights.items())}
        self.decay, self.slope, self.readout = decay, slope, READOUTS[readout]
        self.optimizer = torch.optim.Adam(self.weights.values(), lr=rate)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        self.fired: list[torch.Tensor] = []

    def logits(self, x: np.ndarray) -> torch.Tensor:
        """Return what the loss reads, ``[B, classes]``, of ``x [T, B, N]``."""
        self.fired, membranes = forward(self.weights, torch.from_numpy(x).to(self.dtype), self.decay, self.slope)
        return self.readout(self.fired, membranes)

    def step(self, x: np.ndarray, labels: np.ndarray) -> tuple[float, int]:
        """Train on a batch; return its loss and how many samples were right."""
        target = torch.from_numpy(labels.astype(np.int64))
        logits = self.logits(x)
        loss = torch.nn.functional.cross_entropy(logits, target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss.item(), int((logits.argmax(1) == target).sum())

    def accuracy(self, batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> float:
        """Return the share of samples that are right."""
        right = count = 0
        with torch.no_grad():
            for x, labels in batches:
                right += int((self.logits(x).argmax(1).numpy() == labels).sum())
                count += len(labels)
        return right / count

    def keep(self, path: Path, result: list[float]) -> None:
        """Save everything to go on from, and the results so far."""
        schedule, optimizer = self.schedule.state_dict(), self.optimizer.state_dict()
        torch.save({"weights": self.weights, "optimizer": optimizer, "schedule": schedule, "result": result}, path)

    def restore(self, path: Path) -> list[float]:
        """Go on from what was kept; return the results so far."""
        state = torch.load(path)
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(state["weights"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        return list(state["result"])


def train(
    network: Network,
    batches: Callable[[int], Iterator[tuple[np.ndarray, np.ndarray]]],
    test: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]],
    epochs: int,
    kept: Path,
) -> list[float]:
    """Train for some epochs (counted from 1); return the test accuracy after each.

    The file `kept` is written after every epoch; a training that was stopped goes on from it.
    """
    result = network.restore(kept) if kept.exists() else []
    for epoch in range(len(result) + 1, epochs + 1):
        start, right, count = time.perf_counter(), 0, 0
        for x, labels in batches(epoch):
            right += network.step(x, labels)[1]
            count += len(labels)
        result.append(network.accuracy(test()))
        print(
            f"  PyTorch, epoch {epoch}: accuracy {right / count:.4f}, test accuracy {result[-1]:.4f}, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
        network.keep(kept, result)
    return result
