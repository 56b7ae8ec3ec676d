# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Training on files: data sets in, weights out, with a log that scripts can read and figures that people can.
"""`spikeloom train`."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import Samples, check_labels, check_numbers, check_writable, load_array
from ..compiler import compile
from ..errors import EXIT_DONE, UsageError, UserError
from ..progress import Progress
from ..session import EventTotals, Program, Session
from .data import data_set, steps_of
from .options import (
    Later,
    add_compile,
    add_engine,
    add_model,
    add_training,
    check_batch,
    check_onnx_only,
    compile_settings,
    compiled,
    gain,
    open_model,
    positive,
    refuse,
    remark,
    say_defaults,
    training,
)
from .run import load_weights, predictions
from .summary import machine_text, overflow_text, tiles_text, write_profile


def add_parser(verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("train", help="train a model on a data set")
    add_model(parser, ".onnx, .nir, .mlir")
    data = parser.add_argument_group("data")
    data.add_argument("--inputs", required=True, metavar="X", help=".npy [N, T, ...] (--encode: [N, ...]), .npz events")
    data.add_argument("--labels", required=True, metavar="Y.npy", help="classes [N]")
    data.add_argument("--test-inputs", metavar="X", help="measure the accuracy on these after every epoch")
    data.add_argument("--test-labels", metavar="Y.npy")
    data.add_argument("--epochs", type=positive, required=True, metavar="E")
    data.add_argument("--max-steps", type=positive, metavar="N", help="stop after so many steps")
    data.add_argument("--no-shuffle", action="store_true", help="keep the order of the samples")
    data.add_argument("--save", required=True, metavar="OUT.safetensors", help="the trained parameters")
    data.add_argument("--save-gradients", metavar="G.safetensors", help="gradients of the last step")
    data.add_argument("--log", metavar="LOG.jsonl", help="one JSON object a step")
    data.add_argument(
        "--random-weights",
        type=gain,
        nargs="?",
        const=1.0,
        metavar="GAIN",
        help="start from random weights, uniform in ±GAIN/sqrt(fan_in) (default gain: 1, as torch.nn.Linear)",
    )
    data.add_argument("--init", action=Later, instead="use --random-weights=GAIN")
    data.add_argument("--checkpoint", action=Later, instead="--save writes the parameters at the end and on Ctrl-C")
    data.add_argument("--checkpoint-every", action=Later)
    data.add_argument("--resume", action=Later, instead="start from saved parameters with --weights")
    add_compile(parser)
    add_training(parser)
    add_engine(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Train."""
    _check_options(options)
    trainer = Trainer(options)
    try:
        trainer.train()
    except KeyboardInterrupt:
        trainer.save()
        print(f"interrupted after step {trainer.step}; parameters saved in {options.save}")
        return EXIT_DONE
    finally:
        trainer.close()
    return EXIT_DONE


def _check_options(options: argparse.Namespace) -> None:
    """Refuse before any work what would fail after it."""
    if options.engine == "estimate":
        refuse("--engine=estimate", "use fast or strict")
    if options.batch is None:
        raise UsageError("train needs --batch=B")
    if (options.test_inputs is None) != (options.test_labels is None):
        raise UsageError("--test-inputs and --test-labels go together")
    if options.weights and options.random_weights is not None:
        raise UsageError("--weights and --random-weights exclude each other")
    for name in ("save", "save_gradients", "log", "profile"):
        if getattr(options, name):
            check_writable(getattr(options, name), f"--{name.replace('_', '-')}")


@dataclass
class Running:
    """Figures of the epoch so far, for the progress line."""

    start: float = field(default_factory=time.perf_counter)
    samples: int = 0
    right: float = 0.0
    loss: float = 0.0

    def add(self, loss: float, accuracy: float, samples: int) -> None:
        """Count a step; the shown loss forgets slowly."""
        self.samples += samples
        self.right += accuracy * samples
        self.loss = loss if self.loss == 0.0 else 0.95 * self.loss + 0.05 * loss

    @property
    def rate(self) -> float:
        """Samples per second on the host, everything included."""
        return self.samples / max(time.perf_counter() - self.start, 1e-9)


