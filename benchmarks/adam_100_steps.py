# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A hundred Adam steps of 784-512-512-10 beside PyTorch: the same batches, the losses of every step, flipped spikes.

::

    python benchmarks/adam_100_steps.py

Needs PyTorch and the Debian package dataset-fashion-mnist. A spike is flipped when a neuron fires in one of the two and
not in the other: sums are rounded in another order, a membrane lands on the other side of its threshold, and from there
on the two trainings drift apart.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

from accuracy_torch import READOUTS, Network  # noqa: E402
from fashion_mnist_accuracy import BATCH, DECAY, SIZES, STEPS, initial_weights  # noqa: E402
from harness import print_table, temporary_folder  # noqa: E402
from network import lif_network  # noqa: E402

import spikeloom as sl  # noqa: E402
from spikeloom.arrays import epoch_order  # noqa: E402
from spikeloom.datasets import fashion_mnist  # noqa: E402
from spikeloom.encoding import Encoding  # noqa: E402

# The sharper the surrogate and the smaller the rate, the later the first flipped spike.
RATE, SLOPE = 5e-4, 25
ROOMY = '{"base": "bow", "name": "roomy", "tileMemoryBytes": 268435456}'


class Ours:
    """The training step, and the forward pass with the spikes of all layers as outputs."""

    def __init__(self, folder: Path, readout: str, threads: int) -> None:
        """Compile both."""
        (folder / "roomy.json").write_text(ROOMY)
        (folder / "train.mlir").write_text(lif_network(SIZES, BATCH, STEPS, DECAY))
        (folder / "spikes.mlir").write_text(lif_network(SIZES, BATCH, STEPS, DECAY, hidden_outputs=True))
        machine = str(folder / "roomy.json")
        goal = sl.Training(readout=readout, optimizer=sl.Adam(RATE), surrogate=f"fast_sigmoid:{SLOPE}")
        self.training = sl.compile(folder / "train.mlir", machine=machine, train=goal).session("fast", threads)
        self.forward = sl.compile(folder / "spikes.mlir", machine=machine).session("fast", threads)

    def spikes(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the spikes ``[T, B, N]`` of every layer for the weights of now."""
        self.forward.weights = self.training.weights
        outputs = self.forward.run(x)
        return [outputs[name] > 0 for name in (*(f"spk{n}" for n in range(1, len(SIZES) - 1)), "spk")]


def compare(arguments: argparse.Namespace) -> list[dict]:
    """Train both; return loss and flipped spikes of every step."""
    images, labels = fashion_mnist("train")
    order, code = epoch_order(len(images), arguments.seed, 1), Encoding(arguments.coding).encoder(STEPS, arguments.seed)
    weights = initial_weights(arguments.seed)
    theirs = Network(weights, decay=DECAY, slope=SLOPE, rate=RATE, readout=arguments.readout)
    rows = []
    with temporary_folder() as name:
        ours = Ours(Path(name), arguments.readout, arguments.threads)
        ours.training.weights = weights
        for step in range(arguments.steps):
            chosen = order[step * BATCH :][:BATCH]
            x = code(images[chosen], chosen, 1)
            fired = ours.spikes(x)
            found = ours.training.step(x, labels[chosen]).loss
            expected = theirs.step(x, labels[chosen])[0]
            pairs = zip(fired, theirs.fired, strict=True)
            flipped = [int((a != (b.detach().numpy() > 0)).sum()) for a, b in pairs]
            rows.append({"step": step + 1, "loss": found, "torch": expected, "flipped": flipped})
            rows[-1]["spikes"] = int(sum(a.sum() for a in fired))
            rows[-1]["error"] = abs(found - expected) / abs(expected)
            if (step + 1) % 10 == 0:
                print(f"step {step + 1}: loss {found:.5f}, PyTorch {expected:.5f}, flipped {flipped}", flush=True)
    return rows


def main() -> None:
    """Compare and print; the exit code says whether the losses agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readout", choices=sorted(READOUTS), default="membrane_mean")
    parser.add_argument("--coding", choices=("rate", "latency"), default="latency")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the rows there")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = compare(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    first, mean = max(row["error"] for row in rows[:10]), float(np.mean([row["error"] for row in rows]))
    flipped, spikes = sum(sum(row["flipped"]) for row in rows), sum(row["spikes"] for row in rows)
    table = [
        ["largest difference of the loss, steps 1 to 10", f"{first:.4%}", "0.1 %"],
        [f"mean difference of the loss, {len(rows)} steps", f"{mean:.4%}", "2 %"],
        ["flipped spikes", f"{flipped:,} of {spikes:,} ({flipped / max(1, spikes):.4%})", ""],
    ]
    print_table([f"{arguments.readout}, {arguments.coding} code", "found", "wanted at most"], table)
    sys.exit(0 if first <= 1e-3 and mean <= 2e-2 else 1)


if __name__ == "__main__":
    main()
