// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Comparisons and spread parameters cost less to compute again than to keep and to hand from stage to stage,
// and masks have no place in a buffer of numbers.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "spikeloom/Conversion/SNNToTile/UnitClasses.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;

static bool isCheap(Operation *op) {
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return cast<RankedTensorType>(broadcast.getInput().getType()).getRank() < 2;
  if (op->getNumResults() != 1 || isa<arith::ConstantOp>(op))
    return false;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return type && type.getElementType().isInteger(1) && isPure(op) && op->getNumRegions() == 0;
}

void spikeloom::repeatCheapValues(func::FuncOp function) {
  SmallVector<Operation *> cheap;
  function.walk([&](Operation *op) {
    if (isCheap(op))
      cheap.push_back(op);
  });
  // Users first: the copies of a user are users as well.
  for (Operation *op : llvm::reverse(cheap)) {
    llvm::SmallSetVector<Operation *, 4> users(op->user_begin(), op->user_end());
    for (Operation *user : users) {
      OpBuilder builder(user);
      user->replaceUsesOfWith(op->getResult(0), builder.clone(*op)->getResult(0));
    }
    op->erase();
  }
}
