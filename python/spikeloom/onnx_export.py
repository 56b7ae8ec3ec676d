# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The file keeps its graph; only numbers change, and the result is read again before anybody gets it.
"""Trained weights put back into the ONNX file that they came from."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .arrays import atomic_file, check_finite, check_writable
from .errors import Defect, UserError
from .models import Model, load

if TYPE_CHECKING:
    import onnx

    from .importers.ir import Parameter, Program

_PROTOBUF_LIMIT = 2**31 - 2**20
_TOLERANCE = 1e-4


def export_onnx(
    model: Model | str | Path,
    weights: Mapping[str, np.ndarray],
    output: str | Path,
    *,
    train_parameters: str | None = None,
) -> list[str]:
    """Write a copy of an ONNX file that holds trained weights.

    Every parameter goes back into the initializer that it was read from, in that one's layout and type. The copy is
    imported again and compared with the model and its weights on random inputs.

    Args:
        model: the ``.onnx`` file, or what ``load`` made of it.
        weights: arrays by the names of the model's parameters; those that are missing keep their values.
        output: the file to write.
        train_parameters: as in training, because it decides which numbers of the file are parameters.

    Returns:
        The names of the initializers that changed.

    Raises:
        UserError: names every weight that has no place in the file: initializers that several parameters share and that
            were trained apart, and values that the graph computes from initializers.
    """
    import onnx

    model = model if isinstance(model, Model) else load(model)
    if model.path.suffix != ".onnx":
        raise UserError(f"{model.path} is no .onnx file")
    check_writable(output, "the ONNX file")
    imported = model.imported(train_parameters=train_parameters)
    proto = onnx.load(model.path)
    parameters = {parameter.name: parameter for parameter in imported.parameters}
    changed = _checked(weights, parameters)
    updates = _updates(proto, parameters, changed)
    for tensor, value in updates.values():
        tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    _write(proto, Path(output))
    for name, value in changed.items():
        parameters[name].value = value
    again = load(output, state=model.state, as_=model.as_).imported(train_parameters=train_parameters)
    _verify(imported.program, again.program, output)
    return list(updates)


def _checked(weights: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter]) -> dict[str, np.ndarray]:
    """The weights that differ from the file's."""
    changed = {}
    for name, value in weights.items():
        if name not in parameters:
            raise UserError(f"the model has no parameter '{name}'; it has {', '.join(parameters) or 'none'}")
        start = parameters[name].value
        if value.shape not in (start.shape, parameters[name].shape):
            raise UserError(f"weight '{name}' has shape {list(value.shape)}; the model's has {list(start.shape)}")
        check_finite(value, f"weight '{name}'")
        value = np.asarray(value, np.float32).reshape(start.shape)
        if not np.array_equal(value, start):
            changed[name] = value
    return changed


def _updates(
    proto: onnx.ModelProto, parameters: Mapping[str, Parameter], changed: Mapping[str, np.ndarray]
) -> dict[str, tuple[onnx.TensorProto, np.ndarray]]:
    """By initializer its tensor and new value."""
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for graph in _graphs(proto.graph) for tensor in graph.initializer}
    sharing: dict[str, list[str]] = defaultdict(list)
    problems: list[str] = []
    updates = _updates_of_parts(tensors, parameters, changed, problems)
    for name in parameters:
        if parameters[name].place is None:
            sharing[_stored_name(name, tensors)].append(name)
    for stored, names in sharing.items():
        if not any(name in changed for name in names):
            continue
        if stored not in tensors:
            problems += [_unplaced(parameters[name]) for name in names if name in changed]
            continue
        old = numpy_helper.to_array(tensors[stored])
        forms = {name: _stored_form(parameters[name], changed.get(name), old) for name in names}
        if unfit := [name for name in names if name in changed and forms[name] is None]:
            problems += [_unplaced(parameters[name]) for name in unfit]
        elif any(form is None or not np.array_equal(form, forms[names[0]]) for form in forms.values()):
            problems.append(
                f"  '{stored}' is one initializer in the file, but {' and '.join(map(repr, names))} were trained "
                "apart; train with --train-parameters that leave all but one of them out"
            )
        else:
            updates[stored] = (tensors[stored], forms[names[0]])
    if problems:
        raise UserError("these weights cannot be put back into the file:\n" + "\n".join(problems))
    return updates


