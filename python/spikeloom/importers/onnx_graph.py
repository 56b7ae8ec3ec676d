# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads an ONNX file into nodes with plain Python attributes, constants, and what exporters say about them."""

from __future__ import annotations

import ast
import os
import re
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx.checker
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from .problems import ImportFailed, Problem, ProblemList, Source
from .sources import metadata, node_source

_SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
_KIND = "pkg.torch.export.graph_signature.InputSpec.kind"
_FOLDED = "pkg.onnxscript.optimizer.folded_from"


@dataclass(eq=False)
class Const:
    """A constant array, the initializers it was computed from, and whether it *is* one of them.

    `affine` constants are the scale or shift of a normalisation, which train as weights and biases do.
    """

    value: np.ndarray
    names: tuple[str, ...] = ()
    direct: bool = False
    source: Source = field(default_factory=Source)
    affine: bool = False


@dataclass(eq=False)
class Node:
    """An ONNX node. Attributes are plain Python values, arrays, or a `Body`."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attrs: dict
    source: Source
    domain: str
    proto: onnx.NodeProto


@dataclass(eq=False)
class Body:
    """The graph of a Loop, Scan or If; it may use values of the graphs around it."""

    inputs: list[str]
    outputs: list[str]
    nodes: list[Node]
    constants: dict[str, Const]


@dataclass
class Port:
    """A graph input or output: name, dimensions (int, or the name of a dynamic one), element type."""

    name: str
    dims: list[int | str] | None
    elem_type: int

    @property
    def dtype(self) -> str:
        """The element type by its ONNX name in lower case, e.g. `float`, `bool`."""
        known = onnx.TensorProto.DataType.values()
        return onnx.TensorProto.DataType.Name(self.elem_type).lower() if self.elem_type in known else "unknown"


@dataclass
class SourceGraph:
    """The file as the importer sees it. `marks` is None when the exporter marked no parameters."""

    path: str
    name: str
    opset: int
    inputs: list[Port]
    outputs: list[Port]
    nodes: list[Node]
    constants: dict[str, Const]
    marks: set[str] | None
    folded_from: dict[str, list[str]]
    state_pairs: dict[str, str]
    model: onnx.ModelProto


def read_model(path: str) -> onnx.ModelProto:
    """Parses the file (and its external data); raises ImportFailed with what is wrong and what to do."""

    def refuse(message: str) -> ImportFailed:
        return ImportFailed(path, [Problem("error", message)])

    if not os.path.exists(path):
        raise refuse("the file does not exist")
    if os.path.isdir(path):
        raise refuse("this is a directory, an .onnx file is needed")
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        size = os.path.getsize(path)
        raise refuse(f"not a readable ONNX file: it is cut short or not ONNX at all ({size} bytes); "
                     f"export or copy it again ({error})") from error
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror or error}") from error
    if not model.graph.node and not model.graph.output:
        raise refuse("the file holds no graph (it is empty or not an ONNX model)")
    if _has_damaged_text(model.graph):
        raise refuse("the file is damaged: names in it are not valid text; export or copy it again")
    missing = sorted({entry.value for tensor in model.graph.initializer for entry in tensor.external_data
                      if entry.key == "location"
                      and not os.path.exists(os.path.join(os.path.dirname(path), entry.value))})
    if missing:
        raise refuse(f"its weights are in the file{'s' if len(missing) > 1 else ''} {', '.join(missing)}, "
                     "which must lie beside it")
    try:
        onnx.load_external_data_for_model(model, os.path.dirname(os.path.abspath(path)))
        return onnx.inliner.inline_local_functions(model) if model.functions else model
    except Exception as error:  # onnx raises its own, protobuf's and C++ exceptions here
        raise refuse(f"its external data or local functions cannot be read: {error}") from error


def _has_damaged_text(graph: onnx.GraphProto) -> bool:
    """Whether protobuf hands out bytes where a string field is not UTF-8."""
    texts: list = [graph.name, *(t.name for t in graph.initializer)]
    texts += [x for t in graph.initializer for e in t.external_data for x in (e.key, e.value)]
    for proto in (*graph.node, *graph.input, *graph.output, *graph.value_info):
        texts += [proto.name, proto.doc_string, *(x for p in proto.metadata_props for x in (p.key, p.value))]
    for node in graph.node:
        texts += [node.op_type, node.domain, *node.input, *node.output, *(a.name for a in node.attribute)]
    texts += [x for p in graph.metadata_props for x in (p.key, p.value)]
    return any(isinstance(text, bytes) for text in texts)


def load_graph(path: str, problems: ProblemList) -> SourceGraph:
    """Reads the file; what cannot be read is reported as a problem."""
    model = read_model(path)
    graph = model.graph
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    body = _body(graph, problems)
    inputs = [_port(v) for v in graph.input if v.name not in body.constants]
    outputs = [_port(v) for v in graph.output]
    _check_defined(body, {p.name for p in inputs}, problems)
    marks, folded = _parameter_marks(graph)
    return SourceGraph(path, graph.name, opset, inputs, outputs, body.nodes, body.constants, marks, folded,
                       _state_pairs(model), model)


def _body(graph: onnx.GraphProto, problems: ProblemList) -> Body:
    """Nodes and initializers of a graph; `Constant` nodes become constants."""
    constants: dict[str, Const] = {}
    for tensor in graph.initializer:
        try:
            constants[tensor.name] = Const(numpy_helper.to_array(tensor), (tensor.name,), True)
        except Exception as error:  # sizes that do not match the bytes, unknown element types
            problems.error(f"initializer '{tensor.name}' cannot be decoded: {error}")
            constants[tensor.name] = Const(np.zeros((), np.float32), (tensor.name,), True)
    for sparse in graph.sparse_initializer:
        problems.error(f"initializer '{sparse.values.name}' is a sparse tensor; store it as a dense one")
    nodes = []
    for proto in graph.node:
        source = node_source(proto)
        try:
            attrs = {a.name: _attribute(a, problems) for a in proto.attribute}
        except (LookupError, TypeError, ValueError) as error:  # UnicodeDecodeError is a ValueError
            problems.error(f"{proto.op_type} has an attribute that cannot be decoded: {error}", source)
            attrs = {}
        value = _literal(attrs) if proto.op_type == "Constant" else None
        if value is not None and len(proto.output) == 1:
            constants[proto.output[0]] = Const(value, (), False, source)
        else:
            nodes.append(Node(proto.op_type, list(proto.input), list(proto.output), attrs, source, proto.domain, proto))
    return Body([v.name for v in graph.input], [v.name for v in graph.output], nodes, constants)


def _literal(attrs: dict) -> np.ndarray | None:
    """The array of a `Constant` node, in any of the forms it has."""
    if isinstance(attrs.get("value"), np.ndarray):
        return attrs["value"]
    for key, dtype in (("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64),
                       ("value_ints", np.int64)):
        if key in attrs:
            return np.asarray(attrs[key], dtype)
    return None


def _port(value: onnx.ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    dims = None
    if tensor.HasField("shape"):
        dims = [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in tensor.shape.dim]
    return Port(value.name, dims, tensor.elem_type)


def _attribute(attribute: onnx.AttributeProto, problems: ProblemList):
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.GraphProto):
        return _body(value, problems)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, list):
        return [v.decode() if isinstance(v, bytes) else v for v in value]
    return value.decode() if isinstance(value, bytes) else value


def _check_defined(body: Body, around: set[str], problems: ProblemList) -> None:
    """A file whose nodes use values that nobody makes is damaged; say so instead of failing later."""
    known = around | set(body.inputs) | set(body.constants)
    later = {name for node in body.nodes for name in node.outputs}
    for node in body.nodes:
        for name in node.inputs:
            if name and name not in known:
                why = "which only this or a later node makes: the graph is cyclic or out of order" if name in later \
                    else "which is no input or initializer and which no node makes"
                problems.error(f"{node.op} uses '{name}', {why}", node.source)
        for inner in node.attrs.values():
            if isinstance(inner, Body):
                _check_defined(inner, known, problems)
        known.update(node.outputs)
    for name in body.outputs:
        if name not in known:
            problems.error(f"no node makes the output '{name}'")


def check_valid(path: str, model: onnx.ModelProto, problems: ProblemList) -> None:
    """Ask the ONNX checker, which sees wrong attributes and types, once nothing else is wrong."""
    try:
        onnx.checker.check_model(path if any(t.external_data for t in model.graph.initializer) else model)
    except Exception as error:  # ValidationError, and C++ exceptions for files that are damaged in odd ways
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        problems.error(f"the file is not valid ONNX: {first}")


def _parameter_marks(graph: onnx.GraphProto) -> tuple[set[str] | None, dict[str, list[str]]]:
    """What torch.export said about initializers: names of parameters, and what was folded into which."""
    marks: set[str] = set()
    signature = metadata(graph).get(_SIGNATURE, "")
    marks.update(re.findall(r"PARAMETER target='([^']+)'", signature))
    folded: dict[str, list[str]] = {}
    seen = bool(signature)
    for value in graph.value_info:
        props = metadata(value)
        if props.get(_KIND) == "PARAMETER":
            marks.add(value.name)
            seen = True
        if _FOLDED in props:
            try:
                folded[value.name] = [str(n) for n in ast.literal_eval(props[_FOLDED])]
            except (ValueError, SyntaxError):
                continue
    return (marks if seen else None), folded


def _state_pairs(model: onnx.ModelProto) -> dict[str, str]:
    """`spikeloom.states` = `in=out,…` in the metadata of the model or graph."""
    text = metadata(model).get("spikeloom.states") or metadata(model.graph).get("spikeloom.states") or ""
    pairs = (item.split("=", 1) for item in text.replace(";", ",").split(",") if "=" in item)
    return {a.strip(): b.strip() for a, b in pairs}
