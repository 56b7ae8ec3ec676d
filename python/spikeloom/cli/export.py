# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The way out: what was trained here goes on where the model came from.
"""`spikeloom export`."""

from __future__ import annotations

import argparse

from ..arrays import load_weights
from ..onnx_export import export_onnx
from .options import add_model, open_model
from .values import regex


def add_parser(verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("export", help="put trained weights back into the .onnx file")
    add_model(parser, ".onnx")
    parser.add_argument("--weights", required=True, metavar="W.safetensors", help="what `spikeloom train --save` wrote")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.onnx", help="the file to write")
    parser.add_argument("--train-parameters", type=regex, metavar="REGEX", help="as in training, if it was given there")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> None:
    """Write the file and say what changed."""
    changed = export_onnx(
        open_model(options),
        load_weights(options.weights),
        options.output,
        train_parameters=options.train_parameters,
    )
    print(f"{options.output}: {len(changed)} initializers changed" + (f" ({', '.join(changed)})" if changed else ""))
