# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m spikeloom` is the command `spikeloom`."""

from .cli import entry

entry()
