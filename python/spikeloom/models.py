# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Users hold ONNX and MLIR files; everything behind this page sees MLIR text only.
"""Loading of model files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import UsageError, UserError

FORMATS = (".onnx", ".mlir", ".mlirbc")


@dataclass(frozen=True)
class Model:
    """A model file that is known to exist; importing waits until batch and steps are known."""

    path: Path
    state: Mapping[str, str] = field(default_factory=dict)
    as_: str | None = None

    @property
    def is_onnx(self) -> bool:
        """Whether the importer has to translate it."""
        return self.path.suffix == ".onnx"

    def imported(self, batch: int | None = None, steps: int | None = None, train_parameters: str | None = None):
        """Translate an ONNX file for a batch and a number of steps; returns the importer's model.

        Raises:
            UserError: with all problems of the file.
        """
        from .importers import ImportFailed, load_onnx

        pairs = [f"{source}={target}" for source, target in self.state.items()]
        try:
            return load_onnx(
                self.path, batch=batch, steps=steps, as_=self.as_, state=pairs, train_parameters=train_parameters
            )
        except ImportFailed as error:
            raise UserError(str(error)) from error


def load(path: str | Path, *, state: Mapping[str, str] | None = None, as_: str | None = None) -> Model:
    """Open a model.

    Args:
        path: ``.onnx``, or ``.mlir`` / ``.mlirbc`` in the snn dialect.
        state: pairs of state input and output, where names do not tell.
        as_: ``step`` or ``sequence``, where the states do not tell.
    """
    path = Path(path)
    if path.suffix == ".nir":
        raise UsageError(f"{path}: NIR files are not read by this version; export the model to ONNX")
    if path.suffix == ".loom":
        raise UsageError(f"{path} is compiled already; open it with spikeloom.Program, or give it to 'spikeloom run'")
    if path.suffix not in FORMATS:
        raise UserError(f"{path}: unknown kind of model; {', '.join(FORMATS)} are read")
    if not path.is_file():
        raise UserError(f"{path} does not exist or is not a file")
    if path.suffix != ".onnx" and (state or as_):
        raise UsageError(f"{path}: states of an MLIR model are in the file; --state and --as are for ONNX")
    return Model(path, dict(state or {}), as_)
