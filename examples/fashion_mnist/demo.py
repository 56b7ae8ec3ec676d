# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The end of utils/quickstart: every command it runs is printed, so that people can go on from there.
"""Run and train the Fashion-MNIST example with the command `spikeloom`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "python"))
sys.path.insert(0, str(HERE))
from prepare import prepare  # noqa: E402

MODEL = HERE / "model.onnx"
# Lists of all 784 inputs for more samples than these would not fit into the memory of a tile.
CODING = ["--encode=latency", "--steps=25", "--batch=25"]


def spikeloom(tools: Path, *arguments: str) -> None:
    """Print a command and run it; end if it fails."""
    here = Path.cwd()
    command = [str(tools / "spikeloom"), *arguments]
    shown = [a.replace(f"{here}/", "") for a in command]
    print(f"\n$ {' '.join(shown)}", flush=True)
    code = subprocess.run(command).returncode
    if code:
        sys.exit(code)


def compare(folder: Path) -> None:
    """Print how many predictions differ from those that PyTorch gave."""
    spikes = np.load(folder / "spk3.npy")
    ours = spikes.sum(0).argmax(1)
    theirs = np.load(HERE / "predictions.npy")
    print(f"predictions that differ from PyTorch's stored ones: {int((ours != theirs).sum())} of {len(theirs)}")


def main() -> None:
    """Infer, infer with short lists, train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path, default=HERE.parents[1] / "build" / "bin")
    parser.add_argument("--work", type=Path, default=HERE.parents[1] / "build" / "fashion_mnist")
    parser.add_argument("--train-samples", type=int, default=0, help="fewer training samples (default: all 60,000)")
    options = parser.parse_args()
    os.environ.pop("PYTHONPATH", None)
    work = options.work
    prepare(work)
    images, labels = work / "train_images.npy", work / "train_labels.npy"
    if options.train_samples:
        for path in (images, labels):
            np.save(work / f"few_{path.name}", np.load(path)[: options.train_samples])
        images, labels = work / f"few_{images.name}", work / f"few_{labels.name}"
    test = [str(work / "test_images.npy"), str(work / "test_labels.npy")]

    print("The network that snnTorch trained, on all 10,000 test images:")
    run = ["run", str(MODEL), *CODING, "--input", f"x={test[0]}", "--labels", test[1]]
    spikeloom(options.tools, *run, "--output", str(work / "full"))
    compare(work / "full")
    print("\nThe same with event lists for a tenth of each hidden layer:")
    spikeloom(options.tools, *run, "--max-activity=0.1", "--output", str(work / "tenth"))
    compare(work / "tenth")

    print("\nOne epoch of training from random weights, lists for a tenth of each hidden layer:")
    spikeloom(
        options.tools,
        *["train", str(MODEL), *CODING, "--inputs", str(images), "--labels", str(labels)],
        *["--test-inputs", test[0], "--test-labels", test[1], "--epochs=1", "--random-weights=3"],
        *["--max-activity=0.1", "--second-threshold=0.5", "--surrogate=fast_sigmoid:5", "--lr=0.002"],
        *["--save", str(work / "trained.safetensors"), "--log", str(work / "log.jsonl")],
        *["--profile", str(work / "profile.json")],
    )


if __name__ == "__main__":
    main()
