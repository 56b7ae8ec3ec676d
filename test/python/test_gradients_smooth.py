# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of what has no step function against finite differences in double precision; needs only NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spiking_models import relative_error, run_pipeline

B, T, N, M = 3, 7, 5, 4
PIPELINE = "builtin.module(func.func(snn-differentiate,snn-fuse-time-sums),canonicalize,cse)"
Values = dict[str, np.ndarray]


def differences(loss: Callable[[Values], float], values: Values, name: str) -> np.ndarray:
    """Central differences of `loss` in every element of one value, in double."""
    result = np.zeros(values[name].shape)
    for index in np.ndindex(*result.shape):
        step = 1e-6
        moved = [dict(values), dict(values)]
        for sign, other in zip((1, -1), moved, strict=True):
            other[name] = values[name].copy()
            other[name][index] += sign * step
        result[index] = (loss(moved[0]) - loss(moved[1])) / (2 * step)
    return result


def check(source: str, values: Values, wanted: list[str], loss: Callable[[Values], float], folder) -> None:
    single = {name: value.astype(np.float32) for name, value in values.items()}
    double = {name: value.astype(np.float64) for name, value in single.items()}
    results = run_pipeline(source, PIPELINE, folder, single)
    for name in wanted:
        expected = differences(loss, double, name)
        assert np.linalg.norm(expected) > 0
        assert relative_error(results[f"{name}.grad"], expected) < 2e-5, name


def draw(seed: int, **shapes: tuple[int, ...]) -> Values:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0.0, 0.6, shape) for name, shape in shapes.items()}


ELEMENTWISE = {
    "add, sub, neg": (
        "%r = arith.addf %a, %b : T\n %s = arith.negf %r : T\n %y = arith.subf %s, %a : T",
        lambda a, b: -(a + b) - a,
    ),
    "mul, div": ("%p = arith.mulf %a, %a : T\n %y = arith.divf %p, %b : T", lambda a, b: a * a / b),
    "max": ("%y = arith.maximumf %a, %b : T", np.maximum),
    "min": ("%y = arith.minimumf %a, %b : T", np.minimum),
    "abs": ("%c = math.absf %a : T\n %y = arith.mulf %c, %b : T", lambda a, b: np.abs(a) * b),
    "exp, tanh": (
        "%c = math.exp %a : T\n %d = math.tanh %b : T\n %y = arith.mulf %c, %d : T",
        lambda a, b: np.exp(a) * np.tanh(b),
    ),
    "log, sqrt": (
        "%c = arith.mulf %a, %a : T\n %d = math.log %c : T\n %e = arith.mulf %b, %b : T\n %f = math.sqrt %e : T\n"
        "%y = arith.mulf %d, %f : T",
        lambda a, b: np.log(a * a) * np.abs(b),
    ),
    "select": (
        "%c = arith.cmpf olt, %a, %b : T\n %d = arith.mulf %a, %a : T\n %y = arith.select %c, %d, %b : C, T",
        lambda a, b: np.where(a < b, a * a, b),
    ),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str, tmp_path) -> None:
    """Outside of a scan, and inside one that feeds the result back."""
    text, function = ELEMENTWISE[name]
    body = text.replace("C, T", f"tensor<{B}x{N}xi1>, T").replace("T", f"tensor<{B}x{N}xf32>")
    row = f"tensor<{B}x{N}xf32>"
    source = f"""
func.func @main(%a0: {row} {{snn.name = "a"}}, %b0: {row} {{snn.name = "b"}}, %g: {row} {{snn.name = "g"}})
    -> ({row} {{snn.name = "a.grad"}}, {row} {{snn.name = "b.grad"}}) {{
  %z = snn.scan state(%a = %a0 : {row}, %b = %b0 : {row}) -> (), ({row}, {row}) attributes {{steps = 2 : i64}} {{
    {body}
    snn.yield state(%y, %b : {row}, {row})
  }}
  %da, %db = snn.gradient of(%z#0 : {row}) seeds(%g : {row}) wrt(%a0, %b0 : {row}, {row}) -> {row}, {row}
  return %da, %db : {row}, {row}
}}""".replace("%z = snn.scan", "%z:2 = snn.scan")
    values = draw(1, a=(B, N), b=(B, N), g=(B, N))
    # Away from the kinks, where differences mean something.
    values["a"] += np.sign(values["a"]) * 0.2
    values["b"] += np.sign(values["b"]) * 0.2

    def loss(v: Values) -> float:
        a = v["a"]
        for _ in range(2):
            a = function(a, v["b"])
        return float((a * v["g"]).sum())

    check(source, values, ["a", "b"], loss, tmp_path)


