# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Surrogate derivatives in PyTorch, written from the frameworks' documentation: what `#snn.surrogate` is checked with.

Each takes u = v - theta, v, theta, where the neuron fires, and the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch


def _normal(x, mean: float, width: float):
    return torch.exp(-((x - mean) ** 2) / (2 * width**2)) / (width * math.sqrt(2 * math.pi))


def _sigmoid(u, k: float):
    s = torch.sigmoid(k * u)
    return k * s * (1 - s)


def _periodic(v, theta, width: float, scale: float):
    shifted = v - theta / 2
    periodic = shifted - torch.floor(shifted / theta)
    y = torch.where(v >= theta, periodic, shifted)
    return scale * torch.exp(-(y - theta / 2).abs() / width) / theta


def _multi_gaussian(u, s: float, h: float, r: float, a: float):
    return a * ((1 + h) * _normal(u, 0, s) - h * _normal(u, s, r * s) - h * _normal(u, -s, r * s))


SURROGATES = {
    "fast_sigmoid": lambda u, v, theta, fires, k: 1 / (1 + k * u.abs()) ** 2,
    "superspike": lambda u, v, theta, fires, k: 1 / (k * u.abs() + 1) ** 2,
    "atan": lambda u, v, theta, fires, a: a / 2 / (1 + (math.pi / 2 * a * u) ** 2),
    "soft_sign": lambda u, v, theta, fires, a: 1 / (2 * a * (1 / a + u.abs()) ** 2),
    "inverse_square": lambda u, v, theta, fires, a: a / (u.abs() + 1) ** 2,
    "sparse_fast_sigmoid": lambda u, v, theta, fires, k, b: (u > b) / (1 + k * u.abs()) ** 2,
    "sigmoid": lambda u, v, theta, fires, k: _sigmoid(u, k),
    "triangular": lambda u, v, theta, fires, a: torch.where(u >= 0, -a, a),
    "straight_through": lambda u, v, theta, fires: torch.ones_like(u),
    "heaviside": lambda u, v, theta, fires: fires.float(),
    "shifted_heaviside": lambda u, v, theta, fires, w: (v >= theta - w) / theta,
    "spike_rate_escape": lambda u, v, theta, fires, beta, k: k * torch.exp(-beta * (u - 1).abs()),
    "leaky": lambda u, v, theta, fires, leak, k: torch.where(fires, k, leak),
    "piecewise_quadratic": lambda u, v, theta, fires, a: (u.abs() <= 1 / a) * (a - a**2 * u.abs()),
    "piecewise_exp": lambda u, v, theta, fires, a: a / 2 * torch.exp(-a * u.abs()),
    "erf": lambda u, v, theta, fires, a: a / math.sqrt(math.pi) * torch.exp(-((a * u) ** 2)),
    "heavi_erfc": lambda u, v, theta, fires, k: 2 / math.sqrt(math.pi) * torch.exp(-((k * u) ** 2)),
    "heavi_tanh": lambda u, v, theta, fires, k: 1 - torch.tanh(k * u) ** 2,
    "heavi_circ": lambda u, v, theta, fires, a: (
        2 * a * (1 / (2 * (a**2 + u**2).sqrt()) - u**2 / (2 * (a**2 + u**2) ** 1.5))
    ),
    "triangle": lambda u, v, theta, fires, a: a * torch.relu(1 - u.abs()),
    "piecewise_leaky_relu": lambda u, v, theta, fires, w, c: torch.where(u.abs() < w, 1 / (2 * w), c),
    "rect": lambda u, v, theta, fires, a: a * (u.abs() < 0.5 / a),
    "nonzero_sign_log_abs": lambda u, v, theta, fires, a: 1 / (1 / a + u.abs()),
    "s2nn": lambda u, v, theta, fires, a, b: torch.where(u < 0, _sigmoid(u, a), b / (u + 1)),
    "q_pseudo_spike": lambda u, v, theta, fires, a: (1 + 2 / (a - 1) * u.abs()) ** -a,
    "fake_numerical_gradient": lambda u, v, theta, fires, a: torch.clamp_max(1 / u.abs(), a),
    "log_tailed_relu": lambda u, v, theta, fires, a: torch.where(u <= 0, a, torch.where(u <= 1, 1.0, 1 / u)),
    "single_exponential": lambda u, v, theta, fires, w, s: s / (theta * w) * torch.exp(-u.abs() / (theta * w)),
    "periodic_exponential": lambda u, v, theta, fires, w, s: _periodic(v, theta, w, s),
    "gaussian": lambda u, v, theta, fires, s, a: a * _normal(u, 0, s),
    "multi_gaussian": lambda u, v, theta, fires, s, h, r, a: _multi_gaussian(u, s, h, r, a),
}


def fast_sigmoid_spikes(slope: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """A step of u = v - theta forward, the fast sigmoid's slope backward."""

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, u):
            ctx.save_for_backward(u)
            return (u > 0).float()

        @staticmethod
        def backward(ctx, gradient):
            (u,) = ctx.saved_tensors
            return gradient * SURROGATES["fast_sigmoid"](u, None, None, None, slope)

    return Spike.apply
