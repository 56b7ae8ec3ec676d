# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One run of a network on the host, beside the forward part of a hand-written bound and onnxruntime."""

from __future__ import annotations

import comparison

if __name__ == "__main__":
    comparison.compare(__doc__, train=False, peers=[comparison.Peer("onnxruntime", "peer_onnxruntime.py")])
