# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads a NIR file. HDF5 groups become nodes of the `nir` package, one by one, so that all problems are told."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field

import h5py
import nir
import numpy as np

from .problems import ImportFailed, Problem, ProblemList, Source

KINDS = ("Affine", "AvgPool2d", "Conv1d", "Conv2d", "CubaLI", "CubaLIF", "Delay", "Flatten", "I", "IF", "Input", "LI",
         "LIF", "Linear", "Output", "Scale", "SumPool2d", "Threshold")
NEURONS = ("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF")
VERSIONS = (0, 1)
MAX_BYTES = 1 << 32  # an array that a file may declare; more is a damaged or hostile file, not a network
_POSITIVE = ("tau", "tau_syn", "tau_mem")
_WHOLE = {"stride": 0, "padding": 0, "dilation": 0, "kernel_size": 0, "groups": 1, "start_dim": 1, "end_dim": 1}


@dataclass
class RawNode:
    """A node of the file, under its name in its own graph."""

    name: str
    node: nir.NIRNode
    metadata: dict = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The NIR primitive, such as `LIF`."""
        return type(self.node).__name__


@dataclass
class RawGraph:
    """A graph of the file; `nodes` may be graphs again. `path` is its dotted name, empty for the whole file."""

    path: str
    nodes: dict[str, RawNode | RawGraph]
    edges: list[tuple[str, str]]
    metadata: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Unread:
    """An array that is not read, and why."""

    reason: str


def read_nir(path: str, problems: ProblemList) -> RawGraph:
    """The graph of a file. What is wrong with single nodes goes to `problems`; without a graph, raises ImportFailed."""

    def refuse(message: str) -> ImportFailed:
        return ImportFailed(path, [*problems.items, Problem("error", message)])

    if not os.path.exists(path):
        raise refuse("the file does not exist")
    if os.path.isdir(path):
        raise refuse("this is a directory, a .nir file is needed")
    try:
        with h5py.File(path, "r") as file:
            if "__type__" in file.attrs:
                raise refuse("this is NIR data (recordings of nodes), not a NIR graph; give the graph's own file")
            content = _load(file)
    except (ImportFailed, MemoryError):
        raise
    except RecursionError as error:
        raise refuse("its sub-graphs are nested too deep, or in a circle") from error
    except Exception as error:  # the HDF5 library reports damage by errors of many kinds
        raise refuse(f"not a readable NIR file: {error} ({os.path.getsize(path)} bytes); write or copy it again") \
            from error
    if not isinstance(content.get("node"), dict):
        raise refuse("not a NIR file: it has no group 'node'; write it with nir.write")
    _check_version(content.get("version"), problems)
    top = _read(content["node"], "", problems)
    if isinstance(top, RawNode):  # nir.write also takes a single node
        shape_in, shape_out = top.node.input_type["input"], top.node.output_type["output"]
        return RawGraph("", {"input": RawNode("input", nir.Input(shape_in)), "node": top,
                             "output": RawNode("output", nir.Output(shape_out))},
                        [("input", "node"), ("node", "output")])
    return top if top is not None else RawGraph("", {}, [])


def _load(group: h5py.Group) -> dict:
    """Groups as dictionaries, data sets as numbers, texts and arrays."""
    found: dict = {}
    for name, item in group.items():
        key = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        if isinstance(item, h5py.Group):
            found[key] = _load(item)
        elif isinstance(item, h5py.Dataset):
            found[key] = _array(item)
    return found


def _array(item: h5py.Dataset):
    """The content of a data set. Reading types that NIR does not use may crash the HDF5 library on damaged files."""
    if item.dtype.kind not in "fiub" and h5py.check_string_dtype(item.dtype) is None:
        return Unread(f"holds {item.dtype}; numbers are needed")
    if item.size is None or item.nbytes > MAX_BYTES:
        return Unread(f"declares an array of shape {list(item.shape or ())} ({item.nbytes:.3g} bytes); at most "
                      f"{MAX_BYTES:.3g} bytes are read")
    value = item[()]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _check_version(text, problems: ProblemList) -> None:
    if not isinstance(text, str):
        problems.warn("the file does not say its NIR version; it is read as version 1")
        return
    major = text.split(".")[0]
    if not (major.isascii() and major.isdigit() and int(major) in VERSIONS):
        problems.error(f"the file is of NIR version '{text}'; versions {VERSIONS[0]}.x and {VERSIONS[-1]}.x are read. "
                       "Write it with a nir package of such a version")


def _read(content: dict, path: str, problems: ProblemList) -> RawNode | RawGraph | None:
    """A node or graph; None if it is refused."""
    kind = content.get("type")
    source = Source(path)
    if not isinstance(kind, str):
        problems.error("the node does not say its type", source)
        return None
    if kind == "NIRGraph":
        return _read_graph(content, path, problems)
    if kind not in KINDS:
        problems.error(f"unknown kind of node '{kind[:40]}'; NIR has {', '.join(KINDS)} and NIRGraph", source)
        return None
    before = len(problems.items)
    values = {key: _value(item, key, source, problems) for key, item in content.items()
              if not isinstance(item, dict) and key != "type"}
    if kind in NEURONS:
        _spread(values)
    _check_fields(kind, values, source, problems)
    _check_values(kind, values, source, problems)
    if any(p.severity == "error" for p in problems.items[before:]):
        return None
    try:
        node = nir.dict2NIRNode({"type": kind, **values})
    except Exception as error:  # its checks are assertions and errors of many kinds
        problems.error(f"this {kind} is refused by the nir package: {error or type(error).__name__}", source)
        return None
    return RawNode(path.rpartition(".")[2] if path else kind, node, _metadata(content))


def _read_graph(content: dict, path: str, problems: ProblemList) -> RawGraph:
    graph = RawGraph(path, {}, [], _metadata(content))
    place = f"sub-graph '{path}'" if path else "the graph"
    nodes = content.get("nodes")
    if isinstance(nodes, dict):
        for key, item in nodes.items():
            full = f"{path}.{key}" if path else key
            if not isinstance(item, dict):
                problems.error("it is no node (an array where a group is needed)", Source(full))
                continue
            found = _read(item, full, problems)
            if isinstance(found, RawNode):
                found.name = key
            # A refused node keeps its place, so that edges to it are not blamed as well.
            graph.nodes[key] = found if found is not None else RawNode(key, nir.Input(None))
    else:
        problems.error(f"{place} has no nodes")
    edges = content.get("edges")
    if not isinstance(edges, np.ndarray):
        problems.error(f"{place} has no edges")
    elif edges.size and (edges.ndim != 2 or edges.shape[1] != 2):
        problems.error(f"the edges of {place} have shape {list(edges.shape)}; pairs of node names, [N, 2], are needed")
    elif edges.size:
        for pair in edges:
            names = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in pair]
            if not all(isinstance(name, str) for name in names):
                problems.error(f"{place} has an edge that is not two names: {list(pair)}")
            else:
                graph.edges.append((names[0], names[1]))
    return graph


def _metadata(content: dict) -> dict:
    """The flat part of a node's metadata."""
    found = content.get("metadata")
    return {k: v for k, v in found.items() if not isinstance(v, (dict, Unread))} if isinstance(found, dict) else {}