class Trainer:
    """A training: sessions, data and log."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Read the data's shape, compile, and check everything against the program."""
        self.options = options
        self.step = 0
        self.saved = -1
        say_defaults(options, machine=True, engine=True, surrogate=True)
        labels = _labels(options.labels, options.inputs, "--labels", "--inputs")
        test_labels = None
        if options.test_inputs:
            test_labels = _labels(options.test_labels, options.test_inputs, "--test-labels", "--test-inputs")
        program, test_program = self._programs()
        self.session = program.session(options.engine or "fast", options.threads)
        check_batch(options, self.session)
        info = self.session.info
        self.data = data_set(options.inputs, info, options, "--inputs")
        self.labels = check_labels(labels, self.data.count, info.classes, "--labels")
        self.test: tuple[Session, Samples, np.ndarray] | None = None
        if test_program is not None:
            session = test_program.session(options.engine or "fast", options.threads)
            data = data_set(options.test_inputs, session.info, options, "--test-inputs")
            self.test = (session, data, check_labels(test_labels, data.count, info.classes, "--test-labels"))
        if options.weights:
            load_weights(self.session, options)
        elif options.random_weights is not None:
            drawn = self.session.randomize(options.random_weights, options.seed)
            remark(options, f"random weights (seed {options.seed}): {', '.join(drawn)}")
        self.rng = np.random.default_rng(options.seed)
        self.epoch_events = EventTotals()

    def _programs(self) -> tuple[Program, Program | None]:
        """Compile the training step, and inference where there is something to test."""
        options = self.options
        settings = compile_settings(options)
        goal = training(options)
        model = open_model(options)
        source = model
        if model.is_onnx:
            source = model.imported(options.batch, options.steps, options.train_parameters)
            for problem in source.problems:
                remark(options, f"{options.model}: {problem}")
            if Path(options.inputs).suffix == ".npz":
                source.steps = options.steps or self._event_steps()
            else:
                source.steps = steps_of(load_array(options.inputs, "--inputs", mapped=True), options, 1, "--inputs")
        else:
            check_onnx_only(options)
        start = time.perf_counter()
        program = compiled(options, compile(source, train=goal, **settings))
        test = None
        if options.test_inputs:
            test = compile(source, **{**settings, "extra": ()})
        remark(options, f"compiled in {time.perf_counter() - start:.1f} s")
        return program, test

    def _event_steps(self) -> int:
        try:
            with np.load(self.options.inputs, allow_pickle=False) as archive:
                return int(archive["counts"].shape[1])
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise UserError(
                f"--inputs: {self.options.inputs} holds no events (ids [N, T, S], counts [N, T])"
            ) from error

    def train(self) -> None:
        """Run all epochs, save, and tell what it took."""
        options = self.options
        with _log_file(options.log) as log:
            for epoch in range(1, options.epochs + 1):
                running = self._epoch(epoch, log)
                text = (
                    f"loss {running.loss:.4f}, accuracy {running.right / running.samples:.4f}, "
                    f"{running.rate:,.0f} images/s on the host"
                )
                if self.test is not None:
                    text += f", test accuracy {self._test_accuracy():.4f}"
                print(f"epoch {epoch}: {text}", flush=True)
                if options.max_steps is not None and self.step >= options.max_steps:
                    break
        info = self.session.info
        print(f"machine: {machine_text(info, self.session.cycles, 'step')}")
        print(f"tiles: {tiles_text(info)}")
        print(f"events: {overflow_text(self.epoch_events)} (last epoch)")
        if options.profile:
            write_profile(self.session, options.profile)
            print(f"profile of the last step: {options.profile}")
        self.save()
        print(f"parameters: {options.save}")
        if options.save_gradients:
            self.session.save_gradients(options.save_gradients)
            print(f"gradients of the last step: {options.save_gradients}")

    def _batches(self) -> Iterator[np.ndarray]:
        """Yield the indices of the samples of every step of an epoch."""
        count, batch = self.data.count, self.options.batch
        order = np.arange(count) if self.options.no_shuffle else self.rng.permutation(count)
        for begin in range(0, count, batch):
            yield order[begin : begin + batch]

    def _epoch(self, epoch: int, log) -> Running:
        """Train one epoch."""
        options, running = self.options, Running()
        self.epoch_events = EventTotals()
        progress = Progress(f"epoch {epoch}/{options.epochs}", self.data.count, quiet=options.quiet)
        for indices in self._batches():
            if options.max_steps is not None and self.step >= options.max_steps:
                break
            start = time.perf_counter()
            result = self.session.step(self.data.take(indices), self.labels[indices])
            self.step += 1
            self.epoch_events.add(self.session.events())
            if not math.isfinite(result.loss):
                raise UserError(
                    f"the loss is {result.loss} at step {self.step}; nothing was saved. Use a smaller --lr than "
                    f"{self.session.learning_rate:g}, or look for bad values in the weights"
                )
            running.add(result.loss, result.accuracy, len(indices))
            log(
                {
                    "step": self.step,
                    "epoch": epoch,
                    "loss": result.loss,
                    "accuracy": result.accuracy,
                    "seconds": time.perf_counter() - start,
                    "cycles": result.cycles,
                    "overflow": result.overflow,
                }
            )
            progress.update(
                running.samples,
                f"loss {running.loss:.3f}, accuracy {running.right / running.samples:.3f}, "
                f"{running.rate:,.0f} images/s, {result.cycles:,} cycles a step, overflow {result.overflow:.1%}",
            )
        return running

    def _test_accuracy(self) -> float:
        """Return the share of test samples that the present parameters get right."""
        session, data, labels = self.test
        session.weights = self.session.weights
        right = 0
        progress = Progress("test", data.count, quiet=self.options.quiet)
        for begin in range(0, data.count, session.info.batch):
            indices = np.arange(begin, min(begin + session.info.batch, data.count))
            chosen = predictions(session, session.run(data.take(indices)))
            right += int((chosen == labels[indices]).sum())
            progress.update(begin + len(indices), "")
        return right / data.count

    def save(self) -> None:
        """Write the parameters."""
        self.session.save(self.options.save)

    def close(self) -> None:
        """Free the sessions."""
        self.session.close()
        if self.test is not None:
            self.test[0].close()


def _labels(path: str, inputs: str, what: str, inputs_what: str) -> np.ndarray:
    """Read labels; what needs no program is checked at once, before the time that compiling takes."""
    labels = load_array(path, what)
    count = labels.shape[0] if labels.ndim else 0
    if Path(inputs).suffix != ".npz":
        data = load_array(inputs, inputs_what, mapped=True)
        check_numbers(data, inputs_what)
        count = data.shape[0] if data.ndim else 0
    check_labels(labels, count, 0, what)
    return labels


@contextlib.contextmanager
def _log_file(path: str | None):
    """Give a function that appends one JSON object as a line, at once."""
    if path is None:
        yield lambda _: None
        return
    try:
        with open(path, "w", encoding="utf-8", buffering=1) as file:
            yield lambda entry: file.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise UserError(f"--log: cannot write {path}: {error.strerror or error}") from error
