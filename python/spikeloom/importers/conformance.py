# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Imports every ONNX file of a directory and compares it with stored outputs.

    python -m spikeloom.importers.conformance DIR [--match GLOB] [--initial FILE_GLOB:STATE_GLOB=VALUE] [--json]
                                                  [--write PAGE] [--machine=tiny [--engine=strict]]

Beside `<net>__<way>__<exporter>.onnx` lies `<…>.npz` with inputs and outputs by name. A step function is also iterated
over the input of each sequence file of the same network, from the framework's initial state: 0, the reset value
of a neuron that has one, or what `--initial` says. A sequence file is compared with the step function of its network:
whether both became the same operations. One line a file, or with `--write` a table at the end of a page. The importer's
own evaluation gives the numbers, or, with `--machine`, the program that snn-compile makes for that machine and snn-run
runs. Exit code 1 if an imported file gives a wrong number or does not compile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import onnx

from ..errors import Defect, UserError
from .canonical import canonical, forms_of_step
from .compiled import CompiledRunner
from .evaluate import run_program
from .model import Model, load_onnx
from .onnx_graph import load_graph
from .problems import ImportFailed, ProblemList
from .scoring import HALF_TOLERANCE, TOLERANCE, Runner, Score, compare_partner, compare_step, compare_whole
from .tracing import trace_graph

MARK = "<!-- The rest of this page is written by python -m spikeloom.importers.conformance. -->"


def examine(path: Path, rules: list[str], run: Runner = run_program) -> dict:
    """Everything that is told about one file."""
    row: dict = {"file": path.stem}
    stored = np.load(path.with_suffix(".npz")) if path.with_suffix(".npz").exists() else None
    try:
        model = _load(path, stored)
    except ImportFailed as failure:
        row |= {"status": "refused", "problems": [str(p) for p in failure.problems if p.severity == "error"]}
        return row
    is_half = stored is not None and any(stored[n].dtype == np.float16 for n in stored.files)
    score = Score(HALF_TOLERANCE if is_half else TOLERANCE)
    try:
        if stored is not None:
            (compare_whole if model.step is None else compare_step)(model, stored, score, run)
        for partner in _partners(path, model):
            compare_partner(model, partner, rules, score, run)
    except (UserError, Defect) as failure:
        row |= {"status": "failed", "problems": [str(failure)]}
        return row
    row |= {
        "status": "wrong" if score.wrong else "imported",
        "problems": score.wrong or [str(p) for p in model.problems if p.severity == "warning"],
        "neurons": [op.kind for op in model.neurons],
        "arithmetic": dict(Counter(op.kind for op in model.arithmetic)),
        "spikes": score.spikes, "flips": score.flips, "difference": score.largest, "partners": score.partners,
        "form": model.form, "same": _same_as_step(path, model),
    }
    return row


def _load(path: Path, stored) -> Model:
    """The model for the batch of the stored arrays, where the file leaves it open."""
    return load_onnx(path, batch=_dynamic_batch(path, stored))


def _dynamic_batch(path: Path, stored) -> int | None:
    for port in onnx.load(path, load_external_data=False).graph.input:
        for axis, dim in enumerate(port.type.tensor_type.shape.dim):
            if dim.dim_param and "b" in dim.dim_param.lower() and stored is not None and port.name in stored.files:
                return int(stored[port.name].shape[axis])
    return None


def _same_as_step(path: Path, model: Model) -> str:
    """Whether the step function of the same network and exporter became the same operations; empty without one."""
    network, _, *exporter = path.stem.split("__")
    if model.step is not None:
        return ""
    step = path.with_name("__".join([network, "step", *exporter]) + path.suffix)
    if not step.exists():
        return ""
    traced = trace_graph(load_graph(str(step), ProblemList()), ProblemList(), batch=model.batch)
    form = canonical(model.program)
    if traced is None or not traced.trace.pairs or not form:
        return ""
    return "yes" if any(form == other for other in forms_of_step(traced.trace)) else "no"


