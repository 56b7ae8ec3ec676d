# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Step functions as programs, the loops of a program as steps, and the order of a program's items."""

from __future__ import annotations

from dataclasses import dataclass

from .ir import (
    Op,
    Parameter,
    Port,
    Program,
    ProgramState,
    Scan,
    ScanState,
    State,
    Step,
    Value,
    dependence_order,
)


def state_outputs(step: Step) -> list[str]:
    """Names of the states after the last step: the state's own output, or `<state>_out` where that is a sequence."""
    taken = {name for name, _ in step.outputs}
    found = []
    for state in step.states:
        name = state.output
        if name in taken:
            name = f"{state.name}_out" if f"{state.name}_out" not in taken else f"{state.name}#final"
        taken.add(name)
        found.append(name)
    return found


def step_program(step: Step, steps: int) -> Program:
    """A step function run over `steps` steps, or a model without time as it is. Operations are shared with the step."""
    batch = step.batch
    if step.is_sequence:
        inputs = [Port(v.name, v, "BN", (batch, v.width)) for v in step.inputs]
        outputs = [Port(n, v, "BN", (batch, v.width)) for n, v in step.outputs]
        return Program(step.name, batch, 0, inputs, [], outputs, list(step.ops))
    inputs, sequences = [], []
    for value in step.inputs:
        outer = Value(value.width, "f32", None, value.name, steps)
        sequences.append((outer, value))
        inputs.append(Port(value.name, outer, "TBN", (steps, batch, value.width)))
    states, carried = [], []
    for state, output in zip(step.states, state_outputs(step), strict=True):
        value, final = Value(state.value.width, "f32", None, state.name), Value(state.value.width)
        carried.append(ScanState(state.value, state.next, value, final, state.name))
        states.append(ProgramState(state.name, value, final, output, state.initial))
    stacked = [(v, Value(v.width, "f32", None, n, steps)) for n, v in step.outputs]
    outputs = [Port(o.name, o, "TBN", (steps, batch, o.width)) for _, o in stacked]
    scan = Scan(steps, False, sequences, carried, list(step.ops), stacked)
    return Program(step.name, batch, steps, inputs, states, outputs, [scan])


def scans(program: Program) -> list[Scan]:
    """The loops of a program in order."""
    return [i for i in program.items if isinstance(i, Scan)]


def operations(program: Program) -> list[Op]:
    """All operations, those of loops in the place of the loop."""
    return [op for item in program.items for op in (item.ops if isinstance(item, Scan) else [item])]


def parameters(program: Program) -> list[Parameter]:
    """All parameters in order of first use."""
    return list({id(p): p for op in operations(program) for p in op.params.values()}.values())


def free_values(scan: Scan) -> list[Value]:
    """Row values of outside that a loop's operations read, each once."""
    inner = {id(r) for op in scan.ops for r in op.results} | {id(s.value) for s in scan.states} \
        | {id(i) for _, i in scan.sequences}
    read = [v for op in scan.ops for v in op.operands]
    read += [*(s.next for s in scan.states), *(v for v, _ in scan.stacked)]
    return list({id(v): v for v in read if id(v) not in inner}.values())


@dataclass(eq=False)
class Scope:
    """A loop's body as a step, or (`scan` is None) what a program does outside of its loops.

    Values from outside that a body captures are inputs of the step, after its sequences.
    """

    step: Step
    scan: Scan | None = None
    captured: tuple[Value, ...] = ()

    def apply(self, step: Step) -> None:
        """Makes the loop do what `step`, a rewritten copy of the own one, does."""
        scan = self.scan
        count = len(scan.sequences)
        scan.sequences = [(outer, inner) for (outer, _), inner in zip(scan.sequences, step.inputs[:count], strict=True)]
        outside = {id(proxy): value for proxy, value in zip(step.inputs[count:], self.captured, strict=True)}
        for op in step.ops:
            op.operands = [outside.get(id(v), v) for v in op.operands]
        scan.ops = step.ops
        for carried, state in zip(scan.states, step.states, strict=True):
            carried.value, carried.next = state.value, outside.get(id(state.next), state.next)
        scan.stacked = [(outside.get(id(v), v), outer) for (_, v), (_, outer) in
                        zip(step.outputs, scan.stacked, strict=True)]


def scope_of(program: Program, scan: Scan) -> Scope:
    """A loop's body as a step; the loop itself is of no use until `Scope.apply`."""
    captured = free_values(scan)
    proxies = {id(v): Value(v.width, v.dtype, None, v.name) for v in captured}
    for op in scan.ops:
        op.operands = [proxies.get(id(v), v) for v in op.operands]
    read = {id(v) for v in _read_outside(program)}
    states = [State(s.name or f"state{i}", "", s.value, proxies.get(id(s.next), s.next),
                    s.init if isinstance(s.init, float) else 0.0, private=isinstance(s.init, float),
                    kept=id(s.final) in read) for i, s in enumerate(scan.states)]
    outputs = [(outer.name, proxies.get(id(v), v)) for v, outer in scan.stacked]
    inputs = [*(inner for _, inner in scan.sequences), *proxies.values()]
    return Scope(Step(program.name, program.batch, inputs, states, outputs, scan.ops), scan, tuple(captured))


def _read_outside(program: Program) -> list[Value]:
    """Row values that anything but the body of a loop reads, and stacked ones where they are outputs."""
    read = [*(p.value for p in program.outputs), *(s.final for s in program.states)]
    for item in program.items:
        if isinstance(item, Op):
            read += item.operands
        else:
            read += [*free_values(item), *(s.init for s in item.states if isinstance(s.init, Value))]
    return read


def outside_scope(program: Program) -> Scope:
    """What a program does outside of its loops, as a step whose outputs are all that someone else reads."""
    ops = [i for i in program.items if isinstance(i, Op)]
    read = [p.value for p in program.outputs]
    for scan in scans(program):
        read += [*free_values(scan), *(s.init for s in scan.states if isinstance(s.init, Value))]
    return Scope(Step(program.name, program.batch, [p.value for p in program.inputs], [],
                      [(v.name, v) for v in read], ops))


def finish(program: Program, outside: Step) -> None:
    """Puts the items into order again after operations outside of the loops were rewritten."""
    program.items = ordered([v for _, v in outside.outputs] + [o for s in scans(program) for o, _ in s.sequences]
                            + [s.final for s in program.states], scans(program))


def ordered(roots: list[Value], loops: list[Scan]) -> list[Op | Scan]:
    """Operations and loops that the roots need, in an order of dependence."""
    made_by = {id(v): s for s in loops for v in (*(o for _, o in s.stacked), *(st.final for st in s.states))}

    def producers(item: Op | Scan) -> list[Op | Scan]:
        reads = item.operands if isinstance(item, Op) else \
            [*(o for o, _ in item.sequences), *(s.init for s in item.states if isinstance(s.init, Value)),
             *free_values(item)]
        return [p for v in reads if (p := made_by.get(id(v), v.op)) is not None]

    makers = (made_by.get(id(value), value.op) for value in roots)
    return dependence_order([maker for maker in makers if maker is not None], producers)
