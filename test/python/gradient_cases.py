# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One list of what the compiler's gradients are compared with PyTorch on: for the tests and for docs/Gradients.md.

A case is a group, a name and a function that gives relative errors by name; `cases()` gathers those of all modules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

import feature_models
from spiking_models import Layer, Net, Update, relative_error, torch_gradients, training_results
from torch_surrogates import SURROGATES

TOLERANCE = 1e-4
Errors = dict[str, float]


@dataclass(frozen=True)
class Case:
    """What is compared, and how: `errors` gets a folder for files and gives relative errors by name."""

    group: str
    name: str
    errors: Callable[[Path], Errors]


def lif(*units: int, **options) -> list[Layer]:
    """A stack of equal layers of these widths."""
    return [Layer(n, **options) for n in units]


def gradient_errors(found: dict[str, np.ndarray], loss: float, gradients: dict[str, np.ndarray]) -> Errors:
    """Relative errors of the loss and of every gradient; a gradient of zero is refused, as it tests nothing."""
    errors = {"loss": abs(float(found["loss"]) - loss) / max(abs(loss), 1e-12)}
    for name, expected in gradients.items():
        assert np.isfinite(expected).all(), name
        assert np.linalg.norm(expected) > 0, f"the gradient of {name} tests nothing"
        errors[name] = relative_error(found[f"{name}.grad"], expected)
    return errors


def dense(net: Net, step: str = "") -> Callable[[Path], Errors]:
    """Full lists: nothing is dropped and every neuron has its surrogate gradient."""

    def run(folder: Path) -> Errors:
        loss, counts, gradients = torch_gradients(net)
        assert counts.sum() > 0 or "membrane" in net.readout, "the output is silent"
        return gradient_errors(training_results(net, folder, step=step), loss, gradients)

    return run


def sparse(net: Net, near: float | None, rotate: bool = False) -> Callable[[Path], Errors]:
    """Capacity 5 % (lists overflow), inputs cut too: what is dropped is gone, what is not listed has no gradient."""

    def run(folder: Path) -> Errors:
        loss, _, gradients = torch_gradients(net, activity=0.05, near=near, input_capacity=10, rotate=rotate)
        full, _, everywhere = torch_gradients(net)
        assert loss != full, "nothing was dropped"
        assert relative_error(gradients["fc0.weight"], everywhere["fc0.weight"]) > 1e-3
        second = f"second-threshold={near}" if near is not None else ""
        order = "rotate=true" if rotate else ""
        results = training_results(net, folder, f"max-activity=0.05 input-capacity=x:10 {second} {order}")
        return gradient_errors(results, loss, gradients)

    return run


def updated(net: Net, update: Update, t: int) -> Callable[[Path], Errors]:
    """Step t of an optimiser from states that are not zero: the parameters after it."""

    def run(folder: Path) -> Errors:
        rng = np.random.default_rng(5)
        parameters = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in net.values.items()}
        optimizer = update.torch(list(parameters.values()))
        inputs = {"hyper": update.hyper(t)}
        for name, parameter in parameters.items():
            shape = net.values[name].shape
            first, second = rng.normal(0, 1e-2, shape), rng.uniform(1e-6, 1e-4, shape)
            if update.kind != "sgd":
                states = {"exp_avg": first, "exp_avg_sq": second}
                inputs |= {f"{name}.m": np.float32(first), f"{name}.v": np.float32(second)}
                optimizer.state[parameter] = {"step": torch.tensor(float(t - 1))}
            elif update.momentum:
                states = {"momentum_buffer": first}
                inputs[f"{name}.momentum"] = np.float32(first)
            else:
                continue
            optimizer.state[parameter] |= {key: torch.tensor(value).float() for key, value in states.items()}
        step = " ".join(f"{key}={value}" for key, value in update.options().items())
        results = training_results(net, folder, step=step, inputs=inputs)
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(results[f"{name}.grad"])
        kind, _, limit = update.clip.partition(":")
        if kind == "norm":
            norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), float(limit))
            assert norm > float(limit), "nothing is clipped"
        elif kind == "value":
            torch.nn.utils.clip_grad_value_(list(parameters.values()), float(limit))
        optimizer.step()
        moved = {name: parameter.detach().numpy() - net.values[name] for name, parameter in parameters.items()}
        return {name: relative_error(results[name] - net.values[name], step) for name, step in moved.items()}

    return run


