# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What a compilation can be told, in one form for the Python interface and the command line.
"""Options of compilation and training as plain data, and how the compiler is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import UsageError

LOSSES = ("cross_entropy",)
READOUTS = ("spike_count", "spike_rate", "membrane_mean", "membrane_max", "membrane_last", "membrane_each")
SURROGATES = {"fast_sigmoid": 25.0, "superspike": 10.0, "atan": 2.0}


@dataclass(frozen=True)
class Adam:
    """Adam; a parameter p moves by ``lr * m_hat / (sqrt(v_hat) + epsilon)``."""

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    name = "adam"


@dataclass(frozen=True)
class SGD:
    """Gradient descent; with momentum the velocity is ``momentum * velocity + gradient``."""

    lr: float = 1e-2
    momentum: float = 0.0
    name = "sgd"


Optimizer = Adam | SGD


@dataclass(frozen=True)
class Events:
    """How long event lists may be.

    Args:
        max_activity: the share of a hidden layer's neurons that a list holds, for all or by layer; None drops nothing.
        second_threshold: a neuron takes part in the backward pass if its membrane exceeds this share of its threshold.
        input_capacity: list lengths of inputs by name; inputs without one are dense.
    """

    max_activity: float | Mapping[str, float] | None = None
    second_threshold: float | None = None
    input_capacity: Mapping[str, int] = field(default_factory=dict)

    def arguments(self) -> list[str]:
        """Return the options of snn-compile."""
        result = []
        if isinstance(self.max_activity, Mapping):
            layers = ",".join(f"{name}={share:g}" for name, share in self.max_activity.items())
            result.append(f"--max-activity={layers}")
        elif self.max_activity is not None:
            if not 0 < self.max_activity <= 1:
                raise UsageError(f"max_activity is {self.max_activity:g}; a share in (0, 1] is wanted")
            result.append(f"--max-activity={self.max_activity:g}")
        if self.second_threshold is not None:
            result.append(f"--second-threshold={self.second_threshold:g}")
        result += [f"--input-capacity={name}:{length}" for name, length in self.input_capacity.items()]
        return result


@dataclass(frozen=True)
class Training:
    """What a training step minimises and how.

    Args:
        loss: ``cross_entropy``.
        readout: what the loss reads of the first output, such as ``spike_count``.
        optimizer: ``Adam`` or ``SGD``.
        surrogate: the stand-in for the derivative of the spike, ``kind:slope``.
        detach_reset: no gradient through the resets of neurons.
    """

    loss: str = "cross_entropy"
    readout: str = "spike_count"
    optimizer: Optimizer = field(default_factory=Adam)
    surrogate: str = "fast_sigmoid:25"
    detach_reset: bool = True

    def arguments(self) -> list[str]:
        """Return the options of snn-compile."""
        if self.loss not in LOSSES:
            raise UsageError(f"loss '{self.loss}' is not known; known: {', '.join(LOSSES)}")
        if self.readout not in READOUTS:
            raise UsageError(f"readout '{self.readout}' is not known; known: {', '.join(READOUTS)}")
        check_surrogate(self.surrogate)
        return [
            "--train",
            f"--loss={self.loss}",
            f"--readout={self.readout}",
            f"--optimizer={self.optimizer.name}",
            f"--lr={self.optimizer.lr!r}",
            f"--surrogate={self.surrogate}",
            f"--detach-reset={'true' if self.detach_reset else 'false'}",
        ]


def check_surrogate(text: str) -> str:
    """Return ``kind:slope`` with the kind's usual slope filled in, or refuse it."""
    kind, _, slope = text.partition(":")
    if kind not in SURROGATES:
        raise UsageError(f"surrogate '{kind}' is not known; known: {', '.join(SURROGATES)} (as in fast_sigmoid:25)")
    try:
        value = float(slope) if slope else SURROGATES[kind]
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise UsageError(
            f"the slope of surrogate '{text}' must be a positive number, as in {kind}:{SURROGATES[kind]:g}"
        )
    return f"{kind}:{value:g}"
