# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models whose file is batch-major: the command line takes and gives its arrays, steps and samples as many or not."""

import numpy as np
import pytest

STEPS = BATCH = 4
AXES = {"x": "B,T,5", "spk": "B,T,3"}


def model(axes: bool) -> str:
    """5-3 leaky neurons over four steps; with `axes` the arrays of the file are batch-major."""

    def layout(name: str) -> str:
        return f', snn.axes = "{AXES[name]}"' if axes else ""

    return f"""
func.func @main(
    %x: tensor<4x4x5xf32> {{snn.name = "x", snn.kind = #snn.kind<input>{layout("x")}}},
    %w: tensor<3x5xf32> {{snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>, snn.trainable,
                         snn.value = dense<0.4> : tensor<3x5xf32>}},
    %u: tensor<4x3xf32> {{snn.name = "mem", snn.kind = #snn.kind<state>}})
    -> (tensor<4x4x3xf32> {{snn.name = "spk"{layout("spk")}}}) {{
  %spk, %f = snn.scan over(%xt = %x : tensor<4x4x5xf32>) state(%v = %u : tensor<4x3xf32>)
      -> (tensor<4x4x3xf32>), (tensor<4x3xf32>) {{
    %i = snn.linear %xt, %w : (tensor<4x5xf32>, tensor<3x5xf32>) -> tensor<4x3xf32>
    %s, %n = snn.neuron %i, %v {{decay = 0.9 : f32}} : tensor<4x3xf32>, tensor<4x3xf32>
        -> tensor<4x3xf32>, tensor<4x3xf32>
    snn.yield step(%s : tensor<4x3xf32>) state(%n : tensor<4x3xf32>)
  }}
  return %spk : tensor<4x4x3xf32>
}}
"""


@pytest.fixture
def files(tmp_path):
    """The model both ways, ten samples and their labels."""
    for name, axes in (("rows", False), ("file", True)):
        (tmp_path / f"{name}.mlir").write_text(model(axes))
    x = (np.random.default_rng(0).random((10, STEPS, 5)) < 0.5).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "time_major.npy", np.moveaxis(x, 0, 1))
    np.save(tmp_path / "y.npy", np.arange(10) % 3)
    return tmp_path


def test_run_takes_and_gives_the_arrays_of_the_file(spikeloom, files):
    run = ["--machine=tiny", "--labels=y.npy"]
    rows = spikeloom("run", "rows.mlir", "--input=time_major.npy", "--output=rows", *run)
    given = spikeloom("run", "file.mlir", "--input=x.npy", "--output=file", *run)
    spikes = np.load(files / "rows" / "spk.npy")
    assert spikes.sum() > 0
    assert np.array_equal(np.load(files / "file" / "spk.npy"), np.moveaxis(spikes, 0, 1))
    assert rows.out.splitlines()[1] == given.out.splitlines()[1], "the accuracy"


def test_train_gives_the_same_bits(spikeloom, files):
    train = ["--machine=tiny", "--inputs=x.npy", "--labels=y.npy", "--batch=4", "--epochs=2", "--random-weights=2"]
    tests = ["--test-inputs=x.npy", "--test-labels=y.npy"]
    rows = spikeloom("train", "rows.mlir", *train, *tests, "--save=rows.safetensors")
    given = spikeloom("train", "file.mlir", *train, *tests, "--save=file.safetensors")
    assert (files / "rows.safetensors").read_bytes() == (files / "file.safetensors").read_bytes()
    accuracies = [result.out.splitlines()[1].rsplit(" ", 1)[1] for result in (rows, given)]
    assert accuracies[0] == accuracies[1]