def multi_spike(most: int, surrogate: str, parameters: tuple[float, ...]) -> Callable[[Path], Errors]:
    """A neuron written as arithmetic that fires several times in a step, as in sinabs: v' = v - s theta."""

    def run(folder: Path) -> Errors:
        net = Net(lif(8), inputs=10, steps=9, surrogate=surrogate, parameters=parameters, seed=70)
        row, theta = f"tensor<{net.batch}x8xf32>", 0.5
        stacked, x = f"tensor<{net.steps}x{net.batch}x8xf32>", f"tensor<{net.steps}x{net.batch}x10xf32>"
        source = f"""
func.func @main(%x: {x} {{snn.name = "x", snn.kind = #snn.kind<input>}},
    %w: tensor<8x10xf32> {{snn.name = "fc0.weight", snn.kind = #snn.kind<parameter>, snn.trainable}},
    %v0: {row} {{snn.name = "mem", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32}}) -> {stacked} {{
  %theta = arith.constant dense<{theta}> : {row}
  %y, %last = snn.scan over(%xt = %x : {x}) state(%v = %v0 : {row}) -> ({stacked}), ({row}) {{
    %i = snn.linear %xt, %w : (tensor<{net.batch}x10xf32>, tensor<8x10xf32>) -> {row}
    %m = snn.integrator %i, %v {{decay = 0.875 : f32}} : {row}, {row}
    %s = snn.spike %m {{threshold = {theta} : f32, max_spikes = {most} : i64}} : {row}
    %d = arith.mulf %s, %theta : {row}
    %n = arith.subf %m, %d : {row}
    snn.yield step(%s : {row}) state(%n : {row})
  }}
  return %y : {stacked}
}}"""
        found = training_results(net, folder, source=source)

        class Count(torch.autograd.Function):
            @staticmethod
            def forward(ctx, v):
                ctx.save_for_backward(v)
                count = (v > 0) * torch.div(v, theta, rounding_mode="trunc")
                return count.clamp(max=most) if most else count

            @staticmethod
            def backward(ctx, gradient):
                (v,) = ctx.saved_tensors
                return gradient * SURROGATES[surrogate](v - theta, v, torch.tensor(theta), v >= theta, *parameters)

        weight = torch.tensor(net.values["fc0.weight"], requires_grad=True)
        v, counts = torch.zeros(net.batch, 8), 0
        for row_of_step in torch.tensor(net.x):
            v = 0.875 * v + row_of_step @ weight.T
            s = Count.apply(v)
            v = v - s * theta
            counts = counts + s
        assert counts.max() > net.steps, "nothing fires several times"
        loss = torch.nn.functional.cross_entropy(counts, torch.tensor(net.labels).long())
        loss.backward()
        return gradient_errors(found, loss.item(), {"fc0.weight": weight.grad.numpy()})

    return run


