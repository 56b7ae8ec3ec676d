// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that the verifiers of several groups of operations share. Each emits an error that names `what` it
// checks.
#ifndef SPIKELOOM_LIB_DIALECT_SNN_IR_VERIFY_H
#define SPIKELOOM_LIB_DIALECT_SNN_IR_VERIFY_H

#include "mlir/IR/Operation.h"

namespace spikeloom::snn {

/// The value has the shape `expected`.
llvm::LogicalResult checkShape(mlir::Operation *op, llvm::StringRef what, mlir::Value value,
                               llvm::ArrayRef<int64_t> expected);

/// The value is no event tensor.
llvm::LogicalResult checkDense(mlir::Operation *op, llvm::StringRef what, mlir::Value value);

/// The value has two dimensions.
llvm::LogicalResult checkMatrix(mlir::Operation *op, llvm::StringRef what, mlir::Value value);

} // namespace spikeloom::snn
#endif
