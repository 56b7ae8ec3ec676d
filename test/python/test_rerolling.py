# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loops over time found again: in traces built by hand, which show one thing each, and in exported files."""

from pathlib import Path

import numpy as np
import pytest

from spikeloom.importers import load_onnx
from spikeloom.importers.builder import Builder
from spikeloom.importers.canonical import canonical
from spikeloom.importers.conformance import examine
from spikeloom.importers.evaluate import run_program
from spikeloom.importers.ir import Parameter, Trace, TraceInput, TraceOutput, Value
from spikeloom.importers.problems import ProblemList
from spikeloom.importers.programs import scans
from spikeloom.importers.rerolling import reroll, reroll_repeats
from spikeloom.importers.rerolling.repeats import find_repeats

DATA = Path(__file__).parent / "data"
BATCH, STEPS, WIDTH = 3, 6, 4
SEQUENCES = sorted(p.stem for p in DATA.glob("*.onnx") if "__step" not in p.stem)


class Unrolled:
    """A network written step by step, as frameworks unroll it."""

    def __init__(self, steps: int = STEPS) -> None:
        self.steps = steps
        self.build = Builder()
        self.rows = [Value(WIDTH, "f32", None, f"x[{t}]") for t in range(steps)]
        weights = np.random.default_rng(0).normal(0, 0.8, (3, WIDTH, WIDTH)).astype(np.float32)
        self.weights = [Parameter(f"w{i}", w, True) for i, w in enumerate(weights)]
        self.outputs: list[TraceOutput] = []

    def linear(self, x: Value, layer: int = 0) -> Value:
        return self.build.make("linear", [x], WIDTH, params={"weight": self.weights[layer]})

    def const(self, number: float) -> Value:
        return self.build.const(number, WIDTH)

    def __getattr__(self, kind: str):
        return lambda a, b: self.build.binary(kind, a, b)

    def lif(self, current: Value, mem: Value | None) -> tuple[Value, Value]:
        """snnTorch's: the reset asks the old membrane; a first step without state has neither decay nor reset."""
        spikes = self.build.tofloat(self.build.compare("ogt", mem, self.const(1.0))) if mem is not None else None
        new = current if mem is None else self.sub(self.add(self.mul(mem, self.const(0.9)), current), spikes)
        return self.build.tofloat(self.build.compare("ogt", new, self.const(1.0))), new

    def output(self, name: str, rows: list[Value]) -> None:
        axes = "TBN" if len(rows) > 1 else "BN"
        self.outputs.append(TraceOutput(name, rows, axes, (self.steps, BATCH, WIDTH)[-len(axes):]))

    def trace(self) -> Trace:
        inputs = [TraceInput("x", self.rows, "TBN", (self.steps, BATCH, WIDTH))]
        return Trace("net", BATCH, inputs, self.outputs, self.build.ops)


def rolled(net: Unrolled):
    """The program, which has been compared with the trace on random numbers already."""
    problems = ProblemList()
    program = reroll(net.trace(), problems)
    assert not problems.items, [str(p) for p in problems.items]
    return program


def two_layers(time_major: bool) -> Unrolled:
    net = Unrolled()
    if time_major:
        mem = [None, None]
        rows = []
        for x in net.rows:
            spikes, mem[0] = net.lif(net.linear(x), mem[0])
            spikes, mem[1] = net.lif(net.linear(spikes, 1), mem[1])
            rows.append(spikes)
    else:
        rows = net.rows
        for layer in range(2):
            currents, mem = [net.linear(x, layer) for x in rows], None
            rows = []
            for current in currents:
                spikes, mem = net.lif(current, mem)
                rows.append(spikes)
    net.output("y", rows)
    return net


def test_layer_major_and_time_major_give_the_same_loop():
    programs = [rolled(two_layers(major)) for major in (True, False)]
    for program in programs:
        (scan,) = scans(program)
        assert len(program.items) == 1
        assert [s.init for s in scan.states] == [0.0, 0.0]
        assert not any(op.kind == "tofloat" and op.result in [s.next for s in scan.states] for op in scan.ops)
    assert canonical(programs[0]) == canonical(programs[1])


def test_dead_updates_of_the_last_step():
    net = Unrolled()
    mem = net.const(0.0)
    rows = []
    for x in net.rows:  # the output is computed from the state before the step's input
        rows.append(net.mul(mem, net.const(2.0)))
        mem = net.add(net.mul(mem, net.const(0.5)), net.linear(x))
    net.output("y", rows)
    net.build.ops.pop()
    (scan,) = scans(rolled(net))
    assert len(scan.states) == 1


def test_delay_of_two_steps_is_a_chain_of_states():
    net = Unrolled()
    history = [net.const(0.0), net.const(0.0)]
    for x in net.rows:
        history.append(net.build.unary("tanh", net.add(net.linear(x), net.linear(history[-2], 1))))
    net.output("y", history[2:])
    (scan,) = scans(rolled(net))
    assert len(scan.states) == 2
    assert scan.states[0].value in [s.next for s in scan.states]


