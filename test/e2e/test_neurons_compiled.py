# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Neurons that no single operation is, through the compiler: they run as their graphs do, and train."""

import numpy as np
import pytest

import spikeloom as sl
from neuron_zoo import save
from onnx_maker import BATCH
from spikeloom.importers import load_onnx
from spikeloom.importers.compiled import CompiledRunner
from spikeloom.importers.evaluate import run_steps

NEURONS = ("snnTorch RLeaky, one to one", "snnTorch Alpha", "snnTorch SLSTM", "Norse LSNN", "Norse LIFRefrac",
           "sinabs LIF, min_v_mem", "sinabs IAF", "sinabs ALIF", "Rockpool LIFTorch, capped", "BindsNET LIFNodes",
           "any, synaptic delay of two steps")


@pytest.mark.parametrize("name", NEURONS)
def test_runs_and_trains(tmp_path, name):
    model = load_onnx(save(name, tmp_path / "n.onnx"), steps=12)
    x = 2 * np.random.default_rng(1).random((12, BATCH, 20)).astype(np.float32)
    states = {s.name: s.initial for s in model.states}
    want, _ = run_steps(model.step, {"x": x}, states)
    found, _ = CompiledRunner("tiny")(model.step, {"x": x}, states)
    assert want["y"].mean() > 0
    np.testing.assert_array_equal(found["y"], want["y"])
    with sl.compile(model, machine="tiny", train=sl.Training()).session() as session:
        gradient = session.step(x, np.arange(BATCH), gradients=True).gradients["fc.weight"]
    assert np.isfinite(gradient).all()
    assert np.count_nonzero(gradient) > 0
