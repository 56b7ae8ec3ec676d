// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Widening: workers, which take turns on the host, and ranges of theirs that are better gone through at once.
#include "Widener.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace spikeloom::tile;

static bool isCast(Operation *op) {
  return isa_and_nonnull<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtUIOp, arith::ExtSIOp>(op);
}

/// The load that `bound` comes from, if nothing else uses it.
static memref::LoadOp loadedBound(Value bound) {
  while (bound.hasOneUse() && isCast(bound.getDefiningOp()))
    bound = bound.getDefiningOp()->getOperand(0);
  return bound.hasOneUse() ? bound.getDefiningOp<memref::LoadOp>() : memref::LoadOp();
}

/// The only loop of a block whose other operations change nothing.
static scf::ForOp onlyLoop(Block &block) {
  scf::ForOp only;
  for (Operation &op : block.without_terminator()) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      if (only || loop.getNumResults() != 0)
        return {};
      only = loop;
    } else if (!isPure(&op) && !isa<memref::LoadOp>(op)) {
      return {};
    }
  }
  return only;
}

/// Matches workers that each take a part of a list, once for every row of an outer loop:
///
///   tile.workers %w { scf.for %s { scf.for %j = bounds[.., %s, %w] to bounds[.., %s, %w + 1] } }
///
/// and returns %w + 1. Workers of one section cannot depend on each other's turns, so the host may go through
/// the whole list of a row before the next row: longer runs, in which coming entries are known early enough
/// to fetch their rows.
static arith::AddIOp matchParts(WorkersOp workers) {
  scf::ForOp rows = onlyLoop(workers.getBody().front());
  scf::ForOp part = rows ? onlyLoop(*rows.getBody()) : scf::ForOp();
  if (!part || !matchPattern(part.getStep(), m_One()))
    return {};
  memref::LoadOp from = loadedBound(part.getLowerBound()), to = loadedBound(part.getUpperBound());
  if (!from || !to || from.getMemref() != to.getMemref() || from.getIndices().empty())
    return {};
  Value worker = workers.getWorker();
  auto next = to.getIndices().back().getDefiningOp<arith::AddIOp>();
  if (from.getIndices().back() != worker || from.getIndices().drop_back() != to.getIndices().drop_back() ||
      !next || next.getLhs() != worker || !matchPattern(next.getRhs(), m_One()))
    return {};
  auto onlyUsedBy = [](Value value, ArrayRef<Operation *> users) {
    return llvm::all_of(value.getUses(), [&](OpOperand &use) {
      auto load = dyn_cast<memref::LoadOp>(use.getOwner());
      bool last = !load || use.getOperandNumber() == load->getNumOperands() - 1;
      return last && llvm::is_contained(users, use.getOwner());
    });
  };
  if (!onlyUsedBy(worker, {from, next}) || !onlyUsedBy(next.getResult(), {to}))
    return {};
  auto changed = workers.walk([&](memref::StoreOp store) {
    return store.getMemref() == from.getMemref() ? WalkResult::interrupt() : WalkResult::advance();
  });
  return changed.wasInterrupted() ? arith::AddIOp() : next;
}

/// Is this the loop over steps, made of several parts with workers of their own, of which each finds what an
/// earlier part wrote in a row of the step? Then the host may run one part for all steps before the next.
bool Widener::isMadeOfParts(scf::ForOp steps) {
  if (steps->getParentOp() != codelet || info.lanes == 1 || steps.getNumResults() != 0)
    return false;
  SmallVector<WorkersOp> parts;
  for (Operation &op : steps.getBody()->without_terminator()) {
    if (auto workers = dyn_cast<WorkersOp>(op))
      parts.push_back(workers);
    else if (!isPure(&op))
      return false;
  }
  struct Use {
    int64_t part = -1; // the only part that uses the array, -2 when there are several
    bool written = false;
    Value row; // the first index of all uses, null when they differ
  };
  llvm::MapVector<Value, Use> uses;
  auto note = [&](int64_t part, Value memref, ValueRange indices, bool written) {
    auto [place, isNew] = uses.try_emplace(memref);
    Value row = indices.empty() ? Value() : indices.front();
    Use &use = place->second;
    use.part = isNew || use.part == part ? part : -2;
    use.row = isNew || use.row == row ? row : Value();
    use.written |= written;
  };
  for (size_t i = 0; i < parts.size(); ++i)
    parts[i].walk([&](Operation *op) {
      if (auto load = dyn_cast<memref::LoadOp>(op))
        note(i, load.getMemref(), load.getIndices(), false);
      else if (auto store = dyn_cast<memref::StoreOp>(op))
        note(i, store.getMemref(), store.getIndices(), true);
      else if (auto entries = dyn_cast<OwnEntriesOp>(op))
        note(i, entries.getIds(), entries.getRow(), false);
    });
  // The step itself or its mirror image: another row in every step.
  auto isStep = [&](Value row) {
    if (row == steps.getInductionVar())
      return true;
    auto mirrored = row ? row.getDefiningOp<arith::SubIOp>() : arith::SubIOp();
    return mirrored && mirrored->getParentOp() == steps && mirrored.getRhs() == steps.getInductionVar();
  };
  for (auto &[memref, use] : uses) {
    auto argument = dyn_cast<BlockArgument>(memref);
    bool alone = !argument || !codelet.getArgAttr(argument.getArgNumber(), kMayAliasAttr);
    if (use.written && !(alone && (use.part >= 0 || isStep(use.row))))
      return false;
  }
  return parts.size() > 1;
}

LogicalResult Widener::copyParts(scf::ForOp steps) {
  Location loc = steps.getLoc();
  for (WorkersOp part : steps.getBody()->getOps<WorkersOp>()) {
    auto copy = scf::ForOp::create(builder, loc, scalar(steps.getLowerBound()), scalar(steps.getUpperBound()),
                                   scalar(steps.getStep()));
    map.map(steps.getInductionVar(), copy.getInductionVar());
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(copy.getBody());
    for (Operation &op : steps.getBody()->without_terminator())
      if ((!isa<WorkersOp>(op) || &op == part) && failed(copyOp(op)))
        return failure();
  }
  return success();
}

LogicalResult Widener::copyWorkers(WorkersOp workers) {
  Location loc = workers.getLoc();
  Value zero = indexConstant(builder, loc, 0), count = indexConstant(builder, loc, workers.getCount());
  if (arith::AddIOp next = matchParts(workers)) {
    // From the first worker's beginning to the last one's end.
    map.map(workers.getWorker(), zero);
    map.map(next.getResult(), count);
    Restore<Operation *> restore(known);
    known = next;
    return copyBody(workers.getBody().front());
  }
  auto copy = scf::ForOp::create(builder, loc, zero, count, indexConstant(builder, loc, 1));
  map.map(workers.getWorker(), copy.getInductionVar());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(copy.getBody());
  return copyBody(workers.getBody().front());
}
