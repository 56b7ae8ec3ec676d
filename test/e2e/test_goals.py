# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a training may minimise, from the command line: it learns, and what does not fit is refused by name."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from spikeloom.checkpoints import Checkpoint

COMMON = ["--machine=tiny", "--inputs=x.npy", "--labels=y.npy", "--batch=8", "--quiet"]


@pytest.mark.parametrize(
    "options",
    [
        ["--readout=membrane_mean", "--optimizer=adamw", "--lr=0.02"],
        ["--readout=membrane_each", "--clip-gradients=norm:1", "--lr=0.02"],
        ["--loss=mse_count", "--targets=0.9,0.1", "--lr=0.02"],
        ["--loss=mse", "--readout=membrane_last", "--optimizer=sgd", "--momentum=0.9", "--lr=0.02"],
        ["--max-activity=0.3", "--overflow-penalty=10", "--rotate", "--lr=0.02"],
        ["--truncate=3", "--rate-penalty=0.1:0.5", "--surrogate=piecewise_exp:2", "--lr=0.02"],
    ],
)
def test_every_goal_is_learned(spikeloom, net, data, tmp_path, options):
    tests = ["--test-inputs=x.npy", "--test-labels=y.npy"]
    train = ["train", net, *COMMON, *tests, "--epochs=25", "--save=w.safetensors", "--log=log.jsonl", *options]
    spikeloom(*train, "--checkpoint=p.ckpt")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    assert lines[-1]["test_accuracy"] > 0.6
    # The optimiser's own state is in the checkpoint, whatever it is called.
    kept = Checkpoint.read(tmp_path / "p.ckpt").snapshot
    assert bool(kept.optimizer) == ("--optimizer=sgd" not in options or "--momentum=0.9" in options)


def test_a_loss_that_its_readout_does_not_fit_is_refused(spikeloom, net, data):
    train = ["train", net, *COMMON, "--epochs=1", "--save=w.safetensors"]
    refused = spikeloom(*train, "--loss=mse_count", "--readout=membrane_mean", code=1)
    assert "loss 'mse_count' does not fit the readout 'membrane_mean'" in refused.err


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_membrane_that_overflows_is_named(spikeloom, net, data, tmp_path, micro_batches):
    train = ["train", net, *COMMON, "--epochs=3", "--save=w.safetensors", "--readout=membrane_mean"]
    train.append(f"--gradient-accumulation={micro_batches}")
    spikeloom(*train, "--max-steps=1")
    weights = load_file(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").unlink()
    weights["fc2.weight"] = np.where(weights["fc2.weight"] > 0, 3e38, -3e38).astype(np.float32)
    save_file(weights, tmp_path / "huge.safetensors")
    refused = spikeloom(*train, "--weights=huge.safetensors", "--checkpoint=p.ckpt", code=1)
    assert "the loss is nan at step 1" in refused.err or "the loss is inf at step 1" in refused.err
    assert "'mem2_out' is the first layer whose values are not finite in step 1" in refused.err
    assert not (tmp_path / "w.safetensors").exists()
