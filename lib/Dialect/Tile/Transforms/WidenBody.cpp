// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Widening: values and elementwise operations.
#include "Widener.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace spikeloom::tile;

Value Widener::splat(Location loc, Value value) {
  return vector::BroadcastOp::create(builder, loc, vectorOf(value.getType()), value);
}

Value Widener::laneNumbers(Location loc) {
  return vector::StepOp::create(builder, loc, vectorOf(builder.getIndexType()));
}

Value Widener::allLanes(Location loc, bool active) {
  auto type = vectorOf(builder.getI1Type());
  return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, active));
}

Value Widener::scalar(Value value) {
  Value copy = map.lookup(value);
  if (lane && value == taskOf(codelet))
    return arith::AddIOp::create(builder, value.getLoc(), copy, lane);
  if (lane && isa<VectorType>(copy.getType()))
    return vector::ExtractOp::create(builder, value.getLoc(), copy, OpFoldResult(lane));
  return copy;
}

Value Widener::vector(Value value) {
  Value copy = map.lookup(value);
  if (isa<VectorType>(copy.getType()))
    return copy;
  Value wide = splat(value.getLoc(), copy);
  // The argument is the first tile of the group.
  if (value == taskOf(codelet))
    return arith::AddIOp::create(builder, value.getLoc(), wide, laneNumbers(value.getLoc()));
  return wide;
}

LogicalResult Widener::copyBody(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(copyOp(op)))
      return failure();
  return success();
}

LogicalResult Widener::copyOp(Operation &op) {
  if (&op == known)
    return success();
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return isMadeOfParts(loop) ? copyParts(loop) : copyLoop(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return copyBranch(branch);
  if (auto workers = dyn_cast<WorkersOp>(op))
    return copyWorkers(workers);
  if (auto entries = dyn_cast<OwnEntriesOp>(op))
    return copyEntries(entries);
  if (auto alloca = dyn_cast<memref::AllocaOp>(op))
    return copyAlloca(alloca);
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return copyLoad(load);
  if (auto store = dyn_cast<memref::StoreOp>(op))
    return copyStore(store);
  if (op.getNumRegions() != 0 || (!isMemoryEffectFree(&op)))
    return op.emitOpError(
        "cannot be widened: codelets consist of scf.for, scf.if, memref.load, memref.store, "
        "memref.alloca, arithmetic, tile.workers and tile.own_entries");
  if (llvm::any_of(op.getResults(), [&](Value v) { return isVarying(v); }))
    return copyElementwise(op);
  return copyPlain(op);
}

LogicalResult Widener::copyPlain(Operation &op) {
  SmallVector<Value> operands = scalars(op.getOperands());
  Operation *copy = builder.clone(op);
  copy->setOperands(operands);
  map.map(op.getResults(), copy->getResults());
  return success();
}

LogicalResult Widener::copyElementwise(Operation &op) {
  if (!OpTrait::hasElementwiseMappableTraits(&op))
    return op.emitOpError("cannot be widened: it does not work element by element");
  Location loc = op.getLoc();
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(vector(operand));
  // Lanes that are not here, or that no tile belongs to, must not divide integers by zero.
  if (isa<arith::DivUIOp, arith::DivSIOp, arith::RemUIOp, arith::RemSIOp, arith::FloorDivSIOp,
          arith::CeilDivSIOp, arith::CeilDivUIOp>(op) &&
      isVarying(op.getOperand(1))) {
    auto type = cast<VectorType>(operands[1].getType());
    Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    Value one =
        splat(loc, arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type.getElementType(), 1)));
    Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, operands[1], zero);
    operands[1] = arith::SelectOp::create(builder, loc, isZero, one, operands[1]);
  }
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    types.push_back(vectorOf(type));
  OperationState state(loc, op.getName(), operands, types, op.getAttrs());
  map.map(op.getResults(), builder.create(state)->getResults());
  return success();
}
