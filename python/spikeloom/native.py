# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The extension lies in the package when installed, and in the build folder when run from the source tree.
"""Loading of the native runtime."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from types import ModuleType

from .errors import UserError
from .tools import PACKAGE, binary_folders


def runtime() -> ModuleType:
    """Return the extension module ``spikeloom._runtime``.

    Raises:
        UserError: it was not built, or for another Python.
    """
    name = "spikeloom._runtime"
    if name in sys.modules:
        return sys.modules[name]
    folders = [str(PACKAGE), *(str(folder.parent / "python" / "spikeloom") for folder in binary_folders())]
    spec = importlib.machinery.PathFinder.find_spec("_runtime", folders)
    if spec is None or spec.loader is None:
        raise UserError(
            f"the native runtime was not found in {', '.join(folders)} for Python "
            f"{sys.version_info.major}.{sys.version_info.minor}; build it with utils/quickstart or install it with pip"
        )
    spec = importlib.util.spec_from_file_location(name, spec.origin)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module
