// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the function that computes the cycles of a codelet.
#ifndef SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_CYCLEEMITTER_H
#define SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_CYCLEEMITTER_H

#include "Cover.h"
#include "TripSlice.h"
#include "mlir/IR/IRMapping.h"

namespace spikeloom::tile {

/// A number of slots or cycles, in tenths: a constant and a part that is known when the function runs.
struct Amount {
  int64_t fixed = 0;
  mlir::Value dynamic; // i64, or none
};

/// Walks a codelet that was prepared for counting (canonical, small loops unrolled) and writes what its
/// cycles function computes. Loops whose cost does not change from one iteration to the next become a
/// multiplication.
class CycleEmitter {
public:
  CycleEmitter(mlir::func::FuncOp prepared, mlir::func::FuncOp cycles, const Machine &machine, bool print);

  mlir::LogicalResult run();

private:
  mlir::FailureOr<Amount> emitBlock(mlir::Block &block, mlir::Operation *without = nullptr);
  mlir::FailureOr<Amount> emitNested(mlir::Operation &op);
  mlir::FailureOr<Amount> emitLoop(mlir::scf::ForOp loop);
  mlir::FailureOr<Amount> emitSlicedLoop(mlir::scf::ForOp loop);
  mlir::FailureOr<Amount> emitBranch(mlir::scf::IfOp branch);
  mlir::FailureOr<Amount> emitDecidedBranch(mlir::scf::IfOp branch);
  mlir::FailureOr<Amount> emitWorkers(WorkersOp workers);
  mlir::FailureOr<Amount> emitEntries(OwnEntriesOp entries);
  mlir::LogicalResult emitSteps(mlir::scf::ForOp steps, Amount once);

  /// Slots of one iteration beside what is nested in it, and whether the loop is a hardware loop.
  std::pair<int64_t, bool> iterationCost(mlir::scf::ForOp loop, int64_t &setup);
  const Slots &cover(mlir::Block &block);
  void remark(mlir::Operation *op, const llvm::Twine &text);

  Amount add(Amount a, Amount b);
  Amount times(Amount a, mlir::Value count);
  Amount times(Amount a, int64_t count);
  Amount maximum(Amount a, Amount b);
  mlir::Value value(Amount amount);
  mlir::Value constant(int64_t value);
  mlir::Value tripCount(mlir::scf::ForOp loop);
  mlir::Value searchRounds(mlir::Value count);

  mlir::func::FuncOp codelet, cycles;
  const Machine &machine;
  bool print;
  TripSlice slice;
  mlir::OpBuilder builder;
  mlir::IRMapping map;
  mlir::Location loc;
  llvm::DenseMap<mlir::Block *, Slots> covers;
  RegisterPairs pairs;
};

} // namespace spikeloom::tile
#endif
