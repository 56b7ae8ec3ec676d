# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recognises neurons and leaky integrators by their structure and replaces their arithmetic by one operation.

A neuron is a state `v`, a compared membrane `m` that is linear in `v`, a test of `m` against a threshold that does
not depend on the inputs, and a reset. Names play no part. What has no such form stays arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .builder import Builder, constant_of, kind_of
from .forms import Coefficient, Form, FormBuilder
from .ir import Op, State, Step, Value, cone
from .problems import ProblemList
from .spike_states import split_old_spikes, unify_spikes

_CMP = {"ogt": "gt", "ugt": "gt", "oge": "ge", "uge": "ge"}
_ONE = Coefficient(1.0)
_NONE: frozenset[int] = frozenset()


@dataclass
class Test:
    """A spike test: `mask` is where `value` compares (`cmp`) with `threshold`."""

    mask: Value
    value: Value
    cmp: str
    threshold: Coefficient


@dataclass
class Update:
    """A membrane update `decay*v + sum(coefficient*base) + constant`, and its delayed reset."""

    decay: Coefficient
    terms: list[tuple[Value, Coefficient]]
    constant: float
    reset: dict


def raise_neurons(step: Step, problems: ProblemList) -> None:
    """Rewrites the step in place: neurons and plain sums state by state, then sums in the neurons that stay."""
    unify_spikes(step)
    left = []
    for state in step.states:
        if state.next.op is None:  # takes an input or a state as it is
            continue
        if not any(form(step, state, problems) for form in
                   (_raise_integrate_fire, _raise_fire_integrate, _raise_forgetful)) \
                and not _integrate(step, state, state.next, cone):
            left.append(state)
        step.clean()
    for state in left:
        _raise_membrane(step, state)
        _integrate(step, state, state.next, _signals)
        step.clean()
    split_old_spikes(step)


def spike_tests(step: Step) -> list[Test]:
    """All comparisons with a number or parameter, in order."""
    found = []
    for op in step.ops:
        if op.kind != "cmp" or op.attrs["pred"] not in _CMP:
            continue
        threshold = _fixed(op.operands[1])
        if threshold is not None:
            found.append(Test(op.result, op.operands[0], _CMP[op.attrs["pred"]], threshold))
    return found


def _fixed(value: Value) -> Coefficient | None:
    number = constant_of(value)
    if number is not None:
        return Coefficient(number)
    return Coefficient(1.0, value.op.params["value"]) if kind_of(value) == "broadcast" else None


def _raise_integrate_fire(step: Step, state: State, problems: ProblemList) -> bool:
    tests = spike_tests(step)
    for test in tests:
        if test.value is state.value or id(state.value) not in cone(test.value):
            continue
        old = _old_tests(tests, state, test)
        update = _update(state.value, test.value, old, test.threshold)
        if update is None:
            continue
        attrs: dict = {"cmp": test.cmp}
        if update.reset and state.next is not test.value:
            if _raise_undelayed(step, state, test, update, old, problems):
                return True
            continue
        if update.reset or state.next is test.value:
            attrs |= {"reset_time": "delayed", **(update.reset or {"reset_kind": "none"})}
        else:
            reset = _reset_after(state.next, test)
            if reset is None:
                continue
            attrs |= {"reset_time": "same_step", **reset}
        _insert_neuron(step, state, test, update, attrs, problems)
        return True
    return False


def _raise_undelayed(step: Step, state: State, test: Test, update: Update, old: list[Value],
                     problems: ProblemList) -> bool:
    """Raises snnTorch with reset_delay=False: which resets by this step's spike and takes back the delayed reset.

    The old membrane lies above the threshold only when one reset was not enough, but then the delayed reset does take
    part. So the neuron resets in the same step, and arithmetic around it accounts for the old spike.
    """
    reset = _reset_after(state.next, test, old)
    spikes, fired = _float_of(step, test.mask), _float_of(step, old[0])
    if reset is None or spikes is None or fired is None or reset["reset_kind"] != update.reset["reset_kind"]:
        return False
    if reset.get("v_reset") or update.reset.get("v_reset") or update.reset.get("reset_scope") == "whole_update":
        return False
    width = state.value.width
    build = Builder()
    build.source = spikes.op.source
    x, gain = _input(step, build, update, width)
    membrane = state.value
    if reset["reset_kind"] == "subtract":
        if gain != 1.0:
            return False
        parameter = test.threshold.parameter
        theta = build.const(test.threshold.number, width) if parameter is None \
            else build.make("broadcast", [], width, params={"value": parameter})
        back = build.binary("mul", fired, theta)
        x = build.binary("sub", x, back)
    else:
        back = build.binary("mul", fired, test.value)
        membrane = build.select(old[0], build.const(0.0, width), membrane)
    attrs = {"cmp": test.cmp, "reset_time": "same_step", **reset}
    op = _neuron(step, state, test, update, attrs, build, (x, gain, membrane), problems)
    after = Builder()
    after.source = build.source
    following = after.binary("add", op.results[1], back)
    step.ops += after.ops
    _connect(step, state, test, op, following)
    return True


