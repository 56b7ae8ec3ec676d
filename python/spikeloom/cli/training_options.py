# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What `compile --train` and `train` can be told about the step that they make.
"""Options of training programs."""

from __future__ import annotations

import argparse

from ..errors import UsageError
from ..options import (
    LOSSES,
    READOUTS,
    SGD,
    SURROGATES,
    USUAL_TARGETS,
    Adam,
    AdamW,
    Optimizer,
    Training,
    check_surrogate,
)
from ..schedules import RateSchedule, parse_rate_schedule
from .values import number, pair_of_numbers, penalty, positive, weight

OPTIMIZERS = {"adam": Adam, "adamw": AdamW, "sgd": SGD}
# Which optimisers have which settings.
SETTINGS = {
    "momentum": ("sgd",),
    "nesterov": ("sgd",),
    "beta1": ("adam", "adamw"),
    "beta2": ("adam", "adamw"),
    "epsilon": ("adam", "adamw"),
    "weight_decay": ("adam", "adamw", "sgd"),
}


def add_training(parser: argparse.ArgumentParser, *, schedules: bool = False) -> None:
    """Add the options of training programs; ``schedules`` are of the loop around them."""
    group = parser.add_argument_group("training")
    group.add_argument(
        "--loss",
        default="cross_entropy",
        metavar="NAME",
        help=f"{', '.join(LOSSES)}: mse of what the readout gives, of spike counts, or of every step against numbers "
        "[N, T, ...] or [N, ...] in --labels (default: cross_entropy)",
    )
    group.add_argument(
        "--readout",
        default="spike_count",
        metavar="NAME",
        help=f"what the loss reads: {', '.join(READOUTS)} (default: spike_count)",
    )
    group.add_argument(
        "--targets",
        type=pair_of_numbers,
        default=USUAL_TARGETS,
        metavar="ON,OFF",
        help="what mse wants of the labelled unit and of the others; mse_count: as shares of the steps (default: 1,0)",
    )
    surrogates = ", ".join(check_surrogate(kind) for kind in SURROGATES)
    group.add_argument(
        "--surrogate",
        metavar="KIND[:PARAMETER…]",
        help=f"with usual parameters: {surrogates} (default: fast_sigmoid:25)",
    )
    group.add_argument(
        "--detach-reset",
        choices=("true", "false"),
        default="true",
        help="no gradient through the resets of neurons (default: true)",
    )
    group.add_argument(
        "--rate-penalty",
        type=penalty,
        metavar="WEIGHT:RATE",
        help="add WEIGHT * max(0, share - RATE)² to the loss, the share of a hidden layer that fires in a step of a "
        "sample, before its list is cut",
    )
    group.add_argument(
        "--overflow-penalty",
        type=weight,
        default=0.0,
        metavar="WEIGHT",
        help="the same above 0.9 of every list's capacity, so that layers learn not to overflow",
    )
    group.add_argument(
        "--truncate",
        type=positive,
        default=0,
        metavar="STEPS",
        help="truncated backpropagation: states are detached before every so many steps (default: never)",
    )
    group.add_argument(
        "--recompute",
        type=positive,
        default=0,
        metavar="STEPS",
        help="keep the states of every so many steps only and compute the steps between again in the backward pass: "
        "less tile memory (default: keep all)",
    )
    _add_optimizer(parser, schedules)


def _add_optimizer(parser: argparse.ArgumentParser, schedules: bool) -> None:
    group = parser.add_argument_group("optimiser")
    group.add_argument("--optimizer", choices=tuple(OPTIMIZERS), default="adam", help="(default: adam)")
    rates = ", ".join(f"{name} {kind().lr:g}" for name, kind in OPTIMIZERS.items())
    group.add_argument("--lr", type=number, metavar="RATE", help=f"learning rate (default: {rates})")
    if schedules:
        group.add_argument(
            "--lr-schedule",
            type=parse_rate_schedule,
            default=RateSchedule(),
            metavar="constant|step:EVERY:FACTOR|cosine[:WARMUP]",
            help="how the learning rate changes; EVERY in epochs, WARMUP in steps (default: constant)",
        )
    group.add_argument("--momentum", type=number, metavar="F", help="sgd (default: 0)")
    group.add_argument("--nesterov", action="store_true", default=None, help="sgd: Nesterov momentum")
    group.add_argument("--beta1", type=number, metavar="F", help="adam, adamw (default: 0.9)")
    group.add_argument("--beta2", type=number, metavar="F", help="adam, adamw (default: 0.999)")
    group.add_argument("--epsilon", type=number, metavar="F", help="adam, adamw (default: 1e-8)")
    group.add_argument(
        "--weight-decay",
        type=number,
        metavar="F",
        help="added to the gradient (adam, sgd) or taken from the parameter (adamw) (default: 0, adamw 0.01)",
    )
    group.add_argument(
        "--clip-gradients",
        default="",
        metavar="norm:LIMIT|value:LIMIT",
        help="limit the norm of all gradients together, or each element (default: no limit)",
    )


def optimizer(options: argparse.Namespace) -> Optimizer:
    """Return the optimiser with the settings that are given."""
    kind = OPTIMIZERS[options.optimizer]
    given = {} if options.lr is None else {"lr": options.lr}
    for name, owners in SETTINGS.items():
        value = getattr(options, name)
        if value is None:
            continue
        if options.optimizer not in owners:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is for --optimizer={' or '.join(owners)}, not for {options.optimizer}")
        given[name] = value
    if given.get("lr", 0.0) < 0:
        raise UsageError(f"--lr={options.lr:g}: a learning rate is not negative")
    return kind(**given)


def training(options: argparse.Namespace) -> Training:
    """Return what a training step does."""
    return Training(
        options.loss,
        options.readout,
        optimizer(options),
        check_surrogate(options.surrogate or "fast_sigmoid"),
        options.detach_reset == "true",
        options.targets,
        options.clip_gradients,
        options.rate_penalty,
        options.overflow_penalty,
        options.truncate,
        options.recompute,
    )


def training_defaults(options: argparse.Namespace) -> list[str]:
    """Return which defaults are in use, for people."""
    used = []
    if options.surrogate is None:
        used.append("surrogate fast_sigmoid:25")
    if options.lr is None:
        used.append(f"{options.optimizer} with learning rate {OPTIMIZERS[options.optimizer]().lr:g}")
    return used
