# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rewrites a step so that spikes look alike, whichever way a framework or an exporter wrote them.

A membrane that fires as many spikes as it has thresholds becomes one operation, `count`.

An unrolled sequence resets by the spike of the step before where the framework compared the old membrane: the exporter
found that both are equal. In a loop such a spike would be a state of its own, and the neuron would not be seen. So a
private state that only holds the test of a membrane is replaced by that test of the membrane before; the spikes that go
on through weights (recurrence) stay states.
"""

from __future__ import annotations

from .builder import Builder, constant_of, is_fixed, kind_of
from .ir import Op, State, Step, Value, cone

_WEIGHTS = ("linear", "conv", "concat", "slice")
_FIRES = {"ogt": lambda v, t: v > t, "ugt": lambda v, t: v > t, "oge": lambda v, t: v >= t, "uge": lambda v, t: v >= t}


def unify_spikes(step: Step) -> None:
    """Rewrites the step in place."""
    for state in step.states:
        if state.private:
            _use_membrane(step, state)
    for op in list(step.ops):
        if op.kind == "sign":
            _sign_as_spikes(step, op)
        elif op.kind in ("mul", "max"):
            _count_spikes(step, op)


def split_old_spikes(step: Step) -> None:
    """Gives a test of an old membrane that both resets and is sent on one operation for each.

    Frameworks let no gradient through the reset, but through the recurrence.
    """
    users = step.users()
    for op in list(step.ops):
        test = op.operands[0].op if op.kind == "tofloat" else None
        if test is None or test.kind != "cmp" or not is_reset_test(step, test):
            continue
        readers = users.get(id(op.result), [])
        signals = [r for r in readers if is_signal(r, op.result, test.operands[1])]
        if signals and len(signals) < len(readers):
            sent = Op("tofloat", list(op.operands), {}, {}, [], op.source)
            sent.results = [Value(op.result.width, "f32", sent, op.result.name)]
            step.ops.insert(step.ops.index(op) + 1, sent)
            for reader in signals:
                reader.operands = [sent.result if v is op.result else v for v in reader.operands]


def is_reset_test(step: Step, test: Op) -> bool:
    """Whether a comparison is the spike of the step before, with which a membrane resets.

    It compares a state with the threshold that the membrane made of the state has to reach in this step. Other tests
    of states (refractory counters) are spikes of their own.
    """
    state = next((s for s in step.states if s.value is test.operands[0]), None)
    if state is None:
        return False
    limits = _numbers(test.operands[1]) if is_fixed(test.operands[1]) else None
    for op in step.ops:
        if op.kind == "cmp" and op is not test and op.operands[0] is not state.value:
            if is_fixed(op.operands[1]) and _numbers(op.operands[1]) == limits \
                    and id(state.value) in cone(op.operands[0]):
                return True
        elif op.kind == "neuron" and (op.results[1] is state.next or id(state.value) in cone(op.operands[1])):
            parameter = op.params.get("threshold")
            own = parameter.value.ravel().tolist() if parameter is not None else [op.attrs.get("threshold", 1.0)]
            if own == limits:
                return True
    return False


def is_signal(reader: Op, spike: Value, threshold: Value) -> bool:
    """Whether an operation sends a spike on (through weights) instead of resetting a membrane with it."""
    if reader.kind in _WEIGHTS:
        return True
    others = [v for v in reader.operands if v is not spike]
    return reader.kind == "mul" and len(others) == 1 and kind_of(others[0]) == "broadcast" \
        and others[0] is not threshold


def _use_membrane(step: Step, state: State) -> None:
    """Replaces a spike state by the test of the membrane that it was made of, where it is not sent on."""
    spike = state.next
    if kind_of(spike) != "tofloat" or kind_of(spike.op.operands[0]) != "cmp":
        return
    test = spike.op.operands[0].op
    membrane, threshold = test.operands
    fires = _FIRES.get(test.attrs["pred"])
    if fires is None or not is_fixed(threshold):
        return
    holder = next((s for s in step.states if s.next is membrane and s.private), None)
    readers = step.users().get(id(state.value), [])
    resets = [op for op in readers if not is_signal(op, state.value, threshold)]
    if holder is None and (state.kept or len(resets) < len(readers) or any(v is state.value for v in step.roots())):
        return
    start = holder.initial if holder is not None else 0.0
    if not resets or any(float(fires(start, limit)) != state.initial for limit in _numbers(threshold)):
        return
    old = state.value
    if holder is None:  # the state now holds the membrane; it starts where no spike is
        state.value, state.next = Value(membrane.width), membrane
    build = Builder()
    build.source = spike.op.source
    before = holder.value if holder is not None else state.value
    mask = build.make("cmp", [before, threshold], before.width, "i1", pred=test.attrs["pred"])
    replacement = build.tofloat(mask)
    for op in resets:
        op.operands = [replacement if v is old else v for v in op.operands]
    step.ops += build.ops
    step.clean()


def _numbers(threshold: Value) -> list[float]:
    number = constant_of(threshold)
    return [number] if number is not None else threshold.op.params["value"].value.ravel().tolist()


def _sign_as_spikes(step: Step, op: Op) -> None:
    """`(sign(u) + 1) / 2` as the mean of `u > 0` and `u >= 0`, which is equal and has a surrogate derivative."""
    users = step.users()
    chain = [op.result]
    for kinds, number in ((("add",), 1.0), (("div", "mul"), None)):
        readers = users.get(id(chain[-1]), [])
        if len(readers) != 1 or readers[0].kind not in kinds:
            return
        factor = constant_of(readers[0].operands[1])
        wanted = number if number is not None else {"div": 2.0, "mul": 0.5}[readers[0].kind]
        if factor != wanted or any(v is chain[-1] for v in step.roots()):
            return
        chain.append(readers[0].result)
    build = Builder()
    build.source = op.source
    u = op.operands[0]
    zero = build.const(0.0, u.width)
    above, at_least = (build.tofloat(build.compare(pred, u, zero)) for pred in ("ogt", "oge"))
    mean = build.binary("mul", build.binary("add", above, at_least), build.const(0.5, u.width))
    step.ops += build.ops
    step.replace(chain[-1], mean)
    step.clean()


def _count_spikes(step: Step, op: Op) -> None:
    """`(v > 0) * trunc(v / threshold)` or `max(floor(v / threshold), 0)`, perhaps with an upper limit."""
    ratio = _truncated(op) if op.kind == "mul" else _floored(op)
    if ratio is None:
        return
    value, params, attrs = _ratio(ratio)
    if op.kind == "mul" and not any(_is_positive_part(v, value) for v in op.operands):
        return
    result = op.result
    readers = step.users().get(id(result), [])
    attrs["max_spikes"] = 0
    if len(readers) == 1 and readers[0].kind == "min" and not any(v is result for v in step.roots()):
        limit = constant_of(readers[0].operands[1])
        if limit is not None and limit >= 1 and limit == int(limit):
            attrs["max_spikes"] = int(limit)
            result = readers[0].result
    count = Op("count", [value], params, attrs, [], op.source)
    count.results = [Value(value.width, "f32", count, result.name)]
    step.ops.append(count)
    step.replace(result, count.result)
    step.clean()


def _truncated(op: Op) -> Value | None:
    """The ratio q of `(v > 0) * (floor(|q|) * sign(q))`."""
    for product in op.operands:
        if kind_of(product) != "mul":
            continue
        parts = {kind_of(v): v.op.operands[0] for v in product.op.operands if v.op is not None and v.op.operands}
        if set(parts) == {"floor", "sign"} and kind_of(parts["floor"]) == "abs" \
                and parts["floor"].op.operands[0] is parts["sign"]:
            return parts["sign"]
    return None


def _floored(op: Op) -> Value | None:
    """The ratio q of `max(floor(q), 0)`."""
    floor = op.operands[0]
    return floor.op.operands[0] if kind_of(floor) == "floor" and constant_of(op.operands[1]) == 0.0 else None


def _ratio(q: Value) -> tuple[Value, dict, dict]:
    """Membrane and `threshold`, as a parameter or an attribute, for `q = v / threshold`."""
    if kind_of(q) == "div":
        value, threshold = q.op.operands
        number = constant_of(threshold)
        if number is not None and number > 0:
            return value, {}, {"threshold": number}
        if kind_of(threshold) == "broadcast" and (threshold.op.params["value"].value > 0).all() \
                and threshold.op.attrs.get("inner", 1) == 1:
            return value, {"threshold": threshold.op.params["value"]}, {}
    return q, {}, {"threshold": 1.0}


def _is_positive_part(factor: Value, value: Value) -> bool:
    """Whether a factor is 1 where a value is above 0, else 0."""
    if kind_of(factor) != "tofloat" or kind_of(factor.op.operands[0]) != "cmp":
        return False
    test = factor.op.operands[0].op
    return test.operands[0] is value and constant_of(test.operands[1]) == 0.0 and test.attrs["pred"] in ("ogt", "ugt")
