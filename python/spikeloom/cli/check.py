# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# "Will it work?": everything that stands in the way of a model, at once, before any time is spent.
"""`spikeloom check`."""

from __future__ import annotations

import argparse
import json
from collections import Counter

from ..compiler import check_fixed
from ..errors import EXIT_DONE, EXIT_USER
from ..tools import run_tool
from .options import add_model, open_model
from .values import positive


def add_parser(verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("check", help="list every problem of a model; exit code 1 if it cannot be imported")
    add_model(parser, ".onnx, .nir, .mlir")
    parser.add_argument("--batch", type=positive, metavar="B", help="check for this batch")
    parser.add_argument("--steps", type=positive, metavar="T", help="check for this number of time steps")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """List the problems."""
    model = open_model(options)
    if not model.is_imported:
        check_fixed(model, options.batch, options.steps, None)
        run_tool("snn-opt", [str(model.path), "-o", "/dev/null"])
        print(json.dumps({"model": options.model, "imported": True, "problems": []}) if options.json else "no problems")
        return EXIT_DONE
    from ..importers import ImportFailed

    imported = None
    try:
        imported = model.read(options.batch, options.steps)
        problems = imported.problems
    except ImportFailed as failure:
        problems = failure.problems
    found = dict(Counter(op.kind for op in imported.neurons)) if imported else {}
    if options.json:
        result = {"model": options.model, "imported": imported is not None, "neurons": found}
        print(json.dumps({**result, "problems": [problem.to_json() for problem in problems]}, indent=1))
    else:
        for problem in problems:
            print(problem)
        errors = sum(problem.severity == "error" for problem in problems)
        warnings = sum(problem.severity == "warning" for problem in problems)
        print(f"{options.model}: {errors} errors, {warnings} warnings" if problems else f"{options.model}: no problems")
        if imported:
            neurons = ", ".join(f"{count} {kind}" for kind, count in found.items()) or "no neurons"
            states = ", ".join(state.name for state in imported.states) or "none"
            print(f"  {neurons}; {len(imported.arithmetic)} operations left as arithmetic; states: {states}")
    return EXIT_DONE if imported else EXIT_USER
