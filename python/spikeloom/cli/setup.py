# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# A training needs up to four programs of one model; what they share and where they differ is decided here.
"""Programs of a training: the step, its variants over the epochs, the test, and the calibration."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import calibration
from ..arrays import check_labels, check_numbers, load_array
from ..checkpoints import Checkpoint, check_options, file_hash
from ..compiler import check_fixed, compile, is_machine_file
from ..errors import UserError
from ..importers.nir_conventions import DEFAULT_DT
from ..importers.sparsity import SPARSE_BELOW
from ..models import Model
from ..session import Program, Session
from .data import steps_of
from .evaluate import test_program
from .options import compile_settings, compiled, open_model, option_name, remark
from .training_options import training

# Options that decide the bits of a training as they are given, besides its data, its goal and its schedules.
DECISIVE = (
    *("batch", "seed", "encode", "encode_gain", "no_shuffle", "max_activity", "train_parameters"),
    *("gradient_accumulation", "chips", "init", "rotate", "recompute", "as_", "nir_convention", "nir_reset"),
)


class Setup:
    """Compiles a model for training; programs are made once."""

    def __init__(self, options: argparse.Namespace, resumed: Checkpoint | None) -> None:
        """Read the model; list lengths of a training that is continued come from its checkpoint."""
        self.options = options
        self.settings = compile_settings(options)
        self.goal = training(options)
        self.rate = self.goal.optimizer.lr
        self.source = self._source()
        self.programs: dict[float | None, Program] = {}
        self.calibration: dict[str, Any] = {}
        self.capacity: dict[str, int] = {}
        if resumed:
            check_options(resumed.training.get("options", {}), self.described(), options.resume)
            self.capacity = resumed.training["capacity"]

    def _source(self):
        options = self.options
        model = open_model(options)
        if not model.is_imported:
            check_fixed(model, None, None, options.train_parameters)
            return model
        source = model.imported(options.batch, options.steps, options.train_parameters)
        for problem in source.problems:
            remark(options, f"{options.model}: {problem}")
        if source.is_sequence:
            return source
        if Path(options.inputs).suffix == ".npz":
            source.steps = options.steps or _event_steps(options.inputs)
        else:
            source.steps = steps_of(load_array(options.inputs, "--inputs", mapped=True), options, 1, "--inputs")
        return source

    def described(self) -> dict[str, Any]:
        """Return the options that decide the bits of a training, by the names that people give them.

        What has the same effect is the same here: a default that is given, a machine file under another name.
        """
        options = self.options
        near = options.second_threshold
        long = options.lr_schedule.kind == "cosine" or (near is not None and near.first != near.last)
        labels = load_array(options.labels, "--labels")
        return {
            "MODEL (SHA-256)": file_hash(options.model),
            "--inputs (samples)": len(labels),
            "--labels (SHA-256)": file_hash(options.labels),
            **{option_name(name): getattr(options, name) for name in DECISIVE},
            "--machine": file_hash(options.machine) if is_machine_file(options.machine) else options.machine,
            "--steps": None if isinstance(self.source, Model) else self.source.steps,
            "--nir-dt": options.nir_dt or DEFAULT_DT,
            "--sparse-weights": SPARSE_BELOW if options.sparse_weights is None else options.sparse_weights,
            "--state": [f"{source}={target}" for source, target in options.state],
            "--input-capacity": sorted(f"{name}:{length}" for name, length in options.input_capacity),
            "--lr-schedule": asdict(options.lr_schedule),
            "--second-threshold": asdict(near) if near else None,
            "--epochs": options.epochs if long else None,
            "training": " ".join(self.goal.arguments()),
        }

    def program(self, epoch: int) -> Program:
        """Return the training step of an epoch (counted from 1)."""
        schedule = self.options.second_threshold
        near = schedule.at(epoch, self.options.epochs) if schedule else None
        if near not in self.programs:
            start = time.perf_counter()
            settings = self._settings()
            settings["events"] = replace(settings["events"], second_threshold=near)
            accumulation = self.options.gradient_accumulation
            program = compile(self.source, train=self.goal, gradient_accumulation=accumulation, **settings)
            if not self.programs:
                compiled(self.options, program)
            self.programs[near] = program
            remark(self.options, f"compiled in {time.perf_counter() - start:.1f} s")
        return self.programs[near]

    def _settings(self) -> dict[str, Any]:
        if not self.capacity:
            return dict(self.settings)
        return {**self.settings, "events": replace(self.settings["events"], max_activity=None, capacity=self.capacity)}

    def test_program(self) -> Program:
        """Return what tells the class of samples, with the lists of the training."""
        return test_program(self.source, self._settings(), self.goal)

    def inference(self) -> Program:
        """Return the forward pass with the lists of the training."""
        return compile(self.source, **{**self._settings(), "extra": ()})

    @property
    def needs_calibration(self) -> bool:
        """Whether list lengths or weights depend on a batch of the data."""
        return self.options.max_activity == "auto" or self.options.init is not None

    def calibration_session(self) -> Session:
        """Open a session whose lists hold all neurons."""
        options = self.options
        return calibration.full_session(self.source, self.settings, options.engine, options.threads)

    def calibrate(self, session: Session, x: np.ndarray) -> None:
        """Scale the session's weights and choose list lengths on a batch ``[T, B, ...]``, as the options say."""
        options = self.options
        if options.init is not None:
            self._scale(calibration.scale_to_activity(session, x, options.init))
        if options.max_activity == "auto":
            self._choose_lengths(calibration.measure(session, x, options.activity_percentile))

    def _scale(self, scalings: list[calibration.Scaling]) -> None:
        for layer in scalings:
            remark(
                self.options,
                f"init: {layer.name}.weight times {layer.scale:.4g}: {layer.after:.2%} of its neurons fire in a step "
                f"(before {layer.before:.2%}, wanted {self.options.init:.2%})",
            )
        self.calibration["init"] = {layer.name: asdict(layer) for layer in scalings}

    def _choose_lengths(self, layers: list[calibration.Activity]) -> None:
        options = self.options
        self.capacity = calibration.capacities(layers, options.activity_margin)
        for line in calibration.describe(layers, self.capacity, options.activity_percentile, options.activity_margin):
            remark(options, line)
        self.calibration["max_activity"] = calibration.to_json(layers, self.capacity)


def _event_steps(path: str) -> int:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return int(archive["counts"].shape[1])
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UserError(f"--inputs: {path} holds no events (ids [N, T, S], counts [N, T])") from error


def read_answers(path: str, inputs: str, what: str, inputs_what: str, *, targets: bool) -> np.ndarray:
    """Read labels, or targets; what needs no program is checked at once, before the time that compiling takes."""
    labels = load_array(path, what)
    count = labels.shape[0] if labels.ndim else 0
    if Path(inputs).suffix != ".npz":
        data = load_array(inputs, inputs_what, mapped=True)
        check_numbers(data, inputs_what)
        count = data.shape[0] if data.ndim else 0
    if targets:
        check_numbers(labels, what)
    else:
        check_labels(labels, count, 0, what)
    return labels
