# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Options that several verbs share, so that they mean the same everywhere.
"""Shared options of the command line."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from ..encoding import CODINGS, RATE_GAIN
from ..errors import UsageError
from ..importers.nir_conventions import CONVENTIONS, DEFAULT_DT
from ..importers.sparsity import SPARSE_BELOW
from ..models import Model, load
from ..options import Events
from ..schedules import parse_threshold_schedule
from ..session import Program, Session
from .training_options import training_defaults
from .values import activity, gain, length, pair, positive, rate, regex, seed, share, time_step


class Parser(argparse.ArgumentParser):
    """Full option names only, and errors as exceptions, so that every way out of the program is one place."""

    def __init__(self, **settings) -> None:
        """Make a parser without abbreviations."""
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(f"{message}; see {self.prog} --help")


def refuse(option: str, instead: str = "") -> NoReturn:
    """Refuse by name what a later version will do."""
    raise UsageError(f"{option} is not in this version" + (f"; {instead}" if instead else ""))


class Later(argparse.Action):
    """An option of the public interface that this version does not have yet."""

    def __init__(self, option_strings, dest, instead: str = "", **settings) -> None:
        """Keep the advice for the message."""
        self.instead = instead
        super().__init__(option_strings, dest, help=argparse.SUPPRESS, **settings)

    def __call__(self, parser, namespace, values, option_string=None) -> NoReturn:
        """Refuse."""
        refuse(option_string or self.dest, self.instead)


def chips(text: str) -> int:
    """Parse the number of chips."""
    if text == "auto":
        refuse("--chips=auto", "give a number")
    return positive(text)


def option_name(destination: str) -> str:
    """Return how people write an option that argparse keeps under a name."""
    return f"--{destination.rstrip('_').replace('_', '-')}"


def add_model(parser: argparse.ArgumentParser, kinds: str) -> None:
    """Add the model file and how to read it."""
    parser.add_argument("model", metavar="MODEL", help=kinds)
    add_reading(parser)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add how to read a model file."""
    parser.add_argument("--as", dest="as_", choices=("step", "sequence"), help="what the graph is (default: by states)")
    parser.add_argument(
        "--state", type=pair, action="append", default=[], metavar="IN=OUT", help="output OUT is the next value of IN"
    )
    parser.add_argument(
        "--sparse-weights",
        type=rate,
        metavar="F",
        help="weight matrices with at most this part of non-zeros keep their zeros and are stored as connections; "
        f"0: all are dense (default: {SPARSE_BELOW:g})",
    )
    group = parser.add_argument_group("NIR files, which do not say how time passes")
    group.add_argument(
        "--nir-dt", type=time_step, metavar="SECONDS|metadata", help=f"time step (default: {DEFAULT_DT:g} s)"
    )
    group.add_argument(
        "--nir-convention",
        choices=tuple(CONVENTIONS),
        default="auto",
        metavar="NAME",
        help=f"how a platform steps: {', '.join(CONVENTIONS)} (default: auto, which is euler)",
    )
    group.add_argument("--nir-reset", choices=("value", "subtract"), help="(default: the convention's)")


