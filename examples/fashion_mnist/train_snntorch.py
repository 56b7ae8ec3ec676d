# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Made model.onnx and predictions.npy; kept so that anybody can see (and redo) where the example comes from.
"""Train 784-512-512-10 on latency-coded Fashion-MNIST with snnTorch and export one time step to ONNX.

Needs torch, snntorch, onnx and onnxscript, and the Debian package dataset-fashion-mnist. A few minutes on one core::

    PYTHONPATH=python python examples/fashion_mnist/train_snntorch.py

Writes beside itself ``model.onnx``, the step ``(x, mem1, mem2, mem3) -> (spk3, mem1_out, mem2_out, mem3_out)``, and
``predictions.npy``, the class (uint8) that PyTorch gives each of the 10,000 test images: the most spikes in 25 steps,
the lowest class on ties.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

import numpy as np
import onnx
import snntorch
import torch
from snntorch import surrogate

from spikeloom.datasets import fashion_mnist
from spikeloom.encoding import latency

HERE = Path(__file__).parent
STEPS = 25
BATCH = 100
HIDDEN = 512


class Step(torch.nn.Module):
    """One time step with explicit state, as a compiler wants it."""

    def __init__(self) -> None:
        """Make three linear layers, each followed by leaky neurons (subtracting reset, threshold 1)."""
        super().__init__()
        slope = surrogate.fast_sigmoid(slope=25)
        self.fc1 = torch.nn.Linear(784, HIDDEN)
        self.lif1 = snntorch.Leaky(beta=0.9, spike_grad=slope)
        self.fc2 = torch.nn.Linear(HIDDEN, HIDDEN)
        self.lif2 = snntorch.Leaky(beta=0.9, spike_grad=slope)
        self.fc3 = torch.nn.Linear(HIDDEN, 10)
        self.lif3 = snntorch.Leaky(beta=0.9, spike_grad=slope)
        self.activity: list[torch.Tensor] = []

    def forward(self, x, mem1, mem2, mem3):
        """Take ``x [B, 784]`` and membranes ``[B, 512]``, ``[B, 512]``, ``[B, 10]``; give spikes and new membranes."""
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        spk3, mem3 = self.lif3(self.fc3(spk2), mem3)
        if self.training:
            self.activity += [spk1.mean(1), spk2.mean(1)]
        return spk3, mem1, mem2, mem3


def zeros(batch: int) -> tuple[torch.Tensor, ...]:
    """Return the membranes at the start."""
    return tuple(torch.zeros(batch, width) for width in (HIDDEN, HIDDEN, 10))


def counts(step: Step, images: np.ndarray) -> torch.Tensor:
    """Run the sequence of ``images [B, 784]`` uint8; return spikes per class ``[B, 10]``."""
    state = zeros(len(images))
    total = torch.zeros(len(images), 10)
    for x in torch.from_numpy(latency(images, STEPS)):
        spikes, *state = step(x, *state)
        total = total + spikes
    return total


def predict(step: Step, images: np.ndarray) -> np.ndarray:
    """Return the class of every image, uint8 ``[N]``."""
    step.eval()
    with torch.no_grad():
        parts = [counts(step, images[i : i + BATCH]).numpy().argmax(1) for i in range(0, len(images), BATCH)]
    return np.concatenate(parts).astype(np.uint8)


def train_epoch(step: Step, optimizer, images, labels, order: np.ndarray) -> None:
    """Train one epoch; steps in which more than 8 % of a layer fires cost extra, so that short event lists do."""
    step.train()
    start, right, seen = time.time(), 0, 0
    for number, begin in enumerate(range(0, len(order) - BATCH + 1, BATCH)):
        chosen = order[begin : begin + BATCH]
        target = torch.from_numpy(labels[chosen].astype(np.int64))
        step.activity = []
        total = counts(step, images[chosen])
        crowd = torch.stack(step.activity)
        loss = torch.nn.functional.cross_entropy(total, target) + 20 * torch.relu(crowd - 0.08).sum(0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += int((total.argmax(1) == target).sum())
        seen += len(chosen)
        if number % 100 == 99:
            print(
                f"  {seen} images, loss {loss.item():.3f}, accuracy {right / seen:.4f}, "
                f"activity {crowd.mean():.4f} mean {crowd.max():.3f} max, {time.time() - start:.0f} s",
                flush=True,
            )


def shorten_paths(path: Path) -> None:
    """Make the source locations that the exporter wrote into the file independent of where it ran."""
    model = onnx.load(path)
    for node in model.graph.node:
        for entry in node.metadata_props:
            text = re.sub(r'File "[^"]*/site-packages/', 'File "', entry.value)
            entry.value = text.replace(f"{HERE.resolve()}/", "").replace(f"{Path.cwd()}/", "")
    onnx.save(model, path)


def main() -> None:
    """Train, export, store the predictions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=HERE)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    images, labels = fashion_mnist("train")
    test_images, test_labels = fashion_mnist("t10k")
    step = Step()
    optimizer = torch.optim.Adam(step.parameters(), lr=1e-3)
    batches = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs)
    rng = np.random.default_rng(1)
    print(f"{batches} steps an epoch")
    for epoch in range(options.epochs):
        train_epoch(step, optimizer, images, labels, rng.permutation(len(images)))
        schedule.step()
        predictions = predict(step, test_images)
        print(f"epoch {epoch + 1}: test accuracy {(predictions == test_labels).mean():.4f}", flush=True)
    np.save(options.output / "predictions.npy", predictions)
    torch.onnx.export(
        step.eval(),
        (torch.zeros(BATCH, 784), *zeros(BATCH)),
        str(options.output / "model.onnx"),
        input_names=["x", "mem1", "mem2", "mem3"],
        output_names=["spk3", "mem1_out", "mem2_out", "mem3_out"],
        dynamo=True,
        external_data=False,
    )
    shorten_paths(options.output / "model.onnx")


if __name__ == "__main__":
    main()
