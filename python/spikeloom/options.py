# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What a compilation can be told, in one form for the Python interface and the command line.
"""Options of compilation and training as plain data, and how the compiler is told of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from .errors import UsageError

LOSSES = ("cross_entropy", "mse", "mse_count", "mse_target")
USUAL_TARGETS = (1.0, 0.0)
READOUTS = ("spike_count", "spike_rate", "membrane_mean", "membrane_max", "membrane_last", "membrane_each", "output")
# What the loss mse_target can read, and how the input is called that takes the target: after the output.
TARGET_READOUTS = ("output", "membrane_each")
TARGET = ".target"
# The parameters of every surrogate where they are not given: see `#snn.surrogate` in docs/Dialects.
SURROGATES: dict[str, tuple[float, ...]] = {
    "fast_sigmoid": (25,),
    "superspike": (10,),
    "atan": (2,),
    "soft_sign": (2,),
    "inverse_square": (1,),
    "sparse_fast_sigmoid": (25, 1),
    "sigmoid": (25,),
    "triangular": (1,),
    "straight_through": (),
    "heaviside": (),
    "shifted_heaviside": (1,),
    "spike_rate_escape": (1, 25),
    "leaky": (0.1, 1),
    "piecewise_quadratic": (1,),
    "piecewise_exp": (1,),
    "erf": (2,),
    "heavi_erfc": (1,),
    "heavi_tanh": (1,),
    "heavi_circ": (1,),
    "triangle": (0.3,),
    "piecewise_leaky_relu": (1, 0.01),
    "rect": (1,),
    "nonzero_sign_log_abs": (1,),
    "s2nn": (4, 1),
    "q_pseudo_spike": (2,),
    "fake_numerical_gradient": (0.3,),
    "log_tailed_relu": (0,),
    "single_exponential": (0.5, 1),
    "periodic_exponential": (0.5, 1),
    "gaussian": (0.5, 1),
    "multi_gaussian": (0.5, 0.15, 6, 1),
}
# Parameters of these may be any finite number; of all others they are positive.
ANY_NUMBER = {
    "sparse_fast_sigmoid": {1},
    "triangular": {0},
    "shifted_heaviside": {0},
    "leaky": {0, 1},
    "piecewise_leaky_relu": {1},
    "log_tailed_relu": {0},
    "multi_gaussian": {1},
}


@dataclass(frozen=True)
class Adam:
    """Adam; a parameter p moves by ``lr * m_hat / (sqrt(v_hat) + epsilon)``; weight decay is added to the gradient."""

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    name = "adam"

    def arguments(self) -> list[str]:
        """Return the options of snn-compile."""
        return _optimizer_arguments(self, Adam())


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter itself, by ``lr * weight_decay * p``, as in PyTorch."""

    weight_decay: float = 1e-2
    name = "adamw"


@dataclass(frozen=True)
class SGD:
    """Gradient descent; with momentum the velocity is ``momentum * velocity + gradient``."""

    lr: float = 1e-2
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    name = "sgd"

    def arguments(self) -> list[str]:
        """Return the options of snn-compile."""
        return _optimizer_arguments(self, SGD())


Optimizer = Adam | AdamW | SGD


def _optimizer_arguments(optimizer: Optimizer, usual: Optimizer) -> list[str]:
    """Name the optimiser, its rate, and what is not as usual."""
    result = [f"--optimizer={optimizer.name}", f"--lr={optimizer.lr!r}"]
    for setting in fields(usual)[1:]:
        value = getattr(optimizer, setting.name)
        if value != getattr(usual, setting.name):
            option = f"--{setting.name.replace('_', '-')}"
            result.append(option if value is True else f"{option}={value!r}")
    return result


