# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What short event lists cost in accuracy: 784-512-512-10 on Fashion-MNIST, beside dense PyTorch.

::

    python benchmarks/fashion_mnist_accuracy.py --results accuracy.jsonl            # everything that is missing
    python benchmarks/fashion_mnist_accuracy.py --results accuracy.jsonl --table    # only the table

Needs the Debian package dataset-fashion-mnist, and PyTorch for the cells named torch. Each cell (coding, variant, seed)
starts from the same weights and sees the same batches of the same spikes; its result is appended to the file of results
as a line, and a cell that the file has is not run again. A cell that was stopped goes on after its last whole epoch,
which the folder ``--work`` keeps; so the table can be made in pieces. Learning rates fall to zero along a cosine in all
cells: at a constant rate the accuracy of an epoch lies up to a point beside that of the next, which is more than what
is to be seen.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

from harness import print_table  # noqa: E402
from network import lif_network  # noqa: E402

from spikeloom.arrays import epoch_order  # noqa: E402
from spikeloom.datasets import fashion_mnist  # noqa: E402
from spikeloom.encoding import Encoding  # noqa: E402
from spikeloom.schedules import RateSchedule  # noqa: E402

SIZES = [784, 512, 512, 10]
STEPS, BATCH, DECAY, SLOPE, RATE, GAIN = 25, 100, 0.9, 5, 1e-3, 2.0
CODINGS = ("rate", "latency")
NEAR = "--second-threshold=0.5"
VARIANTS = {
    "torch": None,
    "dense": [],
    "10 %": ["--max-activity=0.1", NEAR],
    "5 %": ["--max-activity=0.05", NEAR],
    "5 % + remedies": ["--max-activity=0.05", NEAR, "--overflow-penalty=100", "--rotate"],
}
# A remedy for lists that overflow from the start, as in latency code (37 % of the spikes in the first epoch): smaller
# weights. Where they do not (8 %, rate code) it costs 0.7 points.
SMALLER = {"latency": ["--init=activity=0.04"], "rate": []}


def initial_weights(seed: int) -> dict[str, np.ndarray]:
    """Draw weights, uniform in ``±GAIN / sqrt(fan_in)``."""
    rng = np.random.default_rng(seed)
    pairs = enumerate(itertools.pairwise(SIZES), 1)
    return {
        f"fc{n}.weight": (rng.uniform(-1, 1, (units, inputs)) * GAIN / np.sqrt(inputs)).astype(np.float32)
        for n, (inputs, units) in pairs
    }


def run_torch(coding: str, seed: int, epochs: int, threads: int, folder: Path) -> dict:
    """Train in PyTorch on what `spikeloom train` would see."""
    import torch
    from accuracy_torch import Network, train

    torch.set_num_threads(threads)
    images, labels = fashion_mnist("train")
    tests, test_labels = fashion_mnist("t10k")
    code = Encoding(coding).encoder(STEPS, seed)

    def batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        order = epoch_order(len(images), seed, epoch)
        for begin in range(0, len(order), BATCH):
            chosen = order[begin : begin + BATCH]
            yield code(images[chosen], chosen, epoch), labels[chosen]

    def test() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for begin in range(0, len(tests), BATCH):
            chosen = np.arange(begin, begin + BATCH)
            yield code(tests[chosen], chosen), test_labels[chosen]

    per_epoch = len(images) // BATCH
    factor = partial(RateSchedule("cosine").at, steps_per_epoch=per_epoch, total=epochs * per_epoch)
    network = Network(initial_weights(seed), decay=DECAY, slope=SLOPE, rate=RATE, factor=factor)
    return {"test_accuracy": train(network, batches, test, epochs, folder / "state.pt"), "overflow": [0.0] * epochs}


def prepare(folder: Path, seed: int) -> None:
    """Write model, machine, first weights and data."""
    (folder / "net.mlir").write_text(lif_network(SIZES, BATCH, STEPS, DECAY))
    # Accuracy is what is measured: a machine whose tiles hold full lists of a hundred samples.
    (folder / "roomy.json").write_text('{"base": "bow", "name": "roomy", "tileMemoryBytes": 268435456}')
    save_file(initial_weights(seed), folder / "weights.safetensors")
    for part, kind in (("train", "train"), ("t10k", "test")):
        images, labels = fashion_mnist(part)
        np.save(folder / f"{kind}_images.npy", images)
        np.save(folder / f"{kind}_labels.npy", labels)


