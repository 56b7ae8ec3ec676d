# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How options reach the compiler, and which are refused."""

from dataclasses import fields
from pathlib import Path

import pytest

import spikeloom as sl
from spikeloom.cli import parser
from spikeloom.cli.data import encoding
from spikeloom.options import check_surrogate


def test_events_as_compiler_options():
    assert sl.Events().arguments() == []
    assert sl.Events(0.05, 0.9, {"x": 77}).arguments() == [
        "--max-activity=0.05",
        "--second-threshold=0.9",
        "--input-capacity=x:77",
    ]
    assert sl.Events({"fc1": 0.1, "fc2": 0.25}).arguments() == ["--layer-activity=fc1:0.1", "--layer-activity=fc2:0.25"]
    assert sl.Events(capacity={"fc1": 40}).arguments() == ["--capacity=fc1:40"]
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
    training = sl.Training("mse", optimizer=sl.AdamW(1e-4, beta1=0.8), targets=(0.9, 0.1), clip_gradients="norm:1")
    assert training.arguments()[1:] == [
        *["--loss=mse", "--readout=spike_count", "--optimizer=adamw", "--lr=0.0001", "--beta1=0.8"],
        *["--weight-decay=0.01", "--surrogate=fast_sigmoid:25", "--detach-reset=true", "--targets=0.9,0.1"],
        "--clip-gradients=norm:1",
    ]
    sgd = sl.SGD(0.1, momentum=0.9, nesterov=True)
    assert sgd.arguments() == ["--optimizer=sgd", "--lr=0.1", "--momentum=0.9", "--nesterov"]
    penalised = sl.Training(rate_penalty=(2.0, 0.1), overflow_penalty=100.0, truncate=5).arguments()
    assert {"--rate-penalty=2.0:0.1", "--overflow-penalty=100.0", "--truncate=5"} <= set(penalised)
    assert sl.Events(0.05, rotate=True).arguments() == ["--max-activity=0.05", "--rotate"]
    target = sl.Training("mse_target", readout="output").arguments()
    assert {"--loss=mse", "--readout=membrane_each", "--targets=0.0,0.0"} <= set(target)
    with pytest.raises(sl.UsageError, match="mse_target reads every step: its readout is output or membrane_each"):
        sl.Training("mse_target").arguments()
    for bad in ({"overflow_penalty": -1.0}, {"rate_penalty": (0, 0.1)}, {"rate_penalty": (1, 2)}, {"targets": (0, 1)}):
        with pytest.raises(sl.UsageError, match=next(iter(bad))):
            sl.Training(**bad).arguments()
    for bad in ("norm", "norm:0", "norm:nan", "l1:2"):
        with pytest.raises(sl.UsageError, match=f"clipping '{bad}' is not known; norm:LIMIT or value:LIMIT"):
            sl.Training(clip_gradients=bad).arguments()
    with pytest.raises(sl.UsageError, match="loss 'hinge' is not known; known: cross_entropy"):
        sl.Training(loss="hinge").arguments()
    with pytest.raises(sl.UsageError, match="readout 'mean' is not known; known: spike_count"):
        sl.Training(readout="mean").arguments()


def test_surrogates():
    assert check_surrogate("atan") == "atan:2"
    assert check_surrogate("fast_sigmoid:5") == "fast_sigmoid:5"
    with pytest.raises(sl.UsageError, match="surrogate 'relu' is not known; known: fast_sigmoid, superspike, atan"):
        check_surrogate("relu:1")
    assert check_surrogate("straight_through") == "straight_through"
    assert check_surrogate("leaky:0") == "leaky:0:1"
    for bad in ("atan:0", "atan:x", "atan:-1", "atan:nan", "atan:inf", "spike_rate_escape:1:0"):
        with pytest.raises(sl.UsageError, match=r"parameter . of surrogate .* must be positive, as in "):
            check_surrogate(bad)
    with pytest.raises(sl.UsageError, match="parameter 1 of surrogate 'leaky:inf' must be a number, as in leaky:0.1:1"):
        check_surrogate("leaky:inf")
    with pytest.raises(sl.UsageError, match="surrogate 'atan:1:2' has 2 parameters; atan has 1, as in atan:2"):
        check_surrogate("atan:1:2")


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


def test_gradient_accumulation_is_for_training(tmp_path):
    with pytest.raises(
        sl.UsageError, match="gradient_accumulation=2: at least 1 is wanted, and more only for training"
    ):
        sl.compile(tmp_path / "net.onnx", gradient_accumulation=2)


def test_what_has_no_effect_on_a_model_is_refused(tmp_path):
    model = tmp_path / "net.mlir"
    model.write_text("")
    for option in ({"batch": 4}, {"steps": 5}, {"train_parameters": "fc"}):
        with pytest.raises(sl.UsageError, match="net.mlir"):
            sl.compile(model, **option)


def test_what_is_imported_has_its_sizes():
    model = sl.load(Path(__file__).parent / "data" / "snn_leaky_sub__step__legacy.onnx").imported(batch=2)
    with pytest.raises(sl.UsageError, match="batch, steps and train_parameters are told when a model is imported"):
        sl.compile(model, batch=4)


def test_the_command_line_has_every_field_of_an_encoding():
    given = parser().parse_args(["run", "net.onnx", "--encode=rate", "--encode-gain=0.5"])
    assert encoding(given) == sl.Encoding("rate", 0.5)
    assert [field.name for field in fields(sl.Encoding)] == ["coding", "gain"], "each wants an option in add_engine"
