# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Options that several verbs share, so that they mean the same everywhere.
"""Shared options of the command line."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from ..encoding import CODINGS
from ..errors import UsageError
from ..importers.nir_conventions import CONVENTIONS, DEFAULT_DT
from ..models import Model, load
from ..options import SGD, Adam, Events, Training, check_surrogate
from ..session import Program, Session

DEFAULT_RATES = {"adam": 1e-3, "sgd": 1e-2}


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


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return value


def number(text: str) -> float:
    """Parse a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or abs(value) == float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a finite number")
    return value


def seed(text: str) -> int:
    """Parse a whole number of at least 0."""
    return 0 if text == "0" else positive(text)


def gain(text: str) -> float:
    """Parse a positive number."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value


def time_step(text: str) -> float | str:
    """Parse a positive number of seconds, or `metadata`."""
    return text if text == "metadata" else gain(text)


def regex(text: str) -> str:
    """Check a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no regular expression: {error}") from error
    return text


def activity(text: str) -> float | dict[str, float]:
    """Parse `F` or `LAYER=F,LAYER=F`."""
    if text == "auto":
        refuse("--max-activity=auto", "give a share such as --max-activity=0.1")
    if "=" not in text:
        value = number(text)
        if not 0 < value <= 1:
            raise argparse.ArgumentTypeError(f"'{text}' is not a share in (0, 1]")
        return value
    shares = {}
    for part in text.split(","):
        name, _, share = part.rpartition("=")
        if not name:
            raise argparse.ArgumentTypeError(f"'{part}' is not LAYER=F")
        shares[name] = activity(share)
    return shares


def pair(text: str) -> tuple[str, str]:
    """Parse `IN=OUT`."""
    source, equal, target = text.partition("=")
    if not (source and equal and target):
        raise argparse.ArgumentTypeError(f"'{text}' is not IN=OUT")
    return source, target


def chips(text: str) -> int:
    """Parse the number of chips."""
    if text == "auto":
        refuse("--chips=auto", "give a number")
    return positive(text)


def length(text: str) -> tuple[str, int]:
    """Parse `NAME:N`."""
    name, _, count = text.rpartition(":")
    if not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME:N")
    return name, positive(count)


def add_model(parser: argparse.ArgumentParser, kinds: str) -> None:
    """Add the model file and how to read it."""
    parser.add_argument("model", metavar="MODEL", help=kinds)
    parser.add_argument("--as", dest="as_", choices=("step", "sequence"), help="what the graph is (default: by states)")
    parser.add_argument(
        "--state", type=pair, action="append", default=[], metavar="IN=OUT", help="output OUT is the next value of IN"
    )
    group = parser.add_argument_group("NIR files, which do not say how time passes")
    group.add_argument(
        "--nir-dt", type=time_step, metavar="SECONDS|metadata", help=f"time step (default: {DEFAULT_DT:g} s)"
    )
    group.add_argument(
        "--nir-convention", choices=tuple(CONVENTIONS), default="auto", metavar="NAME",
        help=f"how a platform steps: {', '.join(CONVENTIONS)} (default: auto, which is euler)",
    )
    group.add_argument("--nir-reset", choices=("value", "subtract"), help="(default: the convention's)")


