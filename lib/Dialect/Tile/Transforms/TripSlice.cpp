// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The backward slice of trip counts and of the conditions that can be computed without floating-point data.
#include "TripSlice.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace spikeloom::tile;

/// What cannot be computed from integers that the codelet only reads spreads along uses.
TripSlice::TripSlice(func::FuncOp codelet) : codelet(codelet) {
  codelet.walk([&](memref::StoreOp store) { written.insert(store.getMemref()); });
  do {
    changed = false;
    codelet.walk([&](Operation *op) { propagate(op); });
  } while (changed);
}

void TripSlice::propagate(Operation *op) {
  auto mark = [&](Value value) { changed |= opaque.insert(value).second; };
  auto any = [&](ValueRange values) {
    return llvm::any_of(values, [&](Value v) { return opaque.contains(v); });
  };
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    bool unknown = any({loop.getLowerBound(), loop.getUpperBound(), loop.getStep()});
    if (unknown)
      mark(loop.getInductionVar());
    for (auto [init, argument, next, result] :
         llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getYieldedValues(), loop.getResults()))
      if (unknown || any({init, next}) || !argument.getType().isIntOrIndex()) {
        mark(argument);
        mark(result);
      }
  } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
    for (OpResult result : branch.getResults()) {
      unsigned i = result.getResultNumber();
      if (any({branch.getCondition(), branch.thenYield().getOperand(i), branch.elseYield().getOperand(i)}) ||
          !result.getType().isIntOrIndex())
        mark(result);
    }
  } else if (auto entries = dyn_cast<OwnEntriesOp>(op)) {
    mark(entries.getPosition());
    mark(entries.getUnit());
  } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
    if (!load.getType().isIntOrIndex() || !isa<BlockArgument>(load.getMemref()) ||
        written.contains(load.getMemref()) || any(load.getIndices()))
      mark(load.getResult());
  } else {
    for (Value result : op->getResults())
      if (!result.getType().isIntOrIndex() || !isPure(op) || any(op->getOperands()))
        mark(result);
  }
}

void TripSlice::need(Value value) {
  if (!needed.insert(value).second)
    return;
  auto needAll = [&](ValueRange values) {
    for (Value v : values)
      need(v);
  };
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
        loop && argument != loop.getInductionVar()) {
      unsigned i = argument.getArgNumber() - 1;
      needAll({loop.getInitArgs()[i], loop.getYieldedValues()[i]});
    }
    return;
  }
  Operation *op = value.getDefiningOp();
  unsigned number = cast<OpResult>(value).getResultNumber();
  if (auto loop = dyn_cast<scf::ForOp>(op))
    need(loop.getRegionIterArgs()[number]);
  else if (auto branch = dyn_cast<scf::IfOp>(op))
    needAll({branch.getCondition(), branch.thenYield().getOperand(number),
             branch.elseYield().getOperand(number)});
  else if (auto load = dyn_cast<memref::LoadOp>(op))
    needAll(load.getIndices());
  else
    needAll(op->getOperands());
}

LogicalResult TripSlice::collect() {
  WalkResult result = codelet.walk([&](Operation *op) -> WalkResult {
    SmallVector<Value> counts;
    if (auto loop = dyn_cast<scf::ForOp>(op))
      counts = {loop.getLowerBound(), loop.getUpperBound(), loop.getStep()};
    if (auto entries = dyn_cast<OwnEntriesOp>(op))
      counts = {entries.getN0(), entries.getN1()};
    for (Value count : counts) {
      if (opaque.contains(count))
        return op->emitOpError(
            "runs a number of times that cannot be counted: it depends on floating-point data, on a "
            "private array, or on what the codelet itself stores");
      need(count);
    }
    if (auto branch = dyn_cast<scf::IfOp>(op); branch && !opaque.contains(branch.getCondition())) {
      decided.insert(op);
      need(branch.getCondition());
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

bool TripSlice::needsInside(Operation *op) const {
  bool found = false;
  for (Region &region : op->getRegions()) {
    for (Block &block : region)
      for (BlockArgument argument : block.getArguments())
        found |= needs(argument);
    region.walk([&](Operation *inner) {
      for (Value result : inner->getResults())
        found |= needs(result) && !inner->hasTrait<OpTrait::ConstantLike>();
      for (Region &nested : inner->getRegions())
        for (Block &block : nested)
          for (BlockArgument argument : block.getArguments())
            found |= needs(argument);
    });
  }
  return found;
}
