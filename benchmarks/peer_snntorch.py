# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training steps of a feed-forward LIF network in snnTorch, dense: prints the seconds of each step."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import snntorch
import torch
from safetensors.torch import load_file
from snntorch import surrogate


def main() -> None:
    """Reads weights, input and labels, and trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with weights.safetensors, x.npy and labels.npy")
    parser.add_argument("--decay", type=float, default=0.95)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2, help="steps that are timed, after one that is not")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    x = torch.from_numpy(np.load(arguments.folder / "x.npy"))
    labels = torch.from_numpy(np.load(arguments.folder / "labels.npy")).long()
    weights = load_file(arguments.folder / "weights.safetensors")
    linears, neurons = torch.nn.ModuleList(), torch.nn.ModuleList()
    for number in range(1, len(weights) + 1):
        weight = weights[f"fc{number}.weight"]
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        linear.weight = torch.nn.Parameter(weight)
        linears.append(linear)
        neurons.append(snntorch.Leaky(beta=arguments.decay, spike_grad=surrogate.fast_sigmoid(slope=25)))
    optimizer = torch.optim.Adam(linears.parameters(), 1e-9)
    for step in range(arguments.repeat + 1):
        start = time.perf_counter()
        optimizer.zero_grad()
        membranes = [torch.zeros(x.shape[1], linear.weight.shape[0]) for linear in linears]
        count = torch.zeros(x.shape[1], linears[-1].weight.shape[0])
        for value in x:
            for layer, (linear, neuron) in enumerate(zip(linears, neurons, strict=True)):
                value, membranes[layer] = neuron(linear(value), membranes[layer])
            count = count + value
        torch.nn.functional.cross_entropy(count, labels).backward()
        optimizer.step()
        if step:
            print(f"{time.perf_counter() - start:.4f}", flush=True)


main()
