# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How options reach the compiler, and which are refused."""

import pytest

import spikeloom as sl
from spikeloom.options import check_surrogate


def test_events_as_compiler_options():
    assert sl.Events().arguments() == []
    assert sl.Events(0.05, 0.9, {"x": 77}).arguments() == [
        "--max-activity=0.05",
        "--second-threshold=0.9",
        "--input-capacity=x:77",
    ]
    assert sl.Events({"mem1": 0.1, "mem2": 0.25}).arguments() == ["--max-activity=mem1=0.1,mem2=0.25"]
    with pytest.raises(sl.UserError, match=r"max_activity is 2; a share in \(0, 1\] is wanted"):
        sl.Events(2).arguments()


def test_training_as_compiler_options():
    training = sl.Training(optimizer=sl.SGD(0.5), surrogate="superspike:10", detach_reset=False)
    assert training.arguments() == [
        "--train",
        "--loss=cross_entropy",
        "--readout=spike_count",
        "--optimizer=sgd",
        "--lr=0.5",
        "--surrogate=superspike:10",
        "--detach-reset=false",
    ]
    with pytest.raises(sl.UsageError, match="loss 'hinge' is not known; known: cross_entropy"):
        sl.Training(loss="hinge").arguments()
    with pytest.raises(sl.UsageError, match="readout 'mean' is not known; known: spike_count"):
        sl.Training(readout="mean").arguments()


def test_surrogates():
    assert check_surrogate("atan") == "atan:2"
    assert check_surrogate("fast_sigmoid:5") == "fast_sigmoid:5"
    with pytest.raises(sl.UsageError, match="surrogate 'relu' is not known; known: fast_sigmoid, superspike, atan"):
        check_surrogate("relu:1")
    for bad in ("atan:0", "atan:x", "atan:-1", "atan:nan", "atan:inf"):
        with pytest.raises(sl.UsageError, match="must be a positive number"):
            check_surrogate(bad)


def test_models_by_their_endings(tmp_path):
    with pytest.raises(sl.UserError, match="does not exist"):
        sl.load(tmp_path / "net.onnx")
    with pytest.raises(sl.UserError, match=r"unknown kind of model; .onnx, .nir, .mlir, .mlirbc are read"):
        sl.load("net.pt")
    with pytest.raises(sl.UsageError, match="compiled already"):
        sl.load("net.loom")
    model = tmp_path / "net.mlir"
    model.write_text("")
    with pytest.raises(sl.UsageError, match="--state and --as are for ONNX"):
        sl.load(model, as_="step")


def test_gradient_accumulation_is_refused_by_name(tmp_path):
    with pytest.raises(sl.UsageError, match="gradient_accumulation is not in this version"):
        sl.compile(tmp_path / "net.onnx", gradient_accumulation=2)