@dataclass(frozen=True)
class Events:
    """How long event lists may be.

    Args:
        max_activity: the share of a hidden layer's neurons that a list holds, for all or by layer; None drops nothing.
        second_threshold: a neuron takes part in the backward pass if its membrane exceeds this share of its threshold.
        input_capacity: list lengths of inputs by name; inputs without one are dense.
        capacity: list lengths of hidden layers by name, instead of shares.
        rotate: the first-come order of lists starts at another neuron in every step and sample.
    """

    max_activity: float | Mapping[str, float] | None = None
    second_threshold: float | None = None
    input_capacity: Mapping[str, int] = field(default_factory=dict)
    capacity: Mapping[str, int] = field(default_factory=dict)
    rotate: bool = False

    def arguments(self) -> list[str]:
        """Return the options of snn-compile."""
        result = []
        if isinstance(self.max_activity, Mapping):
            for name, share in self.max_activity.items():
                check_share(share)
                result.append(f"--layer-activity={name}:{share:g}")
        elif self.max_activity is not None:
            check_share(self.max_activity)
            result.append(f"--max-activity={self.max_activity:g}")
        if self.second_threshold is not None:
            result.append(f"--second-threshold={self.second_threshold:g}")
        result += [f"--input-capacity={name}:{length}" for name, length in self.input_capacity.items()]
        result += [f"--capacity={name}:{length}" for name, length in self.capacity.items()]
        result += ["--rotate"] if self.rotate else []
        return result


def check_lists(events: Events, train: Training | None) -> None:
    """Refuse what only changes something where a list is shorter than its layer, if no list is."""
    if events.max_activity is not None or events.capacity:
        return
    why = "has no effect where every list holds its whole layer; give max_activity, too"
    if events.rotate and not events.input_capacity:
        raise UsageError(f"rotate {why}")
    if train is not None and train.overflow_penalty:
        raise UsageError(f"overflow_penalty {why}")


def check_share(share: float) -> None:
    """Refuse what is no share of a layer."""
    if not 0 < share <= 1:
        raise UsageError(f"max_activity is {share:g}; a share in (0, 1] is wanted")


@dataclass(frozen=True)
class Training:
    """What a training step minimises and how.

    Args:
        loss: ``cross_entropy``, ``mse`` (of what the readout gives), ``mse_count`` (of spike counts), or ``mse_target``
            (of every step, against numbers that are given in place of labels).
        readout: what the loss reads of the first output, such as ``spike_count``; for ``mse_target`` it is ``output``
            (the values) or ``membrane_each`` (the membranes of the neurons that make it).
        optimizer: ``Adam``, ``AdamW`` or ``SGD``.
        surrogate: the stand-in for the derivative of the spike, ``kind`` or ``kind:parameter:...``.
        detach_reset: no gradient through the resets of neurons.
        targets: what mse wants of the labelled unit and of the others; for mse_count as shares of the steps.
        clip_gradients: ``norm:LIMIT`` (of all gradients together) or ``value:LIMIT`` (of each element); empty: not.
        rate_penalty: ``(weight, rate)`` adds ``weight * max(0, share - rate)**2`` to the loss, the share of a hidden
            layer that fires in a step of a sample being taken before its list is cut, the mean over steps and samples.
        overflow_penalty: the weight of the same above 0.9 of every list's capacity.
        truncate: detach the states before every so many steps, 0 for never.
        recompute: keep the states of every so many steps only, and compute the steps between again in the backward
            pass: less tile memory, a forward pass more time or two, the same bits (where layers lie on tiles alike).
            Must divide the steps; 0 keeps all.
    """

    loss: str = "cross_entropy"
    readout: str = "spike_count"
    optimizer: Optimizer = field(default_factory=Adam)
    surrogate: str = "fast_sigmoid:25"
    detach_reset: bool = True
    targets: tuple[float, float] = USUAL_TARGETS
    clip_gradients: str = ""
    rate_penalty: tuple[float, float] | None = None
    overflow_penalty: float = 0.0
    truncate: int = 0
    recompute: int = 0

    @property
    def has_target(self) -> bool:
        """Whether a step takes numbers to come close to, instead of labels."""
        return self.loss == "mse_target"

    def arguments(self) -> list[str]:
        """Return the options of snn-compile."""
        if self.loss not in LOSSES:
            raise UsageError(f"loss '{self.loss}' is not known; known: {', '.join(LOSSES)}")
        if self.readout not in READOUTS:
            raise UsageError(f"readout '{self.readout}' is not known; known: {', '.join(READOUTS)}")
        check_surrogate(self.surrogate)
        self._check_terms()
        # The first output of a program with a target is the difference to it.
        loss, readout = ("mse", "membrane_each") if self.has_target else (self.loss, self.readout)
        targets = (0.0, 0.0) if self.has_target else self.targets
        result = ["--train", f"--loss={loss}", f"--readout={readout}", *self.optimizer.arguments()]
        result += [f"--surrogate={self.surrogate}", f"--detach-reset={'true' if self.detach_reset else 'false'}"]
        if targets != USUAL_TARGETS:
            result.append(f"--targets={targets[0]!r},{targets[1]!r}")
        if self.clip_gradients:
            result.append(f"--clip-gradients={check_clip(self.clip_gradients)}")
        if self.rate_penalty:
            result.append(f"--rate-penalty={self.rate_penalty[0]!r}:{self.rate_penalty[1]!r}")
        if self.overflow_penalty:
            result.append(f"--overflow-penalty={self.overflow_penalty!r}")
        if self.truncate:
            result.append(f"--truncate={self.truncate}")
        if self.recompute < 0:
            raise UsageError(f"recompute={self.recompute}: a number of steps is wanted, or 0 to keep all tapes")
        if self.recompute:
            result.append(f"--recompute={self.recompute}")
        return result

    def _check_terms(self) -> None:
        """Refuse numbers that no term of the loss can have, and targets that the loss does not read."""
        if not 0 <= self.overflow_penalty < math.inf:
            raise UsageError(f"overflow_penalty is {self.overflow_penalty:g}; a weight of at least 0 is wanted")
        if self.rate_penalty and not (0 < self.rate_penalty[0] < math.inf and 0 <= self.rate_penalty[1] <= 1):
            raise UsageError(
                f"rate_penalty is {self.rate_penalty}; a pair of a positive weight and a rate in [0, 1] is wanted"
            )
        if self.loss not in ("mse", "mse_count") and self.targets != USUAL_TARGETS:
            raise UsageError(f"targets are for the losses mse and mse_count; {self.loss} has none")
        if self.has_target and self.readout not in TARGET_READOUTS:
            raise UsageError(f"the loss mse_target reads every step: its readout is {' or '.join(TARGET_READOUTS)}")