NEURONS = {
    "one layer": Net(lif(5), steps=5),
    "snnTorch, delayed subtract": Net(lif(20, 6, reset_time="delayed"), steps=25),
    "snnTorch, delayed zero": Net(lif(20, 6, reset_time="delayed", reset_kind="value"), steps=15, seed=1),
    "same step subtract, deep": Net(lif(24, 20, 16, 8), steps=20, slope=5.0, seed=2),
    "through the reset, subtract": Net(lif(20, 6), steps=20, detach=False, slope=10.0, surrogate="superspike", seed=3),
    "through the reset, value": Net(
        lif(20, 6, reset_kind="value", v_reset=-0.25), steps=12, detach=False, slope=2.0, surrogate="atan", seed=4
    ),
    "through the delayed reset, subtract": Net(
        lif(20, 6, reset_time="delayed"), steps=12, detach=False, slope=4.0, seed=5
    ),
    "through the delayed reset, value": Net(
        lif(20, 6, reset_time="delayed", reset_kind="value", v_reset=0.25), steps=12, detach=False, slope=4.0, seed=6
    ),
    "Norse-like, value": Net(lif(24, 12, 5, reset_kind="value"), steps=50, surrogate="superspike", slope=10.0, seed=7),
    "whole update": Net(
        lif(20, 6, reset_time="delayed", reset_kind="value", reset_scope="whole_update"), steps=15, seed=8
    ),
    "SpikingJelly-like, ge, gain and leak": Net(
        lif(20, 6, cmp="ge", decay=0.5, gain=0.5, leak=0.25, bias=True), steps=15, surrogate="atan", slope=2.0, seed=9
    ),
    "fire first, subtract": Net(lif(20, 6, order="fire_integrate"), steps=15, seed=10),
    "fire first, through the reset": Net(
        lif(20, 6, order="fire_integrate"), steps=15, detach=False, slope=3.0, seed=11
    ),
    "fire first, value through the reset": Net(
        lif(20, 6, order="fire_integrate", reset_kind="value", v_reset=0.125),
        steps=15,
        detach=False,
        slope=3.0,
        seed=12,
    ),
    "no reset": Net(lif(16, 4, reset_kind="none", decay=0.75), steps=15, seed=13),
    "graded spikes": Net(lif(20, 6, graded=0.5), steps=15, slope=4.0, seed=14),
    "recurrent": Net([Layer(16, recurrent=True), Layer(5)], steps=15, slope=5.0, seed=15),
    "recurrent, delayed, deep": Net(
        [Layer(14, recurrent=True, reset_time="delayed"), Layer(12, recurrent=True), Layer(5)],
        steps=12,
        surrogate="atan",
        slope=2.0,
        seed=16,
    ),
    "recurrent output": Net([Layer(10), Layer(5, recurrent=True)], steps=12, slope=5.0, seed=17),
    "masked weights": Net(lif(30, 20, 6, density=0.2), inputs=24, steps=15, slope=5.0, seed=80),
    "masked weights, recurrent": Net(
        [Layer(30, density=0.25, recurrent=True), Layer(6, density=0.4)], inputs=24, steps=15, slope=5.0, seed=81
    ),
    "whole update, through the reset": Net(
        lif(20, 6, reset_time="delayed", reset_kind="value", reset_scope="whole_update", v_reset=0.25),
        steps=12,
        slope=4.0,
        detach=False,
        seed=32,
    ),
    "fire first, whole update, through the reset": Net(
        lif(20, 6, order="fire_integrate", reset_kind="value", reset_scope="whole_update", v_reset=-0.25),
        steps=12,
        slope=4.0,
        detach=False,
        seed=33,
    ),
    **{
        f"learnable threshold, {name}": Net(
            lif(14, 6, learn_threshold=True, **options), steps=14, slope=4.0, detach=detach, seed=40 + seed
        )
        for seed, (name, detach, options) in enumerate(
            [
                ("subtract", True, {}),
                ("subtract through the reset", False, {}),
                ("value", True, {"reset_kind": "value"}),
                ("value through the reset", False, {"reset_kind": "value", "v_reset": -0.25}),
                ("delayed", True, {"reset_time": "delayed"}),
                ("delayed through the reset", False, {"reset_time": "delayed"}),
                ("delayed value through the reset", False, {"reset_time": "delayed", "reset_kind": "value"}),
                ("fire first", True, {"order": "fire_integrate"}),
                ("fire first through the reset", False, {"order": "fire_integrate"}),
                ("no reset", True, {"reset_kind": "none"}),
                ("and decay, recurrent", True, {"recurrent": True, "learn_decay": True}),
            ]
        )
    },
    "learnable decay": Net(lif(12, 5, learn_decay=True), steps=15, slope=5.0, seed=18),
    "learnable decay, one for all": Net(lif(12, 5, learn_decay=True, scalar=True), steps=15, slope=5.0, seed=71),
    "learnable threshold, one for all": Net(
        lif(12, 5, learn_threshold=True, scalar=True), steps=15, slope=5.0, seed=72
    ),
    "PLIF: decay sigmoid(w), w for all": Net(
        lif(12, 5, learn_decay=True, scalar=True, sigmoid=True, cmp="ge"), steps=15, slope=5.0, seed=73
    ),
    "PLIF: decay sigmoid(w), w per neuron": Net(
        lif(12, 5, learn_decay=True, sigmoid=True, leak=0.25), steps=15, slope=5.0, seed=74
    ),
    "learnable decay, reset to a value": Net(
        lif(12, 5, learn_decay=True, reset_time="delayed", reset_kind="value", leak=0.25), steps=12, slope=5.0, seed=19
    ),
}

