# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads an ONNX file into a list of nodes that depend on its inputs, with everything else evaluated.

Exporters leave very different amounts of constant arithmetic behind (`Clip(beta, 0, 1)`, `Exp(-1/tau)`,
`Identity` aliases of merged initializers, `Constant` nodes). Here all of it becomes arrays, so that the
later steps see only what depends on the inputs, and each array still knows the initializers it came from.
"""

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
from onnx.reference import ReferenceEvaluator

from .problems import ImportFailed, Problem, ProblemList, Source
from .sources import metadata, node_source

_SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
_KIND = "pkg.torch.export.graph_signature.InputSpec.kind"
_FOLDED = "pkg.onnxscript.optimizer.folded_from"
# Results of these never depend on their operands alone, or are too large to be constants.
_NEVER_FOLD = {"Loop", "Scan", "If", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike",
               "Bernoulli", "Multinomial", "SequenceEmpty"}
_FOLD_LIMIT = 1 << 26


@dataclass(eq=False)
class Const:
    """A constant array, the initializers it was computed from, and whether it *is* one of them."""

    value: np.ndarray
    names: tuple[str, ...] = ()
    direct: bool = False
    source: Source = field(default_factory=Source)


@dataclass(eq=False)
class Node:
    """An ONNX node that depends on the graph's inputs. Attributes are plain Python values."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attrs: dict
    source: Source
    domain: str = ""


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
    """Reads the file and evaluates all constant nodes; what cannot be evaluated is reported as a problem."""
    model = read_model(path)
    graph = model.graph
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    constants: dict[str, Const] = {}
    for tensor in graph.initializer:
        try:
            constants[tensor.name] = Const(numpy_helper.to_array(tensor), (tensor.name,), True)
        except Exception as error:  # sizes that do not match the bytes, unknown element types
            problems.error(f"initializer '{tensor.name}' cannot be decoded: {error}")
            constants[tensor.name] = Const(np.zeros((), np.float32), (tensor.name,), True)
    for sparse in graph.sparse_initializer:
        problems.error(f"initializer '{sparse.values.name}' is a sparse tensor; store it as a dense one")
    inputs = [_port(v) for v in graph.input if v.name not in constants]
    nodes = _fold(model, {p.name for p in inputs}, constants, opset, problems)
    outputs = [_port(v) for v in graph.output]
    _check_defined(nodes, outputs, inputs, constants, problems)
    marks, folded = _parameter_marks(graph)
    return SourceGraph(path, graph.name, opset, inputs, outputs, nodes, constants, marks, folded,
                       _state_pairs(model), model)


def _port(value: onnx.ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    dims = None
    if tensor.HasField("shape"):
        dims = [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in tensor.shape.dim]
    return Port(value.name, dims, tensor.elem_type)


def _attribute(attribute: onnx.AttributeProto):
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value.decode() if isinstance(value, bytes) else value


def _fold(model, input_names: set[str], constants: dict[str, Const], opset: int,
          problems: ProblemList) -> list[Node]:
    """Splits the nodes into constant ones (evaluated into `constants`) and the rest (returned in order)."""
    kept: list[Node] = []
    for proto in model.graph.node:
        source = node_source(proto)
        used = [n for n in proto.input if n]
        foldable = proto.op_type not in _NEVER_FOLD and proto.domain in ("", "ai.onnx")
        if foldable and all(n in constants for n in used) and _evaluate(proto, used, constants, model, source):
            continue
        try:
            attrs = {a.name: _attribute(a) for a in proto.attribute}
        except (LookupError, TypeError, ValueError) as error:  # UnicodeDecodeError is a ValueError
            problems.error(f"{proto.op_type} has an attribute that cannot be decoded: {error}", source)
            attrs = {}
        kept.append(Node(proto.op_type, list(proto.input), list(proto.output), attrs, source, proto.domain))
    return kept


def _evaluate(proto, used: list[str], constants: dict[str, Const], model, source: Source) -> bool:
    """Runs one node on constants with the reference implementation; False if that is not possible."""
    outputs = [o for o in proto.output if o]
    if not outputs:
        return False
    if proto.op_type == "Identity" and len(used) == 1:
        constants[outputs[0]] = constants[used[0]]
        return True
    values = {n: constants[n].value for n in used}
    if sum(v.size for v in values.values()) > _FOLD_LIMIT:
        return False
    graph = onnx.helper.make_graph(
        [proto], "constant",
        [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
         for n, v in values.items()],
        [onnx.ValueInfoProto(name=o) for o in outputs])
    single = onnx.helper.make_model(graph, opset_imports=list(model.opset_import))
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(single).run(None, values)
    except Exception:  # unimplemented or ill-formed: the node stays and is reported where it is used
        return False
    names: dict[str, None] = {}
    for name in used:
        names.update(dict.fromkeys(constants[name].names))
    for output, value in zip(outputs, results, strict=True):
        constants[output] = Const(np.asarray(value), tuple(names), False, source)
    return True


def _check_defined(nodes, outputs, inputs, constants, problems: ProblemList) -> None:
    """A file whose nodes use values that nobody makes is damaged; say so instead of failing later."""
    known = {p.name for p in inputs} | set(constants)
    for node in nodes:
        for name in node.inputs:
            if name and name not in known:
                problems.error(f"{node.op} uses '{name}', which no node before it makes", node.source)
        known.update(node.outputs)
    for port in outputs:
        if port.name not in known:
            problems.error(f"no node makes the output '{port.name}'")


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
