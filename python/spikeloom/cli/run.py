# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Inference on files: arrays in, arrays out, accuracy where labels are given.
"""`spikeloom run`."""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import calibration
from ..arrays import check_labels, check_writable, load_array, save_array
from ..compiler import check_fixed, compile
from ..errors import EXIT_DONE, UserError
from ..layout import Layout
from ..models import Model
from ..ports import batch_axis
from ..progress import Progress
from ..results import EventTotals
from ..session import Program, Session
from .data import GivenInput, RunInputs, bind_inputs, parse_input, steps_of
from .options import (
    Later,
    add_compile,
    add_engine,
    add_model,
    check_batch,
    compile_settings,
    compiled,
    open_model,
    refuse,
    remark,
    say_defaults,
)
from .summary import machine_text, overflow_text, tiles_text, write_profile


def add_parser(verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("run", help="run a model on arrays")
    add_model(parser, ".loom, .onnx, .nir, .mlir")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="[NAME=]X.npy|NAME=VALUE",
        help="an input [T, N, ...] (with --encode [N, ...]) or an initial state [N, ...]",
    )
    parser.add_argument("--output", metavar="DIR", help="write NAME.npy for every output there")
    parser.add_argument("--labels", metavar="Y.npy", help="print the accuracy for these classes [N]")
    parser.add_argument("--readout", choices=("spike_count", "spike_rate"), default="spike_count", help="for --labels")
    parser.add_argument("--record", action=Later, instead="outputs and final states are written")
    parser.add_argument("--verify", action=Later, nargs=0)
    add_compile(parser)
    add_engine(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Run."""
    if options.engine == "estimate":
        refuse("--engine=estimate", "use fast or strict")
    if options.output is not None and Path(options.output).exists() and not Path(options.output).is_dir():
        raise UserError(f"--output: {options.output} is not a folder")
    if options.profile:
        check_writable(options.profile, "--profile")
    model = None if Path(options.model).suffix == ".loom" else open_model(options)
    given = [parse_input(text) for text in options.input]
    program = _program(options, model, given)
    with program.session(options.engine, options.threads) as session:
        check_batch(options, session)
        if session.info.is_training:
            raise UserError(f"{options.model} is a training program; compile it without --train to run it")
        if options.weights:
            load_weights(session, options)
        inputs = bind_inputs(given, session.info, options)
        labels = None
        if options.labels:
            labels = check_labels(load_array(options.labels, "the labels"), inputs.count, 0, "the labels")
        outputs, events, seconds = _run_all(session, inputs, options)
        _report(session, options, inputs, outputs, events, seconds, labels)
        if options.profile:
            write_profile(session, options.profile)
            print(f"profile of the last run: {options.profile}")
    return EXIT_DONE


def _program(options: argparse.Namespace, model: Model | None, given: list[GivenInput]) -> Program:
    """Open or compile the program; an ONNX step function gets the number of steps of the data."""
    if model is None:
        say_defaults(options, machine=False, engine=True, surrogate=False)
        return Program(options.model)
    settings = compile_settings(options)
    say_defaults(options, machine=True, engine=True, surrogate=False)
    if not model.is_imported:
        check_fixed(model, None, None, options.train_parameters)
        return compiled(options, compile(model, **calibrated(model, settings, given, options)))
    imported = model.imported(options.batch, options.steps, options.train_parameters)
    for problem in imported.problems:
        if problem.severity == "warning":
            remark(options, f"{options.model}: {problem}")
    if not imported.is_sequence:
        states = {state.name for state in imported.states}
        data = next((item for item in given if item.array is not None and item.name not in states), None)
        if data is not None:
            imported.steps = steps_of(data.array, options, 0, f"input '{data.name or imported.inputs[0].name}'")
    return compiled(options, compile(imported, **calibrated(imported, settings, given, options)))


def calibrated(source, settings: dict, given: list[GivenInput], options: argparse.Namespace) -> dict:
    """Return the settings with list lengths that the first batch decides, where --max-activity=auto asks for it."""
    if options.max_activity != "auto":
        return settings
    percentile, margin = options.activity_percentile, options.activity_margin
    with calibration.full_session(source, settings, options.engine, options.threads) as session:
        if options.weights:
            load_weights(session, options)
        inputs = bind_inputs(given, session.info, options)
        layers = calibration.measure(session, inputs.take(0, min(inputs.count, session.info.batch)), percentile)
    lengths = calibration.capacities(layers, margin)
    for line in calibration.describe(layers, lengths, percentile, margin):
        remark(options, line)
    return {**settings, "events": replace(settings["events"], capacity=lengths)}


def load_weights(session: Session, options: argparse.Namespace) -> None:
    """Load --weights and say what is left over."""
    unknown = session.load(options.weights)
    if unknown:
        remark(options, f"{options.weights}: not used by the network: {', '.join(unknown)}")


def _run_all(
    session: Session, inputs: RunInputs, options: argparse.Namespace
) -> tuple[dict[str, np.ndarray], EventTotals, float]:
    """Run all samples batch by batch and join the outputs."""
    parts: dict[str, list[np.ndarray]] = {}
    events = EventTotals()
    progress = Progress("run", inputs.count, quiet=options.quiet)
    spent = 0.0
    for begin in range(0, inputs.count, session.info.batch):
        end = min(begin + session.info.batch, inputs.count)
        given = inputs.take(begin, end)
        start = time.perf_counter()
        for name, array in session.run(given, as_rows=True).items():
            parts.setdefault(name, []).append(np.array(array))
        spent += time.perf_counter() - start
        events.add(session.events())
        progress.update(end, f"samples, {end / spent:,.0f} images/s")
    joined = {}
    for port in session.info.results:
        axis = batch_axis(port.shape, session.info)
        pieces = parts[port.name]
        joined[port.name] = pieces[-1] if axis is None else np.concatenate(pieces, axis)
    return joined, events, spent


def predictions(session: Session, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Return the class of every sample, ``[N]``: the largest sum over time of the first output, lowest on ties."""
    first = session.info.of_role("output")[0]
    values = outputs[first.name]
    if batch_axis(first.shape, session.info) == 1:
        values = values.sum(0)
    if values.ndim != 2:
        raise UserError(f"--labels: output '{first.name}' {list(first.shape)} has no classes to compare with")
    return values.argmax(1)


def _report(
    session: Session,
    options: argparse.Namespace,
    inputs: RunInputs,
    outputs: dict[str, np.ndarray],
    events: EventTotals,
    seconds: float,
    labels: np.ndarray | None,
) -> None:
    """Write the outputs and tell what it took."""
    if options.output is not None:
        Path(options.output).mkdir(parents=True, exist_ok=True)
        axes = {port.name: port.axes for port in session.info.results if port.axes}
        for name, array in outputs.items():
            array = Layout(axes[name], session.info.steps).array(array) if name in axes else array
            save_array(Path(options.output) / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.npy", array, f"output '{name}'")
        print(f"outputs: {', '.join(outputs)} in {options.output}")
    if labels is not None:
        chosen = predictions(session, outputs)
        classes = outputs[session.info.of_role("output")[0].name].shape[-1]
        check_labels(labels, inputs.count, classes, "the labels")
        right = int((chosen == labels).sum())
        print(f"accuracy: {right / inputs.count:.4f} ({right} of {inputs.count})")
    print(f"host: {inputs.count} samples in {seconds:.2f} s, {inputs.count / seconds:,.0f} images/s")
    print(f"machine: {machine_text(session.info, session.cycles, 'run')}")
    print(f"tiles: {tiles_text(session.info)}")
    print(f"events: {overflow_text(events)}")