def test_both_directions_of_time():
    net = Unrolled()
    forward, backward = [], [None] * STEPS
    h = net.const(0.0)
    for x in net.rows:
        h = net.build.unary("tanh", net.add(net.linear(x), net.linear(h, 1)))
        forward.append(h)
    h = net.const(0.0)
    for t in reversed(range(STEPS)):
        h = net.build.unary("tanh", net.add(net.linear(net.rows[t]), net.linear(h, 2)))
        backward[t] = h
    net.output("y", [net.add(a, b) for a, b in zip(forward, backward, strict=True)])
    net.output("last", [net.add(forward[-1], backward[0])])
    assert [s.reverse for s in scans(rolled(net))] == [False, True]


@pytest.mark.parametrize("kind", ["add", "max"])
def test_accumulation_over_time(kind):
    net = Unrolled()
    total = None
    mem = None
    for x in net.rows:
        _, mem = net.lif(net.linear(x), mem)
        total = mem if total is None else net.build.binary(kind, total, mem)
    net.output("y", [net.div(total, net.const(float(STEPS)))])
    program = rolled(net)
    (scan,) = scans(program)
    start = {"add": 0.0, "max": float(np.finfo(np.float32).min)}[kind]
    assert start in [s.init for s in scan.states]
    assert len(program.items) == 3  # loop, number, division


def test_initial_values_of_outside():
    net = Unrolled()
    start = Value(WIDTH, "f32", None, "h0")
    leak = Parameter("leak", np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    level = net.build.make("broadcast", [], WIDTH, params={"value": leak})
    a, b, rows = start, level, []
    for x in net.rows:
        a = net.build.unary("tanh", net.add(net.linear(x), net.linear(a, 1)))
        b = net.add(net.mul(net.sub(b, level), net.const(0.5)), net.linear(x, 2))
        rows.append(net.add(a, b))
    net.output("y", rows)
    trace = net.trace()
    trace.inputs.append(TraceInput("h0", [start], "BN", (BATCH, WIDTH)))
    program = reroll(trace, ProblemList())
    (scan,) = scans(program)
    inits = [s.init for s in scan.states]
    assert start in inits
    assert any(isinstance(v, Value) and v.op is not None and v.op.params.get("value") is leak for v in inits)


def test_same_image_in_every_step():
    net = Unrolled(1)
    current, mem, total = net.linear(net.rows[0]), None, None
    for _ in range(STEPS):
        spikes, mem = net.lif(current, mem)
        total = spikes if total is None else net.add(total, spikes)
    net.output("n", [total])
    trace = net.trace()
    trace.inputs[0].axes = "BN"
    assert {r.steps for r in find_repeats(trace)} & {STEPS}
    program = reroll_repeats(trace)
    (scan,) = scans(program)
    assert (scan.steps, scan.sequences) == (STEPS, [])
    assert len(scan.states) == 2


def irregular(steps: int) -> Unrolled:
    net = Unrolled(steps)
    mem, rows = net.const(0.0), []
    for t, x in enumerate(net.rows):
        mem = net.add(net.mul(mem, net.const(0.9 if t != 3 else 0.8)), net.linear(x))
        rows.append(mem)
    net.output("y", rows)
    return net


def test_a_step_that_differs_is_kept_unrolled_or_refused():
    problems = ProblemList()
    program = reroll(irregular(STEPS).trace(), problems)
    assert [p.severity for p in problems.items] == ["note"]
    assert not scans(program)
    assert program.inputs[0].axes == "SBN"
    x = np.random.default_rng(0).random((BATCH, STEPS * WIDTH)).astype(np.float32)
    outputs, _ = run_program(program, {"x": x}, {})
    assert outputs["y"].shape == (BATCH, STEPS * WIDTH)
    problems = ProblemList()
    assert reroll(irregular(40).trace(), problems) is None
    (error,) = problems.items
    assert "no loop over the 40 time steps" in error.message
    assert "step" in error.message


@pytest.mark.parametrize("name", SEQUENCES)
def test_exported_sequences_give_pytorchs_outputs(name):
    row = examine(DATA / f"{name}.onnx", [])
    assert row["status"] == "imported", row["problems"]
    assert row["flips"] == 0
    assert row["difference"] < 1e-4
    assert row["form"].startswith("loop over")
    assert row["same"] in ("yes", "")


def test_sequence_and_step_files_become_the_same_operations():
    pairs = [n for n in SEQUENCES if examine(DATA / f"{n}.onnx", [])["same"] == "yes"]
    assert len(pairs) >= 2


def test_a_file_keeps_its_shapes_and_steps():
    model = load_onnx(DATA / "snn_leaky_sub__seqB5__dynamo.onnx")
    text = model.to_mlir()
    assert 'snn.axes = "B,T,20"' in text
    assert "tensor<5x4x20xf32>" in text
    assert model.is_sequence
    with pytest.raises(Exception, match="5 time steps, which cannot be changed"):
        load_onnx(DATA / "snn_leaky_sub__seqB5__dynamo.onnx", steps=7)
    assert "tensor<5x9x20xf32>" in load_onnx(DATA / "snn_leaky_sub__seqB5__dynamo.onnx", batch=9).to_mlir()
