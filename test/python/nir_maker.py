# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small NIR files, written as nir.write does but without its checks, so that they may also be wrong."""

import itertools

import h5py
import nir
import numpy as np

from spikeloom.importers import load_nir
from spikeloom.importers.evaluate import run_steps


def write(path, nodes, edges, *, metadata=None, version=None):
    """A file with nodes (of the nir package, dictionaries for sub-graphs, or raw parameters) and edges."""
    with h5py.File(path, "w") as file:
        file.create_dataset("version", data=version or nir.version, dtype=h5py.string_dtype())
        _graph(file.create_group("node"), nodes, edges, metadata or {})
    return path


def _graph(group, nodes, edges, metadata):
    group.create_dataset("type", data="NIRGraph", dtype=h5py.string_dtype())
    group.create_dataset("edges", data=np.array(edges, dtype=object).reshape(-1, 2), dtype=h5py.string_dtype())
    for key, value in metadata.items():
        group.create_dataset(f"metadata/{key}", data=value)
    inner = group.create_group("nodes")
    for name, node in nodes.items():
        child = inner.create_group(name)
        if isinstance(node, tuple):
            _graph(child, node[0], node[1], {})
            continue
        for key, value in (node if isinstance(node, dict) else node.to_dict()).items():
            if isinstance(value, str):
                child.create_dataset(key, data=value, dtype=h5py.string_dtype())
            elif key == "metadata":
                for name_, item in value.items():
                    child.create_dataset(f"metadata/{name_}", data=item)
            elif value is not None:
                child.create_dataset(key, data=value)


def chain(path, shape, *nodes, **more):
    """Input of a shape, the nodes a, b, c, … in a row, Output."""
    names = [chr(ord("a") + i) for i in range(len(nodes))]
    all_nodes = {"input": nir.Input(np.array(shape)), **dict(zip(names, nodes, strict=True)),
                 "output": nir.Output(np.array(more.pop("out", shape)))}
    path_names = ["input", *names, "output"]
    return write(path, all_nodes, list(itertools.pairwise(path_names)), **more)


def run(path, x, **options):
    """The outputs over time of a file for an input `[T, B, N]`: one array, or a dictionary of several."""
    model = load_nir(path, batch=x.shape[1], steps=len(x), **options)
    return run_model(model, x)


def run_model(model, x):
    states = {s.name: s.initial for s in model.states}
    outputs, _ = run_steps(model.step, {model.inputs[0].name: x.astype(np.float32)}, states)
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def spikes(steps, batch, width, rate=0.3, seed=0):
    """Random spikes `[T, B, N]`."""
    return (np.random.default_rng(seed).random((steps, batch, width)) < rate).astype(np.float32)


def lif(tau, *, r=1.0, leak=0.0, threshold=1.0, reset=0.0):
    """An LIF whose parameters are spread to the shape of the first array among them."""
    tau, r, leak, threshold, reset = np.broadcast_arrays(tau, r, leak, threshold, reset)
    return nir.LIF(tau=np.array(tau), r=np.array(r), v_leak=np.array(leak), v_threshold=np.array(threshold),
                   v_reset=np.array(reset))
