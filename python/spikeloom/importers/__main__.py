# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`snn-import`: an .onnx or .nir file to .mlir, or with `--check` the list of everything that stands in the way."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections import Counter
from pathlib import Path

from .model import Model
from .nir_conventions import CONVENTIONS, DEFAULT_DT, NirOptions
from .nir_model import load_model
from .problems import ImportFailed, Problem
from .sparsity import SPARSE_BELOW


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="snn-import", description="Imports an ONNX file (a step function (x, state...) -> (y, state...), or whole "
        "sequences) or a NIR graph as MLIR of the snn dialect, or lists every problem of it.")
    parser.add_argument("model", help="the .onnx or .nir file")
    parser.add_argument("-o", "--output", help="the .mlir file to write; default: beside the model, '-' for stdout")
    parser.add_argument("--check", action="store_true", help="list every problem and convert nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--batch", type=int, help="batch size; default: the file's")
    parser.add_argument("--steps", type=int, help="time steps of a step function (default: 1), or of a dynamic axis "
                        "of time (default: 5)")
    parser.add_argument("--as", dest="as_", choices=("step", "sequence"), help="what the graph is; default: a step "
                        "function if any state pairs up")
    parser.add_argument("--state", action="append", default=[], metavar="IN=OUT",
                        help="output OUT is the next value of input IN (repeatable)")
    parser.add_argument("--name", help="name of the model; default: the file's")
    parser.add_argument("--train-parameters", metavar="REGEX", help="the initializers to train; default: what the "
                        "exporter marks, else weights and biases")
    parser.add_argument("--sparse-weights", type=float, metavar="F", help="weight matrices with at most this part of "
                        f"non-zeros keep their zeros, as connections; 0: none (default: {SPARSE_BELOW})")
    parser.add_argument("--nir-dt", metavar="SECONDS|metadata",
                        help=f"time step of a NIR graph; default: {DEFAULT_DT:g}")
    parser.add_argument("--nir-convention", choices=tuple(CONVENTIONS), default="auto", metavar="NAME",
                        help=f"how a platform steps through a NIR graph: {', '.join(CONVENTIONS)}")
    parser.add_argument("--nir-reset", choices=("value", "subtract"), help="default: the convention's")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command. 0 imported (warnings allowed), 1 the model is at fault, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.check and options.output:
        parser.error("--check converts nothing; leave out --output, or --check")
    try:
        nir = NirOptions(options.nir_dt, options.nir_convention, options.nir_reset)
        model = load_model(options.model, batch=options.batch, steps=options.steps, as_=options.as_,
                           state=options.state, name=options.name, train_parameters=options.train_parameters,
                           sparse_weights=options.sparse_weights, nir=nir)
    except ImportFailed as failure:
        _report(options, failure.problems, None)
        return 1
    if not options.check:
        target = options.output or str(Path(options.model).with_suffix(".mlir"))
        try:
            _write(target, model.to_mlir())
        except OSError as error:
            print(f"snn-import: cannot write {target}: {error.strerror or error}", file=sys.stderr)
            return 1
    _report(options, model.problems, model)
    return 0


def _write(target: str, text: str) -> None:
    """Writes beside the target first, so that a failure leaves no half file."""
    if target == "-":
        sys.stdout.write(text)
        return
    part = f"{target}.part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, target)
    finally:
        if os.path.exists(part):
            os.remove(part)


def _report(options, problems: list[Problem], model: Model | None) -> None:
    """Problems go to stderr, or all of it as one JSON object to stdout."""
    if options.json:
        print(json.dumps({"model": options.model, "imported": model is not None,
                          "problems": [p.to_json() for p in problems], **(_summary(model) if model else {})}, indent=1))
        return
    for problem in problems:
        print(f"{options.model}: {problem}", file=sys.stderr)
    errors = sum(p.severity == "error" for p in problems)
    if model is None:
        print(f"{options.model}: not imported, {errors} problem{'s' if errors != 1 else ''}", file=sys.stderr)
        return
    summary = _summary(model)
    neurons = ", ".join(f"{n} {kind}" for kind, n in summary["neurons"].items()) or "no neurons"
    states = ", ".join(s["name"] for s in summary["states"]) or "none"
    how = f" (found by {model.pairing})" if model.pairing else ""
    print(f"{options.model}: {neurons}, {sum(summary['arithmetic'].values())} operations left as arithmetic; "
          f"{model.form}; states: {states}{how}; batch {model.batch}, {model.steps} steps", file=sys.stderr)


def _summary(model: Model) -> dict:
    return {
        "inputs": [{"name": a.name, "shape": list(a.shape)} for a in model.inputs],
        "outputs": [{"name": a.name, "shape": list(a.shape)} for a in model.outputs],
        "states": [{"name": a.name, "shape": list(a.shape)} for a in model.states],
        "parameters": [{"name": p.name, "shape": list(p.value.shape), "trainable": p.trainable, "note": p.note}
                       for p in model.parameters],
        "neurons": dict(Counter(op.kind for op in model.neurons)),
        "arithmetic": dict(Counter(op.kind for op in model.arithmetic)),
        "pairing": model.pairing,
        "form": model.form,
    }


def entry() -> int:
    """The command for a shell: what no message foresaw is a defect of the importer, exit code 3."""
    try:
        return main()
    except Exception:
        traceback.print_exc()
        print("snn-import: this is a defect of the importer; please report it with the model", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(entry())
