# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Scripts read the log of a training while it runs and after it was killed.
"""The log of a training: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..arrays import atomic_file
from ..errors import UserError


class Log:
    """Appends lines at once; without a path it does nothing."""

    def __init__(self, path: str | None) -> None:
        """Remember the path; ``begin`` opens it."""
        self.path = path
        self.file = None

    def begin(self, keep: int = 0) -> None:
        """Open the file and keep its lines up to a step: what a killed run wrote after its last checkpoint goes."""
        if self.path is None:
            return
        kept = _lines_up_to(Path(self.path), keep) if keep else []
        if Path(self.path).is_file():
            with atomic_file(self.path, "--log") as file:
                file.write("".join(f"{line}\n" for line in kept).encode())
        with self._named_errors():
            self.file = open(self.path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 (closed by `close`)

    def write(self, entry: dict[str, Any]) -> None:
        """Append a line."""
        if self.file is not None:
            with self._named_errors():
                self.file.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Close the file; a line that could not be written is tried once more, and may fail again."""
        file, self.file = self.file, None
        if file is not None:
            with self._named_errors():
                file.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"--log: cannot write {self.path}: {error.strerror or error}") from error


def _lines_up_to(path: Path, step: int) -> list[str]:
    """Return the whole lines of steps up to ``step``; the last line of a killed run may be cut."""
    if not path.is_file():
        return []
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("step", 0) <= step:
            kept.append(line)
    return kept
