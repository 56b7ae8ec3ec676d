// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How neurons are differentiated where the model leaves it open.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_NEURONGRADIENTS_H
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_NEURONGRADIENTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Support/LLVM.h"

namespace spikeloom::snn {

/// Gives every neuron of `function` without one the surrogate KIND:PARAMETER..., sets whether gradients stop
/// at its reset
/// ("true", "false", or empty: what it says), and makes a neuron of event tensors without a second threshold
/// list all its neurons as near, because what is not listed gets no gradient. Emits an error where an option
/// is wrong.
mlir::LogicalResult prepareNeuronGradients(mlir::func::FuncOp function, llvm::StringRef surrogate,
                                           llvm::StringRef detachReset);

} // namespace spikeloom::snn
#endif
