# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX graph to `Trace`: symbolic execution of every operator, with all loops unrolled."""

from .front import Traced, trace_graph

__all__ = ["Traced", "trace_graph"]