listed = partial(Net, inputs=40, steps=12, slope=5.0)
LISTS = {
    "two layers": Net(lif(80, 6), inputs=40, steps=12, surrogate="superspike", slope=10.0, seed=20),
    "deep": Net(lif(100, 60, 10), inputs=30, steps=20, slope=10.0, seed=21, batch=6),
    "value": listed(lif(80, 6, reset_kind="value"), seed=22),
    "delayed": listed(lif(80, 40, 6, reset_time="delayed"), seed=23),
    "through the reset": listed(lif(80, 6), seed=24, detach=False),
    "recurrent": listed([Layer(60, recurrent=True), Layer(6)], seed=25),
    "learnable threshold": listed(lif(80, 6, learn_threshold=True), seed=26),
    "masked weights": listed(
        [Layer(60, recurrent=True, density=0.25), Layer(40, density=0.25), Layer(6, density=0.25)], seed=82
    ),
    "fire first, whole update, through the reset": listed(
        lif(80, 6, order="fire_integrate", reset_kind="value", reset_scope="whole_update", v_reset=0.25),
        detach=False,
        seed=27,
    ),
    "penalties": listed(lif(80, 60, 6), rate_penalty=(0.5, 0.02), overflow_penalty=100.0, seed=28),
    "penalties, fire first": listed(lif(80, 6, order="fire_integrate"), overflow_penalty=100.0, seed=29),
    "penalties, delayed, graded": listed(
        lif(80, 6, reset_time="delayed", graded=0.5), rate_penalty=(20.0, 0.0), seed=34
    ),
}

SURROGATE_NETS = {
    f"{kind} {', '.join(f'{value:g}' for value in values)}".strip(): Net(
        lif(14, 6, threshold=0.75), steps=12, surrogate=kind, parameters=values, seed=50
    )
    for kind, values in [
        ("fast_sigmoid", (25.0,)),
        ("superspike", (100.0,)),
        ("atan", (2.0,)),
        ("soft_sign", (2.0,)),
        ("inverse_square", (0.5,)),
        ("sparse_fast_sigmoid", (5.0, -0.25)),
        ("sigmoid", (4.0,)),
        ("triangular", (0.5,)),
        ("straight_through", ()),
        ("heaviside", ()),
        ("shifted_heaviside", (0.5,)),
        ("spike_rate_escape", (1.0, 2.0)),
        ("leaky", (0.1, 1.0)),
        ("piecewise_quadratic", (1.0,)),
        ("piecewise_exp", (2.0,)),
        ("erf", (2.0,)),
        ("heavi_erfc", (1.5,)),
        ("heavi_tanh", (1.5,)),
        ("heavi_circ", (0.5,)),
        ("triangle", (0.3,)),
        ("piecewise_leaky_relu", (0.75, 0.01)),
        ("rect", (0.75,)),
        ("nonzero_sign_log_abs", (2.0,)),
        ("s2nn", (4.0, 1.0)),
        ("q_pseudo_spike", (2.0,)),
        ("fake_numerical_gradient", (0.3,)),
        ("log_tailed_relu", (0.125,)),
        ("single_exponential", (0.5, 1.0)),
        ("periodic_exponential", (0.5, 1.0)),
        ("gaussian", (0.5, 1.0)),
        ("multi_gaussian", (0.5, 0.15, 6.0, 1.0)),
    ]
}

