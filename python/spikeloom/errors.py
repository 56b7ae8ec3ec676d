# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# One place for the kinds of failure and the exit codes that scripts may rely on.
"""Errors of the package and the exit codes of its tools."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_USER = 1
EXIT_USAGE = 2
EXIT_DEFECT = 3


class UserError(Exception):
    """The user's input is at fault; the message says what, where and what to do (exit code 1)."""


class UsageError(UserError):
    """An option is wrong, or not available in this version (exit code 2)."""


class Defect(Exception):
    """A defect of Spikeloom itself (exit code 3)."""