def check_clip(text: str) -> str:
    """Return ``norm:LIMIT`` or ``value:LIMIT``, or refuse it."""
    kind, _, limit = text.partition(":")
    try:
        value = float(limit)
    except ValueError:
        value = -1.0
    if kind not in ("norm", "value") or not 0 < value < float("inf"):
        raise UsageError(f"clipping '{text}' is not known; norm:LIMIT or value:LIMIT, as norm:1, are wanted")
    return text


@dataclass(frozen=True)
class Gradients:
    """A program of outputs and gradients for cotangents from outside, so that the network can be part of a model.

    Args:
        surrogate: the stand-in for the derivative of the spike, ``kind`` or ``kind:parameter:...``.
        detach_reset: no gradient through the resets of neurons.
        states: also differentiate the last states with respect to the first ones (not states that carry spikes).
    """

    surrogate: str = "fast_sigmoid:25"
    detach_reset: bool = True
    states: bool = False

    def arguments(self) -> list[str]:
        """Return the options of snn-compile."""
        return [
            "--state-gradients" if self.states else "--gradients",
            f"--surrogate={check_surrogate(self.surrogate)}",
            f"--detach-reset={'true' if self.detach_reset else 'false'}",
        ]


def check_surrogate(text: str) -> str:
    """Return ``kind:parameter:...`` with the usual parameters of the kind filled in, or refuse it."""
    kind, *given = text.split(":")
    if kind not in SURROGATES:
        raise UsageError(f"surrogate '{kind}' is not known; known: {', '.join(SURROGATES)} (as in fast_sigmoid:25)")
    usual = SURROGATES[kind]
    example = ":".join([kind, *(f"{value:g}" for value in usual)])
    if len(given) > len(usual):
        raise UsageError(f"surrogate '{text}' has {len(given)} parameters; {kind} has {len(usual)}, as in {example}")
    values = list(usual)
    for i, part in enumerate(given):
        free = i in ANY_NUMBER.get(kind, ())
        try:
            values[i] = float(part)
        except ValueError:
            values[i] = float("nan")
        if not math.isfinite(values[i]) or (values[i] <= 0 and not free):
            wanted = "a number" if free else "positive"
            raise UsageError(f"parameter {i + 1} of surrogate '{text}' must be {wanted}, as in {example}")
    return ":".join([kind, *(f"{value:g}" for value in values)])
