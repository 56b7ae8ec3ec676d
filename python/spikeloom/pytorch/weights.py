# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Exporters rename, merge and transpose, so a parameter goes back by name, else by the value it started from.
"""Trained weights back into a PyTorch module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import load_weights
from ..errors import UserError
from ..models import Model, load
from ..session import Program, Session
from . import require

if TYPE_CHECKING:
    import torch

Arrays = Mapping[str, np.ndarray]


def to_torch(
    weights: Session | Arrays | str | Path,
    module: torch.nn.Module,
    *,
    initial: Program | Model | Arrays | str | Path | None = None,
) -> dict[str, str]:
    """Put trained weights into a PyTorch module.

    A parameter goes to the parameter or buffer of ``module`` that has its name. Where the exporter has renamed it, it
    goes to the one that still has the value that training started from, also transposed. Parameters that did not change
    need no place. If any other finds none, or more than one, the module stays as it is.

    Args:
        weights: a session, arrays by name, or a safetensors file (of ``Session.save`` or ``spikeloom train --save``).
        module: the module that was exported, with the values that it was exported with.
        initial: where the values before training are, if not a session is given: the program, the model, its file, or
            arrays by name.

    Returns:
        By parameter the name in ``module`` that it went to.

    Raises:
        UserError: names every parameter that cannot be placed, and why.
    """
    torch = require.torch()
    start = _initial(weights, initial)
    values = _values(weights)
    targets = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    search = _Search({name: tensor.detach().cpu().numpy() for name, tensor in targets.items()}, start, module)
    placed, problems = {}, []
    for name, value in values.items():
        found = search.by_name(name, value) or search.by_value(name, value, taken=values.keys() & targets.keys())
        if isinstance(found, _Place):
            placed[name] = found
        elif name not in start or not np.array_equal(start[name], value):
            problems.append(f"  '{name}' {list(value.shape)}: {found}")
    problems += _conflicts(placed)
    if problems:
        raise UserError("the weights do not fit into the module, which stays as it is:\n" + "\n".join(problems))
    with torch.no_grad():
        for place in placed.values():
            target = targets[place.target]
            target.copy_(torch.from_numpy(np.array(place.value)).to(target))
    return {name: place.target for name, place in placed.items()}


@dataclass(frozen=True)
class _Place:
    """A tensor of the module and the value for it, in its shape."""

    target: str
    value: np.ndarray


def _values(weights: Session | Arrays | str | Path) -> dict[str, np.ndarray]:
    if isinstance(weights, Session):
        return weights.weights
    if isinstance(weights, Mapping):
        return {name: np.asarray(value) for name, value in weights.items()}
    return load_weights(weights)


def _initial(weights: object, initial: Program | Model | Arrays | str | Path | None) -> dict[str, np.ndarray]:
    """The values before training, as far as anybody knows them."""
    if initial is None and isinstance(weights, Session):
        initial = weights.program
    if initial is None:
        return {}
    if isinstance(initial, Mapping):
        return {name: np.asarray(value) for name, value in initial.items()}
    if isinstance(initial, Program):
        with initial.session(threads=1) as session:
            return session.weights
    model = initial if isinstance(initial, Model) else load(initial)
    return {parameter.name: parameter.value for parameter in model.imported().parameters}


def _forms(value: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """What a parameter ``[out, in]`` can be in a module's shape: itself, transposed, or with its axes split up."""
    forms = []
    if value.shape == shape:
        forms.append(value)
    elif value.size == np.prod(shape) and (value.size == 1 or (value.ndim and shape and value.shape[0] == shape[0])):
        forms.append(value.reshape(shape))
    if value.ndim == 2 and value.T.shape == shape:
        forms.append(value.T)
    return forms


class _Search:
    """Finds the tensor of a module that a parameter belongs to."""

    def __init__(self, tensors: Arrays, start: Arrays, module: torch.nn.Module) -> None:
        self.tensors = tensors
        self.start = start
        self.module = module

    def by_name(self, name: str, value: np.ndarray) -> _Place | str:
        """The tensor of that name; else nothing, or the reason why it does not fit."""
        if name not in self.tensors:
            return ""
        here = self.tensors[name]
        forms = _forms(value, here.shape)
        if not forms:
            return f"the module's '{name}' has shape {list(here.shape)}"
        if len(forms) == 1 or self._is_linear(name):
            return _Place(name, forms[0])
        # A square matrix: its start tells which way round it is.
        if name in self.start:
            same = [np.array_equal(form, here) for form in _forms(self.start[name], here.shape)]
            if sum(same) == 1:
                return _Place(name, forms[same.index(True)])
        return (
            "a square matrix may be transposed in the module; pass the session, or initial=<the model>, "
            "and the module as it was exported"
        )

    def by_value(self, name: str, value: np.ndarray, taken: set[str]) -> _Place | str:
        """The one tensor that still has the parameter's first value; else the reason why there is none."""
        if name not in self.start:
            return "no tensor of the module has this name; pass initial=<the model> to search by value"
        found = []
        for target, here in self.tensors.items():
            if target in taken:
                continue
            starts = _forms(self.start[name], here.shape)
            forms = _forms(value, here.shape)
            found += [
                _Place(target, form) for form, start in zip(forms, starts, strict=True) if np.array_equal(start, here)
            ][:1]
        if len(found) == 1:
            return found[0]
        if found:
            return f"{', '.join(repr(place.target) for place in found)} all have the value that it started from"
        return "no tensor of the module has its name or the value that it started from"

    def _is_linear(self, name: str) -> bool:
        """Whether the tensor is the weight of a ``torch.nn.Linear``, which is ``[out, in]``."""
        owner, _, last = name.rpartition(".")
        return last == "weight" and isinstance(self.module.get_submodule(owner), require.torch().nn.Linear)


def _conflicts(placed: Mapping[str, _Place]) -> list[str]:
    """Parameters that were one tensor for the exporter and have been trained apart."""
    first: dict[str, str] = {}
    problems = []
    for name, place in placed.items():
        other = first.setdefault(place.target, name)
        if other != name and not np.array_equal(placed[other].value, place.value):
            problems.append(f"  '{name}' and '{other}' were trained apart, but are one tensor '{place.target}' there")
    return problems
