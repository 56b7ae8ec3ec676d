# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of compiled programs against PyTorch's: autograd for full lists, a model of the rules for short ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from engines import Prepared
from siblings import SIBLINGS

from spiking_models import relative_error, torch_gradients

pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", SIBLINGS)
def test_every_gradient(name: str, tmp_path: Path) -> None:
    sibling = SIBLINGS[name]
    lists = sibling.lists
    rules = {}
    if lists:
        rules = {"activity": lists.activity, "near": lists.near, "input_capacity": lists.inputs}
        rules["rotate"] = "--rotate" in sibling.more
    loss, counts, expected = torch_gradients(sibling.net, **rules)
    assert counts.sum() > 0
    if lists:
        assert loss != torch_gradients(sibling.net)[0], "nothing was dropped"
    found = Prepared(sibling, "tiny", tmp_path).run("fast", 2, 1)
    assert found.outputs["loss"] == pytest.approx(loss, rel=1e-5)
    assert found.gradients.keys() == expected.keys()
    for parameter, gradient in expected.items():
        assert np.linalg.norm(gradient) > 0, f"{parameter}: a gradient of zero tests nothing"
        assert relative_error(found.gradients[parameter], gradient) < TOLERANCE, parameter
