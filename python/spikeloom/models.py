# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Users hold ONNX and MLIR files; everything behind this page sees MLIR text only.
"""Loading of model files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import UsageError, UserError
from .importers.nir_conventions import NirOptions

IMPORTED = (".onnx", ".nir")
FORMATS = (*IMPORTED, ".mlir", ".mlirbc")


@dataclass(frozen=True)
class Model:
    """A model file that is known to exist; importing waits until batch and steps are known.

    ``temporary`` is a folder that lives as long as the model does.
    """

    path: Path
    state: Mapping[str, str] = field(default_factory=dict)
    as_: str | None = None
    nir: NirOptions = field(default_factory=NirOptions)
    sparse_weights: float | None = None
    temporary: TemporaryDirectory | None = field(default=None, repr=False, compare=False)

    @property
    def is_imported(self) -> bool:
        """Whether an importer has to translate it."""
        return self.path.suffix in IMPORTED

    def read(self, batch: int | None = None, steps: int | None = None, train_parameters: str | None = None):
        """Translate the file; returns the importer's model, or raises its `ImportFailed` with all problems."""
        from .importers import load_model

        return load_model(
            self.path,
            batch=batch,
            steps=steps,
            as_=self.as_,
            state=self.state,
            train_parameters=train_parameters,
            nir=self.nir,
            sparse_weights=self.sparse_weights,
        )

    def imported(self, batch: int | None = None, steps: int | None = None, train_parameters: str | None = None):
        """Translate an ONNX or NIR file for a batch and a number of steps; returns the importer's model.

        Raises:
            UserError: with all problems of the file.
        """
        from .importers import ImportFailed

        try:
            return self.read(batch, steps, train_parameters)
        except ImportFailed as error:
            raise UserError(str(error)) from error


def load(
    path: str | Path,
    *,
    state: Mapping[str, str] | None = None,
    as_: str | None = None,
    nir_dt: float | str | None = None,
    nir_convention: str = "auto",
    nir_reset: str | None = None,
    sparse_weights: float | None = None,
) -> Model:
    """Open a model.

    Args:
        path: ``.onnx``, ``.nir``, or ``.mlir`` / ``.mlirbc`` in the snn dialect.
        state: pairs of state input and output, where names do not tell.
        as_: ``step`` or ``sequence``, where the states do not tell.
        nir_dt: time step of a NIR graph in seconds (1e-4 if None), or ``metadata``.
        nir_convention: how a platform steps through NIR's equations: ``euler``, ``exponential``, ``norse``, …
        nir_reset: ``value`` or ``subtract``, where the convention's own does not suit.
        sparse_weights: weight matrices with at most this part of non-zeros keep their zeros, as connections; 0 keeps
            all matrices dense.
    """
    path = Path(path)
    if path.suffix == ".loom":
        raise UsageError(f"{path} is compiled already; open it with spikeloom.Program, or give it to 'spikeloom run'")
    if path.suffix not in FORMATS:
        raise UserError(f"{path}: unknown kind of model; {', '.join(FORMATS)} are read")
    if not path.is_file():
        raise UserError(f"{path} does not exist or is not a file")
    if path.suffix != ".onnx" and (state or as_):
        raise UsageError(f"{path}: its states are in the file; --state and --as are for ONNX")
    nir = NirOptions(nir_dt, nir_convention, nir_reset)
    if path.suffix != ".nir" and nir != NirOptions():
        raise UsageError(f"{path}: --nir-dt, --nir-convention and --nir-reset are for .nir files")
    if path.suffix not in IMPORTED and sparse_weights is not None:
        raise UsageError(f"{path}: --sparse-weights is for ONNX and NIR; here #snn.connections says what is sparse")
    return Model(path, dict(state or {}), as_, nir, sparse_weights)
