# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One training step by the interpreter, the strict and the fast engine: the same bits, whatever the convention."""

from __future__ import annotations

import pytest

from same_bits import assert_same_training_step
from spiking_models import BUILD, Layer, Net

if not (BUILD / "bin/snn-compile").exists() or not (BUILD / "bin/snn-run").exists():
    pytest.skip("needs snn-compile and snn-run: build everything", allow_module_level=True)

SPARSE = ["--max-activity=0.05", "--second-threshold=0.9", "--input-capacity=x:10"]


def lif(*units: int, **options) -> list[Layer]:
    return [Layer(n, **options) for n in units]


def value(**options) -> dict:
    return {"reset_kind": "value", "v_reset": -0.25, **options}


MODELS: dict[str, tuple[Net, list[str]]] = {
    "delayed": (Net(lif(20, 6, reset_time="delayed"), steps=12), []),
    "delayed value": (Net(lif(20, 6, **value(reset_time="delayed")), steps=12, seed=1), []),
    "delayed, attached": (Net(lif(20, 6, reset_time="delayed"), steps=12, detach=False, slope=4.0, seed=2), []),
    "delayed value, attached": (
        Net(lif(20, 6, **value(reset_time="delayed")), steps=12, detach=False, slope=4.0, seed=3),
        [],
    ),
    "whole update": (
        Net(lif(20, 6, **value(reset_time="delayed", reset_scope="whole_update")), steps=12, seed=4),
        [],
    ),
    "same step, deep": (Net(lif(24, 20, 16, 8), steps=12, seed=5), []),
    "same step, attached": (Net(lif(20, 6), steps=12, detach=False, surrogate="superspike", slope=10.0, seed=6), []),
    "same step value, attached, atan": (
        Net(lif(20, 6, **value()), steps=12, detach=False, surrogate="atan", slope=2.0, seed=7),
        [],
    ),
    "fire first": (Net(lif(20, 6, order="fire_integrate"), steps=12, seed=8), []),
    "fire first value, attached": (
        Net(lif(20, 6, **value(order="fire_integrate")), steps=12, detach=False, slope=3.0, seed=9),
        [],
    ),
    "no reset": (Net(lif(20, 6, reset_kind="none"), steps=12, seed=10), []),
    "ge, gain, leak, bias": (
        Net(lif(20, 6, cmp="ge", decay=0.5, gain=0.5, leak=0.25, bias=True), steps=12, seed=11),
        [],
    ),
    "learnable decay": (Net(lif(12, 5, learn_decay=True, leak=0.25), steps=12, seed=12), []),
    "graded": (Net(lif(20, 6, graded=0.5), steps=12, slope=4.0, seed=16), []),
    "recurrent": (Net([Layer(16, recurrent=True), Layer(5)], steps=12, slope=5.0, seed=17), []),
    "recurrent output": (Net([Layer(10), Layer(5, recurrent=True)], steps=12, slope=5.0, seed=18), []),
    "recurrent, sparse": (Net([Layer(60, recurrent=True), Layer(6)], inputs=40, steps=12, slope=5.0, seed=19), SPARSE),
    "sparse": (Net(lif(80, 40, 6), inputs=40, steps=12, slope=5.0, seed=13, batch=7), SPARSE),
    "masked weights": (Net(lif(80, 40, 6, density=0.2), inputs=40, steps=12, slope=5.0, seed=20, batch=7), []),
    "masked weights, sparse lists": (Net(lif(80, 40, 6, density=0.3), inputs=40, steps=12, slope=5.0, seed=21), SPARSE),
    "masked weights, recurrent": (
        Net([Layer(60, recurrent=True, density=0.1), Layer(6, density=0.5)], inputs=40, steps=12, slope=5.0, seed=22),
        ["--clip-gradients=norm:0.05"],
    ),
    "sparse, attached": (Net(lif(80, 40, 6), inputs=40, steps=12, slope=5.0, seed=14, detach=False), SPARSE),
    "sparse, delayed value": (Net(lif(80, 6, **value(reset_time="delayed")), inputs=40, steps=12, seed=15), SPARSE),
}


@pytest.mark.parametrize("name", MODELS)
def test_one_training_step(name: str, tmp_path) -> None:
    net, options = MODELS[name]
    step = [f"--{name}={value}" for name, value in net.step_options().items()]
    assert_same_training_step(tmp_path, net.mlir(), net.x, net.labels, net.values, {}, [*step, *options])
