# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The neurons of NIR as operations of a step, under a rule for the time step."""

from __future__ import annotations

import re

import numpy as np

from .builder import Builder
from .ir import Op, Parameter, State, Value
from .nir_conventions import Constants, Rule, constants_of, reset_of
from .nir_graph import Node


class StepBuilder:
    """Operations, states and parameters of the step in the making."""

    def __init__(self, rule: Rule, train: str | None) -> None:
        self.rule = rule
        self.build = Builder()
        self.states: list[State] = []
        self.pattern = re.compile(train) if train is not None else None
        self._made: dict[str, Parameter] = {}

    def state(self, name: str, width: int) -> State:
        """A new state that starts at 0; whoever asks for it sets `next`."""
        value = Value(width, name=name)
        self.states.append(State(name, f"{name}_out", value, value))
        return self.states[-1]

    def parameter(self, name: str, value: np.ndarray, is_weight: bool = False, note: str = "") -> Parameter:
        """The parameter of that name; weights and biases train unless the user names others."""
        if name not in self._made:
            trains = is_weight if self.pattern is None else self.pattern.search(name) is not None
            self._made[name] = Parameter(name, np.array(value, np.float32, order="C"), trains, note)
        return self._made[name]

    def is_number(self, name: str, values: np.ndarray) -> bool:
        """Whether values `[N]` can be one number: all equal, and not to be trained."""
        wanted = self.pattern is not None and self.pattern.search(name) is not None
        return values.size > 0 and not wanted and np.all(values == values.flat[0])

    def row(self, name: str, values: np.ndarray, note: str = "") -> Value:
        """Values `[N]`, the same for every sample: a constant, or a parameter spread over the batch."""
        if self.is_number(name, values):
            return self.build.const(float(values.flat[0]), values.size)
        return self.build.make("broadcast", [], values.size, params={"value": self.parameter(name, values, note=note)})

    def scaled(self, x: Value, name: str, factor: np.ndarray, note: str = "") -> Value:
        """`x * factor`, left out for a factor of 1."""
        return self.build.binary("mul", x, self.row(name, factor, note))


def lower_neuron(step: StepBuilder, node: Node, x: Value) -> Value:
    """What the neuron gives for the current `x`: spikes, or the membrane of what does not fire."""
    constants = constants_of(node, step.rule)
    if constants.synapse_decay is not None:
        x = _synapse(step, node, x, constants)
    state = step.state(f"{node.name}.v", node.width)
    x, attrs, params = _drive(step, node.name, x, state.value, constants)
    if node.kind in ("I", "LI", "CubaLI"):
        state.next = step.build.make("integrator", [x, state.value], node.width, params=params, **attrs)
        return state.next
    convention = step.rule.convention
    reset = reset_of(node, step.rule)
    one_reset = reset == "subtract" or np.all(constants.v_reset == constants.v_reset.flat[0])
    if convention.multi_spike or convention.crossing or not one_reset:
        return _arithmetic(step, node, x, state, attrs, params, constants, reset)
    attrs |= {"reset_kind": reset, "cmp": convention.cmp, "order": convention.order}
    if reset == "value":
        attrs["v_reset"] = float(constants.v_reset.flat[0])
    if step.is_number(f"{node.name}.threshold", constants.threshold):
        attrs["threshold"] = float(constants.threshold.flat[0])
    else:
        params["threshold"] = step.parameter(f"{node.name}.threshold", constants.threshold)
    op = Op("neuron", [x, state.value], params, attrs, [], node.source)
    op.results = [Value(node.width, "f32", op, node.name), Value(node.width, "f32", op, state.output)]
    step.build.ops.append(op)
    state.next = op.results[1]
    return op.results[0]


def _synapse(step: StepBuilder, node: Node, x: Value, c: Constants) -> Value:
    """The synaptic current after this step; the membrane takes it at once, as the platforms do."""
    state = step.state(f"{node.name}.i", node.width)
    zeros = np.zeros(node.width)
    current = Constants(c.synapse_decay, c.synapse_gain, c.synapse_part, c.w_in, zeros, zeros, zeros)
    x, attrs, params = _drive(step, f"{node.name}.synapse", x, state.value, current)
    state.next = step.build.make("integrator", [x, state.value], node.width, params=params, **attrs)
    return state.next