def _partners(path: Path, model: Model) -> list[Path]:
    """The sequence files of a step function's network that have stored outputs."""
    network, way = [*path.stem.split("__"), ""][:2]
    if not way.startswith("step") or model.is_sequence:
        return []
    return [p for p in sorted(path.parent.glob(f"{network}__*.onnx"))
            if not p.stem.split("__")[1].startswith("step") and p.with_suffix(".npz").exists()]


def describe(row: dict) -> str:
    """A row as one line of text."""
    if row["status"] in ("refused", "failed"):
        more = f" (and {len(row['problems']) - 1} more)" if len(row["problems"]) > 1 else ""
        return f"{row['file']:48} {row['status']:9} {row['problems'][0]}{more}"
    left = " ".join(f"{k}:{n}" for k, n in row["arithmetic"].items()) or "none"
    text = (f"{row['file']:48} {row['status']:9} {row['form']}; neurons: {_neurons(row)}; arithmetic: {left}; spikes "
            f"differing {row['flips']}/{row['spikes']}, difference {row['difference']:.1e}, "
            f"{len(row['partners'])} sequences")
    text += f"; same as step: {row['same']}" if row["same"] else ""
    return text + (f"; {row['problems'][0]}" if row["status"] == "wrong" else "")


def _neurons(row: dict) -> str:
    return ", ".join(f"{n} {k}" for k, n in Counter(row["neurons"]).items()) or "none"


def table(rows: list[dict], totals: str) -> str:
    """All files as a table of a page."""
    lines = ["## All files", "",
             "Spikes: those that differ from PyTorch's, of all that were compared (for step functions also over the "
             "sequences of the same network). Difference: the largest of all other values. Same: whether the step "
             "function of the network became the same operations.", "",
             f"{len(rows)} files: {totals}.", "",
             "| file | result | neurons | arithmetic | spikes | difference | same |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        if row["status"] in ("refused", "failed"):
            reason = row["problems"][0].removeprefix("error: ").replace("|", "\\|")
            lines.append(f"| {row['file']} | {row['status']}: {reason} | | | | | |")
            continue
        result = row["form"] if row["status"] == "imported" else f"wrong: {row['problems'][0]}"
        spikes = f"{row['flips']}/{row['spikes']}" if row["spikes"] else ""
        lines.append(f"| {row['file']} | {result} | {_neurons(row)} | {sum(row['arithmetic'].values())} | {spikes} | "
                     f"{row['difference']:.0e} | {row['same']} |")
    return "\n".join(lines) + "\n"


def _write(page: Path, text: str) -> None:
    """Replaces what follows the mark on a page, or appends both."""
    head = page.read_text(encoding="utf-8").split(MARK)[0].rstrip() if page.exists() else ""
    page.write_text(f"{head}\n\n{MARK}\n\n{text}".lstrip(), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m spikeloom.importers.conformance", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--match", default="*", help="files to look at, by name (default: all)")
    parser.add_argument("--initial", action="append", default=[], metavar="FILES:STATES=VALUE",
                        help="initial value of states, e.g. 'norse_lsnn*:b*=1'")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the results as a table at the end of this page")
    parser.add_argument("--machine", help="compile for this machine and run the program; without it the importer's own "
                        "evaluation gives the numbers")
    parser.add_argument("--engine", choices=("fast", "strict"), default="fast", help="with --machine; default: fast")
    options = parser.parse_args(arguments)
    run = CompiledRunner(options.machine, options.engine).run_program if options.machine else run_program
    if not options.directory.is_dir():
        parser.error(f"{options.directory} is not a directory")
    rows = []
    for path in sorted(options.directory.glob("*.onnx")):
        if fnmatch(path.stem, options.match):
            rows.append(examine(path, options.initial, run))
            print(json.dumps(rows[-1]) if options.json else describe(rows[-1]), flush=True)
    totals = Counter(row["status"] for row in rows)
    text = ", ".join(f"{n} {status}" for status, n in sorted(totals.items())) or "no files"
    if not options.json:
        print(text)
    if options.write:
        _write(options.write, table(rows, text))
    return 1 if totals["wrong"] or totals["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