TRUNCATED = {
    "every 4 of 12 steps": Net(lif(20, 6), steps=12, slope=5.0, truncate=4, seed=60),
    "every 5 of 12 steps, recurrent": Net(
        [Layer(16, recurrent=True), Layer(5)], steps=12, slope=5.0, truncate=5, seed=61
    ),
    "every step": Net(lif(20, 6, reset_time="delayed"), steps=12, slope=5.0, truncate=1, detach=False, seed=62),
    "every 4, recurrent one to one": Net(
        [Layer(16, recurrent=True, one_to_one=True), Layer(5)], steps=12, slope=5.0, truncate=4, seed=63
    ),
    "every 4, largest membrane": Net(lif(20, 6), steps=12, slope=5.0, truncate=4, readout="membrane_max", seed=64),
}

JUDGED = Net(lif(20, 6), steps=15, slope=5.0, seed=30)
READOUTS = ("spike_count", "spike_rate", "membrane_mean", "membrane_max", "membrane_last", "membrane_each")
LOSSES = {
    **{f"cross-entropy of {readout}": replace(JUDGED, readout=readout) for readout in READOUTS},
    "mse_count": replace(JUDGED, loss="mse_count", targets=(0.75, 0.25)),
    **{
        f"mse of {readout}": replace(JUDGED, loss="mse", readout=readout, targets=(1.5, -0.25))
        for readout in READOUTS[1:]
    },
}

STEPPED = Net(lif(20, 6, bias=True), steps=15, slope=5.0, seed=31)
UPDATES = {
    "SGD": Update("sgd"),
    "SGD, momentum": Update("sgd", momentum=0.9),
    "SGD, Nesterov momentum": Update("sgd", momentum=0.9, nesterov=True),
    "SGD, momentum, weight decay": Update("sgd", momentum=0.9, weight_decay=0.01),
    "Adam": Update(),
    "Adam, weight decay": Update(weight_decay=0.01),
    "AdamW": Update("adamw", weight_decay=0.1),
    "clipped by norm": Update("sgd", clip="norm:0.05"),
    "Adam, clipped by norm": Update(clip="norm:0.05"),
    "clipped by value": Update("sgd", clip="value:0.005"),
}


def cases() -> list[Case]:
    """All cases in the order of the table."""
    result = [Case("Neurons", name, dense(net)) for name, net in NEURONS.items()]
    result += [
        Case("Neurons", "several spikes a step", multi_spike(0, "periodic_exponential", (0.5, 1.0))),
        Case("Neurons", "several spikes a step, at most 2", multi_spike(2, "multi_gaussian", (0.5, 0.15, 6.0, 1.0))),
    ]
    for near in (0.9, None):
        listed = "second threshold 0.9" if near else "all neurons near"
        result += [Case("Event lists", f"{name}, {listed}", sparse(net, near)) for name, net in LISTS.items()]
    result += [
        Case("Event lists", f"{name}, rotating, {listed}", sparse(LISTS[name], near, rotate=True))
        for near, listed in ((0.9, "second threshold 0.9"), (None, "all neurons near"))
        for name in ("two layers", "recurrent")
    ]
    result += [Case("Surrogates", name, dense(net)) for name, net in SURROGATE_NETS.items()]
    result += [Case("Layers", name, partial(feature_models.gradient_errors, name)) for name in feature_models.NETS]
    result += [Case("Truncated backpropagation", name, dense(net)) for name, net in TRUNCATED.items()]
    result += [Case("Losses and readouts", name, dense(net)) for name, net in LOSSES.items()]
    result += [
        Case("Optimiser steps", f"{name}, step {t}", updated(STEPPED, update, t))
        for name, update in UPDATES.items()
        for t in ((1, 7) if update.kind != "sgd" else (2,))
    ]
    return result
