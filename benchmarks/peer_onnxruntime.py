# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inference of a feed-forward LIF network in onnxruntime, dense: prints the seconds of each run.

The graph is the one that suits a dense engine best: each layer is one product for all steps, followed by a Scan
of its neurons over time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


def neuron_body(decay: float) -> onnx.GraphProto:
    """One step of neurons with delayed subtracting reset: (state, current) -> (state, spikes)."""

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", "N"])

    constants = [numpy_helper.from_array(np.float32(decay), "decay"), numpy_helper.from_array(np.float32(1), "one")]
    nodes = [
        helper.make_node("Greater", ["v", "one"], ["over"]),
        helper.make_node("Cast", ["over"], ["reset"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["decay", "v"], ["kept"]),
        helper.make_node("Add", ["kept", "current"], ["sum"]),
        helper.make_node("Sub", ["sum", "reset"], ["next"]),
        helper.make_node("Greater", ["next", "one"], ["fires"]),
        helper.make_node("Cast", ["fires"], ["spikes"], to=TensorProto.FLOAT),
    ]
    inputs, outputs = [value("v"), value("current")], [value("next"), value("spikes")]
    return helper.make_graph(nodes, "neuron", inputs, outputs, constants)


def build(weights: dict[str, np.ndarray], x: np.ndarray, decay: float) -> onnx.ModelProto:
    """The whole network: x [T, B, N0] -> spk [T, B, N]."""
    nodes, constants, value = [], [], "x"
    for number in range(1, len(weights) + 1):
        weight = weights[f"fc{number}.weight"]
        constants.append(numpy_helper.from_array(np.ascontiguousarray(weight.T), f"w{number}"))
        constants.append(numpy_helper.from_array(np.zeros((x.shape[1], weight.shape[0]), "f4"), f"v{number}"))
        nodes.append(helper.make_node("MatMul", [value, f"w{number}"], [f"i{number}"]))
        outputs = [f"f{number}", f"s{number}"]
        body = neuron_body(decay)
        nodes.append(helper.make_node("Scan", [f"v{number}", f"i{number}"], outputs, body=body, num_scan_inputs=1))
        value = f"s{number}"
    shape = [*x.shape[:2], weight.shape[0]]
    nodes.append(helper.make_node("Identity", [value], ["spk"]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    outputs = [helper.make_tensor_value_info("spk", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "network", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Reads weights and input, and runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with weights.safetensors and x.npy")
    parser.add_argument("--decay", type=float, default=0.95)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2, help="runs that are timed, after one that is not")
    parser.add_argument("--output", type=Path, help="write the spikes here (.npy)")
    arguments = parser.parse_args()
    x = np.load(arguments.folder / "x.npy")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = arguments.threads
    settings.inter_op_num_threads = 1
    model = build(load_file(arguments.folder / "weights.safetensors"), x, arguments.decay)
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    for run in range(arguments.repeat + 1):
        start = time.perf_counter()
        spikes = session.run(["spk"], {"x": x})[0]
        if run:
            print(f"{time.perf_counter() - start:.4f}", flush=True)
    if arguments.output:
        np.save(arguments.output, spikes)


main()
