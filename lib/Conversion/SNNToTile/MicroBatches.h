// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which operations of a training step run for every micro-batch, and which once.
#ifndef SPIKELOOM_CONVERSION_SNNTOTILE_MICROBATCHES_H
#define SPIKELOOM_CONVERSION_SNNTOTILE_MICROBATCHES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

namespace spikeloom {

/// What does not depend on the data of a micro-batch runs once, before; what reads the sums that gradients
/// are (post-processing, clipping, the optimiser) runs once, after; everything else runs for every
/// micro-batch.
class MicroBatches {
public:
  enum class When { every, before, after };

  /// With `count` == 1 everything runs once, in the order of the function.
  MicroBatches(mlir::func::FuncOp function, int64_t count) : function(function), count(count) {}

  mlir::LogicalResult classify();

  int64_t getCount() const { return count; }
  When when(mlir::Operation *op) const { return places.lookup(op); }
  /// Is the value a sum that goes on from one micro-batch to the next?
  bool goesOn(mlir::Value value) const { return sums.contains(value); }
  /// Does an argument of the function hold data of every micro-batch?
  static bool isPerBatch(mlir::func::FuncOp function, unsigned argument);

private:
  void collectSums(mlir::Value value);
  mlir::LogicalResult place(mlir::Operation *op);

  mlir::func::FuncOp function;
  int64_t count;
  llvm::DenseSet<mlir::Value> sums, visited;
  llvm::DenseSet<mlir::Value> varying, complete; // of one micro-batch; known when all are over
  llvm::DenseMap<mlir::Operation *, When> places;
};

} // namespace spikeloom
#endif
