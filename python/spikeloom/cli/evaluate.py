# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Test data are measured by the network as it is trained: the same lists, the same readout.
"""Test accuracy of a training, or its loss where there are no classes."""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from ..arrays import Samples
from ..compiler import compile
from ..options import SGD, Training
from ..progress import Progress
from ..session import Program, Session
from .data import check_answers, data_set, take_answers
from .run import predictions

# What inference programs have as their first output.
OUTPUT_READOUTS = ("spike_count", "spike_rate", "output")


def test_program(source, settings: dict, goal: Training) -> Program:
    """Compile what tells the class of samples, or how far they are from their targets.

    Membranes and losses are only part of training programs; one that learns with rate 0 leaves its parameters as they
    are.
    """
    settings = {**settings, "extra": ()}
    if goal.readout in OUTPUT_READOUTS and not goal.has_target:
        return compile(source, **settings)
    return compile(source, train=replace(goal, optimizer=SGD(0.0)), **settings)


class Tester:
    """A session with test data."""

    def __init__(self, program: Program, options: argparse.Namespace, labels: np.ndarray) -> None:
        """Open the session and check the data against it."""
        self.options = options
        self.session = program.session(options.engine, options.threads)
        self.data: Samples = data_set(options.test_inputs, self.session.info, options, "--test-inputs")
        self.labels = check_answers(labels, self.data.count, self.session.info, "--test-labels")
        self.measured = "accuracy" if self.session.info.target is None else "loss"

    def measure(self, trained: Session) -> float:
        """Return the share of test samples that the parameters of a session get right, or the mean loss of all."""
        session, count, total = self.session, self.data.count, 0.0
        session.weights = trained.weights
        progress = Progress("test", count, quiet=self.options.quiet)
        for begin in range(0, count, session.info.batch):
            indices = np.arange(begin, min(begin + session.info.batch, count))
            x, labels = self.data.take(indices), take_answers(self.labels, indices, session.info)
            if not session.info.is_training:
                total += int((predictions(session, session.run(x, as_rows=True)) == labels).sum())
            elif session.info.target is None:
                total += round(session.step(x, labels).accuracy * len(indices))
            else:
                total += session.step(x, labels).loss * len(indices)
            progress.update(begin + len(indices), f"{total / (begin + len(indices)):.4f}")
        return total / count

    def close(self) -> None:
        """Free the session."""
        self.session.close()
