# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trainings that are stopped, killed or broken, and what is left of them."""

import json
import random

import numpy as np
import pytest
from killed import Killed
from safetensors.numpy import load_file, save_file

from spikeloom.checkpoints import Checkpoint

COMMON = ["--machine=tiny", "--inputs=x.npy", "--labels=y.npy", "--batch=8", "--quiet"]
# Everything that changes over time at once: rates, thresholds, drawn spikes, lists that overflow.
CHANGING = [
    *["--machine=tiny", "--inputs=still.npy", "--labels=y.npy", "--batch=8", "--encode=rate", "--encode-gain=0.8"],
    *["--steps=6", "--lr-schedule=cosine:3", "--second-threshold=0.5:0.9", "--max-activity=0.3", "--seed=5", "--quiet"],
]


@pytest.fixture
def still(data, tmp_path):
    """Still data beside the sequences: mean intensities [30, 12] as still.npy."""
    np.save(tmp_path / "still.npy", data[0].mean(1).astype(np.float32))


def entries(path) -> list[dict]:
    """Lines of a log without what depends on the clock."""
    return [{**json.loads(line), "seconds": 0} for line in path.read_text().splitlines()]


@pytest.mark.parametrize("stop", [1, 4, 6])
def test_resuming_gives_the_bits_of_the_run_never_stopped(spikeloom, net, still, tmp_path, stop):
    tests = ["--test-inputs=still.npy", "--test-labels=y.npy"]
    train = ["train", net, *CHANGING, *tests, "--epochs=3"]
    spikeloom(*train, "--save=whole.safetensors", "--log=whole.jsonl")
    keep = ["--checkpoint=p.ckpt", "--checkpoint-every=1", "--log=parts.jsonl"]
    command = [*train, "--save=parts.safetensors", *keep]
    killed = Killed(tmp_path, command)
    killed.until_step(stop)
    assert Checkpoint.read(tmp_path / "p.ckpt").snapshot.step >= stop
    spikeloom(*command, "--resume=p.ckpt")
    assert (tmp_path / "parts.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert entries(tmp_path / "parts.jsonl") == entries(tmp_path / "whole.jsonl")


def test_killed_at_random_moments(spikeloom, net, still, tmp_path):
    every = 5
    train = ["train", net, *CHANGING, "--epochs=12"]
    spikeloom(*train, "--save=whole.safetensors", "--log=whole.jsonl")
    command = [*train, "--save=parts.safetensors", "--checkpoint=p.ckpt", f"--checkpoint-every={every}"]
    killed = Killed(tmp_path, [*command, "--log=parts.jsonl"])
    rng = random.Random(1)
    for _ in range(4):
        if killed.after(rng.uniform(1.0, 2.5)):
            break
        if (tmp_path / "p.ckpt").exists():
            assert killed.steps_logged() - Checkpoint.read(tmp_path / "p.ckpt").snapshot.step < every
    killed.finish()
    assert (tmp_path / "parts.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert entries(tmp_path / "parts.jsonl") == entries(tmp_path / "whole.jsonl")


def test_best_checkpoint_and_interrupt(spikeloom, net, data, tmp_path):
    result = spikeloom(
        *["train", net, *COMMON, "--epochs=6", "--save=w.safetensors", "--checkpoint=p.ckpt", "--log=log.jsonl"],
        *["--test-inputs=x.npy", "--test-labels=y.npy"],
    )
    scores = [line["test_accuracy"] for line in entries(tmp_path / "log.jsonl") if "test_accuracy" in line]
    assert len(scores) == 6
    best = Checkpoint.read(tmp_path / "p.ckpt.best")
    assert best.training["best"] == max(scores)
    assert best.snapshot.step == 4 * (scores.index(max(scores)) + 1)
    last = Checkpoint.read(tmp_path / "p.ckpt")
    assert np.array_equal(last.snapshot.parameters["fc1.weight"], load_file(tmp_path / "w.safetensors")["fc1.weight"])
    assert "epoch 6" in result.out


def test_a_checkpoint_of_another_network_is_refused(spikeloom, net, net_of_two, data, tmp_path):
    spikeloom("train", net, *COMMON, "--epochs=1", "--save=w.safetensors", "--checkpoint=p.ckpt")
    checkpoint = Checkpoint.read(tmp_path / "p.ckpt")
    checkpoint.snapshot.parameters["fc1.weight"] = np.zeros((21, 12), np.float32)
    checkpoint.snapshot.parameters["fc9.weight"] = checkpoint.snapshot.parameters.pop("fc2.weight")
    checkpoint.write(tmp_path / "other.ckpt")
    train = ["train", net, *COMMON, "--epochs=2", "--save=v.safetensors"]
    refused = spikeloom(*train, "--resume=other.ckpt", code=1)
    assert "other.ckpt is a checkpoint of another network" in refused.err
    assert "'fc2.weight' [3, 20] is not in the checkpoint" in refused.err
    assert "'fc9.weight' [3, 20] is not in the network" in refused.err
    assert "'fc1.weight' is [21, 12] in the checkpoint, [20, 12] in the network" in refused.err
    refused = spikeloom("train", net_of_two, *train[2:], "--resume=p.ckpt", code=1)
    assert "MODEL (SHA-256)" in refused.err


def test_other_options_are_refused_by_name(spikeloom, net, data, tmp_path):
    spikeloom("train", net, *COMMON, "--epochs=1", "--save=w.safetensors", "--checkpoint=p.ckpt")
    train = ["train", net, *COMMON, "--epochs=2", "--save=v.safetensors", "--resume=p.ckpt"]
    refused = spikeloom(*train, "--seed=3", "--lr=0.1", code=1)
    assert "--seed: 0 in the checkpoint, 3 now" in refused.err
    assert "--lr=0.1" in refused.err
    assert "--weights" in refused.err
    # More epochs of the same training are welcome.
    spikeloom(*train)
    assert Checkpoint.read(tmp_path / "p.ckpt").snapshot.step == 8
    weights = (tmp_path / "v.safetensors").read_bytes()
    result = spikeloom(*[word for word in train if word != "--quiet"])
    assert "continuing p.ckpt after step 8; nothing is left to do" in result.err
    assert (tmp_path / "v.safetensors").read_bytes() == weights


def test_what_has_the_same_effect_is_the_same_option(spikeloom, net, data, tmp_path):
    plain = ["train", net, *[word for word in COMMON if not word.startswith("--machine")], "--save=w.safetensors"]
    spikeloom(*plain, "--epochs=1", "--checkpoint=p.ckpt")
    given = ["--machine=bow", "--steps=6", "--optimizer=adam", "--lr=0.001", "--sparse-weights=0.25"]
    spikeloom(*plain, "--epochs=2", *given, "--resume=p.ckpt")
    assert Checkpoint.read(tmp_path / "p.ckpt").snapshot.step == 8
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text('{"base": "tiny", "name": "mine"}')
    spikeloom(*plain, "--epochs=1", "--machine=one.json", "--checkpoint=q.ckpt")
    spikeloom(*plain, "--epochs=2", "--machine=two.json", "--resume=q.ckpt")
    (tmp_path / "two.json").write_text('{"base": "tiny", "name": "other"}')
    refused = spikeloom(*plain, "--epochs=3", "--machine=two.json", "--resume=q.ckpt", code=1)
    assert "--machine: " in refused.err


@pytest.mark.parametrize("content", [b"", b"\x10\x00\x00\x00\x00\x00\x00\x00{}", b"no checkpoint at all"])
def test_damaged_checkpoints_are_refused(spikeloom, net, data, tmp_path, content):
    (tmp_path / "bad.ckpt").write_bytes(content)
    train = ["train", net, *COMMON, "--epochs=1", "--save=w.safetensors"]
    assert "bad.ckpt cannot be read as a checkpoint" in spikeloom(*train, "--resume=bad.ckpt", code=1).err
    assert "does not exist" in spikeloom(*train, "--resume=none.ckpt", code=1).err
    spikeloom(*train)
    assert "is no checkpoint of 'spikeloom train'" in spikeloom(*train, "--resume=w.safetensors", code=1).err


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(spikeloom, net, data, tmp_path):
    train = ["train", net, *COMMON, "--epochs=30", "--save=w.safetensors", "--checkpoint=p.ckpt"]
    train.append("--checkpoint-every=1")
    spikeloom(*train, "--max-steps=3")
    weights = load_file(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").unlink()
    # Sums of these are infinite, and infinity less infinity is no number.
    weights["fc2.weight"] = np.where(weights["fc2.weight"] > 0, 3e38, -3e38).astype(np.float32)
    save_file(weights, tmp_path / "huge.safetensors")
    good = (tmp_path / "p.ckpt").read_bytes()
    refused = spikeloom(*train, "--weights=huge.safetensors", code=1)
    assert "the update of step 1 made parameter 'fc" in refused.err
    assert "of layer fc" in refused.err
    assert "the last good checkpoint is p.ckpt" in refused.err
    assert (tmp_path / "p.ckpt").read_bytes() == good
    assert not (tmp_path / "w.safetensors").exists()
