# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Data sets come in many shapes; behind this page there is only "give me these samples as [T, B, ...]".
"""Users' data for `run` and `train`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..arrays import Samples, check_finite, check_labels, check_numbers, event_samples, load_array
from ..encoding import Encoder, Encoding
from ..errors import UsageError, UserError
from ..layout import Layout
from ..ports import Info, Port, batch_axis


@dataclass
class GivenInput:
    """One `--input`: an array from a file, or a number for all elements. `name` is empty for the first input."""

    name: str
    array: np.ndarray | None
    number: float = 0.0


def parse_input(text: str) -> GivenInput:
    """Read `x.npy`, `NAME=x.npy` or `NAME=VALUE`."""
    name, equal, value = text.partition("=")
    if not equal or Path(text).is_file():
        return GivenInput("", load_array(text, "the input", mapped=True))
    try:
        return GivenInput(name, None, float(value))
    except ValueError:
        return GivenInput(name, load_array(value, f"input '{name}'", mapped=True))


def steps_of(array: np.ndarray, options: argparse.Namespace, axis: int, what: str) -> int:
    """Decide the number of time steps: what the user says, else what the data have along ``axis``."""
    if options.encode != "none":
        if options.steps is None:
            raise UsageError(f"--encode={options.encode} makes sequences of still data; say how long with --steps=T")
        return options.steps
    if array.ndim < 3:
        order = "[T, N, ...]" if axis == 0 else "[N, T, ...]"
        raise UserError(f"{what} has shape {list(array.shape)}; {order} is wanted, or --encode for still data")
    if options.steps is not None and options.steps != array.shape[axis]:
        raise UserError(f"{what} has {array.shape[axis]} time steps, --steps says {options.steps}")
    return array.shape[axis]


def first_input(info: Info) -> Port:
    """Return the input that data sets go into."""
    inputs = info.of_role("input")
    if not inputs:
        raise UserError("the network has no input")
    return inputs[0]


def encoding(options: argparse.Namespace) -> Encoding:
    """Return how the options say that still data become sequences."""
    return Encoding(options.encode, options.encode_gain)


def encoder(info: Info, options: argparse.Namespace) -> Encoder | None:
    """Return what makes sequences for a program, None if the data are sequences already."""
    return encoding(options).encoder(info.steps, options.seed)


def _width(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _check_features(found: tuple[int, ...], wanted: tuple[int, ...], what: str, order: str) -> None:
    """Features may come flattened or not (28 x 28 for 784)."""
    if _width(found) != _width(wanted):
        raise UserError(
            f"{what}: a sample has the features {list(found)} ({_width(found)} values), the network takes "
            f"{list(wanted)} ({_width(wanted)}); {order} is wanted"
        )


def data_set(path: str, info: Info, options: argparse.Namespace, what: str) -> Samples:
    """Open a data set for training or testing, sample first.

    `.npy` is ``[N, T, ...]``, or ``[N, ...]`` with a coding; `.npz` holds events.
    """
    port = first_input(info)
    features = port.shape[2:]
    if Path(path).suffix == ".npz":
        samples = event_samples(Path(path), _width(features), what)
    else:
        samples = _array_samples(path, info, features, options, what)
    if samples.steps != info.steps:
        raise UserError(f"{what} has {samples.steps} time steps, the program {info.steps}")
    if samples.count == 0:
        raise UserError(f"{what} has no samples")
    if not port.axes:
        return samples
    take = samples.take

    def take_file_layout(indices: np.ndarray, epoch: int = 0) -> np.ndarray:
        return in_file_layout(port, info, take(indices, epoch).reshape(info.steps, len(indices), -1))

    return replace(samples, take=take_file_layout)


def check_answers(answers: np.ndarray, count: int, info: Info, what: str) -> np.ndarray:
    """Return labels ``[N]``, or where the loss has targets these, ``[N, T, C]`` or ``[N, C]``; refuse other shapes."""
    port = info.target
    if port is None:
        return check_labels(answers, count, info.classes, what)
    check_finite(answers, what)
    width = _width(port.shape[2:])
    shapes = ((count, info.steps, width), (count, width))
    for *leading, _ in shapes:
        if list(answers.shape[: len(leading)]) == leading and _width(answers.shape[len(leading) :]) == width:
            return answers.reshape(*leading, width)
    wanted = " or ".join(str(list(shape)) for shape in shapes)
    raise UserError(f"{what} has shape {list(answers.shape)}; targets {wanted} are wanted")


def take_answers(answers: np.ndarray, indices: np.ndarray, info: Info) -> np.ndarray:
    """Return the labels or targets of some samples as a training step takes them."""
    chosen = answers[indices]
    if info.target is None or chosen.ndim < 3:
        return chosen
    return in_file_layout(info.target, info, np.ascontiguousarray(np.swapaxes(chosen, 0, 1)))


def _array_samples(path: str, info: Info, features: tuple[int, ...], options: argparse.Namespace, what: str) -> Samples:
    array = load_array(path, what, mapped=True)
    check_numbers(array, what)
    code = encoder(info, options)
    if code is not None:
        if array.ndim < 2:
            raise UserError(f"{what} has shape {list(array.shape)}; [N, ...] is wanted")
        _check_features(array.shape[1:], features, what, "[N, ...]")

        def take(indices: np.ndarray, epoch: int = 0) -> np.ndarray:
            return code(array[indices], indices, epoch).reshape(info.steps, len(indices), *features)

        return Samples(len(array), info.steps, features, take)
    if array.ndim < 3:
        raise UserError(f"{what} has shape {list(array.shape)}; [N, T, ...] is wanted, or --encode for still data")
    _check_features(array.shape[2:], features, what, "[N, T, ...]")

    def take_sequences(indices: np.ndarray, _epoch: int = 0) -> np.ndarray:
        chosen = array[indices].reshape(len(indices), array.shape[1], *features)
        return np.ascontiguousarray(np.moveaxis(chosen, 0, 1))

    return Samples(len(array), array.shape[1], features, take_sequences)


def read_ahead(
    take: Callable[[np.ndarray], np.ndarray], batches: list[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the indices and data of every batch; the next one is read or coded while the caller works on this one."""
    with ThreadPoolExecutor(1) as worker:
        coming = [worker.submit(take, indices) for indices in batches[:1]]
        for number, indices in enumerate(batches):
            x = coming.pop().result()
            coming += [worker.submit(take, following) for following in batches[number + 1 : number + 2]]
            yield indices, x


