// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reverse-mode differentiation, for passes that build functions with gradients.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_DIFFERENTIATE_H
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_DIFFERENTIATE_H

#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

namespace spikeloom::snn {

/// Replaces a gradient op by the adjoint of the operations before it in its block. Emits an error where one
/// of them has no adjoint.
mlir::LogicalResult expandGradient(GradientOp gradient);

/// The adjoint of an elementwise operation of the arith or math dialect; fails without a message on other
/// operations.
mlir::LogicalResult buildArithAdjoint(mlir::Operation *op, AdjointContext &context);

} // namespace spikeloom::snn
#endif