def _raise_fire_integrate(step: Step, state: State, problems: ProblemList) -> bool:
    """The spike is read from the old membrane (and leaves the neuron), then the membrane is updated."""
    for test in spike_tests(step):
        if test.value is not state.value:
            continue
        update = _update(state.value, state.next, [test.mask], test.threshold)
        spikes = _float_of(step, test.mask)
        if update is None or spikes is None or any(id(test.mask) in cone(v) for v, _ in update.terms):
            continue
        if any(v is state.next for v, _ in update.terms):  # nothing is updated
            continue
        inside = cone(state.next)
        if not any(spikes in op.operands and id(op.result) not in inside for op in step.ops) \
                and all(v is not spikes for _, v in step.outputs):
            continue
        attrs = {"cmp": test.cmp, "order": "fire_integrate", **(update.reset or {"reset_kind": "none"})}
        _insert_neuron(step, state, test, update, attrs, problems)
        return True
    return False


def _raise_forgetful(step: Step, state: State, problems: ProblemList) -> bool:
    """The membrane is made anew in every step (Alpha, LSTM cells with spikes): decay 0, with all else as input."""
    test = next((t for t in spike_tests(step) if t.value is state.next), None)
    if test is None or _float_of(step, test.mask) is None or _update(state.value, state.next, [], None) is not None:
        return False
    made = state.next.op
    again = Op(made.kind, list(made.operands), dict(made.params), dict(made.attrs), [], made.source)
    again.results = [Value(state.next.width, "f32", again)]
    build = Builder()
    build.ops.append(again)
    build.source = _float_of(step, test.mask).op.source
    attrs = {"cmp": test.cmp, "reset_time": "delayed", "reset_kind": "none"}
    update = Update(Coefficient(0.0), [], 0.0, {})
    op = _neuron(step, state, test, update, attrs, build, (again.result, 1.0, state.value), problems)
    _connect(step, state, test, op, op.results[1])
    return True


def _raise_membrane(step: Step, state: State) -> None:
    """The update of a membrane that is compared in a way, or reset in a way, that no neuron operation has."""
    following = cone(state.next)
    tested = [v for op in step.ops if op.kind in ("cmp", "count") for v in op.operands]
    for value in tested:
        if value is not state.next and value.op is not None and id(value) in following \
                and id(state.value) in cone(value) and _integrate(step, state, value, cone):
            return


def _integrate(step: Step, state: State, value: Value, sources: Callable[[Value], set[int]]) -> bool:
    """Replaces a value that is a leaky sum of the state and of what does not come from it, going by `sources`."""
    update = _update(state.value, value, [], None)
    if update is None or not update.terms or any(id(state.value) in sources(v) for v, _ in update.terms):
        return False
    if update.decay.parameter is None and update.decay.number == 0:
        return False
    build = Builder()
    build.source = value.op.source
    x, gain = _input(step, build, update, state.value.width)
    attrs, params = _coefficients(update)
    if gain != 1.0:
        attrs["gain"] = gain
    op = Op("integrator", [x, state.value], params, attrs, [], build.source)
    op.results = [Value(state.value.width, "f32", op, value.name)]
    step.ops += [*build.ops, op]
    step.replace(value, op.result)
    return True


def _signals(value: Value) -> set[int]:
    """The `id` of every value that `value` is computed from without a test in between."""
    found: set[int] = set()
    stack = [value]
    while stack:
        top = stack.pop()
        spikes = top.dtype == "i1" or kind_of(top) == "count" or (kind_of(top) == "neuron" and top is top.op.result)
        if id(top) not in found and not spikes:
            found.add(id(top))
            stack.extend(top.op.operands if top.op is not None else [])
    return found


def _old_tests(tests: list[Test], state: State, test: Test) -> list[Value]:
    """Tests of the old membrane under the same rule: the delayed reset."""
    return [t.mask for t in tests if t.value is state.value and t.cmp == test.cmp and t.threshold.same(test.threshold)]


