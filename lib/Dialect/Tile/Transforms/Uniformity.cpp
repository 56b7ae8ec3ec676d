// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which values of a codelet differ between the tiles of a group: a fixed point over the structured control
// flow.
#include "Uniformity.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace spikeloom::tile;

Uniformity::Uniformity(func::FuncOp codelet, int64_t lanes) : lanes(lanes), task(taskOf(codelet)) {
  if (lanes == 1)
    return;
  varying.insert(task);
  for (unsigned i = 0; i + 2 < codelet.getNumArguments(); ++i)
    if (viewOf(codelet, i) == View::own)
      perTile.insert(codelet.getArgument(i));
  codelet.walk([&](memref::AllocaOp alloca) {
    if (alloca->hasAttr(kUnitsAttr))
      perTile.insert(alloca.getResult());
  });
  do {
    changed = false;
    visit(codelet.getBody().front(), {});
  } while (changed);
}

bool Uniformity::isDivergent(scf::ForOp loop) const {
  return isVarying(loop.getLowerBound()) || isVarying(loop.getUpperBound()) || isVarying(loop.getStep());
}

/// Groups start at multiples of the lanes, so that task / (k * lanes) is the same on all tiles of a group.
bool Uniformity::isGroupNumber(Operation &op) const {
  APInt divisor;
  return isa<arith::DivUIOp, arith::DivSIOp, arith::FloorDivSIOp>(op) && op.getOperand(0) == task &&
         matchPattern(op.getOperand(1), m_ConstantInt(&divisor)) && divisor.isStrictlyPositive() &&
         divisor.getSExtValue() % lanes == 0;
}

void Uniformity::visitLoop(scf::ForOp loop, Place place) {
  bool divergent = isDivergent(loop);
  if (isVarying(loop.getLowerBound()) || isVarying(loop.getStep()))
    markVarying(loop.getInductionVar());
  for (auto [init, argument, yielded, result] :
       llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getYieldedValues(), loop.getResults()))
    if (divergent || isVarying(init) || isVarying(yielded)) {
      markVarying(argument);
      markVarying(result);
    }
  visit(*loop.getBody(), {place.divergent || divergent, place.entries});
}

void Uniformity::visitBranch(scf::IfOp branch, Place place) {
  bool divergent = isDivergent(branch);
  Place inside{place.divergent || divergent, place.entries};
  visit(*branch.thenBlock(), inside);
  if (!branch.getElseRegion().empty())
    visit(*branch.elseBlock(), inside);
  for (OpResult result : branch.getResults()) {
    unsigned i = result.getResultNumber();
    if (divergent || isVarying(branch.thenYield().getOperand(i)) ||
        isVarying(branch.elseYield().getOperand(i)))
      markVarying(result);
  }
}

void Uniformity::visit(Block &block, Place place) {
  auto anyVarying = [&](ValueRange values) {
    return llvm::any_of(values, [&](Value v) { return isVarying(v); });
  };
  for (Operation &op : block) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      visitLoop(loop, place);
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      visitBranch(branch, place);
    } else if (auto workers = dyn_cast<WorkersOp>(op)) {
      visit(workers.getBody().front(), place);
    } else if (auto entries = dyn_cast<OwnEntriesOp>(op)) {
      visit(entries.getBody().front(), {place.divergent, true});
    } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
      if (isPerTile(load.getMemref()) || anyVarying(load.getIndices()))
        markVarying(load.getResult());
    } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
      // What a tile keeps for itself becomes per tile as soon as two tiles may keep different things in it.
      if (store.getMemref().getDefiningOp<memref::AllocaOp>() &&
          (place.divergent || place.entries || isVarying(store.getValueToStore()) ||
           anyVarying(store.getIndices())))
        changed |= perTile.insert(store.getMemref()).second;
    } else if (!isGroupNumber(op) && anyVarying(op.getOperands())) {
      for (Value result : op.getResults())
        markVarying(result);
    }
  }
}
