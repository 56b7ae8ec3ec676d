# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The front door for people: one command with a verb for each thing they want.
"""The command `spikeloom`."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from ..errors import EXIT_DEFECT, EXIT_DONE, EXIT_USAGE, EXIT_USER, Defect, UsageError, UserError
from ..version import __version__
from . import check, compile_, export, run, train
from .effects import check_effects
from .options import Parser, refuse


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = Parser(
        prog="spikeloom",
        description="Compiles spiking networks for machines made of many small tiles, and runs and trains them on the "
        "host while counting the cycles of the modelled machine.",
        epilog="Exit codes: 0 done, 1 the input is at fault, 2 wrong usage, 3 a defect of Spikeloom.",
    )
    top.add_argument("--version", action="version", version=f"spikeloom {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for module in (check, compile_, run, train, export):
        module.add_parser(verbs)
    report = verbs.add_parser("report", help="not in this version", add_help=False)
    report.add_argument("rest", nargs="*")
    report.set_defaults(main=lambda _: refuse("report", "read the JSON that --profile writes"))
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        options, unknown = parser().parse_known_args(words)
        if unknown and options.verb != "report":
            raise UsageError(f"spikeloom {options.verb} does not know {' '.join(unknown)}; see its --help")
        options.given = frozenset(word.partition("=")[0] for word in words if word.startswith("--"))
        check_effects(options)
        code = options.main(options)
        sys.stdout.flush()
        return code or EXIT_DONE
    except UsageError as error:
        return _complain(str(error), EXIT_USAGE)
    except UserError as error:
        return _complain(str(error), EXIT_USER)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_USER
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", EXIT_USER)
    except KeyboardInterrupt:
        return _complain("interrupted", EXIT_USER)
    except MemoryError:
        return _complain("the host has not enough memory for this; use a smaller --batch", EXIT_USER)
    except Defect as error:
        return _complain(f"{error}\nthis is a defect of Spikeloom, not of your input; please report it", EXIT_DEFECT)
    except Exception:
        trace = traceback.format_exc()
        return _complain(f"{trace}\nthis is a defect of Spikeloom, not of your input; please report it", EXIT_DEFECT)


def _complain(message: str, code: int) -> int:
    for start in ("error: ", "spikeloom: "):
        message = message.removeprefix(start)
    print(f"spikeloom: error: {message}", file=sys.stderr)
    return code


def entry() -> None:
    """Run as a program."""
    sys.exit(main())