def _update(v: Value, m: Value, old: list[Value], threshold: Coefficient | None) -> Update | None:
    """Takes `m` apart with respect to `v` and the tests of `v`."""
    forms = FormBuilder([v], old, threshold)
    form = forms.form(m)
    decay = form.get((_NONE, id(v)))
    if decay is None and not any(forms.depends(forms.bases[base]) for _, base in form if base):
        decay = Coefficient(0.0)  # beta = 0: only the reset remembers the old membrane
    if decay is None or (decay.parameter is not None and decay.number != 1.0) or not _keeps_precision(decay):
        return None
    fired: Form = {}
    terms, constant = [], Coefficient(0.0)
    for (indicators, base), coefficient in form.items():
        if indicators:
            if len(indicators) > 1 or (fired and next(iter(fired))[0] != indicators):
                return None
            fired[(indicators, base)] = coefficient
        elif base == 0:
            constant = coefficient
        elif base != id(v):
            terms.append((forms.bases[base], coefficient))
    if constant.parameter is not None:
        return None
    update = Update(decay, terms, constant.number, {})
    if fired:
        reset = _delayed_reset({base: c for (_, base), c in fired.items()}, update, id(v), threshold)
        if reset is None:
            return None
        update.reset = reset
    return update


def _keeps_precision(decay: Coefficient) -> bool:
    """Whether float32 holds `1 - rate` well: of `v + rate * (x - v)` with a tiny rate it keeps few digits."""
    if decay.parameter is not None:
        return True
    return abs(float(np.float32(decay.number)) - decay.number) <= 1e-3 * abs(1.0 - decay.number)


def _delayed_reset(fired: dict[int, Coefficient], update: Update, v: int, threshold) -> dict | None:
    """What the old spike adds to the update, as attributes of the neuron; None if nothing fits."""
    shift = fired.pop(0, Coefficient(0.0))
    if not fired:
        return {"reset_kind": "subtract"} if shift.same(threshold, -1.0) else None
    if not fired.pop(v, Coefficient(0.0)).same(update.decay, -1.0) or shift.parameter is not None:
        return None
    attrs: dict = {"reset_kind": "value", "v_reset": 0.0}
    if not fired:
        if shift.number and (update.decay.parameter is not None or update.decay.number == 0):
            return None
        if shift.number:
            attrs["v_reset"] = shift.number / update.decay.number
        return attrs | {"reset_scope": "decayed_state"}
    if set(fired) != {id(b) for b, _ in update.terms} or not all(fired[id(b)].same(c, -1.0) for b, c in update.terms):
        return None
    # A constant that stays outside the reset (a leak) is added after it.
    return attrs | {"reset_scope": "whole_update", "v_reset": shift.number}


def _reset_after(following: Value, test: Test, old: list[Value] | None = None) -> dict | None:
    """The reset of this step's spike: what `following` makes of the compared membrane.

    With tests of the `old` membrane the reset must be undone where the old membrane fired.
    """
    form = FormBuilder([test.value], [test.mask, *(old or [])], test.threshold).form(following)
    if old:
        past = frozenset([id(old[0])])
        undone = {key[1]: form.pop(key) for key in list(form) if key[0] == past}
        done = {key[1]: c for key, c in form.items() if key[0] == frozenset([id(test.mask)])}
        if set(undone) != set(done) or not all(undone[base].same(done[base], -1.0) for base in done):
            return None
    spike = frozenset([id(test.mask)])
    m = id(test.value)
    if not form.pop((_NONE, m), Coefficient(0.0)).same(_ONE):
        return None
    shift = form.pop((spike, 0), Coefficient(0.0))
    whole = form.pop((spike, m), None)
    if form:
        return None
    if whole is None:
        return {"reset_kind": "subtract"} if shift.same(test.threshold, -1.0) else None
    if not whole.same(_ONE, -1.0) or shift.parameter is not None:
        return None
    return {"reset_kind": "value", "v_reset": shift.number}


def _coefficients(update: Update) -> tuple[dict, dict]:
    """`decay` and `leak` as attributes, or `decay` as a parameter."""
    if update.decay.parameter is not None:
        return {}, {"decay": update.decay.parameter}
    attrs = {} if update.decay.number == 1.0 else {"decay": update.decay.number}
    if update.constant and update.decay.number != 1.0:
        attrs["leak"] = update.constant / (1.0 - update.decay.number)
    return attrs, {}


