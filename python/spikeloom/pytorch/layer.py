# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Two programs: inference forward, and outputs with gradients backward, which runs the forward pass again.
"""A compiled network as a differentiable layer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..compiler import compile
from ..errors import UserError
from ..models import Model, load
from ..options import Events, Gradients
from ..ports import batch_axis
from ..session import Session
from .export import from_torch

Tensors = dict[str, torch.Tensor]


class Engine:
    """The two programs of a layer and their sessions; copies of a layer share them, weights come with every call."""

    def __init__(self, forward: Session, backward: Session) -> None:
        self.forward = forward
        self.backward = backward
        self.info = forward.info
        self.differentiable = tuple(port.pair for port in backward.info.of_role("gradient"))
        self.seeded = tuple(backward.info.cotangents)
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict) -> Engine:
        """Share the sessions: they keep nothing from call to call."""
        return self

    def __reduce__(self) -> Any:
        """Refuse to be pickled."""
        raise UserError("a compiled layer cannot be pickled; save its state_dict() and make the layer anew")

    def rows(self, data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs and states as rows of the program, from how they lie in the network's file."""
        ports = {port.name: port for port in self.info.inputs + self.info.states}
        return {name: self.forward.rows(ports[name], array) for name, array in data.items()}

    def like(self, data: Mapping[str, np.ndarray], rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradients of data as the data lie; where the file has no other order they are rows themselves."""
        ports = {port.name: port for port in self.info.inputs}
        turned = self.rows(data)
        return {
            name: self.forward.as_in_file(port, rows[name])
            for name, port in ports.items()
            if name in rows and turned[name] is not data[name]
        }

    def pieces(self, arrays: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Cut arrays into batches that the programs take."""
        axes = {port.name: batch_axis(port.shape, self.info) for port in self.info.inputs + self.info.states}
        counts = {arrays[name].shape[axis] for name, axis in axes.items() if axis is not None and name in arrays}
        if len(counts) > 1:
            raise UserError(f"inputs and states differ in their number of samples: {sorted(counts)}")
        total = counts.pop() if counts else self.info.batch
        return [
            {name: cut(array, axes[name], start, self.info.batch) for name, array in arrays.items()}
            for start in range(0, max(total, 1), self.info.batch)
        ]

    def run(self, weights: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs and last states for any number of samples."""
        with self._lock:
            self.forward.weights = weights
            self._reset(self.forward, data)
            parts = [self._run(piece) for piece in self.pieces(data)]
        return {port.name: joined([p[port.name] for p in parts], port, self.info) for port in self.info.results}

    def _run(self, piece: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Rows in, rows out: of one batch."""
        samples = self.forward.set_inputs(piece, as_rows=True)
        self.forward.native.run()
        return self.forward.outputs(samples, as_rows=True)

    def gradients(
        self, weights: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray], cotangents: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Gradients of data, and sums over all samples of those of weights."""
        results = {port.name: port for port in self.info.results}
        ports = {port.name: port for port in self.info.inputs + self.info.states}
        parts = []
        with self._lock:
            self.backward.weights = weights
            self._reset(self.backward, data)
            for k, piece in enumerate(self.pieces(data)):
                seeds = {
                    name: cut(array, batch_axis(results[name].shape, self.info), k * self.info.batch, self.info.batch)
                    for name, array in cotangents.items()
                }
                parts.append(self.backward.vjp(piece, seeds).gradients)
        return {
            name: joined([p[name] for p in parts], ports[name], self.info)
            if name in ports
            else np.sum([p[name] for p in parts], axis=0)
            for name in self.differentiable
        }

    def _reset(self, session: Session, data: Mapping[str, np.ndarray]) -> None:
        """States that are not given start from their own value, not from that of the call before."""
        for port in session.info.states:
            if port.name not in data:
                session.native.fill(port.name, port.initial, port.role)


def cut(array: np.ndarray, axis: int | None, start: int, count: int) -> np.ndarray:
    """Samples ``start`` to ``start + count`` of an array."""
    return array if axis is None else array[(slice(None),) * axis + (slice(start, start + count),)]


def joined(parts: Sequence[np.ndarray], port: Any, info: Any) -> np.ndarray:
    """The batches of an array one after the other."""
    axis = batch_axis(port.shape, info)
    return parts[0] if axis is None or len(parts) == 1 else np.concatenate(parts, axis)


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as float32 in the host's memory."""
    return tensor.detach().to(device="cpu", dtype=torch.float32).numpy()


class Call(torch.autograd.Function):
    """One call of a layer. ``names`` are those of ``tensors``: data (inputs and states), then parameters."""

    @staticmethod
    def forward(ctx: Any, engine: Engine, names: tuple[str, ...], data: int, *tensors: torch.Tensor) -> tuple:
        """Run the network; return outputs and last states."""
        arrays = dict(zip(names, map(to_numpy, tensors), strict=True))
        results = engine.run(rest(arrays, names[data:]), engine.rows(rest(arrays, names[:data])))
        like = tensors[0]
        found = tuple(
            torch.from_numpy(np.ascontiguousarray(engine.forward.as_in_file(port, results[port.name]))).to(like.device)
            for port in engine.info.results
        )
        ctx.save_for_backward(*tensors)
        ctx.engine, ctx.names, ctx.data = engine, names, data
        ctx.mark_non_differentiable(
            *(t for t, port in zip(found, engine.info.results, strict=True) if port.name not in engine.seeded)
        )
        ctx.set_materialize_grads(False)
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple:
        """Run the network and its reverse pass."""
        tensors = ctx.saved_tensors
        arrays = dict(zip(ctx.names, map(to_numpy, tensors), strict=True))
        engine = ctx.engine
        seeds = {
            port.name: engine.forward.rows(port, to_numpy(cotangent))
            for port, cotangent in zip(engine.info.results, cotangents, strict=True)
            if cotangent is not None and port.name in engine.seeded
        }
        weights, data = rest(arrays, ctx.names[ctx.data :]), rest(arrays, ctx.names[: ctx.data])
        found = engine.gradients(weights, engine.rows(data), seeds)
        found.update(engine.like(data, found))
        gradients = [
            torch.from_numpy(np.ascontiguousarray(found[name])).reshape(tensor.shape).to(tensor)
            if name in found and wanted
            else None
            for name, tensor, wanted in zip(ctx.names, tensors, ctx.needs_input_grad[3:], strict=True)
        ]
        return (None, None, None, *gradients)


def rest(arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of those names."""
    return {name: arrays[name] for name in names}


class Module(torch.nn.Module):
    """A compiled network as a layer of a PyTorch model: forward and backward run on Spikeloom's engine.

    Inputs and outputs are sequences ``[T, b, ...]``, or what the network's file has in their place, with any number
    ``b`` of samples. The network's trainable parameters are the layer's, under the names that they have in the network,
    and its other ones are buffers::

        layer = sl.nn.Module("net.onnx", batch=32, steps=25, events=sl.Events(max_activity=0.1))
        model = torch.nn.Sequential(Encoder(), layer)

    The gradient is that of ``spikeloom train``: surrogates at listed neurons. An input has its whole gradient unless
    ``Events.input_capacity`` names it.
    """

    def __init__(
        self,
        model: Model | str | Path | torch.nn.Module,
        *,
        example: Any = None,
        machine: str = "bow",
        chips: int = 1,
        batch: int | None = None,
        steps: int | None = None,
        events: Events | None = None,
        gradients: Gradients | None = None,
        train_parameters: str | None = None,
        engine: str = "fast",
        threads: int | None = None,
    ) -> None:
        """Compile a network, once for the forward and once for the backward pass.

        Args:
            model: what ``spikeloom.load`` or ``from_torch`` gave, a path, or a module to export (with ``example``).
            example: the arguments of a module's ``forward``, for ``from_torch``.
            machine: as in ``spikeloom.compile``, like the options that follow.
            chips: how many of them.
            batch: samples that the program runs at once, B; larger batches are cut.
            steps: time steps, T.
            events: lengths of event lists.
            gradients: surrogate and resets; with ``Gradients(states=True)`` states are differentiated, too.
            train_parameters: regular expression of the parameters to train.
            engine: ``fast`` or ``strict``.
            threads: as many as there are cores if None.
        """
        super().__init__()
        if isinstance(model, torch.nn.Module):
            if example is None:
                raise UserError("a module to export needs example=<the arguments of its forward>")
            model = from_torch(model, example)
        elif isinstance(model, str | Path):
            model = load(model)
        if model.is_imported:
            model = model.imported(batch, steps, train_parameters)
        sessions = [
            compile(model, machine=machine, chips=chips, events=events, gradients=kind).session(engine, threads)
            for kind in (None, gradients or Gradients())
        ]
        self._engine = Engine(*sessions)
        trained = {port.name for port in self._engine.info.of_role("parameter") if port.trainable}
        for name, value in sessions[0].weights.items():
            self._add(name, torch.from_numpy(value), name in trained)

    def _add(self, name: str, value: torch.Tensor, trainable: bool) -> None:
        """Register a tensor under its name; a dot leads into a submodule, as in PyTorch's own names."""
        *path, last = name.split(".")
        owner: torch.nn.Module = self
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, torch.nn.Module())
            owner = owner._modules[part]
        if trainable:
            owner.register_parameter(last, torch.nn.Parameter(value))
        else:
            owner.register_buffer(last, value)

    def _tensor(self, name: str) -> torch.Tensor:
        owner, _, last = name.rpartition(".")
        return getattr(self.get_submodule(owner), last)

    def forward(self, *inputs: torch.Tensor, state: Mapping[str, torch.Tensor] | None = None) -> Any:
        """Run the network.

        Args:
            *inputs: sequences ``[T, b, ...]`` in the network's order.
            state: values ``[b, ...]`` that states start from, by name; states that are not named start from their own.

        Returns:
            The output ``[T, b, ...]``, or a tuple of several. If ``state`` is given (it may be empty) a pair: that, and
            the states after the last step by the names of the states, for the next call.
        """
        info = self._engine.info
        ports = info.inputs
        if len(inputs) != len(ports):
            names = ", ".join(port.name for port in ports)
            raise UserError(f"the network has {len(ports)} inputs ({names}); {len(inputs)} are given")
        unknown = set(state or ()) - {port.name for port in info.states}
        if unknown:
            known = ", ".join(port.name for port in info.states)
            raise UserError(f"the network has no state '{min(unknown)}'; it has {known or 'none'}")
        data: Tensors = {port.name: tensor for port, tensor in zip(ports, inputs, strict=True)}
        data.update(state or {})
        for name, tensor in (state or {}).items():
            if tensor.requires_grad and name not in self._engine.differentiable:
                raise UserError(
                    f"the gradient of state '{name}' is not computed; pass gradients=Gradients(states=True) (states "
                    "that carry spikes have none), or give state.detach()"
                )
        weights = {port.name: self._tensor(port.name) for port in info.of_role("parameter")}
        found = Call.apply(self._engine, (*data, *weights), len(data), *data.values(), *weights.values())
        outputs = tuple(t for port, t in zip(info.results, found, strict=True) if not port.pair)
        last = {port.pair: t for port, t in zip(info.results, found, strict=True) if port.pair}
        result = outputs[0] if len(outputs) == 1 else outputs
        return result if state is None else (result, last)

    def extra_repr(self) -> str:
        """What `print` says about the layer."""
        info = self._engine.info
        return f"{info.name}, steps={info.steps}, batch={info.batch}, machine={info.machine['name']}"
