# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds the loops over time of an unrolled trace again."""

from .reroll import reroll, reroll_repeats

__all__ = ["reroll", "reroll_repeats"]
