# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The nodes of NIR that are not neurons: weights, windows, delays and elementwise nodes."""

from __future__ import annotations

import math

import numpy as np

from .ir import Value
from .nir_graph import MAX_WIDTH, Node, Window
from .nir_neurons import StepBuilder
from .problems import ProblemList

WEIGHTS = ("Affine", "Linear", "Conv1d", "Conv2d")
MAX_DELAY = 4096  # steps; each is a state of its own


def lower_layer(step: StepBuilder, node: Node, x: Value, problems: ProblemList) -> Value:
    """What the node gives for its input `x`; a delay is a `Delay`."""
    build = step.build
    if node.kind in ("Affine", "Linear"):
        return _linear(step, node, x)
    if node.kind in ("Conv1d", "Conv2d"):
        return _convolution(step, node, x, problems)
    if node.kind in ("SumPool2d", "AvgPool2d"):
        return _pooling(step, node, x, problems)
    if node.kind == "Scale":
        return step.scaled(x, f"{node.name}.scale", _spread(node.node.scale, node.width))
    if node.kind == "Threshold":
        threshold = step.row(f"{node.name}.threshold", _spread(node.node.threshold, node.width))
        return build.tofloat(build.compare("ogt", x, threshold))
    return x  # Input, Output, Flatten: the row stays as it is


def _spread(values, width: int) -> np.ndarray:
    array = np.asarray(values, np.float64)
    return np.array(np.broadcast_to(array.ravel() if array.ndim else array, (width,)))


def _bias(step: StepBuilder, node: Node, width: int) -> dict:
    """The bias, if the node has one; zeros stay, since they may train."""
    bias = getattr(node.node, "bias", None)
    return {} if bias is None else {"bias": step.parameter(f"{node.name}.bias", _spread(bias, width), True)}


def _linear(step: StepBuilder, node: Node, x: Value) -> Value:
    """`W x + b`; further leading dimensions of the weight are as many groups."""
    weight = np.asarray(node.node.weight)
    *lead, out, inner = weight.shape
    groups = math.prod(lead)
    if not lead:
        params = {"weight": step.parameter(f"{node.name}.weight", weight, True), **_bias(step, node, node.width)}
        return step.build.make("linear", [x], node.width, params=params)
    kernel = weight.reshape(groups * out, inner, 1)
    params = {"weight": step.parameter(f"{node.name}.weight", kernel, True), **_bias(step, node, groups * out)}
    return step.build.make("conv", [x], node.width, params=params, input=(groups * inner, 1), strides=(1,),
                           padding=(0, 0), dilations=(1,), groups=groups)


def _convolution(step: StepBuilder, node: Node, x: Value, problems: ProblemList) -> Value:
    window = Window.of(node, problems)
    weight = np.asarray(node.node.weight)
    params = {"weight": step.parameter(f"{node.name}.weight", weight, True), **_bias(step, node, weight.shape[0])}
    return step.build.make("conv", [x], node.width, params=params, groups=int(node.node.groups), **_slide(node, window))


def _pooling(step: StepBuilder, node: Node, x: Value, problems: ProblemList) -> Value:
    """Sums are a convolution of each channel by ones; means count padding, as PyTorch's do."""
    window = Window.of(node, problems)
    value = 1.0 if node.kind == "SumPool2d" else 1.0 / math.prod(window.kernel)
    kernel = np.full((window.channels, 1, *window.kernel), value)
    params = {"weight": step.parameter(f"{node.name}.kernel", kernel)}
    return step.build.make("conv", [x], node.width, params=params, groups=window.channels, **_slide(node, window))


def _slide(node: Node, window: Window) -> dict:
    return {"input": tuple(node.takes), "strides": window.stride, "padding": window.padding,
            "dilations": window.dilation}


def delay_steps(node: Node, dt: float, problems: ProblemList) -> np.ndarray | None:
    """The delay of each unit in time steps; rounded with a warning, refused where it is too long."""
    exact = _spread(node.node.delay, node.width) / dt
    steps = np.rint(exact)
    if steps.max(initial=0) > MAX_DELAY:
        problems.error(f"its longest delay is {steps.max():.0f} time steps of {dt:g} s; at most {MAX_DELAY} are kept. "
                       "Take a larger --nir-dt", node.source)
        return None
    if steps.max(initial=0) * node.width > MAX_WIDTH:
        problems.error(f"it keeps {steps.max() * node.width:.0f} values for one sample ({steps.max():.0f} time steps "
                       f"of {node.width} units); at most {MAX_WIDTH} are kept. Take a larger --nir-dt", node.source)
        return None
    off = np.abs(exact - steps).max(initial=0)
    if off > 1e-3:
        problems.warn(f"its delays are rounded to whole time steps of {dt:g} s, by up to {off:.2g} of a step",
                      node.source)
    return steps.astype(np.int64)


class Delay:
    """A delay in two parts, since it may lie on a cycle: what it gives is known before what it takes."""

    def __init__(self, step: StepBuilder, node: Node, steps: np.ndarray) -> None:
        self.step, self.node, self.steps = step, node, steps
        self.line = [step.state(f"{node.name}.{k}", node.width) for k in range(1, int(steps.max(initial=0)) + 1)]

    def output(self, x: Value | None) -> Value:
        """What comes out in this step; `x` is needed where some unit is not delayed at all."""
        build = self.step.build
        taps = [(k, x if k == 0 else self.line[k - 1].value) for k in np.unique(self.steps)]
        if len(taps) == 1:
            return taps[0][1]
        total: Value | None = None
        for k, value in taps:
            chosen = self.step.row(f"{self.node.name}.tap{k}", (self.steps == k).astype(np.float64))
            part = build.binary("mul", value, chosen)
            total = part if total is None else build.binary("add", total, part)
        return total

    def take(self, x: Value) -> None:
        """Puts this step's value into the line."""
        for k, state in enumerate(self.line):
            state.next = x if k == 0 else self.line[k - 1].value
