// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fetching early what a task of an index family reads in coming steps.
#include "Appends.h"
#include "Codelets.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace spikeloom::tile;

/// The index at which the last dimension starts when `loop` goes through it, null if it does not.
static Value firstIndex(OpBuilder &builder, scf::ForOp loop, Value last) {
  if (last == loop.getInductionVar())
    return loop.getLowerBound();
  auto sum = last.getDefiningOp<arith::AddIOp>();
  if (!sum || !llvm::is_contained(sum->getOperands(), loop.getInductionVar()))
    return {};
  Value base = sum.getLhs() == loop.getInductionVar() ? sum.getRhs() : sum.getLhs();
  if (!loop.isDefinedOutsideOfLoop(base))
    return {};
  return arith::AddIOp::create(builder, loop.getLoc(), base, loop.getLowerBound());
}

void spikeloom::tile::prefetchPiece(OpBuilder &builder, Location loc, Value memref,
                                    SmallVector<Value> indices, int64_t elements) {
  auto step = dyn_cast<BlockArgument>(indices.front());
  if (indices.size() < 2 || !step || !isa<scf::ForOp>(step.getOwner()->getParentOp()))
    return;
  Value first = indices.back();
  indices.front() = arith::AddIOp::create(builder, loc, step, indexConstant(builder, loc, kStepsAhead));
  for (int64_t element = 0; element < elements; element += kLineElements) {
    indices.back() = arith::AddIOp::create(builder, loc, first, indexConstant(builder, loc, element));
    memref::PrefetchOp::create(builder, loc, memref, indices, /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
}

void spikeloom::tile::prefetchPieces(func::FuncOp host) {
  host.walk([](scf::ForOp loop) {
    OpBuilder builder(loop);
    for (auto load : loop.getBody()->getOps<memref::LoadOp>()) {
      if (load.getIndices().size() < 2 || !isa<BlockArgument>(load.getMemref()) ||
          !llvm::all_of(load.getIndices().drop_back(),
                        [&](Value index) { return loop.isDefinedOutsideOfLoop(index); }))
        continue;
      SmallVector<Value> indices(load.getIndices());
      indices.back() = firstIndex(builder, loop, indices.back());
      if (indices.back())
        prefetchPiece(builder, loop.getLoc(), load.getMemref(), indices, 1);
    }
  });
}