def _value(item, key: str, source: Source, problems: ProblemList):
    """An array, a number or a text; None with a problem for what is neither."""
    if isinstance(item, str):
        return item
    if isinstance(item, Unread):
        problems.error(f"'{key}' {item.reason}", source)
        return None
    if np.asarray(item).dtype.kind not in "fiub":
        problems.error(f"'{key}' holds {np.asarray(item).dtype}; numbers are needed", source)
        return None
    return item


def _spread(values: dict) -> None:
    """Scalars among the arrays of a neuron (some exporters write them) become arrays of its shape."""
    shapes = [np.shape(v) for v in values.values() if np.ndim(v)]
    for key, value in values.items():
        if value is not None and not isinstance(value, str):
            values[key] = np.array(np.broadcast_to(value, shapes[0])) if shapes and np.ndim(value) == 0 \
                else np.asarray(value)


def _check_fields(kind: str, values: dict, source: Source, problems: ProblemList) -> None:
    """Names the parameters that are missing or that NIR does not know."""
    if kind in ("Input", "Output"):
        required, known = {"shape"}, {"shape"}
    else:
        fields = [f for f in dataclasses.fields(getattr(nir, kind))
                  if f.init and f.name not in ("output_type", "metadata")]
        required = {f.name for f in fields if f.default is dataclasses.MISSING} - {"input_type"}
        if kind.startswith("Conv"):
            required.discard("input_shape")
            values.setdefault("input_shape", None)
        known = {f.name for f in fields}
    for name in sorted(required - set(values)):
        problems.error(f"this {kind} lacks the parameter '{name}'", source)
    for name in sorted(set(values) - known):
        problems.error(f"this {kind} has the parameter '{name}', which NIR does not define", source)


