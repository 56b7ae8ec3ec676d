# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One training step of a network on the host, beside a hand-written bound, snnTorch and SpikingJelly."""

from __future__ import annotations

import comparison

PEERS = [
    comparison.Peer("snnTorch", "peer_torch.py", ("snntorch",)),
    comparison.Peer("SpikingJelly", "peer_torch.py", ("spikingjelly",)),
]

if __name__ == "__main__":
    comparison.compare(__doc__, train=True, peers=PEERS)
