// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What of a codelet decides how often its loops run.
#ifndef SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_TRIPSLICE_H
#define SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_TRIPSLICE_H

#include "Codelets.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseSet.h"

namespace spikeloom::tile {

/// The values that trip counts are computed from, followed back to arguments and loads of integers. A branch
/// is decided if its condition can be computed in the same way; of others the dearer side counts.
class TripSlice {
public:
  explicit TripSlice(mlir::func::FuncOp codelet);

  /// Fails with a message if a trip count depends on floating-point data or on what the codelet itself
  /// stores.
  mlir::LogicalResult collect();
  /// Adds a value and what it is computed from.
  void need(mlir::Value value);

  bool needs(mlir::Value value) const { return needed.contains(value); }
  /// Something defined within `op` is needed: its cost may differ from one run of its region to the next.
  bool needsInside(mlir::Operation *op) const;
  bool isDecided(mlir::scf::IfOp branch) const { return decided.contains(branch); }

private:
  void propagate(mlir::Operation *op);

  mlir::func::FuncOp codelet;
  // Only asked for membership: no order can reach the output.
  llvm::DenseSet<mlir::Value> needed, written, opaque;
  llvm::DenseSet<mlir::Operation *> decided;
  bool changed = false;
};

} // namespace spikeloom::tile
#endif