def run_ours(
    coding: str, options: list[str], seed: int, epochs: int, folder: Path, arguments: argparse.Namespace
) -> dict:
    """Train with `spikeloom train` and read its log."""
    prepare(folder, seed)
    start = "--resume=run.ckpt" if (folder / "run.ckpt").exists() else "--weights=weights.safetensors"
    command = [
        *[str(arguments.bin / "spikeloom"), "train", "net.mlir", "--machine=roomy.json"],
        *["--inputs=train_images.npy", "--labels=train_labels.npy"],
        *["--test-inputs=test_images.npy", "--test-labels=test_labels.npy"],
        *[f"--encode={coding}", f"--steps={STEPS}", f"--batch={BATCH}", f"--epochs={epochs}", f"--seed={seed}"],
        *[f"--surrogate=fast_sigmoid:{SLOPE}", f"--lr={RATE}", "--lr-schedule=cosine", start, "--checkpoint=run.ckpt"],
        *["--save=trained.safetensors", "--log=log.jsonl", f"--threads={arguments.threads}", *options],
    ]
    if subprocess.run(command, cwd=folder).returncode:
        sys.exit(f"failed: {' '.join(command)}")
    steps = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {
        "test_accuracy": [line["test_accuracy"] for line in steps if "test_accuracy" in line],
        "overflow": [
            statistics.mean(line["overflow"] for line in steps if line["epoch"] == epoch)
            for epoch in range(1, epochs + 1)
        ],
    }


def load_results(path: Path) -> dict[tuple, dict]:
    """Read the results by coding, variant, seed and epochs."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {(line["coding"], line["variant"], line["seed"], line["epochs"]): line for line in lines}


def print_results(results: dict[tuple, dict], epochs: int) -> None:
    """Print means over seeds."""
    rows = []
    for coding in CODINGS:
        means = {}
        for variant in VARIANTS:
            cells = [r for (c, v, _, e), r in results.items() if (c, v, e) == (coding, variant, epochs)]
            if not cells:
                continue
            last = [100 * cell["test_accuracy"][-1] for cell in cells]
            means[variant] = statistics.mean(last)
            spread = f"{min(last):.2f}-{max(last):.2f}"
            overflow = statistics.mean(cell["overflow"][-1] for cell in cells)
            gap = f"{means[variant] - means['dense']:+.2f}" if "dense" in means and variant != "dense" else ""
            rows.append([coding, variant, f"{means[variant]:.2f} ({spread})", gap, f"{overflow:.1%}", str(len(cells))])
    print_table(["coding", "lists", "test accuracy, %", "against dense", "spikes dropped", "seeds"], rows)


def main() -> None:
    """Run the cells that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="file of results, one JSON object a line")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="variants to run")
    parser.add_argument("--codings", nargs="+", choices=CODINGS, default=list(CODINGS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin", help="folder of the Spikeloom tools")
    parser.add_argument("--work", type=Path, help="folder of cells that are not done (default: beside the results)")
    parser.add_argument("--table", action="store_true", help="run nothing, print what there is")
    arguments = parser.parse_args()
    cells = [(v, c, s) for s in arguments.seeds for v in arguments.only for c in arguments.codings]
    for variant, coding, seed in [] if arguments.table else cells:
        key = (coding, variant, seed, arguments.epochs)
        if key in load_results(arguments.results):
            continue
        print(f"{coding}, {variant}, seed {seed}", flush=True)
        start = time.perf_counter()
        name = "-".join(re.sub(r"[^a-z0-9]+", "", str(part)) for part in key)
        folder = (arguments.work or arguments.results.with_suffix(".cells")) / name
        folder.mkdir(parents=True, exist_ok=True)
        if VARIANTS[variant] is None:
            result = run_torch(coding, seed, arguments.epochs, arguments.threads, folder)
        else:
            options = [*VARIANTS[variant], *(SMALLER[coding] if "remedies" in variant else [])]
            result = run_ours(coding, options, seed, arguments.epochs, folder, arguments)
        facts = dict(zip(("coding", "variant", "seed", "epochs"), key, strict=True))
        with arguments.results.open("a") as file:
            file.write(json.dumps({**facts, **result, "seconds": time.perf_counter() - start}) + "\n")
        shutil.rmtree(folder)
    print_results(load_results(arguments.results), arguments.epochs)


if __name__ == "__main__":
    main()
