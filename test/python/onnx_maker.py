# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds small ONNX step functions by hand, for network forms that no exported file has."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

BATCH = 4


class Maker:
    """Collects nodes; every method returns the name of the value it makes."""

    def __init__(self, seed: int = 0, batch: int = BATCH, scale: float = 0.6) -> None:
        self.generator = np.random.default_rng(seed)
        self.batch, self.scale = batch, scale
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.known: dict[tuple, str] = {}

    def node(self, op: str, *inputs: str, name: str = "", **attributes) -> str:
        out = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=f"node_{out}", **attributes))
        return out

    def array(self, name: str, value) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def number(self, value: float) -> str:
        """Equal numbers share one initializer, as exporters have it."""
        key = ("number", float(value))
        if key not in self.known:
            self.known[key] = self.array(f"c{len(self.known)}", np.float32(value))
        return self.known[key]

    def input(self, name: str, width: int, dtype: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, [self.batch, width]))
        return name

    def output(self, value: str, name: str, width: int, dtype: int = TensorProto.FLOAT) -> None:
        self.node("Identity", value, name=name)
        self.outputs.append(helper.make_tensor_value_info(name, dtype, [self.batch, width]))

    def give(self, width: int, **values: str) -> None:
        """Outputs of one width by name."""
        for name, value in values.items():
            self.output(value, name, width)

    def linear(self, x: str, name: str, n_out: int, n_in: int, *, weight=None) -> str:
        if weight is None:
            weight = self.generator.normal(0, self.scale, (n_out, n_in)).astype(np.float32)
        self.array(f"{name}.weight", weight)
        self.array(f"{name}.bias", self.generator.normal(0, 0.1, n_out).astype(np.float32))
        return self.node("Gemm", x, f"{name}.weight", f"{name}.bias", transB=1)

    def fires(self, v: str, threshold: str, op: str = "Greater") -> str:
        return self.node("Cast", self.node(op, self.node("Sub", v, threshold), self.number(0.0)), to=TensorProto.FLOAT)

    def leaky(self, x: str, state: str, width: int, *, beta: float | str = 0.9, reset: str = "subtract",
              op: str = "Greater", threshold: str = "") -> tuple[str, str]:
        """A snnTorch Leaky with delayed reset: (spikes, new membrane); the state becomes an input."""
        mem = self.input(state, width)
        theta = threshold or self.number(1.0)
        beta = beta if isinstance(beta, str) else self.number(beta)
        old = self.fires(mem, theta, op)
        kept = mem
        if reset == "zero":
            kept = self.node("Mul", self.node("Sub", self.number(1.0), old), mem)
        new = self.node("Add", self.node("Mul", beta, kept), x)
        if reset == "subtract":
            new = self.node("Sub", new, self.node("Mul", old, theta))
        return self.fires(new, theta, op), new

    def model(self, opset: int = 20) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "made", self.inputs, self.outputs, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)

    def save(self, path, opset: int = 20) -> str:
        onnx.save(self.model(opset), path)
        return str(path)


def iterate(path: str, sequence: np.ndarray, pairs: dict[str, str],
            states: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the ONNX reference implementation gives: every output stacked over time `[T, batch, N]`."""
    model = onnx.load(path)
    oracle = ReferenceEvaluator(model)
    names = [o.name for o in model.graph.output]
    first = model.graph.input[0].name
    rows = []
    for x in sequence:
        row = dict(zip(names, oracle.run(None, {first: x, **states}), strict=True))
        states = {s: row[o] for s, o in pairs.items()}
        rows.append(row)
    return {n: np.stack([r[n] for r in rows]) for n in names}
