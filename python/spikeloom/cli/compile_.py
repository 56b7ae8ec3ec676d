# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Named with an underscore because `compile` is Python's own.
"""`spikeloom compile`."""

from __future__ import annotations

import argparse

from ..compiler import check_fixed, compile
from ..errors import EXIT_DONE
from .options import (
    add_compile,
    add_model,
    compile_settings,
    compiled,
    open_model,
    remark,
    say_defaults,
)
from .training_options import add_training, training


def add_parser(verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("compile", help="compile a model to an executable .loom file")
    add_model(parser, ".onnx, .nir, .mlir")
    parser.add_argument("-o", "--output", required=True, metavar="NET.loom", help="the file to write")
    parser.add_argument("--train", action="store_true", help="make a training step instead of inference")
    parser.add_argument("--quiet", action="store_true", help="no remarks")
    add_compile(parser)
    add_training(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Compile."""
    model = open_model(options)
    settings = compile_settings(options)
    say_defaults(options, machine=True, engine=False, surrogate=options.train)
    source = model
    if model.is_imported:
        source = model.imported(options.batch, options.steps, options.train_parameters)
        for problem in source.problems:
            remark(options, f"{options.model}: {problem}")
        if options.steps is None and not source.is_sequence:
            remark(options, f"defaults: {source.steps} time steps (use --steps=T)")
    else:
        check_fixed(model, options.batch, options.steps, options.train_parameters)
    goal = training(options) if options.train else None
    accumulation = options.gradient_accumulation
    program = compile(source, train=goal, gradient_accumulation=accumulation, output=options.output, **settings)
    compiled(options, program)
    remark(options, f"wrote {options.output}")
    return EXIT_DONE