def _input(step: Step, build: Builder, update: Update, width: int) -> tuple[Value, float]:
    """The input current as one value, and the gain that multiplies it."""
    rank = {id(op): i for i, op in enumerate(step.ops)}
    terms = sorted(update.terms, key=lambda t: rank.get(id(t[0].op), -1))
    numbers = {c.number for _, c in terms if c.parameter is None}
    gain = numbers.pop() if len(numbers) == 1 and all(c.parameter is None for _, c in terms) else 1.0
    x: Value | None = None
    for base, coefficient in terms:
        sign = 1.0
        if coefficient.parameter is not None:
            spread = build.make("broadcast", [], width, params={"value": coefficient.parameter})
            base, sign = build.binary("mul", base, spread), coefficient.number
        elif coefficient.number != gain:
            sign = -1.0 if coefficient.number == -1.0 else 1.0
            base = build.binary("mul", base, build.const(coefficient.number * sign, width))
        if x is None:
            x = base if sign > 0 else build.unary("neg", base)
        else:
            x = build.binary("add" if sign > 0 else "sub", x, base)
    if x is None:
        x = build.const(0.0, width)
    outside_leak = update.decay.parameter is not None or update.decay.number == 1.0
    if update.constant and outside_leak:
        x = build.binary("add", x, build.const(update.constant / gain, width))
    if gain == 1.0 and len(terms) == 1 and kind_of(x) == "mul" and len(step.users().get(id(x), [])) == 1:
        factor = constant_of(x.op.operands[1])
        if factor:
            return x.op.operands[0], factor
    return x, gain


def _float_of(step: Step, mask: Value) -> Value | None:
    return next((op.result for op in step.ops if op.kind == "tofloat" and op.operands[0] is mask), None)


def _insert_neuron(step: Step, state: State, test: Test, update: Update, attrs: dict, problems: ProblemList) -> None:
    build = Builder()
    spikes = _float_of(step, test.mask)
    build.source = (spikes if spikes is not None else test.mask).op.source
    x, gain = _input(step, build, update, state.value.width)
    op = _neuron(step, state, test, update, attrs, build, (x, gain, state.value), problems)
    _connect(step, state, test, op, op.results[1])


def _neuron(step: Step, state: State, test: Test, update: Update, attrs: dict, build: Builder,
            operands: tuple[Value, float, Value], problems: ProblemList) -> Op:
    """Adds the operation for the operands (input, gain, membrane) after what `build` made; nothing reads it yet."""
    x, gain, membrane = operands
    more, params = _coefficients(update)
    attrs = {**attrs, **more}
    if gain != 1.0:
        attrs["gain"] = gain
    if test.threshold.parameter is not None:
        params["threshold"] = test.threshold.parameter
    else:
        attrs["threshold"] = test.threshold.number
    if attrs["reset_kind"] == "value" and attrs["v_reset"] != 0 and state.output:
        problems.warn(f"state '{state.name}' starts at 0, but its neuron resets to {attrs['v_reset']:.6g}; if the "
                      f"framework starts there too, give --input {state.name}={attrs['v_reset']:.6g}", build.source)
    op = Op("neuron", [x, membrane], params, attrs, [], build.source)
    spikes = _float_of(step, test.mask)
    names = (spikes.name if spikes is not None else "", state.next.name)
    op.results = [Value(state.value.width, "f32", op, name) for name in names]
    step.ops += [*build.ops, op]
    return op


def _connect(step: Step, state: State, test: Test, op: Op, following: Value) -> None:
    """Lets everyone read the neuron instead of the arithmetic that it replaces.

    Whoever else reads the compared membrane keeps the arithmetic: the neuron's own may become an event tensor.
    """
    spikes = _float_of(step, test.mask)
    step.replace(state.next, following)
    if spikes is None:
        return
    step.clean()
    graded = _graded(step, spikes)
    if graded is not None:
        op.attrs["graded"] = constant_of(graded.op.operands[1])
        op.results[0].name = graded.name
    step.replace(graded or spikes, op.results[0])


def _graded(step: Step, spikes: Value) -> Value | None:
    """`spikes * constant`, if nothing else reads the spikes: the constant is then the value of a spike."""
    readers = step.users().get(id(spikes), [])
    if len(readers) != 1 or any(v is spikes for v in step.roots()) or readers[0].kind != "mul":
        return None
    return readers[0].result if constant_of(readers[0].operands[1]) is not None else None