def _check_values(kind: str, values: dict, source: Source, problems: ProblemList) -> None:
    """Numbers that no node of this kind can have."""
    shapes = {np.shape(v) for v in values.values() if v is not None and not isinstance(v, str)}
    if kind in NEURONS and len(shapes) > 1:
        problems.error(f"the parameters of this {kind} have different shapes: "
                       + ", ".join(f"{k} {list(np.shape(v))}" for k, v in values.items()), source)
    weight, bias = values.get("weight"), values.get("bias")
    if kind == "Affine" and np.ndim(weight) >= 2 and bias is not None \
            and np.shape(bias) not in ((), (*np.shape(weight)[:-2], np.shape(weight)[-2])):
        problems.error(f"the bias has shape {list(np.shape(bias))}, the weight {list(np.shape(weight))}", source)
    rank = {"Conv1d": 1, "Conv2d": 2, "SumPool2d": 2, "AvgPool2d": 2}.get(kind, 0)
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, str):
            if name != "padding" or value not in ("same", "valid"):
                allowed = "numbers, 'same' or 'valid'" if name == "padding" else "numbers"
                problems.error(f"'{name}' is '{value[:40]}'; {allowed} are needed", source)
            continue
        array = np.asarray(value)
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(np.float32))
        if not finite.all():
            bad = int(array.size - np.count_nonzero(finite))
            problems.error(f"'{name}' holds {bad} values that are not finite numbers of float32", source)
        elif name in _POSITIVE and array.size and array.min() <= 0:
            problems.error(f"the time constant '{name}' must be positive; its least value is {array.min():.6g}", source)
        elif kind == "Delay" and array.size and array.min() < 0:
            problems.error(f"a delay cannot be negative; its least value is {array.min():.6g}", source)
        elif name in ("shape", "input_shape", "input_type") and (array.ndim > 1 or not _whole(array, 1)):
            problems.error(f"'{name}' is {array.tolist()}; a list of sizes of at least 1 is needed", source)
        elif name in _WHOLE and (array.size not in (1, _WHOLE[name] or rank) or not _whole(array, -1 << 31)):
            problems.error(f"'{name}' is {array.tolist()}; whole numbers ({_WHOLE[name] or rank}) are needed", source)
        elif kind.startswith("Conv") and name == "weight" and array.ndim != rank + 2:
            problems.error(f"the weight of this {kind} has shape {list(array.shape)}; {rank + 2} dimensions (out, in / "
                           "groups, kernel) are needed", source)


def _whole(array: np.ndarray, least: int) -> bool:
    return bool(np.all(array == np.floor(array)) and np.all(array >= least))
