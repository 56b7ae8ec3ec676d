# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# A bar for people, plain lines for logs: nothing that runs for long may look as if it hung.
"""Progress on stderr."""

from __future__ import annotations

import shutil
import sys
import time


class Progress:
    """Shows how far something is: a bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, title: str, total: int, *, quiet: bool = False) -> None:
        """Begin; ``total`` counts what ``update`` counts."""
        self.title, self.total, self.quiet = title, total, quiet
        self.terminal = sys.stderr.isatty()
        self.interval = 0.1 if self.terminal else 10.0
        self.last = time.monotonic()
        self.shown = False

    def update(self, done: int, text: str) -> None:
        """Show that ``done`` of the total are done, with a few figures."""
        now = time.monotonic()
        if self.quiet or now - self.last < self.interval:
            return
        self.last = now
        self._show(done, text)

    def _show(self, done: int, text: str) -> None:
        share = done / self.total if self.total else 1.0
        if not self.terminal:
            print(f"{self.title} {done}/{self.total} {text}", file=sys.stderr, flush=True)
            return
        width = 24
        bar = "█" * int(share * width) + "·" * (width - int(share * width))
        line = f"{self.title} {bar} {share:4.0%} {text}"
        columns = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[2K{line[:columns]}", end="", file=sys.stderr, flush=True)
        self.shown = True

    def finish(self, text: str) -> None:
        """End with one line that stays."""
        if self.quiet:
            return
        start = "\r\x1b[2K" if self.shown else ""
        print(f"{start}{self.title} {text}", file=sys.stderr, flush=True)
