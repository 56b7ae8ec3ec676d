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
        accuracy: share of samples whose label was the largest readout when they were seen.
        overflow: largest share of spikes that a step dropped.
        seconds: of the host.
    """

    epoch: int
    steps: int
    samples: int
    loss: float
    accuracy: float
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
            samples of a step. A smaller batch, such as the last one, is filled up with samples of weight 0.
        epochs: how often to go through it.
        encode: ``latency``, ``rate`` or ``direct``, or an ``Encoding``, if the inputs are still data ``[b, ...]``.
        time_first: the inputs are ``[T, b, ...]``.
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
        for x, labels in _batches(session, loader, time_first or code is not None):
            if code is not None:
                x = _encoded(x, code, samples, epoch)
            step = _step(session, x, labels, count)
            count += 1
            samples += len(labels)
            total += step.loss * len(labels)
            right += step.accuracy * len(labels)
            overflow = max(overflow, step.overflow)
        if not count:
            raise UserError(f"the loader gave no batch in epoch {epoch}")
        seconds = time.monotonic() - start
        results.append(EpochResult(epoch, count, samples, total / samples, right / samples, overflow, seconds))
        if on_epoch:
            on_epoch(results[-1])
    return results


def _batches(session: Session, loader: Iterable, time_first: bool) -> Iterator[tuple[Arrays, np.ndarray]]:
    """Inputs ``[T, b, ...]`` (or still data, if they are not to be turned) and labels ``[b]`` as NumPy arrays."""
    for number, batch in enumerate(loader):
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise UserError(f"batch {number} of the loader is no pair (inputs, labels)")
        x, labels = batch[0], _array(batch[1])
        if isinstance(x, Mapping):
            yield {name: _time_first(session, name, _array(value), time_first) for name, value in x.items()}, labels
        else:
            yield _time_first(session, session.info.inputs[0].name, _array(x), time_first), labels


def _encoded(x: Arrays, code: Encoder, seen: int, epoch: int) -> Arrays:
    """Still data as sequences; what ``rate`` draws depends on the place in the epoch."""
    if isinstance(x, Mapping):
        return {name: _encoded(value, code, seen, epoch) for name, value in x.items()}
    return code(x, np.arange(seen, seen + len(x)), epoch)


def _array(value: Any) -> np.ndarray:
    """A tensor or array as NumPy's."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def _time_first(session: Session, name: str, array: np.ndarray, time_first: bool) -> np.ndarray:
    """Turn ``[b, T, ...]``, unless it has no time or the model's own file has this order."""
    axes = next((port.axes for port in session.info.inputs if port.name == name), "")
    return array if time_first or axes or array.ndim < 3 or not session.info.steps else np.swapaxes(array, 0, 1)


def _step(session: Session, x: Arrays, labels: np.ndarray, number: int) -> StepResult:
    """One training step; what is wrong with a batch is told with its number."""
    batch = session.info.samples
    if labels.ndim == 1 and len(labels) > batch:
        wanted = -(-len(labels) // session.info.micro_batches)
        raise UserError(
            f"batch {number} of the loader has {len(labels)} samples, the program was compiled for {batch}: "
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
