// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a loss reads of a model.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_READOUT_H
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_READOUT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Support/LLVM.h"

namespace spikeloom::snn {

/// Builds the readout `kind` of a function's outputs before its return: logits `[B, C]`. Emits an error where
/// the function has no such readout.
mlir::FailureOr<mlir::Value> buildReadout(mlir::func::FuncOp function, llvm::StringRef kind);

} // namespace spikeloom::snn
#endif
