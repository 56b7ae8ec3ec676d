# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Accuracy on test data is measured by the network as it is trained: the same lists, the same readout.
"""Test accuracy of a training."""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from ..arrays import Samples, check_labels
from ..compiler import compile
from ..options import SGD, Training
from ..progress import Progress
from ..session import Program, Session
from .data import data_set
from .run import predictions

# What inference programs have as their first output.
OUTPUT_READOUTS = ("spike_count", "spike_rate", "output")


def test_program(source, settings: dict, goal: Training) -> Program:
    """Compile what tells the class of samples.

    A readout of membranes is only part of training programs; one that learns with rate 0 leaves its parameters as they
    are.
    """
    settings = {**settings, "extra": ()}
    if goal.readout in OUTPUT_READOUTS:
        return compile(source, **settings)
    return compile(source, train=replace(goal, optimizer=SGD(0.0)), **settings)


class Tester:
    """A session with test data."""

    def __init__(self, program: Program, options: argparse.Namespace, labels: np.ndarray) -> None:
        """Open the session and check the data against it."""
        self.options = options
        self.session = program.session(options.engine, options.threads)
        self.data: Samples = data_set(options.test_inputs, self.session.info, options, "--test-inputs")
        self.labels = check_labels(labels, self.data.count, self.session.info.classes, "--test-labels")

    def accuracy(self, trained: Session) -> float:
        """Return the share of test samples that the parameters of a session get right."""
        session, count, right = self.session, self.data.count, 0
        session.weights = trained.weights
        progress = Progress("test", count, quiet=self.options.quiet)
        for begin in range(0, count, session.info.batch):
            indices = np.arange(begin, min(begin + session.info.batch, count))
            x, labels = self.data.take(indices), self.labels[indices]
            if session.info.is_training:
                right += round(session.step(x, labels).accuracy * len(indices))
            else:
                right += int((predictions(session, session.run(x, as_rows=True)) == labels).sum())
            progress.update(begin + len(indices), f"{right / (begin + len(indices)):.4f}")
        return right / count

    def close(self) -> None:
        """Free the session."""
        self.session.close()
