# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the package of this checkout importable without installing it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(Path(__file__).parent)]
