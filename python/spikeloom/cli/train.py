# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Training on files: data sets in, weights out, with a log that scripts can read and figures that people can.
"""`spikeloom train`."""

from __future__ import annotations

import argparse

from ..arrays import check_writable
from ..errors import EXIT_DONE, UsageError
from .options import add_compile, add_engine, add_model, refuse
from .trainer import Trainer
from .training_options import add_training, training
from .values import gain, initialization, positive


def add_parser(verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("train", help="train a model on a data set")
    add_model(parser, ".onnx, .nir, .mlir")
    _add_data(parser)
    _add_start(parser)
    _add_results(parser)
    add_compile(parser)
    add_training(parser, schedules=True)
    add_engine(parser)
    parser.set_defaults(main=main)


def _add_data(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument("--inputs", required=True, metavar="X", help=".npy [N, T, ...] (--encode: [N, ...]), .npz events")
    data.add_argument("--labels", required=True, metavar="Y.npy", help="classes [N] (--loss=mse_target: numbers)")
    data.add_argument("--test-inputs", metavar="X", help="measure the accuracy on these after every epoch")
    data.add_argument("--test-labels", metavar="Y.npy")
    data.add_argument("--epochs", type=positive, required=True, metavar="E")
    data.add_argument("--max-steps", type=positive, metavar="N", help="stop after so many steps")
    data.add_argument("--no-shuffle", action="store_true", help="keep the order of the samples")


def _add_start(parser: argparse.ArgumentParser) -> None:
    start = parser.add_argument_group("start")
    start.add_argument(
        "--random-weights",
        type=gain,
        nargs="?",
        const=1.0,
        metavar="GAIN",
        help="start from random weights, uniform in ±GAIN/sqrt(fan_in) (default gain: 1, as torch.nn.Linear)",
    )
    start.add_argument(
        "--init",
        type=initialization,
        metavar="activity=F",
        help="scale the weights layer by layer until a share F of every hidden layer fires, mean over a batch",
    )
    start.add_argument(
        "--resume", metavar="P", help="continue the training of this checkpoint with the bits of a run never stopped"
    )


def _add_results(parser: argparse.ArgumentParser) -> None:
    results = parser.add_argument_group("results")
    results.add_argument("--save", required=True, metavar="OUT.safetensors", help="the trained parameters")
    results.add_argument("--save-gradients", metavar="G.safetensors", help="gradients of the last step")
    results.add_argument("--log", metavar="LOG.jsonl", help="one JSON object a step")
    results.add_argument(
        "--checkpoint",
        metavar="P",
        help="keep everything that --resume needs there, and that of the best epoch in P.best (default: as --resume)",
    )
    results.add_argument(
        "--checkpoint-every", type=positive, metavar="K", help="write it every K steps (default: after every epoch)"
    )


def main(options: argparse.Namespace) -> int:
    """Train."""
    _check_options(options)
    trainer = Trainer(options)
    try:
        if trainer.train():
            trainer.report()
    finally:
        trainer.close()
    return EXIT_DONE


def _check_options(options: argparse.Namespace) -> None:
    """Refuse before any work what would fail after it."""
    if options.engine == "estimate":
        refuse("--engine=estimate", "use fast or strict")
    if options.batch is None:
        raise UsageError("train needs --batch=B")
    if (options.test_inputs is None) != (options.test_labels is None):
        raise UsageError("--test-inputs and --test-labels go together")
    if options.weights and options.random_weights is not None:
        raise UsageError("--weights and --random-weights exclude each other")
    if options.resume and (options.weights or options.random_weights is not None):
        raise UsageError("--resume starts from the checkpoint; leave out --weights and --random-weights")
    training(options).arguments()
    options.checkpoint = options.checkpoint or options.resume
    if options.checkpoint_every and not options.checkpoint:
        raise UsageError("--checkpoint-every=K needs --checkpoint=P")
    for name in ("save", "save_gradients", "log", "profile", "checkpoint"):
        if getattr(options, name):
            check_writable(getattr(options, name), f"--{name.replace('_', '-')}")
