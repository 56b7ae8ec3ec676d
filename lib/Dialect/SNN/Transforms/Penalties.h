// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What training adds to the gradients of neurons: penalties on what fires, and the detaching of states.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_PENALTIES_H
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_PENALTIES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Support/LLVM.h"
#include <optional>

namespace spikeloom::snn {

/// Penalties on the share of a hidden layer that fires before its list is cut, by their options.
struct PenaltyChoice {
  struct Rate {
    double weight, rate;
  };
  std::optional<Rate> rate;
  double overflow = 0;

  /// Reads `rate`, which is empty or WEIGHT:RATE; emits an error where a number is out of its range.
  mlir::LogicalResult parse(mlir::func::FuncOp function, llvm::StringRef rate, double overflow);
  /// Gives the penalties to every neuron that makes event tensors. `weights` are those of the samples.
  void apply(mlir::func::FuncOp function, mlir::Value weights) const;
};

/// Truncated backpropagation: the states that enter a step are detached before every `steps`-th.
void detachStates(mlir::func::FuncOp function, int64_t steps);

} // namespace spikeloom::snn
#endif
