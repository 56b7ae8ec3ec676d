# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Batch normalisation and dropout of files that PyTorch exported in training mode, beside PyTorch."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from torch_networks import CLASSES, INPUTS, SLOPE, STEPS, Neurons, binary, is_exporting, torch

import spikeloom as sl
from feature_models import kept_units, random_keys
from spiking_models import relative_error

BATCH, RATE = 6, 0.25
TRAINING = sl.Training(surrogate=f"fast_sigmoid:{SLOPE}", optimizer=sl.SGD(0.5))


class Dropout(torch.nn.Dropout):
    """Exported as PyTorch's; the reference keeps the units that Spikeloom draws for step ``t`` of the first batch."""

    salt, t = 1, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if is_exporting() or not self.training:
            return super().forward(x)
        keys = random_keys(1, STEPS * BATCH).reshape(STEPS, BATCH)[self.t]
        kept = kept_units(keys, self.salt, x[0].numel(), self.p)
        self.t += 1
        return torch.where(torch.tensor(kept).reshape(x.shape), x / (1 - self.p), 0.0)


class Dense(torch.nn.Module):
    """12-20-3; the two dropouts read the same value, but each draws by itself."""

    widths = (20, CLASSES)

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.bn1 = torch.nn.Linear(INPUTS, 20), torch.nn.BatchNorm1d(20, momentum=0.3)
        self.drop1, self.drop2 = Dropout(RATE), Dropout(RATE)
        self.drop2.salt = 2
        self.fc2, self.bn2 = torch.nn.Linear(20, CLASSES), torch.nn.BatchNorm1d(CLASSES, eps=1e-3)
        self.lif1, self.lif2 = Neurons(0.9375), Neurons(0.875)

    def forward(self, x, mem1, mem2):
        spikes, mem1 = self.lif1(self.bn1(self.fc1(x)), mem1)
        spikes = self.drop1(spikes) + 0.5 * self.drop2(spikes)
        spikes, mem2 = self.lif2(self.bn2(self.fc2(spikes)), mem2)
        return spikes, mem1, mem2


class Convolutional(torch.nn.Module):
    """Channels of 3 x 4 positions, which share statistics."""

    widths = (4 * 12, CLASSES)

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.BatchNorm2d(4)
        self.fc = torch.nn.Linear(48, CLASSES)
        self.lif1, self.lif2 = Neurons(0.9375), Neurons(0.875)

    def forward(self, x, mem1, mem2):
        current = self.bn(self.conv(x.reshape(BATCH, 1, 3, 4))).reshape(BATCH, 48)
        spikes, mem1 = self.lif1(current, mem1)
        spikes, mem2 = self.lif2(self.fc(spikes), mem2)
        return spikes, mem1, mem2


class Sequence(torch.nn.Module):
    """All steps of a network, as the exporter unrolls them: ``[T, B, 12] -> [T, B, 3]``."""

    def __init__(self, step: torch.nn.Module) -> None:
        super().__init__()
        self.step = step

    def forward(self, x):
        states, outputs = [torch.zeros(BATCH, width) for width in self.step.widths], []
        for t in range(STEPS):
            spikes, *states = self.step(x[t], *states)
            outputs.append(spikes)
        return torch.stack(outputs)


def export(module: torch.nn.Module, arguments: tuple, path: Path, **names) -> sl.Model:
    mode = torch.onnx.TrainingMode.TRAINING
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, arguments, str(path), dynamo=False, training=mode, do_constant_folding=False, **names)
    return sl.load(path)


def exported(step: torch.nn.Module, form: str, folder: Path) -> sl.Model:
    step = copy.deepcopy(step)
    x = torch.rand(STEPS, BATCH, INPUTS)  # the exporter runs it, which moves the statistics of the copy
    if form == "sequence":
        return export(Sequence(step), (x,), folder / "net.onnx", input_names=["x"], output_names=["spk"])
    states = [torch.zeros(BATCH, width) for width in step.widths]
    names = {"input_names": ["x", "mem1", "mem2"], "output_names": ["spk", "mem1_out", "mem2_out"]}
    return export(step, (x[0], *states), folder / "net.onnx", **names)


