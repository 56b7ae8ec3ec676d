# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# PyTorch's own exporter does the work; this adds names, so that states find their partners.
"""PyTorch modules as models, by way of ONNX."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import logging
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..models import Model, load
from . import require

if TYPE_CHECKING:
    import torch


def from_torch(
    module: torch.nn.Module,
    example: Any,
    *,
    state: Mapping[str, str] | None = None,
    as_: str | None = None,
    output_names: Sequence[str] | None = None,
    path: str | Path | None = None,
) -> Model:
    """Take over a PyTorch module as a model.

    The module is exported to ONNX as it is in evaluation mode (dropout off, running statistics of batch norm) and is
    not changed. A *step function* takes its states as arguments and returns them, ``forward(x, mem) -> spikes, mem``:
    the last results, if they have the shapes of all arguments but the first, are their next values and called
    ``mem_out``. A module without such states, ``forward(x)`` with ``x`` of ``[T, B, ...]``, is a *whole sequence*.

    Args:
        module: any module that `torch.onnx.export` can export.
        example: the argument of ``forward`` or a tuple of arguments, as tensors; their values do not matter, the batch
            may be changed by ``compile(batch=...)``.
        state: pairs of argument and result, where shapes and order do not tell.
        as_: ``step`` or ``sequence``, where the states do not tell.
        output_names: names of the results, where ``output``, ``output_1``, ..., ``mem_out`` do not suit.
        path: keep the ONNX file here; else it lives as long as the result.

    Returns:
        The model, for ``compile``. Parameters have the names that they have in ``module``.
    """
    torch = require.torch()
    if not isinstance(module, torch.nn.Module):
        raise UserError(f"a torch.nn.Module is wanted, found {type(module).__name__}")
    arguments = example if isinstance(example, tuple) else (example,)
    inputs = _named_inputs(module, arguments)
    _check_tensors("argument", inputs.values())
    module = copy.deepcopy(module).eval()
    with torch.no_grad():
        outputs = torch.utils._pytree.tree_leaves(copy.deepcopy(module)(*copy.deepcopy(arguments)))
    _check_tensors("result", outputs)
    names = list(output_names) if output_names is not None else _output_names(inputs, outputs)
    if len(names) != len(outputs):
        raise UserError(f"the module has {len(outputs)} results; {len(names)} names are given ({', '.join(names)})")
    folder = None
    if path is None:
        folder = tempfile.TemporaryDirectory(prefix="spikeloom-")
        path = Path(folder.name) / f"{type(module).__name__}.onnx"
    _export(torch, module, arguments, Path(path), list(inputs), names)
    return dataclasses.replace(load(path, state=state, as_=as_), temporary=folder)


def _named_inputs(module: torch.nn.Module, arguments: tuple) -> dict[str, torch.Tensor]:
    """The tensors of the arguments by the names of ``forward``; parts of a tuple ``state`` are ``state_0``, ..."""
    torch = require.torch()
    parameters = list(inspect.signature(module.forward).parameters.values())
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names += [f"input_{i}" for i in range(len(names), len(arguments))]  # of *arguments
    found = {}
    for name, argument in zip(names, arguments, strict=False):
        if isinstance(argument, torch.Tensor):
            found[name] = argument
        else:
            found.update((f"{name}_{i}", leaf) for i, leaf in enumerate(torch.utils._pytree.tree_leaves(argument)))
    return found


def _check_tensors(kind: str, values: Iterable) -> None:
    for value in values:
        if not isinstance(value, require.torch().Tensor):
            raise UserError(f"every {kind} of forward must be a tensor, found {type(value).__name__}")


def _output_names(inputs: Mapping[str, torch.Tensor], outputs: Sequence[torch.Tensor]) -> list[str]:
    """``<state>_out`` for the last results, if they have the shapes of all arguments but the first; else ``output``."""
    states = list(inputs.items())[1:]
    first = len(outputs) - len(states)
    paired = first >= 1 and all(
        tensor.shape == result.shape for (_, tensor), result in zip(states, outputs[first:], strict=True)
    )
    names = [f"{name}_out" for name, _ in states] if paired else []
    plain = len(outputs) - len(names)
    return ["output" if i == 0 else f"output_{i}" for i in range(plain)] + names


def _export(
    torch: Any, module: torch.nn.Module, arguments: tuple, path: Path, inputs: list[str], outputs: list[str]
) -> None:
    """Write the ONNX file, or say in one message why PyTorch cannot."""
    logger = logging.getLogger("torch.onnx")  # which warns of every optional package
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                arguments,
                str(path),
                dynamo=True,
                input_names=inputs,
                output_names=outputs,
                external_data=False,
                verbose=False,
            )
    except ImportError as error:
        raise UserError(f"PyTorch's exporter needs another package ({error}); type: pip install onnxscript") from error
    except Exception as error:  # of many kinds, all about the user's module
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"PyTorch cannot export the module {type(module).__name__}: {reason[0]}\n"
            "  torch.onnx.export(module, example, 'net.onnx', dynamo=True) shows the whole story"
        ) from error
    finally:
        logger.setLevel(level)
