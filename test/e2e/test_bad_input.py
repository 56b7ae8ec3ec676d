# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad input: a message that says what is wrong and where, exit code 1, no crash."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

TRAIN = ["--machine=tiny", "--epochs=1", "--batch=8", "--save=w.safetensors", "--steps=6"]


@pytest.fixture
def loom(spikeloom, net):
    spikeloom("compile", net, "--machine=tiny", "-o", "net.loom", "--steps=6", "--batch=4")
    return "net.loom"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((6, 4, 11), np.float32), "input 'x' has shape [6, 4, 11]; [6, N, 12] is wanted"),
        (np.zeros((5, 4, 12), np.float32), "input 'x' has shape [5, 4, 12]; [6, N, 12] is wanted"),
        (np.zeros(12, np.float32), "input 'x' has shape [12]; [6, N, 12] is wanted"),
        (np.zeros((6, 0, 12), np.float32), "the input has no samples"),
        (np.zeros((6, 4, 12), np.float64), "input 'x' has dtype float64; float32, uint8 or bool is wanted"),
        (np.full((6, 4, 12), np.nan, np.float32), "input 'x': 288 of 288 values are NaN or infinite"),
    ],
)
def test_inputs(spikeloom, loom, tmp_path, array, message):
    np.save(tmp_path / "bad.npy", array)
    assert message in spikeloom("run", loom, "--input", "x=bad.npy", code=1).err


def test_names(spikeloom, loom, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((6, 4, 12), np.float32))
    assert "no input 'z'; it has x, mem1, mem2" in spikeloom("run", loom, "--input", "z=x.npy", code=1).err
    assert "input 'x' [6, 4, 12] is not given" in spikeloom("run", loom, "--input", "mem1=0", code=1).err
    twice = spikeloom("run", loom, "--input", "x.npy", "--input", "x=x.npy", code=1)
    assert "input 'x' is given twice" in twice.err


def test_pickles(spikeloom, loom, tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "holds pickled Python objects" in spikeloom("run", loom, "--input", "p.npy", code=1).err


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(30, 3), "30 labels lie outside [0, 3); the first is 3 at sample 0"),
        (np.full(30, -1), "the first is -1 at sample 0"),
        (np.zeros(29, int), "29 labels for 30 samples"),
        (np.zeros(30), "have dtype float64; whole numbers are wanted"),
        (np.zeros((30, 3), int), "have shape [30, 3]; one class number per sample [30] is wanted"),
    ],
)
def test_labels(spikeloom, net, data, tmp_path, labels, message):
    np.save(tmp_path / "bad.npy", labels)
    result = spikeloom("train", net, *TRAIN, "--inputs=x.npy", "--labels=bad.npy", code=1)
    assert message in result.err
    assert not (tmp_path / "w.safetensors").exists()


def test_training_data(spikeloom, net, data, tmp_path):
    np.save(tmp_path / "bad.npy", np.zeros((30, 6, 11), np.float32))
    assert "the network takes [12]" in spikeloom("train", net, *TRAIN, "--inputs=bad.npy", "--labels=y.npy", code=1).err
    np.save(tmp_path / "bad.npy", np.zeros((30, 12), np.float32))
    result = spikeloom("train", net, *TRAIN, "--inputs=bad.npy", "--labels=y.npy", code=1)
    assert "[N, T, ...] is wanted, or --encode for still data" in result.err


def test_weights(spikeloom, net, loom, tmp_path, data):
    np.save(tmp_path / "in.npy", np.zeros((6, 4, 12), np.float32))
    spikeloom("train", net, *TRAIN, "--inputs=x.npy", "--labels=y.npy")
    good = load_file(tmp_path / "w.safetensors")

    def refused(tensors, message):
        save_file(tensors, tmp_path / "bad.safetensors")
        assert message in spikeloom("run", loom, "--input=in.npy", "--weights=bad.safetensors", code=1).err

    nan = {**good, "fc2.weight": np.full_like(good["fc2.weight"], np.nan)}
    refused(nan, "fc2.weight")
    refused({**good, "fc1.weight": np.zeros((3, 3), np.float32)}, "fc1.weight")
    refused({name: value for name, value in good.items() if name != "fc1.bias"}, "fc1.bias")
    data = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "bad.safetensors").write_bytes(data[: len(data) // 2])
    assert "bad.safetensors" in spikeloom("run", loom, "--input=in.npy", "--weights=bad.safetensors", code=1).err
    assert "none.st" in spikeloom("run", loom, "--input=in.npy", "--weights=none.st", code=1).err


def test_outputs_that_cannot_be_written(spikeloom, net, loom, data, tmp_path):
    np.save(tmp_path / "in.npy", np.zeros((6, 4, 12), np.float32))
    (tmp_path / "file").write_text("")
    assert "file is not a folder" in spikeloom("run", loom, "--input=in.npy", "--output=file", code=1).err
    full = spikeloom("run", loom, "--input=in.npy", "--profile=/dev/full", code=1)
    assert "cannot write /dev/full: No space left on device" in full.err
    result = spikeloom("train", net, *TRAIN, "--inputs=x.npy", "--labels=y.npy", "--log=/dev/full", code=1)
    assert "--log: cannot write /dev/full: No space left on device" in result.err
    result = spikeloom("compile", net, "-o", "/dev/full", "--machine=tiny", "--steps=6", code=1)
    assert "cannot write /dev/full: No space left on device" in result.err


def test_damaged_programs(spikeloom, loom, tmp_path):
    np.save(tmp_path / "in.npy", np.zeros((6, 4, 12), np.float32))
    data = bytearray((tmp_path / loom).read_bytes())
    rng = np.random.default_rng(0)
    for place in [0, 9, 20, 30, *rng.integers(0, len(data), 6)]:
        broken = bytearray(data)
        broken[place] ^= 0x40
        (tmp_path / "broken.loom").write_bytes(broken)
        assert "broken.loom" in spikeloom("run", "broken.loom", "--input=in.npy", code=1).err
    for size in (0, 5, len(data) // 2, len(data) - 1):
        (tmp_path / "broken.loom").write_bytes(data[:size])
        assert "broken.loom" in spikeloom("run", "broken.loom", "--input=in.npy", code=1).err


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        ('{"base": "bow", "tilez": 3}', "tilez"),
        ('{"base": "bow", "tiles": -1}', "tiles"),
        ('{"base": "bow", "tiles": 0}', "tiles"),
        ("{", "machine.json"),
        ("{}", "machine.json"),
    ],
)
def test_machine_files(spikeloom, net, tmp_path, machine, message):
    (tmp_path / "machine.json").write_text(machine)
    result = spikeloom("compile", net, "-o", "x.loom", "--machine=machine.json", "--steps=6", code=1)
    assert message in result.err
    assert not (tmp_path / "x.loom").exists()


def test_unknown_machine(spikeloom, net):
    assert "colossus" in spikeloom("compile", net, "-o", "x.loom", "--machine=colossus", "--steps=6", code=1).err


def test_fixed_programs_keep_their_shape(spikeloom, loom, tmp_path):
    np.save(tmp_path / "in.npy", np.zeros((6, 4, 12), np.float32))
    result = spikeloom("run", loom, "--input=in.npy", "--batch=5", code=2)
    assert "--batch=5: net.loom is made for batch 4; only ONNX and NIR files can be given another" in result.err
