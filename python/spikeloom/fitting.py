# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The loop that everybody writes around Session.step, for data that comes in batches from a loader.
"""Training on the batches of a loader."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .encoding import Encoder, Encoding
from .errors import UserError

if TYPE_CHECKING:
    from .ports import Port
    from .results import StepResult
    from .session import Session

Arrays = np.ndarray | Mapping[str, np.ndarray]


@dataclass(frozen=True)
class EpochResult:
    """What ``Session.fit`` tells of an epoch.

    Args:
        epoch: counted from 1.
        steps: training steps, one a batch.
        samples: how many were seen.
        loss: mean over the samples.
        accuracy: share of samples whose label was the largest readout when they were seen; None if there are no labels.
        overflow: largest share of spikes that a step dropped.
        seconds: of the host.
    """

    epoch: int
    steps: int
    samples: int
    loss: float
    accuracy: float | None
    overflow: float
    seconds: float


def fit(
    session: Session,
    loader: Iterable,
    epochs: int = 1,
    *,
    encode: str | Encoding = "none",
    time_first: bool = False,
    seed: int = 0,
    on_epoch: Callable[[EpochResult], Any] | None = None,
) -> list[EpochResult]:
    """Train on a ``torch.utils.data.DataLoader``, or on anything that gives pairs of inputs and labels.

    Args:
        session: of a training program.
        loader: gives inputs ``[b, T, ...]`` (or a dict of them) and labels ``[b]``, tensors or arrays, ``b`` up to the
            samples of a step. A smaller batch, such as the last one, is filled up with samples of weight 0. With the
            loss ``mse_target`` there are targets ``[b, T, N]`` or ``[b, N]`` instead of labels.
        epochs: how often to go through it.
        encode: ``latency``, ``rate`` or ``direct``, or an ``Encoding``, if the inputs are still data ``[b, ...]``.
        time_first: the inputs (and targets) are ``[T, b, ...]``.
        seed: of ``rate``.
        on_epoch: is called after every epoch with its result.

    Returns:
        One result an epoch.
    """
    if epochs < 1:
        raise UserError(f"epochs={epochs}: at least 1 is wanted")
    if epochs > 1 and iter(loader) is loader:
        raise UserError(f"the loader can be gone through only once, so epochs={epochs} needs a list or a DataLoader")
    encoding = encode if isinstance(encode, Encoding) else Encoding(encode)
    code = encoding.encoder(session.info.steps, seed)
    results = []
    for epoch in range(1, epochs + 1):
        start = time.monotonic()
        samples, total, right, overflow, count = 0, 0.0, 0.0, 0.0, 0
        for x, labels, size in _batches(session, loader, time_first, code is not None):
            if code is not None:
                x = _encoded(x, code, samples, epoch)
            step = _step(session, x, labels, size, count)
            count += 1
            samples += size
            total += step.loss * size
            right += (step.accuracy or 0.0) * size
            overflow = max(overflow, step.overflow)
        if not count:
            raise UserError(f"the loader gave no batch in epoch {epoch}")
        seconds = time.monotonic() - start
        accuracy = right / samples if session.info.target is None else None
        results.append(EpochResult(epoch, count, samples, total / samples, accuracy, overflow, seconds))
        if on_epoch:
            on_epoch(results[-1])
    return results


def _batches(
    session: Session, loader: Iterable, time_first: bool, still: bool
) -> Iterator[tuple[Arrays, np.ndarray, int]]:
    """Inputs ``[T, b, ...]`` (``[b, ...]`` if they are still), labels ``[b]`` or targets ``[T, b, N]``, and ``b``."""
    for number, batch in enumerate(loader):
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise UserError(f"batch {number} of the loader is no pair (inputs, labels)")
        x, labels = batch[0], _array(batch[1])
        size = labels.shape[1 if time_first and labels.ndim > 2 else 0] if labels.ndim else 0
        if session.info.target is not None:
            labels = _time_first(session.info.target, labels, time_first)
        if isinstance(x, Mapping):
            ports = {port.name: port for port in session.info.inputs + session.info.states}
            x = {name: _time_first(ports.get(name), _array(value), time_first or still) for name, value in x.items()}
        else:
            x = _time_first(session.info.inputs[0], _array(x), time_first or still)
        yield x, labels, size


def _encoded(x: Arrays, code: Encoder, seen: int, epoch: int) -> Arrays:
    """Still data as sequences; what ``rate`` draws depends on the place in the epoch."""
    if isinstance(x, Mapping):
        return {name: _encoded(value, code, seen, epoch) for name, value in x.items()}
    return code(x, np.arange(seen, seen + len(x)), epoch)


def _array(value: Any) -> np.ndarray:
    """A tensor or array as NumPy's."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def _time_first(port: Port | None, array: np.ndarray, time_first: bool) -> np.ndarray:
    """Turn ``[b, T, ...]``, unless it has no time or the model's own file has this order."""
    as_given = time_first or array.ndim < 3 or port is None or port.axes or len(port.shape) < 3
    return array if as_given else np.swapaxes(array, 0, 1)


def _step(session: Session, x: Arrays, labels: np.ndarray, size: int, number: int) -> StepResult:
    """One training step of ``size`` samples; what is wrong with a batch is told with its number."""
    batch = session.info.samples
    if size > batch:
        wanted = -(-size // session.info.micro_batches)
        raise UserError(
            f"batch {number} of the loader has {size} samples, the program was compiled for {batch}: "
            f"give DataLoader(batch_size={batch}), or compile with batch={wanted}"
        )
    try:
        return session.step(x, labels)
    except UserError as error:
        raise UserError(
            f"batch {number} of the loader: {error}\n  every batch must have the shape that the program was compiled "
            f"for, {_wanted(session)}; only the number of samples may be smaller"
        ) from error


def _wanted(session: Session) -> str:
    """The shapes of the inputs in words."""
    return ", ".join(f"'{port.name}' {list(port.shape)} (time, samples, units)" for port in session.info.inputs)
