// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The adjoint of every differentiable snn operation.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

using namespace mlir;
using namespace spikeloom::snn;

using Taped = llvm::function_ref<Value(Value)>;

static Value zeros(OpBuilder &builder, Location loc, Type type) {
  return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(getDense(type)));
}

/// The type of the cotangent of `value`: dense, or events with its support and a payload.
static RankedTensorType cotangentType(Value value) {
  EventsAttr events = getEvents(value.getType());
  return events ? getEventTensor(value.getType(), events.getCapacity(), false) : getDense(value.getType());
}

SmallVector<Value> LinearOp::buildAdjoint(OpBuilder &builder, ValueRange cotangents, Taped taped) {
  Value gradient = cotangents[0];
  if (!gradient)
    return {nullptr, nullptr, nullptr};
  Location loc = getLoc();
  Value input = taped(getInput());
  Value support = getEvents(input.getType()) ? input : Value();
  Value inputGrad = LinearInputGradOp::create(builder, loc, cotangentType(getInput()), gradient, getWeight(), support,
                                              DenseI64ArrayAttr());
  Value weightGrad = LinearWeightGradOp::create(builder, loc, getWeight().getType(), gradient, input,
                                                zeros(builder, loc, getWeight().getType()));
  if (!getBias())
    return {inputGrad, weightGrad};
  Value biasGrad = BatchSumOp::create(builder, loc, getBias().getType(), gradient,
                                      zeros(builder, loc, getBias().getType()));
  return {inputGrad, weightGrad, biasGrad};
}

SmallVector<Value> NeuronOp::buildAdjoint(OpBuilder &builder, ValueRange cotangents, Taped taped) {
  SmallVector<Value> result(getNumOperands());
  if (!cotangents[0] && !cotangents[1])
    return result;
  Value fired = getFired() ? taped(getFired()) : Value();
  auto adjoint = NeuronAdjointOp::create(builder, getLoc(), getInput().getType(), getMembrane().getType(), cotangents[0],
                                         cotangents[1], taped(getCompared()), fired, getDecays(), getThresholds(),
                                         getOrderAttr(), getResetTimeAttr(), getResetKindAttr(), getResetScopeAttr(),
                                         getCmpAttr(), getDecayAttr(), getGainAttr(), getThresholdAttr(),
                                         getVResetAttr(), getGradedAttr(), getSurrogateOrDefault(),
                                         getDetachResetAttr());
  result[0] = adjoint.getInputCotangent();
  result[1] = adjoint.getMembraneCotangent();
  return result;
}

SmallVector<Value> IntegratorOp::buildAdjoint(OpBuilder &builder, ValueRange cotangents, Taped) {
  SmallVector<Value> result(getNumOperands());
  Value gradient = cotangents[0];
  if (!gradient)
    return result;
  Location loc = getLoc();
  auto scaled = [&](Value factor) { return arith::MulFOp::create(builder, loc, gradient, factor).getResult(); };
  auto splat = [&](APFloat factor) {
    return arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(getDense(getInput().getType()), factor));
  };
  result[0] = getGain().isExactlyValue(1.0) ? gradient : scaled(splat(getGain()));
  if (getDecays())
    result[1] = scaled(BroadcastOp::create(builder, loc, getDense(getState().getType()), getDecays()));
  else
    result[1] = getDecay().isExactlyValue(1.0) ? gradient : scaled(splat(getDecay()));
  return result;
}

SmallVector<Value> SpikeOp::buildAdjoint(OpBuilder &builder, ValueRange cotangents, Taped taped) {
  SmallVector<Value> result(getNumOperands());
  if (!cotangents[0])
    return result;
  SurrogateAttr surrogate =
      getSurrogate() ? *getSurrogate() : SurrogateAttr::get(getContext(), SurrogateKind::fast_sigmoid, 25.0);
  // A neuron that integrates nothing and keeps nothing: its input cotangent is the surrogate's.
  auto adjoint = NeuronAdjointOp::create(
      builder, getLoc(), getValue().getType(), getValue().getType(), cotangents[0], Value(), taped(getValue()), Value(),
      Value(), getThresholds(), FireOrderAttr(), ResetTimeAttr(),
      ResetKindAttr::get(getContext(), ResetKind::none), ResetScopeAttr(), getCmpAttr(), FloatAttr(), FloatAttr(),
      getThresholdAttr(), FloatAttr(), FloatAttr(), surrogate, BoolAttr());
  result[0] = adjoint.getInputCotangent();
  return result;
}

SmallVector<Value> CompressOp::buildAdjoint(OpBuilder &builder, ValueRange cotangents, Taped) {
  if (!cotangents[0])
    return {nullptr};
  return {ExpandOp::create(builder, getLoc(), getDense(getInput().getType()), cotangents[0]).getResult()};
}

SmallVector<Value> ExpandOp::buildAdjoint(OpBuilder &builder, ValueRange cotangents, Taped taped) {
  if (!cotangents[0])
    return {nullptr};
  return {RestrictOp::create(builder, getLoc(), cotangentType(getInput()), cotangents[0], taped(getInput()))
              .getResult()};
}

SmallVector<Value> BroadcastOp::buildAdjoint(OpBuilder &builder, ValueRange cotangents, Taped) {
  if (!cotangents[0] || cast<RankedTensorType>(getInput().getType()).getRank() != 1)
    return {nullptr};
  return {BatchSumOp::create(builder, getLoc(), getInput().getType(), cotangents[0],
                             zeros(builder, getLoc(), getInput().getType()))
              .getResult()};
}

SmallVector<Value> SumTimeOp::buildAdjoint(OpBuilder &builder, ValueRange cotangents, Taped) {
  if (!cotangents[0])
    return {nullptr};
  return {RepeatTimeOp::create(builder, getLoc(), getInput().getType(), cotangents[0]).getResult()};
}