def test_integrators_and_synapses_through_time(tmp_path) -> None:
    """A rate network with a synaptic current, learnable decays, biases, feedback, and a clamp on a parameter."""
    row, x, w, u, n = (f"tensor<{dims}xf32>" for dims in (f"{B}x{N}", f"{B}x{M}", f"{N}x{M}", f"{N}x{N}", f"{N}"))
    xs, ys = f"tensor<{T}x{B}x{M}xf32>", f"tensor<{T}x{B}x{N}xf32>"
    source = f"""
func.func @main(%x: {xs} {{snn.name = "x"}}, %w: {w} {{snn.name = "w"}},
    %b: {n} {{snn.name = "b"}}, %u: {u} {{snn.name = "u"}},
    %alpha: {n} {{snn.name = "alpha"}}, %beta: {n} {{snn.name = "beta"}},
    %v0: {row} {{snn.name = "v0"}}, %g: {row} {{snn.name = "g"}})
    -> ({w} {{snn.name = "w.grad"}}, {n} {{snn.name = "b.grad"}},
        {u} {{snn.name = "u.grad"}}, {n} {{snn.name = "alpha.grad"}},
        {n} {{snn.name = "beta.grad"}}, {row} {{snn.name = "v0.grad"}},
        {xs} {{snn.name = "x.grad"}}) {{
  %one = arith.constant dense<0.9> : {n}
  %a = arith.minimumf %alpha, %one : {n}
  %zero = arith.constant dense<0.0> : {row}
  %y, %f:2 = snn.scan over(%xt = %x : {xs})
      state(%i = %zero : {row}, %v = %v0 : {row})
      -> ({ys}), ({row}, {row}) {{
    %c = snn.linear %xt, %w bias(%b : {n}) : ({x}, {w}) -> {row}
    %r = math.tanh %v : {row}
    %k = snn.linear %r, %u : ({row}, {u}) -> {row}
    %s = arith.addf %c, %k : {row}
    %i1 = snn.integrator %s, %i decay(%a : {n}) {{gain = 0.5 : f32}} : {row}, {row}
    %v1 = snn.integrator %i1, %v decay(%beta : {n}) {{leak = 0.3 : f32}} : {row}, {row}
    %d = snn.broadcast %beta : {n} -> {row}
    %o = arith.mulf %v1, %d : {row}
    snn.yield step(%o : {row}) state(%i1, %v1 : {row}, {row})
  }}
  %sum = snn.sum_time %y : {ys} -> {row}
  %gw, %gb, %gu, %ga, %gbeta, %gv, %gx = snn.gradient of(%sum : {row}) seeds(%g : {row})
      wrt(%w, %b, %u, %alpha, %beta, %v0, %x : {w}, {n}, {u},
          {n}, {n}, {row}, {xs})
      -> {w}, {n}, {u}, {n}, {n},
         {row}, {xs}
  return %gw, %gb, %gu, %ga, %gbeta, %gv, %gx : {w}, {n}, {u},
      {n}, {n}, {row}, {xs}
}}"""
    values = draw(2, x=(T, B, M), w=(N, M), b=(N,), u=(N, N), v0=(B, N), g=(B, N))
    values["alpha"] = np.array([0.5, 0.7, 0.95, 0.3, 0.8])
    values["beta"] = np.array([0.9, 0.6, 0.7, 0.8, 0.4])

    def loss(v: Values) -> float:
        alpha, total = np.minimum(v["alpha"], np.float32(0.9)), 0.0
        i, m = np.zeros((B, N)), v["v0"]
        for row in v["x"]:
            current = row @ v["w"].T + v["b"] + np.tanh(m) @ v["u"].T
            i = alpha * i + 0.5 * current
            m = v["beta"] * m + i + (1 - v["beta"]) * np.float32(0.3)
            total += (m * v["beta"] * v["g"]).sum()
        return float(total)

    check(source, values, ["w", "b", "u", "alpha", "beta", "v0", "x"], loss, tmp_path)


def test_cross_entropy(tmp_path) -> None:
    row, labels, weights = f"tensor<{B}x{N}xf32>", f"tensor<{B}xi32>", f"tensor<{B}xf32>"
    source = f"""
func.func @main(%l: {row} {{snn.name = "l"}}, %y: {labels} {{snn.name = "y"}}, %w: {weights} {{snn.name = "w"}})
    -> ({row} {{snn.name = "l.grad"}}, tensor<f32> {{snn.name = "loss"}}) {{
  %loss, %g, %c = snn.cross_entropy %l, %y, %w : {row}, {labels}, {weights} -> tensor<f32>, {row}, tensor<f32>
  return %g, %loss : {row}, tensor<f32>
}}"""
    values = draw(3, l=(B, N))
    values["l"] = values["l"] * 10
    values |= {"y": np.array([1.0, 4.0, 0.0]), "w": np.array([0.5, 0.25, 0.0])}

    def loss(v: Values) -> float:
        p = np.log(np.exp(v["l"]).sum(1)) - v["l"][np.arange(B), v["y"].astype(int)]
        return float((v["w"] * p).sum())

    check(source, values, ["l"], loss, tmp_path)
