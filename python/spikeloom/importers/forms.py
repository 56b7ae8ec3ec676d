# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a value as a sum of `coefficient * indicators * base`, the shape in which neurons are recognised.

A base is a value that is not taken apart (the membrane, an input current), an indicator is a spike test. Since
an indicator is 0 or 1, products of indicators are sets. Frameworks write the same neuron in many ways
(`v + a*((leak - v) + i)`, `v - v/tau + x`, `(1-s)*v + s*v_reset`, `v - s*v`); their forms are equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .builder import constant_of, kind_of
from .ir import Parameter, Value, cone

Key = tuple[frozenset[int], int]  # (ids of indicators, id of the base; 0 for the constant term)


@dataclass
class Coefficient:
    """A number, or plus or minus one parameter."""

    number: float = 0.0
    parameter: Parameter | None = None

    def times(self, other: Coefficient) -> Coefficient | None:
        """The product, if it is again a number or plus or minus one parameter."""
        if self.parameter is None and other.parameter is None:
            return Coefficient(self.number * other.number)
        if self.parameter is not None and other.parameter is not None:
            return None
        parameter, factor = (self, other) if self.parameter is not None else (other, self)
        if factor.number not in (1.0, -1.0):
            return None
        return Coefficient(parameter.number * factor.number, parameter.parameter)

    def plus(self, other: Coefficient) -> Coefficient | None:
        """The sum, if it is again a number or plus or minus one parameter."""
        if self.parameter is None and other.parameter is None:
            return Coefficient(self.number + other.number)
        if self.parameter is other.parameter and self.number == -other.number:
            return Coefficient(0.0)
        return None

    @property
    def is_zero(self) -> bool:
        """Exactly zero, or what rounding leaves of terms that cancel."""
        return self.parameter is None and abs(self.number) < 1e-12

    def same(self, other: Coefficient, sign: float = 1.0) -> bool:
        """Whether this is `sign` times the other one. A uniform parameter equals its number: exporters drop `*1`."""
        if self.parameter is not None and other.parameter is not None:
            equal = self.parameter is other.parameter or (
                self.parameter.value.shape == other.parameter.value.shape
                and np.array_equal(self.parameter.value, other.parameter.value))
            return equal and self.number == sign * other.number
        a, b = self.uniform(), other.uniform()
        return a is not None and b is not None and abs(a - sign * b) <= 1e-7 * max(1.0, abs(a))

    def uniform(self) -> float | None:
        """The number that this coefficient is everywhere, if it is one."""
        if self.parameter is None:
            return self.number
        value = self.parameter.value
        return self.number * float(value.flat[0]) if value.size and np.ptp(value) == 0 else None


Form = dict[Key, Coefficient]
_NONE: frozenset[int] = frozenset()


class FormBuilder:
    """Forms with respect to the values in `split` (membrane, and spike tests in `indicators`).

    What does not depend on them, or depends on them in another way, is a base of its own.
    """

    def __init__(self, split: list[Value], indicators: list[Value], threshold: Coefficient | None = None) -> None:
        self.threshold = threshold
        self.split = {id(v) for v in split}
        self.indicators = {id(m) for m in indicators}
        self.bases: dict[int, Value] = {}
        self._forms: dict[int, Form] = {}
        self._depends: dict[int, bool] = {}

    def form(self, value: Value) -> Form:
        """The form of a float value."""
        if id(value) not in self._forms:
            form = self._expand(value)
            self._forms[id(value)] = self._base(value) if form is None else form
        return self._forms[id(value)]

    def _base(self, value: Value) -> Form:
        self.bases[id(value)] = value
        return {(_NONE, id(value)): Coefficient(1.0)}

    def depends(self, value: Value) -> bool:
        """Whether a value is computed from what the form is taken with respect to."""
        if id(value) not in self._depends:
            self._depends[id(value)] = bool(cone(value) & (self.split | self.indicators))
        return self._depends[id(value)]

    def _expand(self, value: Value) -> Form | None:
        number = constant_of(value)
        if number is not None:
            return {(_NONE, 0): Coefficient(number)} if number != 0 else {}
        if kind_of(value) == "broadcast":
            return {(_NONE, 0): Coefficient(1.0, value.op.params["value"])}
        if id(value) in self.split or value.op is None:
            return None
        kind, operands = value.op.kind, value.op.operands
        if not self.depends(value):
            # Part of a leak that the exporter added to the current: `(x + leak) - v`.
            leak = kind in ("add", "sub") and constant_of(operands[1]) is not None
            return self._add(operands[0], operands[1], 1.0 if kind == "add" else -1.0) if leak else None
        if kind == "tofloat" and id(operands[0]) in self.indicators:
            return {(frozenset([id(operands[0])]), 0): Coefficient(1.0)}
        if kind in ("add", "sub"):
            return self._add(operands[0], operands[1], 1.0 if kind == "add" else -1.0)
        if kind == "neg":
            return self._sum({}, self.form(operands[0]), -1.0)
        if kind == "mul":
            return self._without_weights(self._product(self.form(operands[0]), self.form(operands[1])))
        if kind == "div":
            number = constant_of(operands[1])
            return self._product(self.form(operands[0]), {(_NONE, 0): Coefficient(1.0 / number)}) if number else None
        if kind == "select" and id(operands[0]) in self.indicators:
            key = (frozenset([id(operands[0])]), 0)
            on = self._product({key: Coefficient(1.0)}, self.form(operands[1]))
            rest = self._product({key: Coefficient(-1.0), (_NONE, 0): Coefficient(1.0)}, self.form(operands[2]))
            return self._sum(on, rest, 1.0) if on is not None and rest is not None else None
        return None

    def _without_weights(self, form: Form | None) -> Form | None:
        """None for a spike times a parameter that is not the threshold: a recurrent weight, not part of a reset."""
        for (indicators, base), coefficient in (form or {}).items():
            if indicators and not base and coefficient.parameter is not None \
                    and not (self.threshold and any(coefficient.same(self.threshold, s) for s in (1.0, -1.0))):
                return None
        return form

    def _add(self, a: Value, b: Value, sign: float) -> Form | None:
        """A sum; where coefficients do not add up to one parameter, one of the operands stays whole."""
        result = self._sum(self.form(a), self.form(b), sign)
        if result is None and b.op is not None:
            result = self._sum(self.form(a), self._base(b), sign)
        if result is None and a.op is not None:
            result = self._sum(self._base(a), self.form(b), sign)
        return result

    def _sum(self, a: Form, b: Form, sign: float) -> Form | None:
        result = dict(a)
        for key, coefficient in b.items():
            term = coefficient.times(Coefficient(sign))
            total = term if key not in result else result[key].plus(term)
            if total is None or (total.is_zero and key[1] and key[1] not in self.split and not key[0]):
                return None  # `sig + (s - sig)` is rounding around s, not s
            result[key] = total
        return {k: c for k, c in result.items() if not c.is_zero}

    @staticmethod
    def _product(a: Form, b: Form) -> Form | None:
        result: Form = {}
        for (inds_a, base_a), ca in a.items():
            for (inds_b, base_b), cb in b.items():
                if base_a and base_b:
                    return None
                coefficient = ca.times(cb)
                if coefficient is None:
                    return None
                key = (inds_a | inds_b, base_a or base_b)
                total = coefficient if key not in result else result[key].plus(coefficient)
                if total is None:
                    return None
                result[key] = total
        return {k: c for k, c in result.items() if not c.is_zero}
