// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Brings a model into the form that placement and conversion expect: every value has one stage that computes
// it, and no mask is stored.
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

/// Comparisons and spread parameters cost less to compute again than to keep and to hand from stage to stage,
/// masks have no place in a buffer of numbers, and a parameter that two layers read must not tie them
/// together. So every reader gets a copy of its own.
static void repeatCheapValues(func::FuncOp function) {
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

/// A state that takes the value of an input or of another state, or an output that is one: a stage of its own
/// copies it. `x + (-0)` is x for every x; codelets are left with the copy.
static void copyPassedValues(ScanOp scan) {
  if (!scan.getBody().getOps<ScanOp>().empty())
    return; // over segments: hands on what the scans of its body make
  YieldOp yield = scan.getYield();
  unsigned numSteps = yield.getStepValues().size();
  OpBuilder builder(yield);
  for (OpOperand &operand : yield->getOpOperands()) {
    Value value = operand.get();
    Operation *op = value.getDefiningOp();
    bool isState = operand.getOperandNumber() >= numSteps;
    // A state lies with its units, which what helpers make of rows, and sums over tiles, do not.
    bool computed = op && op->getBlock() == yield->getBlock() && !isa<arith::ConstantOp>(op);
    if (computed && !(isState && (isRowOp(op) || isa<LinearInputGradOp>(op))))
      continue;
    bool unchanged = isState && value == scan.getStateArgs()[operand.getOperandNumber() - numSteps];
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (unchanged || !type || type.getEncoding() || !type.getElementType().isF32())
      continue;
    auto zero = DenseElementsAttr::get(type, APFloat::getZero(APFloat::IEEEsingle(), /*Negative=*/true));
    Value minusZero = arith::ConstantOp::create(builder, scan.getLoc(), zero);
    operand.set(arith::AddFOp::create(builder, scan.getLoc(), value, minusZero));
  }
}

/// A sum over samples and units becomes the units' sums, on their tiles, and a sum of these on one tile.
static void splitScalarSum(BatchSumOp sum) {
  auto type = cast<RankedTensorType>(sum.getValue().getType());
  if (type.getRank() == 1 || cast<RankedTensorType>(sum.getResult().getType()).getRank() > 0)
    return;
  OpBuilder builder(sum);
  auto units = RankedTensorType::get(type.getDimSize(1), type.getElementType());
  Value zeros = arith::ConstantOp::create(builder, sum.getLoc(), builder.getZeroAttr(units));
  sum.getValueMutable().assign(BatchSumOp::create(builder, sum.getLoc(), units, sum.getValue(), zeros));
}

void spikeloom::prepareForPlacement(func::FuncOp function) {
  function.walk(copyPassedValues);
  function.walk(splitScalarSum);
  repeatCheapValues(function);
}