def add_compile(parser: argparse.ArgumentParser) -> None:
    """Add the options of compilation."""
    group = parser.add_argument_group("compilation")
    group.add_argument("--machine", metavar="NAME|FILE.json", help="gc2, gc200, bow, tiny or a file (default: bow)")
    group.add_argument("--chips", type=chips, default=1, metavar="N", help="number of chips (default: 1)")
    group.add_argument("--batch", type=positive, metavar="B", help="samples a run (default: the file's)")
    group.add_argument("--steps", type=positive, metavar="T", help="time steps (default: the data's)")
    group.add_argument(
        "--max-activity", type=activity, metavar="F|LAYER=F,…", help="share of a hidden layer that an event list holds"
    )
    group.add_argument("--second-threshold", type=number, metavar="F", help="near-threshold entries start at F·θ")
    group.add_argument(
        "--input-capacity", type=length, action="append", default=[], metavar="NAME:N", help="event list of an input"
    )
    group.add_argument(
        "--train-parameters", type=regex, metavar="REGEX", help="parameters to train (default: the file's marks)"
    )
    group.add_argument("--gradient-accumulation", type=positive, default=1, metavar="K", help="only 1 in this version")
    group.add_argument(
        "--host-cpu", default="native", choices=("native", "x86-64-v3", "x86-64-v4"), help="code for (default: native)"
    )
    group.add_argument("--dump-phases", metavar="DIR", help="write the IR after every phase there")
    group.add_argument("--rotate", action=Later, nargs="?")


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add the options of training programs."""
    group = parser.add_argument_group("training")
    group.add_argument("--loss", default="cross_entropy", help="(default: cross_entropy)")
    group.add_argument("--readout", default="spike_count", help="what the loss reads (default: spike_count)")
    group.add_argument("--optimizer", choices=("adam", "sgd"), default="adam", help="(default: adam)")
    group.add_argument("--lr", type=number, metavar="RATE", help="learning rate (default: adam 0.001, sgd 0.01)")
    group.add_argument("--lr-schedule", action=Later)
    group.add_argument(
        "--surrogate", metavar="KIND:SLOPE", help="fast_sigmoid, superspike, atan (default: fast_sigmoid:25)"
    )
    group.add_argument("--detach-reset", choices=("true", "false"), default="true", help="(default: true)")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the options of execution."""
    group = parser.add_argument_group("execution")
    group.add_argument("--engine", choices=("fast", "strict", "estimate"), help="(default: fast)")
    group.add_argument("--threads", type=positive, metavar="N", help="(default: the number of cores)")
    group.add_argument("--encode", choices=CODINGS, default="none", help="how still data become spikes (default: none)")
    group.add_argument("--weights", metavar="W.safetensors", help="parameters to start from (default: the model's)")
    group.add_argument("--profile", metavar="P.json", help="write the profile of the last run")
    group.add_argument("--seed", type=seed, default=0, metavar="S", help="for everything random (default: 0)")
    group.add_argument("--quiet", action="store_true", help="no progress and no remarks")


def open_model(options: argparse.Namespace) -> Model:
    """Open the model that the options name."""
    return load(
        options.model, state=dict(options.state), as_=options.as_, nir_dt=options.nir_dt,
        nir_convention=options.nir_convention, nir_reset=options.nir_reset,
    )


def events(options: argparse.Namespace) -> Events:
    """Return the lengths of event lists."""
    return Events(options.max_activity, options.second_threshold, dict(options.input_capacity))


def training(options: argparse.Namespace) -> Training:
    """Return what a training step does."""
    rate = DEFAULT_RATES[options.optimizer] if options.lr is None else options.lr
    if rate < 0:
        raise UsageError(f"--lr={rate:g}: a learning rate is not negative")
    optimizer = Adam(rate) if options.optimizer == "adam" else SGD(rate)
    surrogate = check_surrogate(options.surrogate or "fast_sigmoid")
    return Training(options.loss, options.readout, optimizer, surrogate, options.detach_reset == "true")


def compile_settings(options: argparse.Namespace) -> dict:
    """Return the keyword arguments of `compile` that all verbs share."""
    if options.gradient_accumulation != 1:
        refuse("--gradient-accumulation", "use a larger --batch")
    extra = [f"--dump-phases={Path(options.dump_phases).resolve()}"] if options.dump_phases else []
    return {
        "machine": options.machine or "bow",
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
    if machine and options.machine is None:
        used.append("machine bow")
    if engine and options.engine is None:
        used.append("engine fast")
    if engine and options.threads is None:
        used.append(f"threads {len(os.sched_getaffinity(0))}")
    if surrogate and options.surrogate is None:
        used.append("surrogate fast_sigmoid:25")
    if surrogate and options.lr is None:
        used.append(f"{options.optimizer} with learning rate {DEFAULT_RATES[options.optimizer]:g}")
    if used:
        remark(options, f"defaults: {', '.join(used)}")


def check_onnx_only(options: argparse.Namespace) -> None:
    """Refuse for an MLIR model what its own types and attributes say."""
    if options.train_parameters is not None:
        raise UsageError(
            f"--train-parameters is for ONNX and NIR; mark parameters of {options.model} with snn.trainable"
        )


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
