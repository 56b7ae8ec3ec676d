# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One training step of 2312-1466-1466-10 on the host, beside a hand-written bound and snnTorch."""

from __future__ import annotations

import comparison

if __name__ == "__main__":
    comparison.compare(__doc__, train=True, peer="snnTorch", script="peer_snntorch.py")
