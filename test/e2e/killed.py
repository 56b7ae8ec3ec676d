# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A training that is killed (SIGKILL) and continued until it is done; as a program, fifty times at random moments.

::

    python test/e2e/killed.py --moments 50 --every 20
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "python"), str(Path(__file__).resolve().parent)]

from spikeloom.checkpoints import Checkpoint
from spikeloom.tools import find_tool


class Killed:
    """A command `spikeloom train …` with --checkpoint=p.ckpt in a folder."""

    def __init__(self, folder: Path, arguments: list) -> None:
        self.folder = folder
        self.command = [str(find_tool("spikeloom")), *map(str, arguments)]
        self.checkpoint = folder / "p.ckpt"
        self.log = next((folder / a.partition("=")[2] for a in map(str, arguments) if a.startswith("--log=")), None)

    def start(self) -> subprocess.Popen:
        """Begin, or continue from the checkpoint if there is one."""
        resume = [f"--resume={self.checkpoint.name}"] if self.checkpoint.exists() else []
        return subprocess.Popen(
            [*self.command, *resume], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def after(self, seconds: float) -> bool:
        """Kill it after some time; return whether it was done before."""
        process = self.start()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        error = process.communicate()[1]
        assert process.returncode in (0, -9), error
        return process.returncode == 0

    def until_step(self, step: int) -> None:
        """Kill it when its checkpoint has come to a step."""
        process = self.start()
        while process.poll() is None and self.step() < step:
            time.sleep(0.02)
        process.kill()
        process.communicate()

    def step(self) -> int:
        """The step of the checkpoint, 0 without one."""
        return Checkpoint.read(self.checkpoint).snapshot.step if self.checkpoint.exists() else 0

    def steps_logged(self) -> int:
        """The last whole line of the log."""
        steps = [0]
        for line in self.log.read_text().splitlines() if self.log.exists() else []:
            try:
                steps.append(json.loads(line)["step"])
            except ValueError:
                continue
        return max(steps)

    def finish(self) -> None:
        """Run it to its end."""
        process = self.start()
        error = process.communicate()[1]
        assert process.returncode == 0, error


def main() -> None:
    """Kill a training of a small network at random moments and compare its bits with one never killed."""
    from conftest import FEATURES, make_network

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--every", type=int, default=20, help="steps between checkpoints")
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds that a run lives at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_network(folder / "net.onnx")
        np.save(folder / "x.npy", np.random.default_rng(0).random((200, FEATURES), np.float32))
        np.save(folder / "y.npy", np.arange(200) % 3)
        train = [
            *["train", "net.onnx", "--machine=tiny", "--inputs=x.npy", "--labels=y.npy", "--batch=8", "--steps=6"],
            *["--encode=rate", "--encode-gain=0.8", "--lr-schedule=cosine:10", f"--epochs={options.epochs}", "--quiet"],
        ]
        whole = Killed(folder, [*train, "--save=whole.safetensors"])
        whole.finish()
        parts = Killed(folder, [*train, "--save=parts.safetensors", "--checkpoint=p.ckpt", "--log=log.jsonl"])
        parts.command.append(f"--checkpoint-every={options.every}")
        most, moments = 0, 0
        while moments < options.moments:
            if parts.after(rng.uniform(0.0, options.longest)):
                sys.exit(f"done after {moments} moments; use more --epochs")
            moments += 1
            repeated = parts.steps_logged() - parts.step()
            most = max(most, repeated)
            print(f"moment {moments}: step {parts.steps_logged()}, {repeated} to repeat", flush=True)
        parts.finish()
        same = (folder / "parts.safetensors").read_bytes() == (folder / "whole.safetensors").read_bytes()
    print(f"{moments} moments, at most {most} steps repeated, final bits {'equal' if same else 'DIFFERENT'}")
    sys.exit(0 if same and most < options.every else 1)


if __name__ == "__main__":
    main()
