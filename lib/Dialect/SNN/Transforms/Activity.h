// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which values depend on the variables, and which states carry a cotangent.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_ACTIVITY_H
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_ACTIVITY_H

#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseSet.h"

namespace spikeloom::snn {

/// The values in a block, before `end`, that depend on the variables; nested scans included.
class Varied {
public:
  Varied(mlir::ValueRange variables, mlir::Operation *end);
  bool contains(mlir::Value value) const { return values.contains(value); }

private:
  /// Returns whether a value was added. A null `end` stands for the end of the block.
  bool visit(mlir::Block &block, mlir::Operation *end);
  bool visitScan(ScanOp scan);
  llvm::DenseSet<mlir::Value> values;
};

} // namespace spikeloom::snn
#endif
