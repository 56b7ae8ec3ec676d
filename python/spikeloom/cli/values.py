# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Values of options are checked where they are read, so that messages name the option.
"""Values of the command line's options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TypeVar

Parsed = TypeVar("Parsed")


def _part(kind: Callable[[str], Parsed], text: str, whole: str, form: str) -> Parsed:
    """Parse a part of a value; what is wrong with it is told together with the form of the whole."""
    try:
        return kind(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"'{whole}' is not {form}: {error}") from error


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


def weight(text: str) -> float:
    """Parse the weight of a term of the loss, 0 for none."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a weight, a number of at least 0")
    return value


def rate(text: str) -> float:
    """Parse a rate in [0, 1]."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a rate in [0, 1]")
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
        shares[name] = _part(share, value, part, "LAYER=F")
    return shares


def initialization(text: str) -> float:
    """Parse `activity=F`."""
    kind, _, value = text.partition("=")
    if kind != "activity":
        raise argparse.ArgumentTypeError(f"'{text}' is not activity=F")
    return _part(share, value, text, "activity=F")


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
    return name, _part(positive, count, text, "NAME:N")


def penalty(text: str) -> tuple[float, float]:
    """Parse `WEIGHT:RATE`, a positive weight and a share."""
    form = "WEIGHT:RATE, as in 5:0.1"
    factor, colon, limit = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"'{text}' is not {form}")
    return _part(gain, factor, text, form), _part(rate, limit, text, form)


def pair_of_numbers(text: str) -> tuple[float, float]:
    """Parse `A,B`."""
    first, comma, second = text.partition(",")
    if not comma:
        raise argparse.ArgumentTypeError(f"'{text}' is not two numbers A,B")
    return _part(number, first, text, "two numbers A,B"), _part(number, second, text, "two numbers A,B")
