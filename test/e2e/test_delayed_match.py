# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The example of a memory in spikes learns, and cannot without recurrence."""

import os
import re
import subprocess
import sys
from pathlib import Path

from spikeloom.tools import find_tool

ROOT = Path(__file__).resolve().parents[2]


def test_recurrence_bridges_the_delay():
    script = ROOT / "examples" / "delayed_match" / "delayed_match.py"
    tools = find_tool("snn-compile").parent
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "SPIKELOOM_BIN": str(tools)}
    command = [sys.executable, str(script), "--train-steps=150"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    right = [float(share) / 100 for share in re.findall(r"([\d.]+)% of 2048 new trials right", done.stdout)]
    assert right[0] >= 0.9 > 0.6 > right[1], done.stdout
