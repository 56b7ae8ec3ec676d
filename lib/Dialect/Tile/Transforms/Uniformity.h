// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which values of a codelet differ between the tiles of a group.
#ifndef SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_UNIFORMITY_H
#define SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_UNIFORMITY_H

#include "Codelets.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseSet.h"

namespace spikeloom::tile {

/// A value is varying if it may differ between two tiles of one group, otherwise uniform; an array is per
/// tile if its content is. The task of a group's tiles differs, but its quotient by a multiple of the lanes
/// does not.
class Uniformity {
public:
  Uniformity(mlir::func::FuncOp codelet, int64_t lanes);

  bool isVarying(mlir::Value value) const { return varying.contains(value); }
  bool isPerTile(mlir::Value memref) const { return perTile.contains(memref); }
  /// A condition or trip count differs between the tiles.
  bool isDivergent(mlir::scf::IfOp branch) const { return isVarying(branch.getCondition()); }
  bool isDivergent(mlir::scf::ForOp loop) const;

private:
  /// Where an operation stands.
  struct Place {
    bool divergent = false; // not all tiles need be there
    bool entries = false;   // one tile is there: the body of tile.own_entries
  };

  void visit(mlir::Block &block, Place place);
  void visitLoop(mlir::scf::ForOp loop, Place place);
  void visitBranch(mlir::scf::IfOp branch, Place place);
  void markVarying(mlir::Value value) { changed |= varying.insert(value).second; }
  bool isGroupNumber(mlir::Operation &op) const;

  int64_t lanes;
  mlir::Value task;
  // Only asked for membership: no order can reach the output.
  llvm::DenseSet<mlir::Value> varying, perTile;
  bool changed = false;
};

} // namespace spikeloom::tile
#endif
