// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rewriting the body of a codelet for all tiles of a group at once.
#ifndef SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_WIDENER_H
#define SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_WIDENER_H

#include "Codelets.h"
#include "Uniformity.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include <set>
#include <tuple>

namespace spikeloom::tile {

/// Puts a variable back at the end of a scope.
template <typename T> struct Restore {
  T &place, old;
  explicit Restore(T &place) : place(place), old(place) {}
  ~Restore() { place = old; }
};

/// Copies the body of a codelet into its host version. A uniform value is copied as it is; a varying one
/// becomes a vector with one lane per tile.
///
/// Two things make the state of a copy. `mask` says which tiles are at this point of the code when a
/// condition differs between them; whoever narrows it also sees to it that at least one tile is left, so that
/// uniform code below needs no mask. `lane` is set in the body of `tile.own_entries`, where a single tile
/// computes and everything stays scalar.
class Widener {
public:
  Widener(mlir::func::FuncOp codelet, const CodeletInfo &info, int64_t ahead);

  /// Creates the host version.
  mlir::LogicalResult run();

private:
  // Widen.cpp
  mlir::MemRefType hostType(unsigned argument);

  // WidenBody.cpp: values and elementwise operations.
  mlir::LogicalResult copyBody(mlir::Block &block);
  mlir::LogicalResult copyOp(mlir::Operation &op);
  mlir::LogicalResult copyPlain(mlir::Operation &op);
  mlir::LogicalResult copyElementwise(mlir::Operation &op);
  bool isVarying(mlir::Value value) const { return !lane && uniformity.isVarying(value); }
  mlir::VectorType vectorOf(mlir::Type element) const { return mlir::VectorType::get({info.lanes}, element); }
  /// The copy of a value: as one value (of the current lane where it is a vector), as a vector, or as it is.
  mlir::Value scalar(mlir::Value value);
  mlir::Value vector(mlir::Value value);
  mlir::Value asNeeded(mlir::Value value, bool wide) { return wide ? vector(value) : scalar(value); }
  mlir::Value splat(mlir::Location loc, mlir::Value value);
  mlir::Value laneNumbers(mlir::Location loc);
  mlir::Value allLanes(mlir::Location loc, bool active);

  // WidenMemory.cpp
  mlir::LogicalResult copyAlloca(mlir::memref::AllocaOp alloca);
  mlir::LogicalResult copyLoad(mlir::memref::LoadOp load);
  mlir::LogicalResult copyStore(mlir::memref::StoreOp store);
  mlir::LogicalResult storeSum(mlir::memref::StoreOp store);
  mlir::Value groupSum(mlir::Location loc, mlir::Value value);
  void prefetch(mlir::memref::LoadOp load);
  mlir::SmallVector<mlir::Value> scalars(mlir::ValueRange values);
  /// Splits an access with varying indices into a uniform start and a vector of distances from it, in
  /// elements.
  std::pair<mlir::SmallVector<mlir::Value>, mlir::Value> distances(mlir::Location loc, mlir::Value memref,
                                                                   mlir::ValueRange indices);

  // WidenControl.cpp
  mlir::LogicalResult copyLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult copyDivergentLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult copyBranch(mlir::scf::IfOp branch);
  mlir::LogicalResult copyDivergentBranch(mlir::scf::IfOp branch);
  mlir::FailureOr<mlir::SmallVector<mlir::Value>>
  copyDivergentSide(mlir::scf::IfOp branch, mlir::Region &region, mlir::Value condition);
  mlir::LogicalResult copyEntries(OwnEntriesOp entries);
  mlir::LogicalResult copyEntryLoops(OwnEntriesOp entries);
  mlir::Value lowerBound(mlir::Location loc, OwnEntriesOp entries, mlir::Value from, mlir::Value to,
                         mlir::Value id);
  mlir::Value anyLane(mlir::Location loc, mlir::Value lanes);
  mlir::Value narrowed(mlir::Location loc, mlir::Value condition);

  // WidenWorkers.cpp
  bool isMadeOfParts(mlir::scf::ForOp steps);
  mlir::LogicalResult copyParts(mlir::scf::ForOp steps);
  mlir::LogicalResult copyWorkers(WorkersOp workers);

  mlir::func::FuncOp codelet;
  CodeletInfo info;
  int64_t ahead;
  Uniformity uniformity;
  mlir::func::FuncOp host;
  mlir::OpBuilder builder;
  mlir::IRMapping map;
  mlir::Value mask, lane;
  /// An operation whose result has been mapped already.
  mlir::Operation *known = nullptr;
  /// Tiles of this group that exist, where the last group may be partly empty.
  mlir::Value present;
  /// Rows that are prefetched already: the array, the id and the other indices.
  std::set<std::vector<void *>> prefetched;
};

} // namespace spikeloom::tile
#endif
