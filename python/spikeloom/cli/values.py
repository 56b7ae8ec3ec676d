# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Values of options are checked where they are read, so that messages name the option.
"""Values of the command line's options."""

from __future__ import annotations

import argparse
import re


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return value


def number(text: str) -> float:
    """Parse a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or abs(value) == float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a finite number")
    return value


def seed(text: str) -> int:
    """Parse a whole number of at least 0."""
    return 0 if text == "0" else positive(text)


def gain(text: str) -> float:
    """Parse a positive number."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value


def time_step(text: str) -> float | str:
    """Parse a positive number of seconds, or `metadata`."""
    return text if text == "metadata" else gain(text)


def share(text: str) -> float:
    """Parse a share in (0, 1]."""
    value = number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share in (0, 1]")
    return value


def regex(text: str) -> str:
    """Check a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no regular expression: {error}") from error
    return text


def activity(text: str) -> float | dict[str, float] | str:
    """Parse `F`, `LAYER=F,LAYER=F` or `auto`."""
    if text == "auto":
        return text
    if "=" not in text:
        return share(text)
    shares = {}
    for part in text.split(","):
        name, _, value = part.rpartition("=")
        if not name:
            raise argparse.ArgumentTypeError(f"'{part}' is not LAYER=F")
        shares[name] = share(value)
    return shares


def initialization(text: str) -> float:
    """Parse `activity=F`."""
    kind, _, value = text.partition("=")
    if kind != "activity":
        raise argparse.ArgumentTypeError(f"'{text}' is not activity=F")
    return share(value)


def pair(text: str) -> tuple[str, str]:
    """Parse `IN=OUT`."""
    source, equal, target = text.partition("=")
    if not (source and equal and target):
        raise argparse.ArgumentTypeError(f"'{text}' is not IN=OUT")
    return source, target


def length(text: str) -> tuple[str, int]:
    """Parse `NAME:N`."""
    name, _, count = text.rpartition(":")
    if not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME:N")
    return name, positive(count)


def penalty(text: str) -> tuple[float, float]:
    """Parse `WEIGHT:RATE`, a positive weight and a share."""
    weight, _, rate = text.partition(":")
    values = number(weight), number(rate)
    if values[0] <= 0 or not 0 <= values[1] <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not WEIGHT:RATE with a positive weight and a rate in [0, 1]")
    return values


def pair_of_numbers(text: str) -> tuple[float, float]:
    """Parse `A,B`."""
    first, comma, second = text.partition(",")
    if not comma:
        raise argparse.ArgumentTypeError(f"'{text}' is not two numbers A,B")
    return number(first), number(second)
