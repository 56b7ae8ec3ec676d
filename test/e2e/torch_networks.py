# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small spiking network as a PyTorch module: one step with explicit states, and unrolled as PyTorch runs it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
pytest.importorskip("onnxscript", reason="PyTorch's exporter needs onnxscript: pip install onnxscript")

from torch_surrogates import fast_sigmoid_spikes  # noqa: E402

INPUTS, HIDDEN, CLASSES, STEPS = 12, 20, 3, 6
SLOPE = 5.0

spike = fast_sigmoid_spikes(SLOPE)


def is_exporting() -> bool:
    """Whether one of PyTorch's two exporters is looking."""
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()


class Neurons(torch.nn.Module):
    """Leaky neurons that lose the threshold in the step in which they fire."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def forward(self, current, mem):
        mem = self.decay * mem + current
        spikes = (mem - 1.0 > 0).float() if is_exporting() else spike(mem - 1.0)
        return spikes, mem - spikes.detach()


class Network(torch.nn.Module):
    """12-20-3, one time step: ``(x, mem1, mem2) -> (spikes, mem1, mem2)``."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.fc1 = torch.nn.Linear(INPUTS, HIDDEN)
        self.lif1 = Neurons(0.9375)
        self.fc2 = torch.nn.Linear(HIDDEN, CLASSES)
        self.lif2 = Neurons(0.875)
        with torch.no_grad():  # enough spikes, and sums that are exact in any order
            for linear in (self.fc1, self.fc2):
                linear.weight.copy_((linear.weight * 2.5 + 0.05).mul(64).round().div(64))
                linear.bias.copy_(linear.bias.mul(64).round().div(64))

    def forward(self, x, mem1, mem2):
        spikes, mem1 = self.lif1(self.fc1(x), mem1)
        spikes, mem2 = self.lif2(self.fc2(spikes), mem2)
        return spikes, mem1, mem2


def example(batch: int = 4) -> tuple:
    """Arguments of one step."""
    return torch.zeros(batch, INPUTS), torch.zeros(batch, HIDDEN), torch.zeros(batch, CLASSES)


def unrolled(network: Network, x, mem1=None, mem2=None):
    """Spikes ``[T, b, 3]`` and the last states of a sequence ``[T, b, 12]``."""
    batch = x.shape[1]
    mem1 = torch.zeros(batch, HIDDEN) if mem1 is None else mem1
    mem2 = torch.zeros(batch, CLASSES) if mem2 is None else mem2
    spikes = []
    for row in x:
        out, mem1, mem2 = network(row, mem1, mem2)
        spikes.append(out)
    return torch.stack(spikes), mem1, mem2


def binary(*shape: int, seed: int = 0):
    """A random sequence of zeros and ones."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(*shape, generator=generator) < 0.4).float()
