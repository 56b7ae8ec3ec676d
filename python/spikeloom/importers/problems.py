# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What an importer has to say about a user's model, kept in one list so that all of it is told at once."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Source:
    """Where a value comes from in the user's own terms: ONNX node name and Python source line."""

    node: str = ""
    file: str = ""
    line: int = 0
    scope: str = ""

    def describe(self) -> str:
        """`node 'x' (nets.py:18)`, leaving out what is not known; empty if nothing is."""
        where = f"{self.file}:{self.line}" if self.file else ""
        if not self.node:
            return where
        return f"node '{self.node}' ({where})" if where else f"node '{self.node}'"


@dataclass(frozen=True)
class Problem:
    """One remark: severity is `error` (not imported), `warning` (imported, look twice) or `note`."""

    severity: str
    message: str
    source: Source = field(default_factory=Source)

    def __str__(self) -> str:
        """One line: severity, place, message."""
        where = self.source.describe()
        return f"{self.severity}: {where}: {self.message}" if where else f"{self.severity}: {self.message}"

    def to_json(self) -> dict:
        """A plain dictionary for `--json`."""
        return asdict(self)


class ProblemList:
    """Collects problems in the order they were found, each one once."""

    def __init__(self) -> None:
        self.items: list[Problem] = []

    def add(self, severity: str, message: str, source: Source | None = None) -> None:
        """Records a problem unless exactly the same one is in the list already."""
        problem = Problem(severity, message, source or Source())
        if problem not in self.items:
            self.items.append(problem)

    def error(self, message: str, source: Source | None = None) -> None:
        """Records a reason why the model cannot be imported."""
        self.add("error", message, source)

    def warn(self, message: str, source: Source | None = None) -> None:
        """Records something the user should look at; the import goes on."""
        self.add("warning", message, source)

    def note(self, message: str, source: Source | None = None) -> None:
        """Records a decision of the importer that changes names or values the user knows."""
        self.add("note", message, source)

    @property
    def has_errors(self) -> bool:
        """Whether the model cannot be imported."""
        return any(p.severity == "error" for p in self.items)


def check_request(batch: int | None, steps: int | None, train: str | None, problems: ProblemList) -> None:
    """Reports sizes that are none, and a pattern of parameters to train that is none."""
    for label, number in (("batch", batch), ("steps", steps)):
        if number is not None and number < 1:
            problems.error(f"--{label}={number}: it must be at least 1")
    try:
        re.compile(train or "")
    except re.error as error:
        problems.error(f"--train-parameters={train}: it is no regular expression: {error}")


class ImportFailed(Exception):
    """Raised when a model is refused; `problems` is the complete list of reasons."""

    def __init__(self, path: str, problems: list[Problem]) -> None:
        self.path = path
        self.problems = list(problems)
        errors = [p for p in self.problems if p.severity == "error"]
        count = f"{len(errors)} problem{'s' if len(errors) != 1 else ''}"
        super().__init__("\n".join([f"{path}: not imported, {count}:", *(f"  {p}" for p in errors)]))