@dataclass
class RunInputs:
    """Inputs of `spikeloom run`, bound to ports; ``take(begin, end)`` gives what a session runs on."""

    count: int
    bound: list[tuple[Port, np.ndarray | float, int | None]]
    info: Info
    options: argparse.Namespace

    def take(self, begin: int, end: int) -> dict[str, np.ndarray]:
        """Return inputs and states of samples ``[begin, end)`` by name."""
        result = {}
        code = encoder(self.info, self.options)
        for port, value, axis in self.bound:
            if axis is None:
                array = np.asarray(value)
                if array.ndim == 0:
                    array = np.full(short(port.shape, self.info, end - begin), value, np.float32)
            else:
                array = np.asarray(value[(slice(None),) * axis + (slice(begin, end),)])
            if port.role == "input" and code is not None and axis == 0:
                array = code(array, np.arange(begin, end))
            rows = array.reshape(short(port.shape, self.info, end - begin))
            result[port.name] = in_file_layout(port, self.info, rows)
        return result


def in_file_layout(port: Port, info: Info, rows: np.ndarray) -> np.ndarray:
    """Return rows as the model's file has them: a session takes an array of that shape to be one of the file's."""
    return Layout(port.axes, info.steps).array(rows) if port.axes else rows


def as_rows(port: Port, info: Info, array: np.ndarray) -> np.ndarray:
    """Return an array of the model's file as rows; others as they are."""
    layout = Layout(port.axes, info.steps) if port.axes else None
    return layout.rows(array) if layout and layout.fits(array.shape) else array


def short(shape: tuple[int, ...], info: Info, samples: int) -> tuple[int, ...]:
    """Return the shape with the batch cut to a number of samples."""
    axis = batch_axis(shape, info)
    return shape if axis is None else (*shape[:axis], samples, *shape[axis + 1 :])


def bind_inputs(given: list[GivenInput], info: Info, options: argparse.Namespace) -> RunInputs:
    """Match what the user gives with what the program takes, and check every shape."""
    ports = {port.name: port for port in info.of_role("input") + info.states}
    bound, count = [], None
    for item in given:
        name = item.name or first_input(info).name
        if name not in ports:
            raise UserError(f"the network has no input '{name}'; it has {', '.join(ports)}")
        if any(port.name == name for port, _, _ in bound):
            raise UserError(f"input '{name}' is given twice")
        port = ports[name]
        if item.array is None:
            bound.append((port, item.number, None))
            continue
        what = f"input '{name}'"
        check_numbers(item.array, what)
        check_finite(item.array, what)
        array = item.array if options.encode != "none" else as_rows(port, info, item.array)
        axis = _sample_axis(array, port, info, options, what)
        if axis is not None:
            if count is not None and array.shape[axis] != count:
                raise UserError(f"{what} has {array.shape[axis]} samples, another input has {count}")
            count = array.shape[axis]
        bound.append((port, array, axis))
    missing = [port.name for port in info.of_role("input") if all(port.name != b.name for b, _, _ in bound)]
    if missing:
        raise UserError(
            f"input '{missing[0]}' {list(ports[missing[0]].shape)} is not given; use --input {missing[0]}=x.npy"
        )
    count = info.batch if count is None else count
    if count == 0:
        raise UserError("the input has no samples")
    return RunInputs(count, bound, info, options)


def _sample_axis(array: np.ndarray, port: Port, info: Info, options: argparse.Namespace, what: str) -> int | None:
    """Check an array against its port and return the axis of the samples."""
    axis = batch_axis(port.shape, info)
    wanted = ["N" if i == axis else size for i, size in enumerate(port.shape)]
    text = f"[{', '.join(map(str, wanted))}]"
    if axis is None:
        if tuple(array.shape) != port.shape:
            raise UserError(f"{what} has shape {list(array.shape)}; {text} is wanted")
        return None
    if port.role == "input" and options.encode != "none":
        if axis != 1:
            raise UsageError(f"--encode={options.encode} is for networks with time; {what} is {text}")
        if array.ndim < 2:
            raise UserError(f"{what} has shape {list(array.shape)}; [N, ...] is wanted with --encode")
        _check_features(array.shape[1:], port.shape[2:], what, "[N, ...]")
        return 0
    fits = array.ndim > axis and all(array.shape[i] == port.shape[i] for i in range(axis))
    if not fits or _width(array.shape[axis + 1 :]) != _width(port.shape[axis + 1 :]):
        raise UserError(f"{what} has shape {list(array.shape)}; {text} is wanted")
    return axis
