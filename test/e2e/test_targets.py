# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training towards numbers for every step, beside PyTorch's mse_loss."""

from __future__ import annotations

import json

import numpy as np
import pytest
from torch_networks import CLASSES, HIDDEN, INPUTS, SLOPE, STEPS, Network, binary, example, torch

import spikeloom as sl
from spiking_models import relative_error

BATCH = 4
OPTIONS = {"machine": "tiny", "batch": BATCH, "steps": STEPS}


def goal(readout: str) -> sl.Training:
    return sl.Training("mse_target", readout, optimizer=sl.SGD(0.5), surrogate=f"fast_sigmoid:{SLOPE}")


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def reference(network: Network, x: torch.Tensor, target: torch.Tensor, readout: str) -> torch.Tensor:
    """The loss of a sequence `[T, b, 12]`; the target is `[T, b, 3]` or `[b, 3]`."""
    mem1, mem2 = torch.zeros(x.shape[1], HIDDEN), torch.zeros(x.shape[1], CLASSES)
    found = []
    for row in x:
        spikes, mem1, mem2 = network(row, mem1, mem2)
        found.append(spikes if readout == "output" else mem2)
    return torch.nn.functional.mse_loss(torch.stack(found), target.expand(len(x), *target.shape[-2:]))


@pytest.mark.parametrize("readout", ["output", "membrane_each"])
@pytest.mark.parametrize(("samples", "shape"), [(4, (STEPS, 4)), (3, (STEPS, 3)), (4, (4,))])
def test_a_step_is_pytorchs(readout: str, samples: int, shape: tuple[int, ...]) -> None:
    network = Network()
    x, target = binary(STEPS, samples, INPUTS, seed=2), numbers(*shape, CLASSES)
    with sl.compile(sl.from_torch(network, example()), train=goal(readout), **OPTIONS).session() as session:
        found = session.step(x.numpy(), target.numpy(), gradients=True)
    loss = reference(network, x, target, readout)
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    assert found.accuracy is None
    for name, value in network.named_parameters():
        assert relative_error(found.gradients[name], value.grad.numpy()) <= 1e-5, name


class Sequence(torch.nn.Module):
    """Samples first, `[B, T, 12] -> [B, T, 3]`, all steps in one graph."""

    def __init__(self) -> None:
        super().__init__()
        self.step = Network()

    def forward(self, x):
        mem1, mem2, found = torch.zeros(BATCH, HIDDEN), torch.zeros(BATCH, CLASSES), []
        for t in range(STEPS):
            spikes, mem1, mem2 = self.step(x[:, t], mem1, mem2)
            found.append(spikes)
        return torch.stack(found, 1)


def test_a_target_lies_as_the_output_of_the_file() -> None:
    module = Sequence()
    model = sl.from_torch(module, (torch.zeros(BATCH, STEPS, INPUTS),))
    x, target = binary(BATCH, STEPS, INPUTS, seed=2), numbers(BATCH, STEPS, CLASSES)
    with sl.compile(model, machine="tiny", train=goal("output")).session() as session:
        assert session.info.target.axes
        found = session.step(x.numpy(), target.numpy()).loss
        assert session.fit([(x, target)])[0].samples == BATCH
    expected = reference(module.step, x.swapaxes(0, 1), target.swapaxes(0, 1), "output")
    assert found == pytest.approx(expected.item(), rel=1e-5)


def test_fit_takes_targets_sample_first() -> None:
    network = Network()
    model = sl.from_torch(network, example())
    x, target = binary(6, STEPS, INPUTS, seed=2), numbers(6, STEPS, CLASSES)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, target), batch_size=BATCH)
    with sl.compile(model, train=goal("membrane_each"), **OPTIONS).session() as session:
        (found,) = session.fit(loader)
    assert (found.samples, found.steps, found.accuracy) == (6, 2, None)
    optimizer, total = torch.optim.SGD(network.parameters(), lr=0.5), 0.0
    for rows, wanted in loader:
        optimizer.zero_grad()
        loss = reference(network, rows.swapaxes(0, 1), wanted.swapaxes(0, 1), "membrane_each")
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    assert found.loss == pytest.approx(total / 6, rel=1e-4)


def test_micro_batches_have_their_targets() -> None:
    model = sl.from_torch(Network(), example())
    x, target = binary(STEPS, 4, INPUTS, seed=2).numpy(), numbers(STEPS, 4, CLASSES).numpy()
    with sl.compile(model, train=goal("output"), **OPTIONS).session() as whole:
        expected = whole.step(x, target)
    program = sl.compile(model, train=goal("output"), gradient_accumulation=2, **{**OPTIONS, "batch": 2})
    with program.session() as parts:
        assert parts.step(x, target).loss == pytest.approx(expected.loss, rel=1e-5)


def test_refusals(tmp_path) -> None:
    with sl.compile(sl.from_torch(Network(), example()), train=goal("output"), **OPTIONS).session() as session:
        x = binary(STEPS, 4, INPUTS).numpy()
        for wrong, message in (
            (np.zeros((STEPS, 3, CLASSES), np.float32), "the target has 3 samples, the input has 4"),
            (np.zeros((STEPS, 4, 4), np.float32), r"the target has shape \[6, 4, 4\]; \[6, 4, 3\] is wanted"),
            (np.full((4, CLASSES), np.nan, np.float32), "the target"),
        ):
            with pytest.raises(sl.UserError, match=message):
                session.step(x, wrong)
    (tmp_path / "net.mlir").write_text("")
    with pytest.raises(sl.UsageError, match="mse_target adds an input, which is for ONNX and NIR models only"):
        sl.compile(tmp_path / "net.mlir", train=goal("output"))
    model = sl.from_torch(torch.nn.Linear(INPUTS, CLASSES), (torch.zeros(4, INPUTS),))
    with pytest.raises(sl.UserError, match="a target is for a first output of every step"):
        sl.compile(model, train=goal("output"), machine="tiny")


def test_the_command_line_learns_a_target(spikeloom, net, data, tmp_path) -> None:
    """One unit rises in the first half, another in the second; what was learned is measured on test data, too."""
    target = np.zeros((30, 6, 3), np.float32)
    target[:, :3, 0] = target[:, 3:, 1] = 1
    np.save(tmp_path / "target.npy", target)
    train = [
        *["train", net, "--machine=tiny", "--inputs=x.npy", "--labels=target.npy", "--batch=8", "--epochs=12"],
        *["--loss=mse_target", "--readout=membrane_each", "--lr=0.02", "--save=w.safetensors", "--log=log.jsonl"],
        *["--test-inputs=x.npy", "--test-labels=target.npy", "--checkpoint=p.ckpt"],
    ]
    result = spikeloom(*train)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(line["accuracy"] is None for line in lines)
    losses = [line["test_loss"] for line in lines if "test_loss" in line]
    assert len(losses) == 12
    assert losses[-1] < 0.8 * losses[0]
    assert "accuracy" not in result.out
    assert f"test loss {losses[-1]:.4f}" in result.out
    spikeloom(*train, "--resume=p.ckpt")
    np.save(tmp_path / "target.npy", target[:, :, :2])
    refused = spikeloom(*train, code=1).err
    assert "--labels has shape [30, 6, 2]; targets [30, 6, 3] or [30, 3] are wanted" in refused
