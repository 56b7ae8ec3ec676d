# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training from data files to weights."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

import spikeloom as sl
from spikeloom.tools import find_tool

COMMON = ["--machine=tiny", "--inputs=x.npy", "--labels=y.npy", "--batch=8"]


def test_training_learns_and_logs(spikeloom, net, data, tmp_path):
    result = spikeloom(
        *["train", net, *COMMON, "--epochs=20", "--lr=0.02", "--save=w.safetensors", "--log=log.jsonl"],
        *["--test-inputs=x.npy", "--test-labels=y.npy", "--save-gradients=g.safetensors", "--profile=p.json"],
    )
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 20 * 4, "30 samples in batches of 8 are 4 steps"
    assert [line["step"] for line in lines] == list(range(1, 81))
    assert lines[-1]["epoch"] == 20
    for key in ("loss", "accuracy", "seconds", "cycles", "overflow"):
        assert all(np.isfinite(line[key]) for line in lines)
    assert all(0 <= line["accuracy"] <= 1 for line in lines)
    first, last = (np.mean([line["loss"] for line in part]) for part in (lines[:4], lines[-4:]))
    assert last < 0.5 * first
    assert "test accuracy" in result.out.splitlines()[19]
    assert float(result.out.splitlines()[19].rsplit(" ", 1)[1]) > 0.9
    weights, gradients = load_file(tmp_path / "w.safetensors"), load_file(tmp_path / "g.safetensors")
    assert weights["fc1.weight"].shape == gradients["fc1.weight"].shape == (20, 12)
    assert json.loads((tmp_path / "p.json").read_text())["cycles"]["total"] == lines[-1]["cycles"]

    x, _ = data
    np.save(tmp_path / "t.npy", np.moveaxis(x, 0, 1))
    run = spikeloom("run", net, "--machine=tiny", "--input=t.npy", "--labels=y.npy", "--weights=w.safetensors")
    shown = float(result.out.splitlines()[19].rsplit(" ", 1)[1])
    assert f"accuracy: {shown:.4f}" in run.out


def trained(spikeloom, net, tmp_path, name, *more):
    spikeloom("train", net, *COMMON, "--epochs=2", f"--save={name}", "--max-activity=0.3", *more)
    return (tmp_path / name).read_bytes()


def test_the_same_seed_gives_the_same_bits(spikeloom, net, data, tmp_path):
    first = trained(spikeloom, net, tmp_path, "a.safetensors", "--seed=3", "--threads=1")
    assert trained(spikeloom, net, tmp_path, "b.safetensors", "--seed=3", "--threads=2") == first
    assert trained(spikeloom, net, tmp_path, "c.safetensors", "--seed=3", "--engine=strict") == first
    assert trained(spikeloom, net, tmp_path, "d.safetensors", "--seed=4") != first


def test_random_weights_are_seeded_and_bounded(spikeloom, net, data, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        spikeloom(
            *["train", net, *COMMON, "--epochs=1", "--lr=0", "--random-weights=2", f"--seed={seed}"],
            f"--save={name}.safetensors",
        )
    a, b, c = (load_file(tmp_path / f"{name}.safetensors") for name in "abc")
    assert np.array_equal(a["fc1.weight"], b["fc1.weight"])
    assert not np.array_equal(a["fc1.weight"], c["fc1.weight"])
    for name in ("fc1.weight", "fc1.bias"):
        assert 1 < np.abs(a[name]).max() * np.sqrt(12) <= 2


def test_max_steps(spikeloom, net, data, tmp_path):
    spikeloom("train", net, *COMMON, "--epochs=5", "--max-steps=3", "--save=w.safetensors", "--log=log.jsonl")
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


def test_events_as_input(spikeloom, net, data, tmp_path):
    x, _ = data
    counts = x.sum(2)
    ids = np.zeros((30, 6, 12), np.uint16)
    for sample, step in np.ndindex(30, 6):
        ids[sample, step, : counts[sample, step]] = np.flatnonzero(x[sample, step])
    np.savez(tmp_path / "x.npz", ids=ids, counts=counts)
    dense = trained(spikeloom, net, tmp_path, "a.safetensors")
    spikeloom(
        *["train", net, "--machine=tiny", "--inputs=x.npz", "--labels=y.npy", "--batch=8", "--epochs=2"],
        *["--save=b.safetensors", "--max-activity=0.3"],
    )
    assert (tmp_path / "b.safetensors").read_bytes() == dense


def test_interrupt_saves_and_says_where(net, data, tmp_path):
    command = [str(find_tool("spikeloom")), "train", str(net), *COMMON, "--epochs=1000000", "--save=w.safetensors"]
    command.append("--checkpoint=p.ckpt")
    process = subprocess.Popen(
        [*command, "--log=log.jsonl"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background may have told them to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log = tmp_path / "log.jsonl"
    for _ in range(600):
        if log.exists() and log.stat().st_size > 0:
            break
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "parameters saved in w.safetensors; continue with --resume=p.ckpt" in out
    assert (tmp_path / "p.ckpt").exists()
    assert load_file(tmp_path / "w.safetensors")["fc1.weight"].shape == (20, 12)


def test_python_interface(net, data):
    x, y = data
    training = sl.Training(optimizer=sl.SGD(0.1))
    program = sl.compile(net, machine="tiny", batch=8, steps=6, train=training)
    with program.session(threads=1) as session:
        before = session.weights
        result = session.step(np.moveaxis(x[:8], 0, 1), y[:8], gradients=True)
        after = session.weights
    assert np.isfinite(result.loss)
    assert result.cycles > 0
    assert result.overflow == 0
    gradient = result.gradients["fc2.weight"]
    assert np.abs(gradient).max() > 0
    np.testing.assert_allclose(after["fc2.weight"], before["fc2.weight"] - 0.1 * gradient, atol=1e-6)


def test_a_program_without_training_refuses_steps(net, data):
    x, y = data
    session = sl.compile(net, machine="tiny", batch=8, steps=6).session(threads=1)
    with session, pytest.raises(sl.UserError, match="compiled without training"):
        session.step(np.moveaxis(x[:8], 0, 1), y[:8])
