# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Delayed match to sample in spikes: memory over a delay that no single neuron can bridge.

A cue (one of two input populations fires) is followed by silence and a probe; the network says whether the probe was
the cue again. The silence lasts more than five membrane time constants, so a neuron without recurrence forgets the
cue: the same network without recurrent weights stays at chance.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import spikeloom as sl

INPUTS, HIDDEN, CLASSES, BATCH = 40, 64, 2, 128
DECAY = 0.8  # a step; the membrane time constant is -1/ln(DECAY) = 4.5 steps
CUE, DELAY, PROBE, REST = 5, 25, 5, 5
STEPS = CUE + DELAY + PROBE + REST
ACTIVE, SILENT = 0.52, 0.02  # firing probabilities of an input neuron in a step


def draw_batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Spikes [T, B, inputs] float32 and labels [B]: 1 where cue and probe are the same population."""
    cue, probe = rng.integers(0, 2, BATCH), rng.integers(0, 2, BATCH)
    population = np.arange(INPUTS) * 2 // INPUTS
    probability = np.zeros((STEPS, BATCH, INPUTS))
    for start, length, which in ((0, CUE, cue), (CUE + DELAY, PROBE, probe)):
        probability[start : start + length] = np.where(population == which[:, None], ACTIVE, SILENT)
    return (rng.random(probability.shape) < probability).astype(np.float32), (cue == probe).astype(np.int32)


def draw_weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights [out, in]; recurrent ones are strong enough for activity that sustains itself."""
    shapes = {"input": (HIDDEN, INPUTS, 1.5), "recurrent": (HIDDEN, HIDDEN, 2.0), "readout": (CLASSES, HIDDEN, 1.0)}
    return {
        f"{name}.weight": (rng.standard_normal((out, fan_in)) * gain / math.sqrt(fan_in)).astype(np.float32)
        for name, (out, fan_in, gain) in shapes.items()
    }


def write_network(path: Path, weights: dict[str, np.ndarray], recurrent: bool) -> None:
    """A step function as exporters write it: (x, v, z, o) -> (logits, v_out, z_out, o_out)."""
    constants = {"decay": DECAY, "threshold": 1.0}
    initializers = [numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()]
    initializers += [numpy_helper.from_array(value, name) for name, value in weights.items()]
    nodes = [helper.make_node("Gemm", ["x", "input.weight"], ["current"], transB=1)]
    if recurrent:
        nodes += [
            helper.make_node("Gemm", ["z", "recurrent.weight"], ["feedback"], transB=1),
            helper.make_node("Add", ["current", "feedback"], ["drive"]),
        ]
    nodes += [
        helper.make_node("Mul", ["v", "decay"], ["kept"]),
        helper.make_node("Add", ["kept", "drive" if recurrent else "current"], ["charged"]),
        helper.make_node("Greater", ["v", "threshold"], ["fired_before"]),
        helper.make_node("Cast", ["fired_before"], ["reset"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["charged", "reset"], ["v_out"]),
        helper.make_node("Greater", ["v_out", "threshold"], ["fires"]),
        helper.make_node("Cast", ["fires"], ["z_out"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["z_out", "readout.weight"], ["evidence"], transB=1),
        helper.make_node("Mul", ["o", "decay"], ["kept_o"]),
        helper.make_node("Add", ["kept_o", "evidence"], ["o_out"]),
    ]
    states = {"v": HIDDEN, "o": CLASSES} | ({"z": HIDDEN} if recurrent else {})

    def value(name: str, units: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, units])

    inputs = [value("x", INPUTS), *(value(name, units) for name, units in states.items())]
    outputs = [value(f"{name}_out", units) for name, units in sorted(states.items())]  # the readout's comes first
    used = [i for i in initializers if recurrent or i.name != "recurrent.weight"]
    graph = helper.make_graph(nodes, "delayed_match", inputs, outputs, used)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def accuracy(session: sl.Session, seed: int, batches: int = 16) -> float:
    """Share of right answers for trials that training never saw; leaves the weights alone."""
    rng, rate = np.random.default_rng(seed), session.learning_rate
    session.learning_rate = 0.0
    right = np.mean([session.step(*draw_batch(rng)).accuracy for _ in range(batches)])
    session.learning_rate = rate
    return float(right)


def train(recurrent: bool, options: argparse.Namespace) -> float:
    """Trains a network from random weights; returns its accuracy afterwards."""
    rng = np.random.default_rng(options.seed)
    training = sl.Training(readout="membrane_last", surrogate="fast_sigmoid:5", optimizer=sl.Adam(options.lr))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "delayed_match.onnx"
        write_network(path, draw_weights(rng), recurrent)
        program = sl.compile(path, machine=options.machine, steps=STEPS, train=training)
    with program.session(threads=options.threads) as session:
        for step in range(1, options.train_steps + 1):
            result = session.step(*draw_batch(rng))
            if step % 100 == 0 or step == options.train_steps:
                print(f"  step {step:5}: loss {result.loss:.3f}, accuracy {accuracy(session, seed=1, batches=4):.3f}")
        return accuracy(session, seed=2)


def main() -> int:
    """Trains with and without recurrence; 0 if the first learns and the second cannot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-steps", type=int, default=300)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--machine", default="bow")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    constant = -1 / math.log(DECAY)
    print(f"delay {DELAY} steps = {DELAY / constant:.1f} membrane time constants of {constant:.2f} steps")
    found = {}
    for recurrent in (True, False):
        name = "with recurrence" if recurrent else "without recurrence"
        print(f"{name}:", flush=True)
        found[recurrent] = train(recurrent, options)
        print(f"  {found[recurrent]:.1%} of 2048 new trials right")
    return 0 if found[True] >= 0.9 and found[False] < 0.6 else 1


if __name__ == "__main__":
    sys.exit(main())
