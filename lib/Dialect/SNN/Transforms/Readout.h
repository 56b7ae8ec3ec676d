// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a loss reads of a model, and the losses.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_READOUT_H
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_READOUT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Support/LLVM.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

namespace spikeloom::snn {

/// Builds the readout `kind` of a function's outputs before its return: logits `[B, C]`, or `[T, B, C]` for
/// membrane_each. Emits an error where the function has no such readout.
mlir::FailureOr<mlir::Value> buildReadout(mlir::func::FuncOp function, llvm::StringRef kind);

/// The names of all readouts.
llvm::ArrayRef<llvm::StringRef> readouts();

/// A loss by its options.
struct LossChoice {
  std::string loss, readout;
  /// What mse wants of the labelled unit and of the others; for mse_count a share of the steps.
  float on = 1.0f, off = 0.0f;

  /// Reads the targets "ON,OFF"; emits an error where a name is unknown or the readout does not fit the loss.
  static mlir::FailureOr<LossChoice> parse(mlir::func::FuncOp function, llvm::StringRef loss,
                                           llvm::StringRef readout, llvm::StringRef targets);
  /// Builds the loss of the logits. `steps` is the number of steps of the model.
  LossOpInterface build(mlir::OpBuilder &builder, mlir::Value logits, mlir::Value labels, mlir::Value weights,
                        int64_t steps) const;
};

} // namespace spikeloom::snn
#endif
