# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Programs and sessions as people use them from Python: NumPy in, NumPy out, names instead of buffers.
"""Compiled programs and their execution."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from . import native
from .arrays import atomic_file, check_finite, check_labels, check_numbers
from .errors import UsageError, UserError
from .fitting import fit
from .layout import Layout
from .ports import Port, batch_axis, read_info
from .results import EventTotals, StepResult, VjpResult

ENGINES = ("fast", "strict")


class Program:
    """A compiled program (a ``.loom`` file); ``remarks`` is what the compiler had to say about it."""

    def __init__(
        self, path: str | Path, *, remarks: str = "", temporary: tempfile.TemporaryDirectory | None = None
    ) -> None:
        """Open a file; ``temporary`` is a folder that lives as long as the program does."""
        self.path = Path(path)
        self.remarks = remarks
        self._temporary = temporary
        if not self.path.is_file():
            raise UserError(f"{self.path} does not exist or is not a file")

    def session(self, engine: str = "fast", threads: int | None = None) -> Session:
        """Make ready to run: ``engine`` is ``fast`` or ``strict``, ``threads`` is the number of cores if None."""
        return Session(self, engine, threads)

    def save(self, path: str | Path) -> None:
        """Write the ``.loom`` file."""
        with atomic_file(path, "the program") as target, self.path.open("rb") as source:
            shutil.copyfileobj(source, target)


class Session:
    """A program with its parameters and states, ready to run. Use it in a ``with`` statement."""

    def __init__(self, program: Program, engine: str = "fast", threads: int | None = None) -> None:
        """Load the program's code into this process."""
        if engine == "estimate":
            raise UsageError("the engine 'estimate' is not in this version; use fast or strict")
        if engine not in ENGINES:
            raise UsageError(f"engine '{engine}' is not known; known: {', '.join(ENGINES)}")
        if threads is not None and threads < 1:
            raise UsageError(f"threads={threads}: at least 1 is wanted")
        self.program = program
        self.engine = engine
        self.threads = threads or len(os.sched_getaffinity(0))
        self.native = native.runtime().Session(str(program.path), engine, self.threads)
        self.info = read_info(self.native.describe())

    def __enter__(self) -> Session:
        """Return the session itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free its memory."""
        self.close()

    def close(self) -> None:
        """Free the memory of the session; it cannot run afterwards."""
        self.native = None

    def _inputs(self, x: np.ndarray | Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Name the inputs: a single array is the first one. States may be given too."""
        inputs = self.info.inputs
        if not isinstance(x, Mapping):
            if len(inputs) != 1:
                names = ", ".join(port.name for port in inputs)
                raise UserError(f"the network has {len(inputs)} inputs ({names}); give a dict of arrays by name")
            return {inputs[0].name: np.asarray(x)}
        known = {port.name for port in inputs} | {port.name for port in self.info.states}
        for name in x:
            if name not in known:
                raise UserError(f"the network has no input '{name}'; it has {', '.join(sorted(known))}")
        for port in inputs:
            if port.name not in x:
                raise UserError(f"input '{port.name}' {list(port.shape)} is missing")
        return {name: np.asarray(array) for name, array in x.items()}

    def set_inputs(self, x: np.ndarray | Mapping[str, np.ndarray], *, as_rows: bool = False) -> int:
        """Check and pass inputs (and states) whose batch may be short; return the number of samples.

        Sequences are ``[T, b, ...]``, states ``[b, ...]`` with ``b <= B``; the rest of the batch is filled with zeros.
        Arrays of a model whose file has them in another order may also have the shape of the file, unless ``as_rows``.
        A step of K micro-batches takes sequences with ``b <= K B``; states ``[B, ...]`` are where each of them starts.
        """
        samples = None
        ports = {port.name: port for port in self.info.inputs + self.info.states}
        for name, array in self._inputs(x).items():
            array = array if as_rows else self.rows(ports[name], array)
            count = self._place(ports[name], array, f"input '{name}'")
            if self.info.micro_batches > 1 and ports[name].role == "state":
                continue
            if samples is not None and count != samples:
                raise UserError(f"input '{name}' has {count} samples, another input has {samples}")
            samples = count
        return self.info.samples if samples is None else samples

    def rows(self, port: Port, array: np.ndarray) -> np.ndarray:
        """Return an array that may lie as in the model's file as the program's rows ``[T, b, N]`` or ``[b, N]``."""
        layout = port.axes and Layout(port.axes, self.info.steps)
        return layout.rows(array) if layout and layout.fits(array.shape) else array

    def as_in_file(self, port: Port, rows: np.ndarray) -> np.ndarray:
        """Return rows of the program as the model's file has them."""
        return Layout(port.axes, self.info.steps).array(rows) if port.axes else rows

    def _place(self, port: Port, array: np.ndarray, what: str) -> int:
        """Check an array whose batch may be short, fill it up with zeros, pass it; return the number of samples."""
        shape = port.shape
        check_numbers(array, what)
        axis = batch_axis(shape, self.info)
        flat = array.reshape((*array.shape[: len(shape) - 1], -1)) if array.ndim > len(shape) else array
        fits = (
            flat.ndim == len(shape)
            and all(a == b for i, (a, b) in enumerate(zip(flat.shape, shape, strict=True)) if i != axis)
            and (axis is None or flat.shape[axis] <= shape[axis])
        )
        if not fits:
            raise UserError(f"{what} has shape {list(array.shape)}; {list(shape)} is wanted")
        check_finite(flat, what)
        count = flat.shape[axis] if axis is not None else self.info.samples
        if flat.shape != shape:
            padded = np.zeros(shape, flat.dtype)
            padded[(slice(None),) * axis + (slice(count),)] = flat
            flat = padded
        if self.info.micro_batches > 1 and axis is not None and port.role == "input":
            parts = flat.reshape(*shape[:axis], self.info.micro_batches, -1, *shape[axis + 1 :])
            flat = np.moveaxis(parts, axis, 0)
        self.native.set(port.name, np.ascontiguousarray(flat), port.role)
        return count

    def run(self, x: np.ndarray | Mapping[str, np.ndarray], *, as_rows: bool = False) -> dict[str, np.ndarray]:
        """Run inference.

        Args:
            x: the input ``[T, b, ...]``, or inputs and states by name; ``b`` up to the program's batch.
            as_rows: give outputs time-major, as the program has them, where the model's file has another order.

        Returns:
            Outputs by name: sequences ``[T, b, ...]``, states after the last step ``[b, ...]``.
        """
        samples = self.set_inputs(x)
        self.native.run()
        return self.outputs(samples, as_rows=as_rows)

    def _first(self, port: Port, samples: int) -> np.ndarray:
        """Return an array of the last run, cut to its first ``samples`` samples."""
        array = self.native.get(port.name, port.role)
        axis = batch_axis(port.shape, self.info)
        if axis is not None and samples < array.shape[axis]:
            array = array[(slice(None),) * axis + (slice(samples),)]
        return array

    def outputs(self, samples: int, *, as_rows: bool = False) -> dict[str, np.ndarray]:
        """Return the outputs of the last run for its first ``samples`` samples."""
        found = {port: self._first(port, samples) for port in self.info.results}
        return {port.name: array if as_rows else self.as_in_file(port, array) for port, array in found.items()}

    def vjp(self, x: Mapping[str, np.ndarray] | np.ndarray, cotangents: Mapping[str, np.ndarray]) -> VjpResult:
        """Run a program compiled with ``gradients``: the vector-Jacobian product.

        All arrays are rows ``[T, b, N]``, also where the model's file has another order (see ``rows``).

        Args:
            x: as in ``run``.
            cotangents: by output (with ``Gradients(states=True)`` also by state after the last step) the gradient of a
                loss with respect to it, in its shape; outputs that are not named do not act on the loss.

        Returns:
            The outputs, and the gradients of the loss.
        """
        if not self.info.cotangents:
            raise UserError("the program was compiled without gradients; pass gradients=Gradients() to compile")
        samples = self.set_inputs(x, as_rows=True)
        for name in cotangents:
            if name not in self.info.cotangents:
                known = ", ".join(self.info.cotangents)
                raise UserError(f"'{name}' has no cotangent in this program; there are: {known}")
        for name, port in self.info.cotangents.items():
            if name not in cotangents:
                self.native.fill(port.name, 0.0, port.role)
                continue
            count = self._place(port, np.asarray(cotangents[name]), f"the cotangent of '{name}'")
            if count != samples:
                raise UserError(f"the cotangent of '{name}' has {count} samples, the input has {samples}")
        self.native.run()
        data = {port.name for port in self.info.inputs + self.info.states}
        gradients = {
            port.pair: self._first(port, samples if port.pair in data else self.info.batch)
            for port in self.info.of_role("gradient")
        }
        return VjpResult(self.outputs(samples, as_rows=True), gradients)

    def step(
        self, x: np.ndarray | Mapping[str, np.ndarray], labels: np.ndarray, *, gradients: bool = False
    ) -> StepResult:
        """Run one training step.

        Args:
            x: as in ``run``.
            labels: classes ``[b]``, whole numbers; with the loss ``mse_target`` what to come close to, ``[T, b, N]`` or
                the same in every step, ``[b, N]``.
            gradients: also return the gradients (before the optimiser).
        """
        if not self.info.is_training:
            raise UserError("the program was compiled without training; pass train=Training(...) to compile")
        samples = self.set_inputs(x)
        self._set_answers(np.asarray(labels), samples)
        self.native.run()
        events = EventTotals()
        events.add(self.native.events())
        return StepResult(
            float(self._scalar("loss")),
            float(self._scalar("correct")) / samples if self.info.target is None else None,
            self.native.cycles(),
            events.overflow,
            self.gradients() if gradients else {},
        )

    def _set_answers(self, answers: np.ndarray, samples: int) -> None:
        """Check and pass labels, or a target; where there is one, labels are only needed to weigh samples."""
        port = self.info.target
        if port is None:
            answers = check_labels(answers, samples, self.info.classes, "labels")
        else:
            rows = self.rows(port, answers)
            rows = rows if rows.ndim > 2 else np.broadcast_to(rows, (self.info.steps, *rows.shape))
            count = self._place(port, rows, "the target")
            if count != samples:
                raise UserError(f"the target has {count} samples, the input has {samples}")
            answers = np.zeros(samples, np.int32)
        self.native.set_labels(answers, samples)

    # The loop around `step` has a page of its own.
    fit = fit

    def _scalar(self, role: str) -> float:
        port = self.info.of_role(role)[0]
        return float(np.asarray(self.native.get(port.name, role)).reshape(-1)[0])

    def gradients(self) -> dict[str, np.ndarray]:
        """Return the gradients of the last step by parameter name, in the shapes of ``weights``."""
        return {p.pair or p.name: np.array(self.native.get(p.name, "gradient")) for p in self.info.of_role("gradient")}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """All parameters by name, in the shapes of the file; kernels are ``[out, in / groups * positions]``."""
        return {port.name: np.array(self.native.get(port.name, "parameter")) for port in self.info.of_role("parameter")}

    @weights.setter
    def weights(self, values: Mapping[str, np.ndarray]) -> None:
        """Set parameters by name; those that are not named keep their values. Kernels may have the file's shape."""
        shapes = {port.name: port.shape for port in self.info.of_role("parameter")}
        for name, value in values.items():
            if name not in shapes:
                raise UserError(f"the network has no parameter '{name}'; it has {', '.join(shapes) or 'none'}")
            if value.ndim > 2 and len(shapes[name]) == 2:
                value = value.reshape(len(value), -1)
            if tuple(value.shape) != shapes[name]:
                raise UserError(f"parameter '{name}' has shape {list(value.shape)}; {list(shapes[name])} is wanted")
            check_finite(value, f"parameter '{name}'")
            self.native.set(name, np.asarray(value, np.float32, order="C"), "parameter")

    def mask(self, name: str) -> np.ndarray:
        """Where parameter ``name`` can be other than zero: 1 at the connections of a sparse weight, else 0."""
        return np.array(self.native.mask(name, "parameter"))

    def randomize(self, gain: float, seed: int) -> list[str]:
        """Draw new trainable parameters, uniform in ``±gain / sqrt(fan_in)`` as torch.nn.Linear does with gain 1.

        Weights ``[out, in]`` have fan-in ``in``, sparse ones the mean number of connections of an output. A bias (as
        long as the outputs of the weight before it) gets that weight's bound. Other parameters, such as decays, keep
        their values. Returns the names of the drawn ones.
        """
        rng = np.random.default_rng(seed)
        drawn, values, bound, outputs = [], {}, 0.0, 0
        for port in self.info.of_role("parameter"):
            if not port.trainable:
                continue
            mask = self.mask(port.name)
            if len(port.shape) == 2:
                outputs, bound = port.shape[0], gain / np.sqrt(np.count_nonzero(mask) / port.shape[0])
            elif len(port.shape) != 1 or port.shape[0] != outputs or not bound:
                continue
            values[port.name] = rng.uniform(-bound, bound, port.shape).astype(np.float32) * mask
            drawn.append(port.name)
        self.weights = values
        return drawn

    def load(self, path: str | Path) -> list[str]:
        """Read parameters from a safetensors file; return the names in it that the network does not have."""
        return list(self.native.load_weights(str(path)))

    def save(self, path: str | Path) -> None:
        """Write all parameters to a safetensors file, atomically."""
        self.native.save_weights(str(path))

    def save_gradients(self, path: str | Path) -> None:
        """Write the gradients of the last step (before the optimiser) to a safetensors file."""
        self.native.save_gradients(str(path))

    @property
    def learning_rate(self) -> float:
        """The learning rate of coming steps."""
        return self.native.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.native.learning_rate = rate

    @property
    def cycles(self) -> int:
        """What the last run takes on the modelled machine."""
        return self.native.cycles()

    def events(self) -> list[dict]:
        """Return spikes fired and listed by layer in the last run."""
        return self.native.events()

    def profile(self) -> dict:
        """Return the profile of the last run (schema ``spikeloom.profile/1``)."""
        return json.loads(self.native.profile())