def add_compile(parser: argparse.ArgumentParser) -> None:
    """Add the options of compilation."""
    group = parser.add_argument_group("compilation")
    group.add_argument(
        "--machine", default="bow", metavar="NAME|FILE.json", help="gc2, gc200, bow, tiny or a file (default: bow)"
    )
    group.add_argument("--chips", type=chips, default=1, metavar="N", help="number of chips (default: 1)")
    group.add_argument("--batch", type=positive, metavar="B", help="samples a run (default: the file's)")
    group.add_argument("--steps", type=positive, metavar="T", help="time steps (default: the data's)")
    group.add_argument(
        "--max-activity",
        type=activity,
        metavar="F|LAYER=F,…|auto",
        help="share of a hidden layer that an event list holds; auto: what a batch of the data needs (default: all)",
    )
    group.add_argument(
        "--activity-percentile",
        type=share,
        default=0.99,
        metavar="Q",
        help="--max-activity=auto: lists hold this share of a calibration batch's rows (default: 0.99)",
    )
    group.add_argument(
        "--activity-margin",
        type=gain,
        default=1.25,
        metavar="M",
        help="--max-activity=auto: times this (default: 1.25)",
    )
    group.add_argument(
        "--second-threshold",
        type=parse_threshold_schedule,
        metavar="F|F:G",
        help="near-threshold entries start at F·θ; train: F in the first epoch to G in the last (default: all neurons)",
    )
    group.add_argument(
        "--input-capacity", type=length, action="append", default=[], metavar="NAME:N", help="event list of an input"
    )
    group.add_argument(
        "--train-parameters", type=regex, metavar="REGEX", help="parameters to train (default: the file's marks)"
    )
    group.add_argument(
        "--gradient-accumulation",
        type=positive,
        default=1,
        metavar="K",
        help="micro-batches of B samples in a training step, one after another",
    )
    group.add_argument(
        "--host-cpu", default="native", choices=("native", "x86-64-v3", "x86-64-v4"), help="code for (default: native)"
    )
    group.add_argument("--dump-phases", metavar="DIR", help="write the IR after every phase there")
    group.add_argument(
        "--rotate",
        action="store_true",
        help="let the first-come order of event lists start at another neuron in every step and sample",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the options of execution."""
    group = parser.add_argument_group("execution")
    group.add_argument(
        "--engine",
        default="fast",
        choices=("fast", "strict", "estimate"),
        metavar="{fast,strict}",
        help="(default: fast)",
    )
    group.add_argument("--threads", type=positive, metavar="N", help="(default: the number of cores)")
    group.add_argument("--encode", choices=CODINGS, default="none", help="how still data become spikes (default: none)")
    group.add_argument(
        "--encode-gain",
        type=share,
        default=RATE_GAIN,
        metavar="G",
        help=f"rate coding: a value a fires with probability G·a in each step (default: {RATE_GAIN:g})",
    )
    group.add_argument("--weights", metavar="W.safetensors", help="parameters to start from (default: the model's)")
    group.add_argument("--profile", metavar="P.json", help="write the profile of the last run")
    group.add_argument("--seed", type=seed, default=0, metavar="S", help="for everything random (default: 0)")
    group.add_argument("--quiet", action="store_true", help="no progress and no remarks")


def open_model(options: argparse.Namespace) -> Model:
    """Open the model that the options name."""
    return load(
        options.model,
        state=dict(options.state),
        as_=options.as_,
        nir_dt=options.nir_dt,
        nir_convention=options.nir_convention,
        nir_reset=options.nir_reset,
        sparse_weights=options.sparse_weights,
    )


def events(options: argparse.Namespace) -> Events:
    """Return the lengths of event lists; of a schedule of second thresholds, what the first epoch has."""
    if options.max_activity == "auto" and options.verb == "compile":
        raise UsageError("--max-activity=auto looks at a batch of the data, which only 'run' and 'train' have")
    shares = None if options.max_activity == "auto" else options.max_activity
    near = options.second_threshold.first if options.second_threshold else None
    if near is not None and near != options.second_threshold.last and options.verb != "train":
        raise UsageError(
            f"--second-threshold={near:g}:{options.second_threshold.last:g} changes over the epochs of 'train'; "
            f"'{options.verb}' makes one program: give one share"
        )
    return Events(shares, near, dict(options.input_capacity), rotate=options.rotate)


def compile_settings(options: argparse.Namespace) -> dict:
    """Return the keyword arguments of `compile` that all verbs share."""
    extra = [f"--dump-phases={Path(options.dump_phases).resolve()}"] if options.dump_phases else []
    return {
        "machine": options.machine,
        "chips": options.chips,
        "events": events(options),
        "host_cpu": options.host_cpu,
        "extra": extra,
    }


def remark(options: argparse.Namespace, text: str) -> None:
    """Tell people something that is no result: on stderr, unless they want quiet."""
    if not getattr(options, "quiet", False):
        print(text, file=sys.stderr)


def compiled(options: argparse.Namespace, program: Program) -> Program:
    """Pass on what the compiler remarked."""
    if program.remarks:
        remark(options, program.remarks)
    return program


def say_defaults(options: argparse.Namespace, *, machine: bool, engine: bool, surrogate: bool) -> None:
    """Print which defaults are in use."""
    used = []
    if machine and "--machine" not in options.given:
        used.append(f"machine {options.machine}")
    if engine and "--engine" not in options.given:
        used.append(f"engine {options.engine}")
    if engine and options.threads is None:
        used.append(f"threads {len(os.sched_getaffinity(0))}")
    if surrogate:
        used += training_defaults(options)
    if used:
        remark(options, f"defaults: {', '.join(used)}")


def check_batch(options: argparse.Namespace, session: Session) -> None:
    """Refuse --batch and --steps that a fixed program does not have."""
    for name, wanted, found in (
        ("batch", options.batch, session.info.batch),
        ("steps", options.steps, session.info.steps),
    ):
        if wanted is not None and wanted != found:
            raise UsageError(
                f"--{name}={wanted}: {options.model} is made for {name} {found}; only ONNX and NIR files can be given "
                "another"
            )