@pytest.mark.parametrize("form", ["step", "sequence"])
@pytest.mark.parametrize("network", [Dense, Convolutional])
def test_a_training_step_is_pytorchs(network: type, form: str, tmp_path: Path) -> None:
    """Loss, gradients and running statistics of a step; then inference with what it learned."""
    torch.manual_seed(3)
    step = network().train()
    model = exported(step, form, tmp_path)
    prefix = "step." if form == "sequence" else ""
    x, labels = binary(STEPS, BATCH, INPUTS, seed=4), torch.arange(BATCH) % CLASSES
    options = {"machine": "tiny", "batch": BATCH, "steps": STEPS}
    statistics = {prefix + name: value for name, value in step.named_buffers() if "running" in name}
    with sl.compile(model, train=TRAINING, **options).session() as session:
        session.weights = {name: value.numpy().copy() for name, value in statistics.items()}
        found = session.step(x.numpy(), labels.numpy(), gradients=True)
        weights = session.weights
    reference = Sequence(step)
    spikes = reference(x)
    assert 0 < spikes.mean() < 1
    loss = torch.nn.functional.cross_entropy(spikes.sum(0), labels)
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    wanted = {prefix + name: value.grad.numpy() for name, value in step.named_parameters()}
    assert set(found.gradients) == set(wanted), "statistics have no gradient"
    for name, gradient in wanted.items():
        # What a normalisation follows takes no bias: its gradient is rounding alone.
        if np.linalg.norm(gradient) > 1e-6:
            assert relative_error(found.gradients[name].reshape(gradient.shape), gradient) <= 1e-4, name
    for name, value in statistics.items():
        np.testing.assert_allclose(weights[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    with torch.no_grad():
        for name, value in step.named_parameters():
            value.copy_(torch.tensor(weights[prefix + name]).reshape(value.shape))
        expected = reference.eval()(x)
    with sl.compile(model, **options).session() as session:
        session.weights = weights
        assert np.array_equal(session.run(x.numpy())["spk"], expected.numpy())


def test_a_training_of_such_layers_continues_bit_for_bit(spikeloom, tmp_path: Path) -> None:
    """Statistics are in the checkpoint and in the file of parameters; what dropout drops belongs to the step."""
    torch.manual_seed(3)
    exported(Dense().train(), "step", tmp_path)
    np.save(tmp_path / "x.npy", binary(24, STEPS, INPUTS, seed=4).numpy())
    np.save(tmp_path / "y.npy", np.arange(24) % CLASSES)
    train = ["train", "net.onnx", "--machine=tiny", "--inputs=x.npy", "--labels=y.npy", f"--batch={BATCH}"]
    spikeloom(*train, "--epochs=3", "--save=whole.safetensors")
    spikeloom(*train, "--epochs=1", "--save=first.safetensors", "--checkpoint=p.ckpt")
    spikeloom(*train, "--epochs=3", "--save=parts.safetensors", "--resume=p.ckpt")
    assert (tmp_path / "parts.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    first, last = (load_file(tmp_path / f"{name}.safetensors") for name in ("first", "whole"))
    assert not np.array_equal(first["bn1.running_mean"], last["bn1.running_mean"])


class Folded(torch.nn.Module):
    """All steps at once through a layer ``[T * B, 12]``, as multi-step modules do it."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer, self.fc, self.lif = layer, torch.nn.Linear(INPUTS, CLASSES), Neurons(0.875)

    def forward(self, x):
        current = self.fc(self.layer(x.flatten(0, 1))).unflatten(0, (STEPS, BATCH))
        mem, outputs = torch.zeros(BATCH, CLASSES), []
        for t in range(STEPS):
            spikes, mem = self.lif(current[t], mem)
            outputs.append(spikes)
        return torch.stack(outputs)


def test_one_mean_over_all_steps_is_refused(tmp_path: Path) -> None:
    model = export(
        Folded(torch.nn.BatchNorm1d(INPUTS)).train(), (torch.rand(STEPS, BATCH, INPUTS),), tmp_path / "n.onnx"
    )
    with pytest.raises(
        sl.UserError, match=f"takes one mean over {STEPS} steps at once, but a network that runs step by"
    ):
        model.imported()


def test_dropout_of_all_steps_draws_for_every_step(tmp_path: Path) -> None:
    module = Folded(torch.nn.Dropout(RATE)).train()
    model = export(module, (torch.rand(STEPS, BATCH, INPUTS),), tmp_path / "net.onnx")
    text = model.imported().to_mlir()
    assert text.count("snn.dropout %in0 {rate = 2.5e-01 : f32, salt = 1 : i64}") == 1, "one operation, in the loop"
