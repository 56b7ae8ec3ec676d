# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The compiler's losses read labels and numbers; a target for every step is made of these by another output.
"""Models that are compared with a target in every step: what a loss reads is then the difference of both."""

from __future__ import annotations

from dataclasses import replace

from .errors import UserError
from .importers import Model
from .importers.ir import Op, Port, Program, Scan, ScanState, Value
from .importers.programs import scans
from .options import TARGET


def against_target(model: Model, readout: str) -> Model:
    """Return a model with one more input ``<output>.target [T, B, N]``, whose first output is the difference to it.

    The difference passes through an integrator that keeps nothing, since what a loss reads in every step are membranes.

    Args:
        model: which is left as it is.
        readout: ``output``, the first output's values, or ``membrane_each``, the membranes of the neurons that make it.
    """
    program = model.program
    port = program.outputs[0]
    scan = next((s for s in scans(program) if any(outer is port.value for _, outer in s.stacked)), None)
    if scan is None:
        raise UserError(
            f"{model.path}: a target is for a first output of every step, which a loop over time makes; "
            f"'{port.name}' is none"
        )
    return replace(model, step=None, whole=_compared(program, scan, port, readout, model.path))


def _compared(program: Program, scan: Scan, port: Port, readout: str, path: str) -> Program:
    """Return the program with another scan; operations are shared."""
    place = next(i for i, (_, outer) in enumerate(scan.stacked) if outer is port.value)
    found = scan.stacked[place][0]
    if readout == "membrane_each":
        found = _membrane(found, port, path)
    width = found.width
    target, row = Value(width, "f32", None, port.name + TARGET, scan.steps), Value(width)
    difference = Op("sub", [found, row])
    difference.results = [Value(width, "f32", difference)]
    state = ScanState(Value(width), Value(width), 0.0, Value(width))
    passed = Op("integrator", [difference.result, state.value], {}, {"decay": 0.0})
    passed.results = [Value(width, "f32", passed)]
    state.next = passed.result
    stacked = Value(width, "f32", None, port.name, scan.steps)
    compared = replace(
        scan,
        sequences=[*scan.sequences, (target, row)],
        states=[*scan.states, state],
        ops=[*scan.ops, difference, passed],
        stacked=[(passed.result, stacked) if i == place else pair for i, pair in enumerate(scan.stacked)],
    )
    return replace(
        program,
        inputs=[*program.inputs, Port(target.name, target, port.axes, port.shape)],
        outputs=[replace(port, value=stacked), *program.outputs[1:]],
        items=[compared if item is scan else item for item in program.items],
    )


def _membrane(spikes: Value, port: Port, path: str) -> Value:
    """Return the new membrane of the neuron that makes a row."""
    if spikes.op is None or spikes.op.kind not in ("neuron", "integrator"):
        raise UserError(
            f"{path}: the readout membrane_each needs a neuron that makes the first output '{port.name}'; "
            "for its values there is the readout output"
        )
    return spikes.op.results[-1]
