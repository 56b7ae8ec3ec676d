// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums over samples that grow in place: gradients of parameters, over the steps of a scan and from one scan
// to the next.
#include "Lowering.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

Value spikeloom::accumulatorOf(Operation *op) {
  if (auto grad = dyn_cast<LinearWeightGradOp>(op))
    return grad.getAccumulator();
  if (auto sum = dyn_cast<BatchSumOp>(op))
    return sum.getAccumulator();
  return {};
}

bool spikeloom::isSumState(ScanOp scan, unsigned state) {
  Value next = scan.getYield().getStates()[state];
  Operation *op = next.getDefiningOp();
  if (auto inner = dyn_cast_or_null<ScanOp>(op)) { // the sum goes on in a scan over a segment
    unsigned result = cast<OpResult>(next).getResultNumber(), stacked = inner.getStacked().size();
    return result >= stacked && inner.getInits()[result - stacked] == scan.getStateArgs()[state] &&
           isSumState(inner, result - stacked);
  }
  return op && accumulatorOf(op);
}

bool spikeloom::isPartialSum(Operation *op) {
  auto sum = dyn_cast_or_null<BatchSumOp>(op);
  // Statistics of a step, not a sum that grows from step to step.
  if (sum && op->getParentOfType<ScanOp>() &&
      (matchPattern(sum.getAccumulator(), m_AnyZeroFloat()) ||
       isPartialSum(sum.getAccumulator().getDefiningOp())))
    return true;
  return sum && llvm::all_of(op->getUses(), [](OpOperand &use) {
           return isa<BatchSumOp>(use.getOwner()) && use.getOperandNumber() == 0;
         });
}

bool spikeloom::isPerUnit(Operation *op) {
  if (accumulatorOf(op) || op->getNumResults() != 1)
    return false;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return type && type.getRank() < 2;
}

SmallVector<int64_t> spikeloom::storedShape(Value value) {
  SmallVector<int64_t> shape(cast<RankedTensorType>(value.getType()).getShape());
  if (ConnectionsAttr connections = getConnections(value.getType()))
    shape.back() = connections.getFanIn();
  return shape.empty() ? SmallVector<int64_t>{1} : shape;
}

/// Everything that adds to one sum runs in one stage, that of the last part.
void Lowering::joinSums(Operation *op) {
  auto last = stageOf.find(op);
  for (Value sum = accumulatorOf(op); sum;) {
    Operation *part = sum.getDefiningOp();
    auto found = part ? stageOf.find(part) : stageOf.end();
    if (found == stageOf.end())
      return;
    int level = std::max(found->second.second, last->second.second);
    found->second.second = last->second.second = level;
    sum = accumulatorOf(part);
  }
}

/// Where a sum grows: in memory that is cleared before the run, or where an earlier phase has begun it.
FailureOr<Storage> Lowering::storageOfSum(Operation *op, Value sum, Value start) {
  int unitClass = classes.getClass(sum);
  auto constant = start.getDefiningOp<arith::ConstantOp>();
  if (!constant) {
    Storage begun = storages.lookup(start);
    if (!begun.buffer || !start.hasOneUse())
      return op->emitError("adds to a value that others read, too, or that is stored nowhere");
    return begun;
  }
  auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
  if (!splat)
    return op->emitError("adds to a constant that differs from unit to unit; start from one number");
  SmallVector<int64_t> shape = storedShape(sum);
  std::reverse(shape.begin(), shape.end()); // units last, as in parameters
  BufferOp buffer = ownBuffer(op->getLoc(), layerOf(unitClass) + ".gradient", unitClass, shape,
                              shape.size() == 2 ? Layout::blocked : Layout::rows);
  buffer.setClear(true);
  buffer.setFill(splat.getSplatValue<APFloat>());
  return Storage{buffer, false, 0};
}

/// A sum of a phase without time.
LogicalResult Lowering::bindSum(Operation *op) {
  Value sum = op->getResult(0);
  FailureOr<Storage> storage = storageOfSum(op, sum, accumulatorOf(op));
  if (failed(storage))
    return failure();
  storages[sum] = *storage;
  targets[sum].push_back(*storage);
  if (batches.goesOn(sum))
    growing.insert(storage->buffer);
  return mlir::success();
}

/// A state of a scan that is a sum.
LogicalResult Lowering::bindSumState(ScanOp scan, unsigned i) {
  BlockArgument argument = scan.getStateArgs()[i];
  Value sum = scan.getYield().getStates()[i];
  FailureOr<Storage> storage = storageOfSum(scan, sum, scan.getInits()[i]);
  if (failed(storage))
    return failure();
  for (Value part = sum; part != argument;) {
    Operation *op = part.getDefiningOp();
    if (!op || !accumulatorOf(op) || !stageOf.count(op) || !part.hasOneUse())
      return scan.emitError("state ") << i << " is a sum that other operations change or read within a step";
    targets[part].push_back(*storage);
    if (part != sum)
      storages[part] = *storage;
    part = accumulatorOf(op);
  }
  store({argument, scan.getFinals()[i]}, *storage);
  if (batches.goesOn(scan.getFinals()[i]))
    growing.insert(storage->buffer);
  return mlir::success();
}
