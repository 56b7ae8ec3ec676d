// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The adjoints of the operations on rows viewed as features. All of them only move values or sum them.
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

using namespace mlir;
using namespace spikeloom::snn;

LogicalResult SliceOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput()))
    context.add(getInput(), PlaceOp::create(context.builder(), getLoc(), getInput().getType(),
                                            context.cotangent(getResult()), getShape(), getOffsets(),
                                            getSizes(), getStrides()));
  return success();
}

LogicalResult PlaceOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput()))
    context.add(getInput(), SliceOp::create(context.builder(), getLoc(), getInput().getType(),
                                            context.cotangent(getResult()), getShapeAttr(), getOffsetsAttr(),
                                            getSizesAttr(), getStridesAttr(), FloatAttr()));
  return success();
}

LogicalResult ConcatOp::buildAdjoint(AdjointContext &context) {
  OpBuilder &builder = context.builder();
  int64_t units = getResult().getType().getShape().back(), offset = 0;
  for (Value input : getInputs()) {
    int64_t size = cast<RankedTensorType>(input.getType()).getShape().back();
    if (context.needs(input))
      context.add(input,
                  SliceOp::create(builder, getLoc(), input.getType(), context.cotangent(getResult()),
                                  builder.getI64ArrayAttr(units), builder.getI64ArrayAttr(offset),
                                  builder.getI64ArrayAttr(size), builder.getI64ArrayAttr(1), FloatAttr()));
    offset += size;
  }
  return success();
}

LogicalResult ConvMatrixOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getWeight()))
    context.add(getWeight(),
                ConvKernelGradOp::create(context.builder(), getLoc(), getWeight().getType(),
                                         context.cotangent(getResult()), getInputAttr(), getKernelAttr(),
                                         getStridesAttr(), getPaddingAttr(), getDilationsAttr(),
                                         getGroupsAttr(), DenseI64ArrayAttr()));
  return success();
}

LogicalResult SpreadOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput()))
    context.add(getInput(), FoldOp::create(context.builder(), getLoc(), getInput().getType(),
                                           context.cotangent(getResult()), getInnerAttr()));
  return success();
}

LogicalResult FoldOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput()))
    context.add(getInput(), SpreadOp::create(context.builder(), getLoc(), getInput().getType(),
                                             context.cotangent(getResult()), getInnerAttr()));
  return success();
}

LogicalResult DropoutOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput())) {
    Value key = getKey() ? context.taped(getKey()) : Value();
    context.add(getInput(), DropoutOp::create(context.builder(), getLoc(), getInput().getType(),
                                              context.cotangent(getResult()), key, getRateAttr(),
                                              getSaltAttr(), getHoldAttr()));
  }
  return success();
}

/// Every sample adds to the sum of its unit.
LogicalResult BatchSumOp::buildAdjoint(AdjointContext &context) {
  Value gradient = context.cotangent(getResult());
  context.add(getAccumulator(), gradient);
  if (!context.needs(getValue()))
    return success();
  auto type = cast<RankedTensorType>(getValue().getType());
  if (type.getRank() != 2)
    return emitOpError("has no adjoint for a value of shape [N]");
  context.add(getValue(), BroadcastOp::create(context.builder(), getLoc(), type, gradient));
  return success();
}

LogicalResult SoftmaxOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput()))
    context.add(getInput(), SoftmaxAdjointOp::create(context.builder(), getLoc(), getInput().getType(),
                                                     context.cotangent(getResult()),
                                                     context.taped(getResult()), getLogAttr()));
  return success();
}
