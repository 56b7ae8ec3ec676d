# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training steps of a feed-forward LIF network in a PyTorch framework, dense: prints the seconds of each step.

Each framework is used the way that is fastest in it on a CPU: snnTorch steps through time; SpikingJelly's multi-step
modules make a layer's products for all steps at once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

Network = tuple[torch.nn.Module, Callable[[torch.Tensor], torch.Tensor]]


def snntorch_network(linears: torch.nn.ModuleList, decay: float) -> Network:
    """Leaky neurons; (modules, spikes [T, B, N] -> counts [B, classes])."""
    import snntorch
    from snntorch import surrogate

    surrogate_gradient = surrogate.fast_sigmoid(slope=25)
    neurons = torch.nn.ModuleList(snntorch.Leaky(beta=decay, spike_grad=surrogate_gradient) for _ in linears)

    def forward(x: torch.Tensor) -> torch.Tensor:
        membranes = [torch.zeros(x.shape[1], linear.out_features) for linear in linears]
        count = torch.zeros(x.shape[1], linears[-1].out_features)
        for value in x:
            for layer, (linear, neuron) in enumerate(zip(linears, neurons, strict=True)):
                value, membranes[layer] = neuron(linear(value), membranes[layer])
            count = count + value
        return count

    return torch.nn.ModuleList([linears, neurons]), forward


def spikingjelly_network(linears: torch.nn.ModuleList, decay: float) -> Network:
    """LIF nodes in multi-step mode with soft reset; (modules, spikes [T, B, N] -> counts [B, classes])."""
    from spikingjelly.activation_based import functional, layer, neuron

    modules: list[torch.nn.Module] = []
    for linear in linears:
        product = layer.Linear(linear.in_features, linear.out_features, bias=False)
        product.weight = linear.weight
        node = neuron.LIFNode(tau=1 / (1 - decay), decay_input=False, v_reset=None, detach_reset=True)
        modules += [product, node]
    network = torch.nn.Sequential(*modules)
    functional.set_step_mode(network, "m")

    def forward(x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(network)
        return network(x).sum(0)

    return network, forward


FRAMEWORKS = {"snntorch": snntorch_network, "spikingjelly": spikingjelly_network}


def main() -> None:
    """Reads weights, input and labels, and trains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with weights.safetensors, x.npy and labels.npy")
    parser.add_argument("framework", choices=FRAMEWORKS)
    parser.add_argument("--decay", type=float, default=0.95)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2, help="steps that are timed, after one that is not")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    x = torch.from_numpy(np.load(arguments.folder / "x.npy"))
    labels = torch.from_numpy(np.load(arguments.folder / "labels.npy")).long()
    weights = load_file(arguments.folder / "weights.safetensors")
    linears = torch.nn.ModuleList()
    for number in range(1, len(weights) + 1):
        weight = weights[f"fc{number}.weight"]
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        linear.weight = torch.nn.Parameter(weight)
        linears.append(linear)
    modules, forward = FRAMEWORKS[arguments.framework](linears, arguments.decay)
    optimizer = torch.optim.Adam(modules.parameters(), 1e-9)
    for step in range(arguments.repeat + 1):
        start = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(forward(x), labels).backward()
        optimizer.step()
        if step:
            print(f"{time.perf_counter() - start:.4f}", flush=True)


main()
