# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Joins importer and compiler: a model file becomes MLIR, MLIR becomes a program.
"""Compiling models."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from .arrays import atomic_file, check_writable
from .errors import UsageError
from .importers import Model as Imported
from .models import Model, load
from .options import Events, Gradients, Training, check_lists
from .session import Program
from .targets import against_target
from .tools import run_tool


def is_machine_file(machine: str) -> bool:
    """Whether a machine is given as a file, not as the name of a preset."""
    return Path(machine).suffix == ".json"


def check_fixed(model: Model, batch: int | None, steps: int | None, train_parameters: str | None) -> None:
    """Refuse for an MLIR model what its own types and attributes say."""
    if batch is not None or steps is not None:
        raise UsageError(
            f"{model.path}: batch and steps of an MLIR model are in its types; --batch and --steps are for ONNX and NIR"
        )
    if train_parameters is not None:
        raise UsageError(f"--train-parameters is for ONNX and NIR; mark parameters of {model.path} with snn.trainable")


def _prepared(
    model: Model | Imported | str | Path,
    batch: int | None,
    steps: int | None,
    train_parameters: str | None,
    events: Events,
    train: Training | None,
) -> Model | Imported:
    """Return an MLIR model as it is, others imported and ready; refuse what would have no effect."""
    if isinstance(model, str | Path):
        model = load(model)
    if isinstance(model, Model) and not model.is_imported:
        check_fixed(model, batch, steps, train_parameters)
        if train is not None and train.has_target:
            raise UsageError(f"{model.path}: the loss mse_target adds an input, which is for ONNX and NIR models only")
        return model
    check_lists(events, train)
    if isinstance(model, Model):
        model = model.imported(batch, steps, train_parameters)
    elif (batch, steps, train_parameters) != (None, None, None):
        raise UsageError(
            "batch, steps and train_parameters are told when a model is imported, which this one is already"
        )
    return against_target(model, train.readout) if train is not None and train.has_target else model


def compile(
    model: Model | Imported | str | Path,
    *,
    machine: str = "bow",
    chips: int | str = 1,
    batch: int | None = None,
    steps: int | None = None,
    events: Events | None = None,
    train: Training | None = None,
    gradients: Gradients | None = None,
    gradient_accumulation: int = 1,
    host_cpu: str = "native",
    train_parameters: str | None = None,
    output: str | Path | None = None,
    extra: Sequence[str] = (),
) -> Program:
    """Compile a model for a machine.

    Args:
        model: what ``load`` gave, an imported model, or a path.
        machine: a preset (``gc2``, ``gc200``, ``bow``, ``tiny``) or the path of a machine file.
        chips: how many of them.
        batch: samples a run, B; the file's own if None.
        steps: time steps a run, T; needed for step functions.
        events: lengths of event lists; without it nothing is dropped.
        train: make a training step instead of inference.
        gradients: make outputs and gradients for cotangents that `Session.vjp` takes, instead of inference.
        gradient_accumulation: micro-batches K of a training step, whose gradients are added up: a step takes K B
            samples, code and tile memory are those of B.
        host_cpu: ``native``, ``x86-64-v3`` or ``x86-64-v4``.
        train_parameters: regular expression of the parameters to train, where the file's marks do not suit.
        output: keep the program in this ``.loom`` file; else it lives as long as the result.
        extra: further options of snn-compile, as they are.

    Returns:
        The program.

    Raises:
        UserError: the model or the options are at fault; the message is the importer's or the compiler's.
    """
    if gradient_accumulation < 1 or (gradient_accumulation > 1 and train is None):
        raise UsageError(
            f"gradient_accumulation={gradient_accumulation}: at least 1 is wanted, and more only for training"
        )
    if train and gradients:
        raise UsageError("train and gradients exclude each other: a training step has its own loss")
    if output is not None:
        check_writable(output, "the program")
    events = events or Events()
    model = _prepared(model, batch, steps, train_parameters, events, train)
    folder = tempfile.TemporaryDirectory(prefix="spikeloom-")
    if isinstance(model, Model):
        source = str(model.path.resolve())
    else:
        # The compiler runs in the folder and gets a bare name, because names get into the file's locations, and the
        # same model must give the same file.
        source = f"{Path(model.path).stem}.mlir"
        (Path(folder.name) / source).write_text(model.to_mlir(), encoding="utf-8")
    program = Path(folder.name) / "program.loom"
    if is_machine_file(machine):
        machine = str(Path(machine).resolve())
    arguments = [source, "-o", program.name, f"--machine={machine}", f"--chips={chips}"]
    arguments += events.arguments()
    arguments += train.arguments() if train else []
    arguments += gradients.arguments() if gradients else []
    if gradient_accumulation > 1:
        arguments.append(f"--gradient-accumulation={gradient_accumulation}")
    arguments += [f"--host-cpu={host_cpu}", *extra]
    remarks = run_tool("snn-compile", arguments, folder.name)
    if output is None:
        return Program(program, remarks=remarks, temporary=folder)
    with atomic_file(output, "the program") as file:
        file.write(program.read_bytes())
    folder.cleanup()
    return Program(output, remarks=remarks)
