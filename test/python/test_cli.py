# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line as far as it works without a compiled program: verbs, options, exit codes."""

import json
from pathlib import Path

import pytest

from spikeloom.cli import main

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fashion_mnist" / "model.onnx"
TRAIN = ["train", str(EXAMPLE), "--inputs=x.npy", "--labels=y.npy", "--epochs=1", "--save=w.safetensors", "--batch=4"]
RUN = ["run", str(EXAMPLE), "--input=x.npy"]


def test_check_lists_neurons(capsys):
    assert main(["check", str(EXAMPLE)]) == 0
    text = capsys.readouterr().out
    assert "no problems" in text
    assert "3 neuron; 0 operations left as arithmetic; states: mem1, mem2, mem3" in text


def test_check_as_json(capsys):
    assert main(["check", str(EXAMPLE), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["imported"] is True
    assert result["problems"] == []


def test_check_of_a_truncated_file(tmp_path, capsys):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(EXAMPLE.read_bytes()[:100000])
    assert main(["check", str(broken)]) == 1
    assert "error" in capsys.readouterr().out


def test_check_of_a_missing_file(capsys):
    assert main(["check", "nowhere.onnx"]) == 1
    assert "spikeloom: error: nowhere.onnx does not exist or is not a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "p.json", "-o", "r.html"], "report is not in this version"),
        ([*RUN, "--verify"], "--verify is not in this version"),
        ([*RUN, "--record", "mem1"], "--record is not in this version"),
        ([*RUN, "--engine=estimate"], "--engine=estimate is not in this version"),
        ([*RUN, "--chips=auto"], "--chips=auto is not in this version"),
    ],
)
def test_what_comes_later_is_refused_by_name(arguments, message, capsys, tmp_path, monkeypatch):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.zeros((3, 4, 784), np.float32))
    np.save("y.npy", np.zeros(3, np.int64))
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: VERB"),
        (["fly"], "invalid choice: 'fly'"),
        (["run", "net.onnx", "--fly"], "spikeloom run does not know --fly"),
        (["check", "net.onnx", "--bat=3"], "spikeloom check does not know --bat=3"),
        (["check", "net.onnx", "--batch=0"], "'0' is not a whole number of at least 1"),
        (["compile", "net.onnx", "-o", "x", "--max-activity=1.5"], "'1.5' is not a share in (0, 1]"),
        (["compile", "net.onnx", "-o", "x", "--max-activity=a=0.1,b"], "'b' is not LAYER=F"),
        (["compile", "net.onnx", "-o", "x", "--lr=nan"], "'nan' is not a finite number"),
        (["compile", "net.onnx", "-o", "x", "--state=a"], "'a' is not IN=OUT"),
        (["compile", "net.onnx", "-o", "x", "--input-capacity=5"], "'5' is not NAME:N"),
        (["compile", str(EXAMPLE), "-o", "x", "--train", "--surrogate=relu"], "surrogate 'relu' is not known"),
        (["train", "net.onnx", "--inputs=x"], "the following arguments are required: --labels"),
        (TRAIN[:-1], "train needs --batch=B"),
        ([*TRAIN, "--test-inputs=x.npy"], "--test-inputs and --test-labels go together"),
        ([*TRAIN, "--weights=w", "--random-weights"], "--weights and --random-weights exclude each other"),
        ([*TRAIN, "--seed=-1"], "'-1' is not a whole number of at least 1"),
        (["compile", str(EXAMPLE), "-o", "x", "--second-threshold=0.5:0.9"], "changes over the epochs of 'train'"),
        ([*TRAIN, "--second-threshold=0.5:x"], "second threshold '0.5:x'"),
        ([*TRAIN, "--lr-schedule=linear"], "schedule 'linear' is not known"),
        ([*TRAIN, "--momentum=0.9"], "--momentum is for --optimizer=sgd, not for adam"),
        ([*TRAIN, "--clip-gradients=3"], "clipping '3' is not known"),
        ([*TRAIN, "--targets=1"], "'1' is not two numbers A,B"),
        ([*TRAIN, "--init=0.1"], "'0.1' is not activity=F"),
        ([*TRAIN, "--resume=p", "--weights=w.safetensors"], "--resume starts from the checkpoint"),
        ([*TRAIN, "--checkpoint-every=5"], "--checkpoint-every=K needs --checkpoint=P"),
        ([*TRAIN, "--random-weights=0"], "'0' is not a positive number"),
        ([*TRAIN, "--train-parameters=("], "'(' is no regular expression"),
        (["compile", str(EXAMPLE), "-o", "x", "--train", "--lr=-1"], "a learning rate is not negative"),
        ([*TRAIN, "--overflow-penalty=-3"], "'-3' is not a weight, a number of at least 0"),
        ([*TRAIN, "--rate-penalty=5"], "'5' is not WEIGHT:RATE, as in 5:0.1"),
        ([*TRAIN, "--rate-penalty=5:x"], "'5:x' is not WEIGHT:RATE, as in 5:0.1: 'x' is not a finite number"),
        ([*TRAIN, "--rate-penalty=-5:0.1"], "'-5:0.1' is not WEIGHT:RATE, as in 5:0.1: '-5' is not a positive number"),
        ([*TRAIN, "--rate-penalty=5:2"], "'5:2' is not WEIGHT:RATE, as in 5:0.1: '2' is not a rate in [0, 1]"),
        ([*TRAIN, "--targets=1,x"], "'1,x' is not two numbers A,B: 'x' is not a finite number"),
        ([*TRAIN, "--init=activity=7"], "'activity=7' is not activity=F: '7' is not a share in (0, 1]"),
        (["export", "net.onnx", "--weights=w", "-o", "x", "--train-parameters=("], "'(' is no regular expression"),
    ],
)
def test_wrong_usage(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


COMPILE = ["compile", str(EXAMPLE), "-o", "x.loom"]
EVENTS = ["train", str(EXAMPLE), "--inputs=x.npz", "--labels=y.npy", "--epochs=1", "--save=w", "--batch=4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*COMPILE, "--lr=0.1", "--readout", "membrane_mean"], "--readout, --lr would have no effect: only training"),
        (
            [*COMPILE, "--detach-reset=true"],
            "--detach-reset would have no effect: only training steps have it; add --tr",
        ),
        ([*COMPILE, "--gradient-accumulation=2"], "--gradient-accumulation would have no effect: only training steps"),
        (
            [*COMPILE, "--activity-margin=2", "--max-activity=0.1"],
            "--activity-margin would have no effect: they are for",
        ),
        ([*COMPILE, "--rotate"], "rotate has no effect where every list holds its whole layer; give max_activity, too"),
        ([*COMPILE, "--train", "--overflow-penalty=3"], "overflow_penalty has no effect where every list holds its"),
        ([*COMPILE, "--train", "--targets=0.9,0.1"], "targets are for the losses mse and mse_count; cross_entropy"),
        ([*RUN, "--gradient-accumulation=2"], "--gradient-accumulation would have no effect: only training steps have"),
        ([*RUN, "--seed=0"], "--seed would have no effect: only the spikes of --encode=rate are drawn"),
        (
            [*RUN, "--encode=latency", "--encode-gain=0.5"],
            "--encode-gain would have no effect: it is for --encode=rate",
        ),
        ([*RUN, "--readout=spike_rate"], "--readout would have no effect: it is what --labels are compared with"),
        (
            ["run", "net.loom", "--machine=bow", "--as=step"],
            "--as, --machine would have no effect: net.loom is compiled",
        ),
        ([*TRAIN, "--no-shuffle", "--seed=3"], "--seed would have no effect: with --no-shuffle nothing is drawn here"),
        ([*EVENTS, "--encode=rate"], "--encode would have no effect: events (.npz) are sequences already; give still"),
    ],
)
def test_options_without_effect_are_refused(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_of_an_mlir_model_what_its_text_says_is_no_option(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.mlir").write_text("")
    Path("x.npy").touch()
    for arguments in (["check", "net.mlir", "--batch=3"], ["compile", "net.mlir", "-o", "x.loom", "--steps=3"]):
        assert main(arguments) == 2
        assert "net.mlir: batch and steps of an MLIR model are in its types" in capsys.readouterr().err
    assert main(["compile", "net.mlir", "-o", "x.loom", "--train-parameters=fc"]) == 2
    assert "mark parameters of net.mlir with snn.trainable" in capsys.readouterr().err


def test_outputs_are_checked_before_the_work(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*TRAIN[:-2], "--batch=4", "--save=no/w.safetensors"]) == 1
    assert "--save: cannot write no/w.safetensors: the folder no does not exist" in capsys.readouterr().err
    assert main(["compile", str(EXAMPLE), "-o", "no/x.loom"]) == 1
    assert "cannot write no/x.loom" in capsys.readouterr().err


def test_missing_tool_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKELOOM_BIN", str(tmp_path))
    assert main(["compile", str(EXAMPLE), "-o", str(tmp_path / "x.loom"), "--steps=5"]) == 1
    assert f"the tool snn-compile was not found in {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "expected"), [(1, 1), (2, 2), (3, 3), (139, 3)])
def test_exit_codes_of_the_compiler_are_passed_on(code, expected, capsys, tmp_path, monkeypatch):
    tool = tmp_path / "snn-compile"
    tool.write_text(f"#!/bin/sh\necho 'error: tile 3 is full' >&2\nexit {code}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("SPIKELOOM_BIN", str(tmp_path))
    assert main(["compile", str(EXAMPLE), "-o", str(tmp_path / "x.loom"), "--steps=5"]) == expected
    error = capsys.readouterr().err
    assert "spikeloom: error: tile 3 is full" in error
    assert ("defect of Spikeloom" in error) == (expected == 3)
    assert not (tmp_path / "x.loom").exists()


def test_a_crash_of_the_compiler_is_our_defect(capsys, tmp_path, monkeypatch):
    tool = tmp_path / "snn-compile"
    tool.write_text("#!/bin/sh\nkill -SEGV $$\n")
    tool.chmod(0o755)
    monkeypatch.setenv("SPIKELOOM_BIN", str(tmp_path))
    assert main(["compile", str(EXAMPLE), "-o", str(tmp_path / "x.loom"), "--steps=5"]) == 3
    assert "ended with signal 11" in capsys.readouterr().err