def _updates_of_parts(
    tensors: Mapping[str, onnx.TensorProto],
    parameters: Mapping[str, Parameter],
    changed: Mapping[str, np.ndarray],
    problems: list[str],
) -> dict[str, tuple[onnx.TensorProto, np.ndarray]]:
    """As ``_updates`` for parameters that are parts of an initializer (gates and directions of LSTM, GRU, RNN)."""
    from onnx import numpy_helper

    updates: dict[str, tuple[onnx.TensorProto, np.ndarray]] = {}
    for name in changed:
        if parameters[name].place is None:
            continue
        stored, place = parameters[name].place
        if stored not in tensors:
            problems.append(_unplaced(parameters[name]))
            continue
        array = updates.setdefault(stored, (tensors[stored], numpy_helper.to_array(tensors[stored]).copy()))[1]
        flat = array.reshape(-1)
        if not np.array_equal(flat[place].astype(np.float32), parameters[name].value):
            problems.append(f"  '{name}': another parameter that was trained apart has its place in '{stored}'")
        flat[place] = changed[name]
    return updates


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and the bodies of its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g, *attribute.graphs]:
                if body.node or body.initializer:
                    yield from _graphs(body)


def _stored_name(name: str, tensors: Mapping[str, object]) -> str:
    """The initializer of a parameter: untied ones are called ``<initializer>#<neuron>``."""
    return name if name in tensors else name.partition("#")[0]


def _stored_form(parameter: Parameter, value: np.ndarray | None, old: np.ndarray) -> np.ndarray | None:
    """A parameter's new value in the layout and type of its initializer; None where the file's is not its old value."""
    start = parameter.value
    forms = [(start, start if value is None else value)]
    forms.insert(0 if parameter.transposed else 1, tuple(array.T for array in forms[0]))
    for before, now in forms:
        if before.size == old.size and np.array_equal(before.reshape(old.shape), old.astype(np.float32)):
            return now.reshape(old.shape).astype(old.dtype)
    return None


def _unplaced(parameter: Parameter) -> str:
    """Why a parameter has no place."""
    why = parameter.note or "no initializer of the file holds its value"
    return f"  '{parameter.name}' {list(parameter.value.shape)}: {why}"


def _write(proto: onnx.ModelProto, path: Path) -> None:
    """Write the file; weights of more than protobuf can hold go beside it."""
    import onnx

    if proto.ByteSize() < _PROTOBUF_LIMIT:
        with atomic_file(path, "the ONNX file") as file:
            file.write(proto.SerializeToString())
        return
    data = path.with_name(path.name + ".data")
    data.unlink(missing_ok=True)  # onnx appends
    onnx.save(proto, os.fspath(path), save_as_external_data=True, location=data.name)


def _verify(expected: Program, found: Program, path: str | Path) -> None:
    """Compare the model with its trained weights and the file that was written, on random inputs."""
    from .importers.evaluate import run_program

    rng = np.random.default_rng(0)
    rows = [(port.name, port.value) for port in expected.inputs]
    batch = min(expected.batch, 4)
    inputs = {
        name: (rng.random((value.steps, batch, value.width) if value.steps else (batch, value.width)) < 0.4).astype(
            np.float32
        )
        for name, value in rows
    }
    states = {s.name: np.full((batch, s.value.width), s.initial, np.float32) for s in expected.states}
    ours, theirs = (run_program(program, inputs, states)[0] for program in (expected, found))
    for name, value in ours.items():
        if not np.allclose(value, theirs[name], rtol=_TOLERANCE, atol=_TOLERANCE):
            raise Defect(f"{path} does not compute what the trained model computes: output '{name}' differs")
