# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Who gives an option wants something; an option that does nothing there is refused before any work.
"""Options that have no effect where they stand."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..errors import UsageError
from .options import Parser, add_compile, add_reading, option_name
from .training_options import add_training

# Of a compiled program these are compared with what it was made for.
COMPARED = ("--batch", "--steps")


def options_of(add: Callable[[argparse.ArgumentParser], None]) -> list[str]:
    """Return the names of the options that a function adds to a parser."""
    probe = Parser()
    add(probe)
    return [option_name(destination) for destination in vars(probe.parse_args([]))]


def check_effects(options: argparse.Namespace) -> None:
    """Refuse options that are given and would change nothing, naming them and what to do.

    ``options.given`` holds the names of the options on the command line.
    """
    for names, why in _idle(options):
        useless = [name for name in names if name in options.given]
        if useless:
            raise UsageError(f"{', '.join(useless)} would have no effect: {why}")


def _idle(options: argparse.Namespace) -> Iterator[tuple[Iterable[str], str]]:
    """Yield options without effect in this command, with what to do."""
    verb = options.verb
    if verb == "compile" and not options.train:
        yield [*options_of(add_training), "--gradient-accumulation"], "only training steps have it; add --train"
    if verb == "run":
        yield ["--gradient-accumulation"], "only training steps have it; use 'train' or 'compile --train'"
        if Path(options.model).suffix == ".loom":
            fixed = [name for name in options_of(add_reading) + options_of(add_compile) if name not in COMPARED]
            yield fixed, f"{options.model} is compiled already; give it to 'compile'"
        if options.labels is None:
            yield ["--readout"], "it is what --labels are compared with; give --labels"
        if options.encode != "rate":
            yield ["--seed"], "only the spikes of --encode=rate are drawn"
    if verb == "train" and not _draws(options):
        yield ["--seed"], "with --no-shuffle nothing is drawn here"
    if verb == "train" and _all_events(options):
        yield ["--encode", "--encode-gain"], "events (.npz) are sequences already; give still data as .npy"
    if verb in ("run", "train") and options.encode != "rate":
        yield ["--encode-gain"], "it is for --encode=rate"
    if verb in ("compile", "run", "train") and options.max_activity != "auto":
        yield ["--activity-percentile", "--activity-margin"], "they are for --max-activity=auto"


def _draws(options: argparse.Namespace) -> bool:
    """Whether a training draws anything: the order, spikes, first weights, or the batch that it is calibrated on."""
    calibrates = options.init is not None or options.max_activity == "auto"
    return not options.no_shuffle or options.encode == "rate" or options.random_weights is not None or calibrates


def _all_events(options: argparse.Namespace) -> bool:
    """Whether all data of a training are events."""
    return all(Path(path).suffix == ".npz" for path in (options.inputs, options.test_inputs) if path is not None)
