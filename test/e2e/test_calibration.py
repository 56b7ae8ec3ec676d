# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""List lengths and weights that a batch of the data decides, and the warnings for what goes wrong quietly."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import spikeloom as sl
from spikeloom import calibration
from spikeloom.arrays import epoch_order

COMMON = ["--machine=tiny", "--inputs=x.npy", "--labels=y.npy", "--batch=8"]


def first_line(path) -> dict:
    return json.loads(path.read_text().splitlines()[0])


def calibration_batch(data) -> np.ndarray:
    """The first batch of the first epoch, whose order does not matter, as [T, B, N]."""
    return np.moveaxis(data[0][np.sort(epoch_order(30, 0, 1)[:8])], 0, 1)


def test_lists_as_long_as_a_batch_needs(spikeloom, net, data, tmp_path):
    train = ["train", net, *COMMON, "--epochs=1", "--save=w.safetensors", "--max-activity=auto"]
    result = spikeloom(*train, "--log=log.jsonl", "--activity-percentile=0.9", "--activity-margin=1.5")
    found = first_line(tmp_path / "log.jsonl")["calibration"]["max_activity"]["fc1"]

    # The spikes of the first batch, from a run that drops none.
    program = sl.compile(net, machine="tiny", batch=8, steps=6)
    with program.session(threads=1) as session:
        session.run(calibration_batch(data))
        rows = calibration.fired(session)["fc1"]
        assert rows.sum() == next(e["fired"] for e in session.events() if e["name"] == "fc1")
    assert rows.shape == (6 * 8,)
    quantile = int(np.quantile(rows, 0.9, method="higher"))
    length = min(20, max(2, 2 * int(np.ceil(1.5 * quantile / 2))))
    assert (found["quantile"], found["largest"], found["capacity"]) == (quantile, int(rows.max()), length)
    assert f"lists: fc1 holds {length} of 20 neurons" in result.err
    assert f"lists of {length} for 20 neurons" in result.out


def test_calibrated_lists_survive_a_resume(spikeloom, net, data, tmp_path):
    train = ["train", net, *COMMON, "--save=w.safetensors", "--max-activity=auto", "--init=activity=0.2"]
    spikeloom(*train, "--epochs=2")
    whole = (tmp_path / "w.safetensors").read_bytes()
    spikeloom(*train, "--epochs=1", "--checkpoint=p.ckpt")
    result = spikeloom(*train, "--epochs=2", "--resume=p.ckpt")
    assert "lists: " not in result.err
    assert (tmp_path / "w.safetensors").read_bytes() == whole


def test_shares_by_layer(spikeloom, net, data, tmp_path):
    train = ["train", net, *COMMON, "--epochs=1", "--save=w.safetensors"]
    assert "lists of 4 for 20 neurons" in spikeloom(*train, "--max-activity=fc1=0.25").out
    refused = spikeloom(*train, "--max-activity=hidden=0.25", code=1)
    assert "'layer-activity' names 'hidden', but no layer has that name; there are: fc1" in refused.err


@pytest.mark.parametrize("wanted", [0.05, 0.3])
def test_weights_scaled_until_layers_fire_as_wanted(spikeloom, net, data, tmp_path, wanted):
    train = ["train", net, *COMMON, "--epochs=1", "--lr=0", f"--init=activity={wanted}"]
    result = spikeloom(*train, "--save=a.safetensors", "--log=log.jsonl")
    spikeloom(*train, "--save=b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    found = first_line(tmp_path / "log.jsonl")["calibration"]["init"]["fc1"]
    # 8 samples, 6 steps, 20 neurons: one spike more or less is 0.1 %.
    assert found["after"] == pytest.approx(wanted, abs=0.01)
    assert f"fc1.weight times {found['scale']:.4g}" in result.err
    program = sl.compile(net, machine="tiny", batch=8, steps=6)
    with program.session(threads=1) as session:
        before = session.weights["fc1.weight"]
        session.load(tmp_path / "a.safetensors")
        np.testing.assert_array_equal(session.weights["fc1.weight"], before * np.float32(found["scale"]))
        session.run(calibration_batch(data))
        assert calibration.fired(session)["fc1"].mean() / 20 == found["after"]


def test_calibration_does_not_need_the_memory_of_the_machine(tmp_path):
    path = Path(calibration.roomy_machine("tiny", tmp_path))
    assert json.loads(path.read_text()) == {"base": "tiny", "name": "roomy", "tileMemoryBytes": calibration.ROOMY}
    (tmp_path / "mine.json").write_text('{"base": "bow", "tiles": 40}')
    path = Path(calibration.roomy_machine(str(tmp_path / "mine.json"), tmp_path))
    assert json.loads(path.read_text())["tiles"] == 40


def test_compile_has_no_data_to_calibrate_on(spikeloom, net):
    assert "only 'run' and 'train' have" in spikeloom("compile", net, "-o", "n.loom", "--max-activity=auto", code=2).err


def test_silent_layers_are_named_once(spikeloom, net, data, tmp_path):
    train = ["train", net, *COMMON, "--epochs=3"]
    spikeloom(*train, "--save=w.safetensors", "--max-steps=1")
    weights = load_file(tmp_path / "w.safetensors")
    weights["fc1.weight"] *= 0
    weights["fc1.bias"] *= 0
    save_file(weights, tmp_path / "silent.safetensors")
    result = spikeloom(*train, "--save=v.safetensors", "--weights=silent.safetensors", "--lr=0")
    assert result.err.count("warning: layer fc1 fired no spike in the last 4 steps") == 1
    assert "--init=activity=F" in result.err
    assert "fired no spike" not in spikeloom(*train, "--save=v.safetensors").err


def test_dropped_spikes_are_named_once(spikeloom, net, data, tmp_path):
    train = ["train", net, *COMMON, "--epochs=12", "--save=w.safetensors", "--lr=0"]
    few = ["--inputs=x2.npy", "--labels=y2.npy"]
    np.save(tmp_path / "x2.npy", np.concatenate([data[0]] * 8))
    np.save(tmp_path / "y2.npy", np.concatenate([data[1]] * 8))
    result = spikeloom(*train, *few, "--max-activity=0.1")
    assert result.err.count("warning: layer fc1 dropped ") == 1
    assert "its lists hold 2 of 20 neurons" in result.err
    assert "dropped" not in spikeloom(*train, *few).err


def test_run_calibrates_on_its_first_batch(spikeloom, net, data, tmp_path):
    np.save(tmp_path / "t.npy", np.moveaxis(data[0], 0, 1))
    run = ["run", net, "--machine=tiny", "--input=t.npy", "--batch=8"]
    result = spikeloom(*run, "--max-activity=auto", "--activity-percentile=1", "--activity-margin=1", "--output=few")
    assert "lists: fc1 holds " in result.err
    spikeloom(*run, "--output=all")
    few, whole = (np.load(tmp_path / name / "spk.npy") for name in ("few", "all"))
    assert np.array_equal(few[:, :8], whole[:, :8]), "the first batch drops nothing"
