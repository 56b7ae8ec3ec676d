# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds the user's own source line in what the two PyTorch exporters leave on ONNX nodes."""

from __future__ import annotations

import ast
import re

import onnx

from .problems import Source

_TRACE_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_DOC_FRAME = re.compile(r"^(.+)\((\d+)\): ")


def metadata(proto) -> dict[str, str]:
    """The `metadata_props` of any ONNX proto as a dictionary."""
    return {p.key: p.value for p in getattr(proto, "metadata_props", [])}


def node_source(node: onnx.NodeProto) -> Source:
    """Node name, module path and source line; the first output names a node that has no name."""
    name = node.name or next((o for o in node.output if o), node.op_type)
    props = metadata(node)
    file, line = _from_trace(props.get("pkg.torch.onnx.stack_trace", ""))
    if not file:
        file, line = _from_doc_string(node.doc_string)
    return Source(name, file, line, _scope(props, node))


def _from_trace(trace: str) -> tuple[str, int]:
    """torch.export: the outermost frame comes first and is the line in the user's model."""
    frame = _TRACE_FRAME.search(trace)
    return (frame.group(1), int(frame.group(2))) if frame else ("", 0)


def _from_doc_string(doc: str) -> tuple[str, int]:
    """TorchScript with verbose=True: innermost frame first; tracing machinery follows the model."""
    best = ("", 0)
    for text in doc.splitlines():
        frame = _DOC_FRAME.match(text)
        if not frame:
            continue
        if "torch/jit/" in frame.group(1) or "torch/onnx/" in frame.group(1):
            break
        if not re.search(r"(^|/)torch/", frame.group(1)):
            best = (frame.group(1), int(frame.group(2)))
    return best


def _scope(props: dict[str, str], node: onnx.NodeProto) -> str:
    """The module path (`lif1`), from the exporter's scopes or from a slash-separated value name."""
    scopes = props.get("pkg.torch.onnx.name_scopes", "")
    if scopes:
        try:
            parts = [str(p) for p in ast.literal_eval(scopes)]
        except (ValueError, SyntaxError):
            parts = []
        return next((p for p in reversed(parts[:-1]) if p), "")
    for name in (node.name, *node.output):
        if name.startswith("/") and name.count("/") > 1:
            return name[1:].rsplit("/", 1)[0].replace("/", ".")
    return ""
