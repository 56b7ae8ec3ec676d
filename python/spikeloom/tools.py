# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The compiler is a separate program: its crash cannot take the user's session along, and its errors arrive whole.
"""Finding and running the native tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from .errors import EXIT_DEFECT, EXIT_USAGE, EXIT_USER, Defect, UsageError, UserError

PACKAGE = Path(__file__).resolve().parent


def is_checkout() -> bool:
    """Whether the package is used from a source tree rather than installed."""
    return (PACKAGE.parents[1] / "CMakeLists.txt").is_file()


def binary_folders() -> list[Path]:
    """Where tools may lie: $SPIKELOOM_BIN alone if set; the build folder of a source tree; where pip puts scripts."""
    if "SPIKELOOM_BIN" in os.environ:
        return [Path(os.environ["SPIKELOOM_BIN"])]
    if is_checkout():
        return [PACKAGE.parents[1] / "build" / "bin"]
    # `pip install --target DIR` puts scripts into DIR/bin.
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    return [*(Path(sysconfig.get_path("scripts", scheme)) for scheme in schemes), PACKAGE.parent / "bin"]


def find_tool(name: str) -> Path:
    """Return the path of a native tool.

    Raises:
        UserError: it was not built.
    """
    for folder in binary_folders():
        if (folder / name).is_file():
            return folder / name
    if "SPIKELOOM_BIN" not in os.environ and (found := shutil.which(name)):
        return Path(found)
    looked = ", ".join(str(folder) for folder in binary_folders())
    raise UserError(
        f"the tool {name} was not found in {looked}; build it with utils/quickstart, install it with pip, or set "
        "SPIKELOOM_BIN"
    )


def run_tool(name: str, arguments: Sequence[str], folder: str | Path | None = None) -> str:
    """Run a tool (in a folder) and return the remarks that it wrote on stderr.

    Raises:
        UserError, UsageError, Defect: by the tool's exit code; the message is what it wrote on stderr.
    """
    command = [str(find_tool(name).resolve()), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode == 0:
        return done.stderr.strip()
    message = done.stderr.strip() or f"{name} failed without a message"
    if done.returncode == EXIT_USER:
        raise UserError(message)
    if done.returncode == EXIT_USAGE:
        raise UsageError(message)
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    note = "" if done.returncode == EXIT_DEFECT else f" ({name} ended with {ended})"
    raise Defect(f"{message}{note}\n  the command was: {' '.join(command)}")
