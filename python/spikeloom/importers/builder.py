# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes operations of the step IR, one for each distinct computation, in a few canonical forms.

Only rewrites that give the same bits for finite numbers are made (`x*1`, `x-0`, `(v-t) > 0` as `v > t`, the many
spellings of a spike), so that a step without raised neurons computes what the file computes.
"""

from __future__ import annotations

import numpy as np

from .ir import Op, Parameter, Value
from .problems import Source

_SWAPPED = {"ogt": "olt", "oge": "ole", "olt": "ogt", "ole": "oge", "ugt": "ult", "uge": "ule",
            "ult": "ugt", "ule": "uge", "oeq": "oeq", "une": "une"}
_NEGATED = {"ogt": "ule", "oge": "ult", "olt": "uge", "ole": "ugt", "ugt": "ole", "uge": "olt",
            "ult": "oge", "ule": "ogt", "oeq": "une", "une": "oeq"}


# Two of these are never one, since each draws by itself.
_DRAWN = {"dropout"}


def constant_of(value: Value) -> float | None:
    """The number a value holds everywhere, if it is a constant."""
    return value.op.attrs["value"] if value.op is not None and value.op.kind == "const" else None


def kind_of(value: Value) -> str:
    """The kind of the operation that makes a value; empty for inputs and states."""
    return value.op.kind if value.op is not None else ""


class Builder:
    """Appends operations to `ops`, reusing one that computes the same."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self._known: dict[tuple, Op] = {}
        self.source = Source()

    def make(self, kind: str, operands: list[Value], width: int, dtype: str = "f32",
             params: dict[str, Parameter] | None = None, **attrs) -> Value:
        """The value of an operation, new or known."""
        params = params or {}
        key = (kind, tuple(map(id, operands)), tuple((r, id(p)) for r, p in params.items()),
               tuple(sorted(attrs.items())), width)
        if key not in self._known or kind in _DRAWN:
            op = Op(kind, list(operands), dict(params), attrs, [], self.source)
            op.results = [Value(width, dtype, op)]
            self.ops.append(op)
            self._known[key] = op
        return self._known[key].result

    def const(self, number: float, width: int) -> Value:
        """A constant of a row width."""
        return self.make("const", [], width, value=float(np.float32(number)))

    def unary(self, kind: str, a: Value) -> Value:
        """neg, abs, floor, …"""
        if kind == "neg" and kind_of(a) == "neg":
            return a.op.operands[0]
        return self.make(kind, [a], a.width)

    def binary(self, kind: str, a: Value, b: Value) -> Value:
        """add, sub, mul, div, max, min on rows of one width."""
        ca, cb = constant_of(a), constant_of(b)
        if kind in ("add", "max", "min", "mul") and ca is not None and cb is None:
            a, b, ca, cb = b, a, cb, ca
        if kind == "add":
            if cb == 0.0:
                return a
            if kind_of(a) == "neg":
                return self.binary("sub", b, a.op.operands[0])
            if kind_of(b) == "neg":
                return self.binary("sub", a, b.op.operands[0])
        elif kind == "sub":
            if cb == 0.0:
                return a
            if kind_of(b) == "neg":
                return self.binary("add", a, b.op.operands[0])
        elif kind in ("mul", "div") and cb == 1.0:
            return a
        elif kind == "mul" and cb == 0.0 and kind_of(a) == "tofloat":
            return b
        elif kind == "max" and cb == 0.0 and kind_of(a) == "abs":
            return a
        elif kind == "mul" and {kind_of(a), kind_of(b)} == {"sign", "abs"} and a.op.operands == b.op.operands:
            return a.op.operands[0]  # a pooling of power 1 is written so
        elif kind == "max" and cb == 0.0 and kind_of(a) == "sign":
            return self.tofloat(self.compare("ogt", a.op.operands[0], b))
        elif kind == "min" and cb == 1.0 and kind_of(a) == "max" and constant_of(a.op.operands[1]) == 0.0 \
                and kind_of(a.op.operands[0]) == "floor":
            return self.tofloat(self.compare("oge", a.op.operands[0].op.operands[0], b))
        return self.make(kind, [a, b], a.width)

    def compare(self, pred: str, a: Value, b: Value) -> Value:
        """A mask. Constants and parameters go to the right; `(p - q) > 0` becomes `p > q`, which is exact."""
        if is_fixed(a) and not is_fixed(b):
            a, b, pred = b, a, _SWAPPED[pred]
        number = constant_of(b)
        if number == 0.0 and kind_of(a) == "sub":
            return self.compare(pred, *a.op.operands)
        if number is not None and kind_of(a) == "tofloat":
            mask = a.op.operands[0]
            if (pred in ("ogt", "ugt") and 0.0 <= number < 1.0) or (pred in ("oge", "uge") and 0.0 < number <= 1.0) \
                    or (pred == "une" and number == 0.0) or (pred == "oeq" and number == 1.0):
                return mask
            if (pred in ("olt", "ult") and 0.0 < number <= 1.0) or (pred in ("ole", "ule") and 0.0 <= number < 1.0) \
                    or (pred == "oeq" and number == 0.0) or (pred == "une" and number == 1.0):
                return self.invert(mask)
        return self.make("cmp", [a, b], a.width, "i1", pred=pred)

    def invert(self, mask: Value) -> Value:
        """Logical not."""
        if kind_of(mask) == "cmp":
            return self.make("cmp", mask.op.operands, mask.width, "i1", pred=_NEGATED[mask.op.attrs["pred"]])
        if kind_of(mask) == "not":
            return mask.op.operands[0]
        return self.make("not", [mask], mask.width, "i1")

    def logic(self, kind: str, a: Value, b: Value) -> Value:
        """and, or, xor of masks."""
        return a if a is b and kind != "xor" else self.make(kind, [a, b], a.width, "i1")

    def tofloat(self, mask: Value) -> Value:
        """1 where the mask is set, else 0."""
        return self.make("tofloat", [mask], mask.width)

    def tobool(self, a: Value) -> Value:
        """A mask of what is not zero."""
        return self.compare("une", a, self.const(0.0, a.width))

    def select(self, mask: Value, a: Value, b: Value) -> Value:
        """`a` where the mask is set, else `b`."""
        ca, cb = constant_of(a), constant_of(b)
        if ca == 1.0 and cb == 0.0:
            return self.tofloat(mask)
        if ca == 0.0 and cb == 1.0:
            return self.tofloat(self.invert(mask))
        if kind_of(mask) == "cmp" and mask.op.attrs["pred"] == "oeq" and kind_of(b) == "tofloat" and ca in (0.0, 1.0):
            inner = b.op.operands[0]
            if kind_of(inner) == "cmp" and inner.op.operands == mask.op.operands \
                    and inner.op.attrs["pred"] in ("uge", "ugt", "oge", "ogt"):
                pred = inner.op.attrs["pred"][0] + ("ge" if ca == 1.0 else "gt")
                return self.tofloat(self.make("cmp", mask.op.operands, mask.width, "i1", pred=pred))
        return self.make("select", [mask, a, b], a.width)


def is_fixed(value: Value) -> bool:
    """Whether a value is a number or a parameter for every sample."""
    return kind_of(value) in ("const", "broadcast")
