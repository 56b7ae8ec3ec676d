# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each ONNX operator means: tables from operator name to a function of the tracer."""

from . import arithmetic, images, linear, recurrent, reductions, shapes, training
from .control import CONTROL

# name -> function(tracer, node, operands): the result, or a list of all results.
OPERATORS = {**shapes.OPERATORS, **arithmetic.OPERATORS, **linear.OPERATORS, **reductions.OPERATORS,
             **images.OPERATORS, **recurrent.OPERATORS, **training.OPERATORS}

__all__ = ["CONTROL", "OPERATORS"]