def _drive(step: StepBuilder, name: str, x: Value, v: Value, c: Constants) -> tuple[Value, dict, dict]:
    """Input, attributes and parameters with which `neuron` and `integrator` do `decay v + gain x + leak`."""
    rule = step.rule
    note = f"made of the time constants with a time step of {rule.dt:g} s"
    decay, gain, leak = c.decay, c.gain, c.leak
    if rule.convention.delta and np.any(decay != 1):
        x = step.scaled(x, f"{name}.r", c.r)
        x = step.build.binary("sub", step.build.binary("add", x, step.row(f"{name}.leak", leak)), v)
        decay, gain, leak = np.ones_like(decay), c.part, np.zeros_like(leak)
    elif _is_slow(decay) and rule.convention.order == "integrate_fire":
        rate = step.row(f"{name}.rate", 1 - decay, note)
        pull = step.build.binary("mul", step.build.binary("sub", step.row(f"{name}.leak", leak), v), rate)
        x = step.build.binary("add", step.scaled(x, f"{name}.gain", gain, note), pull)
        decay, gain, leak = np.ones_like(decay), np.ones_like(gain), np.zeros_like(leak)
    leaks = np.any((1 - decay) * leak != 0)
    attrs: dict = {}
    params: dict[str, Parameter] = {}
    if leaks and not step.is_number(f"{name}.leak", leak):
        x = step.scaled(x, f"{name}.gain", gain, note)
        x = step.build.binary("add", x, step.row(f"{name}.leak", (1 - decay) * leak, note))
    else:
        if leaks:
            attrs["leak"] = float(leak.flat[0])
        if step.is_number(f"{name}.gain", gain):
            attrs["gain"] = float(gain.flat[0])
        else:
            x = step.scaled(x, f"{name}.gain", gain, note)
    if step.is_number(f"{name}.decay", decay):
        attrs["decay"] = float(decay.flat[0])
    else:
        params["decay"] = step.parameter(f"{name}.decay", decay, note=note)
    return x, attrs, params


def _is_slow(decay: np.ndarray) -> bool:
    """Whether float32 spoils a decay: of 1 minus a tiny rate it keeps few digits of the rate."""
    return bool(np.any(np.abs(decay.astype(np.float32) - decay) > 1e-3 * np.abs(1 - decay)))


def _arithmetic(step: StepBuilder, node: Node, x: Value, state: State, attrs: dict, params: dict, c: Constants,
                reset: str) -> Value:
    """A neuron with several spikes a step, a reset inside the step, or a reset value for each unit."""
    build, convention = step.build, step.rule.convention
    build.source = node.source
    before = state.value
    m = build.make("integrator", [x, before], node.width, params=params, **attrs)
    threshold = step.row(f"{node.name}.threshold", c.threshold)
    v_reset = step.row(f"{node.name}.v_reset", c.v_reset)
    compared = before if convention.order == "fire_integrate" else m
    fires = build.compare("o" + convention.cmp, compared, threshold)
    spikes = build.tofloat(fires)
    if convention.multi_spike:
        spikes = _count(step, node, compared, c)
    if convention.crossing:
        state.next = build.select(fires, _after_crossing(step, node, before, m, c, fires), m)
    elif reset == "value":
        kept = build.select(fires, v_reset, compared)
        state.next = kept if compared is m else build.make("integrator", [x, kept], node.width, params=params, **attrs)
    else:
        state.next = build.binary("sub", m, build.binary("mul", spikes, threshold))
    spikes.name = node.name
    return spikes


def _count(step: StepBuilder, node: Node, compared: Value, c: Constants) -> Value:
    """How many thresholds the membrane has reached."""
    name = f"{node.name}.threshold"
    if step.is_number(name, c.threshold):
        return step.build.make("count", [compared], node.width, threshold=float(c.threshold.flat[0]), max_spikes=0)
    params = {"threshold": step.parameter(name, c.threshold)}
    return step.build.make("count", [compared], node.width, params=params, max_spikes=0)


def _after_crossing(step: StepBuilder, node: Node, v: Value, m: Value, c: Constants, fires: Value) -> Value:
    """The membrane at the end of a step inside which it crossed the threshold and was reset.

    With the level J that the membrane goes to, the time left after the crossing decays by `decay (J - v) / (J -
    threshold)`. Without a leak the membrane just goes on by what is above the threshold.
    """
    build = step.build
    threshold = step.row(f"{node.name}.threshold", c.threshold)
    v_reset = step.row(f"{node.name}.v_reset", c.v_reset)
    above = build.binary("sub", m, threshold)
    if np.all(c.decay == 1):
        return build.binary("add", v_reset, above)
    # m - decay v = (1 - decay) J, so that nothing but the compared membrane has to be taken apart.
    decay = step.row(f"{node.name}.decay", c.decay)
    rest = build.binary("sub", m, build.binary("mul", decay, v))
    level = build.binary("mul", rest, step.row(f"{node.name}.to_level", 1 / (1 - c.decay)))
    left = build.select(fires, build.binary("sub", level, threshold), build.const(1.0, node.width))
    share = build.binary("div", build.binary("sub", level, v), left)
    fall = build.binary("mul", build.binary("sub", level, v_reset), build.binary("mul", decay, share))
    return build.binary("sub", level, fall)
