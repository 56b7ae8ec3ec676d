// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Optimisers and gradient clipping by their options.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_OPTIMIZERS_H
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_OPTIMIZERS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Support/LLVM.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

namespace spikeloom::snn {

/// An optimiser by its options.
struct OptimizerChoice {
  std::string kind; // sgd, adam, adamw
  double lr = 1e-3, momentum = 0, weightDecay = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool nesterov = false;
  std::optional<float> normLimit, valueLimit;

  /// Emits an error where a value is out of its range or does not fit the optimiser; reads `clip`, which is
  /// empty, `norm:LIMIT` or `value:LIMIT`.
  mlir::LogicalResult check(mlir::func::FuncOp function, llvm::StringRef clip);
  /// The suffixes of the optimiser's states of a parameter.
  llvm::SmallVector<llvm::StringRef> stateNames() const;
  /// One step of the optimiser. `states` as named by stateNames; `scale` may be null.
  OptimizerOpInterface build(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value parameter,
                             mlir::Value gradient, llvm::ArrayRef<mlir::Value> states, mlir::Value hyper,
                             mlir::Value scale) const;
  /// What the host must know to fill the factors of a step: entries of `snn.training`.
  void describe(mlir::Builder &builder, llvm::SmallVectorImpl<mlir::NamedAttribute> &attributes) const;
};

} // namespace spikeloom::snn
#endif
