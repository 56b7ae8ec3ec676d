# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`load_nir`, and the choice of an importer by the kind of file."""

from __future__ import annotations

from pathlib import Path

from .model import Model, load_onnx
from .nir_conventions import NirOptions
from .problems import ImportFailed, Problem, ProblemList, check_request
from .sparsity import mark_sparse


def load_nir(path: str | Path, *, batch: int | None = None, steps: int | None = None, dt: float | str | None = None,
             convention: str = "auto", reset: str | None = None, name: str | None = None,
             train_parameters: str | None = None, sparse_weights: float | None = None) -> Model:
    """Imports a NIR graph as a step function whose states start at 0.

    `dt` is the time step in seconds (default 1e-4), or "metadata" for what the file's metadata say; `convention` one
    of `nir_conventions.CONVENTIONS`; `reset` is `value` or `subtract` where the convention's own does not suit.
    `train_parameters` is a regular expression of the parameters to train, by node: `fc1.weight`, `lif1.decay`;
    `sparse_weights` is as in `load_onnx`.
    Raises `ImportFailed` with the complete list of reasons.
    """
    path = str(path)
    problems = ProblemList()
    check_request(batch, steps, train_parameters, problems)
    if problems.has_errors:
        raise ImportFailed(path, problems.items)
    try:
        from .nir_step import read_step
    except ImportError as error:
        raise ImportFailed(path, [Problem("error", f"NIR files are read with the Python package 'nir': {error}; "
                                          "pip install nir")]) from error
    name = name or Path(path).stem
    step = read_step(path, NirOptions(dt, convention, reset), name, batch or 1, train_parameters, problems)
    if step is None or problems.has_errors:
        raise ImportFailed(path, problems.items)
    model = Model(path, name, step, batch or 1, steps or 1, problems.items, pairing="the neurons of the graph")
    mark_sparse(model.program, sparse_weights, problems)
    if problems.has_errors:
        raise ImportFailed(path, problems.items)
    return model


def load_model(path: str | Path, *, batch: int | None = None, steps: int | None = None, as_: str | None = None,
               state=(), name: str | None = None, train_parameters: str | None = None,
               sparse_weights: float | None = None, nir: NirOptions | None = None) -> Model:
    """`load_nir` for a .nir file, else `load_onnx`; options that the other kind of file has are refused."""
    if Path(path).suffix != ".nir":
        if nir is not None and nir != NirOptions():
            raise ImportFailed(str(path), [Problem("error", "--nir-dt, --nir-convention and --nir-reset are for .nir "
                                                   "files")])
        return load_onnx(path, batch=batch, steps=steps, as_=as_, state=state, name=name,
                         train_parameters=train_parameters, sparse_weights=sparse_weights)
    if as_ or state:
        raise ImportFailed(str(path), [Problem("error", "--as and --state are for ONNX: a NIR graph says which of its "
                                               "nodes have states, and is a step function")])
    nir = nir or NirOptions()
    return load_nir(path, batch=batch, steps=steps, dt=nir.dt, convention=nir.convention, reset=nir.reset, name=name,
                    train_parameters=train_parameters, sparse_weights=sparse_weights)
