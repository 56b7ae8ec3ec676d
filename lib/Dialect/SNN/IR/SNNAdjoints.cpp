// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The adjoint of every differentiable snn operation.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/IR/Surrogates.h"

using namespace mlir;
using namespace spikeloom::snn;

RankedTensorType spikeloom::snn::getCotangentType(Type type) {
  if (getConnections(type))
    return cast<RankedTensorType>(type);
  EventsAttr events = getEvents(type);
  return events ? getEventTensor(type, events.getCapacity(), false) : getDense(type);
}

static Value splat(OpBuilder &builder, Location loc, Type type, const APFloat &value) {
  return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(getDense(type), value));
}

/// `value` times a constant, nothing for the constant 1.
static Value scaled(OpBuilder &builder, Location loc, Value value, const APFloat &factor) {
  if (factor.isExactlyValue(1.0))
    return value;
  return arith::MulFOp::create(builder, loc, value, splat(builder, loc, value.getType(), factor));
}

LogicalResult LinearOp::buildAdjoint(AdjointContext &context) {
  OpBuilder &builder = context.builder();
  Location loc = getLoc();
  Value gradient = context.cotangent(getResult());
  if (context.needs(getWeight())) {
    Value input = context.taped(getInput());
    context.accumulate(getWeight(), [&](Value sum) {
      return LinearWeightGradOp::create(builder, loc, sum.getType(), gradient, input, sum);
    });
  }
  if (getBias() && context.needs(getBias()))
    context.accumulate(
        getBias(), [&](Value sum) { return BatchSumOp::create(builder, loc, sum.getType(), gradient, sum); });
  if (context.needs(getInput())) {
    Value support = getEvents(getInput().getType()) ? context.taped(getInput()) : Value();
    context.add(getInput(),
                LinearInputGradOp::create(builder, loc, getCotangentType(getInput().getType()), gradient,
                                          context.taped(getWeight()), support, DenseI64ArrayAttr()));
  }
  return success();
}

/// The gradient of a per-unit operand of a neuron or integrator: `perEntry` summed over the batch (and the
/// units).
static void addPerUnit(AdjointContext &context, Location loc, Value operand, Value perEntry) {
  context.accumulate(operand, [&](Value sum) {
    return BatchSumOp::create(context.builder(), loc, sum.getType(), perEntry, sum);
  });
}

/// The cotangent of the decay: the cotangent of the update times what the decay multiplies.
static void addDecay(AdjointContext &context, NeuronOp neuron, Value update) {
  OpBuilder &builder = context.builder();
  Location loc = neuron.getLoc();
  Value old = context.taped(neuron.getMembrane());
  if (neuron.getResetKind() == ResetKind::value && neuron.getResetScope() == ResetScope::decayed_state &&
      (neuron.getResetTime() == ResetTime::delayed || neuron.getOrder() == FireOrder::fire_integrate)) {
    Value fired = context.taped(neuron.getFired());
    Value zero = splat(builder, loc, old.getType(), APFloat(0.0f));
    Value reset = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, fired, zero);
    old = arith::SelectOp::create(builder, loc, reset, splat(builder, loc, old.getType(), neuron.getVReset()),
                                  old);
  }
  if (!neuron.getLeak().isZero())
    old = arith::SubFOp::create(builder, loc, old, splat(builder, loc, old.getType(), neuron.getLeak()));
  addPerUnit(context, loc, neuron.getDecays(), arith::MulFOp::create(builder, loc, update, old));
}

bool NeuronOp::needsFired(bool trainsThreshold) {
  return getResetKind() == ResetKind::value || (trainsThreshold && getResetKind() == ResetKind::subtract);
}

/// What a reset of the whole update replaced, computed again.
static Value replacedUpdate(AdjointContext &context, NeuronOp neuron, Value decays) {
  if (neuron.getResetScope() != ResetScope::whole_update || neuron.getDetachReset())
    return Value();
  return IntegratorOp::create(context.builder(), neuron.getLoc(), context.taped(neuron.getInput()),
                              context.taped(neuron.getMembrane()), decays, neuron.getDecayAttr(),
                              neuron.getGainAttr(), neuron.getLeakAttr());
}

LogicalResult NeuronOp::buildAdjoint(AdjointContext &context) {
  Value spikes = context.cotangent(getSpikes()), next = context.cotangent(getNext());
  OpBuilder &builder = context.builder();
  bool delayed = getOrder() == FireOrder::integrate_fire && getResetTime() == ResetTime::delayed;
  bool resets = getResetKind() != ResetKind::none;
  bool trainsThreshold = getThresholds() && context.needs(getThresholds());
  if (!spikes && !next)
    return success();
  Value fired = needsFired(trainsThreshold) ? context.taped(getFired()) : Value();
  Value previous = delayed && resets && !getDetachReset() ? context.taped(getMembrane()) : Value();
  Value unreset = getPenalties() ? context.taped(getUnreset()) : Value();
  Value weights = getPenalties() ? context.taped(getWeights()) : Value();
  Value decays = getDecays() ? context.taped(getDecays()) : Value();
  Value thresholds = getThresholds() ? context.taped(getThresholds()) : Value();
  auto adjoint = NeuronAdjointOp::create(
      builder, getLoc(), getInput().getType(), getMembrane().getType(),
      trainsThreshold ? getMembrane().getType() : Type(), spikes, next, context.taped(getCompared()), fired,
      previous, replacedUpdate(context, *this, decays), unreset, weights, decays, thresholds, getOrderAttr(),
      getResetTimeAttr(), getResetKindAttr(), getResetScopeAttr(), getCmpAttr(), getDecayAttr(),
      getGainAttr(), getThresholdAttr(), getVResetAttr(), getGradedAttr(), getSurrogateOrDefault(),
      getDetachResetAttr(), getPenaltiesAttr());
  if (Attribute layer = (*this)->getAttr(kLayerAttr))
    adjoint->setAttr(kLayerAttr, layer);
  context.add(getInput(), adjoint.getInputCotangent());
  context.add(getMembrane(), adjoint.getMembraneCotangent());
  if (trainsThreshold)
    addPerUnit(context, getLoc(), getThresholds(), adjoint.getThresholdCotangent());
  if (getDecays() && context.needs(getDecays())) {
    if (getGain().isZero())
      return emitOpError("has no adjoint for a decay that trains while attribute 'gain' is 0");
    APFloat inverse(1.0f / getGain().convertToFloat());
    addDecay(context, *this, scaled(builder, getLoc(), adjoint.getInputCotangent(), inverse));
  }
  return success();
}

LogicalResult IntegratorOp::buildAdjoint(AdjointContext &context) {
  OpBuilder &builder = context.builder();
  Location loc = getLoc();
  Value gradient = context.cotangent(getNext());
  if (context.needs(getInput()))
    context.add(getInput(), scaled(builder, loc, gradient, getGain()));
  if (context.needs(getState())) {
    if (!getDecays()) {
      context.add(getState(), scaled(builder, loc, gradient, getDecay()));
    } else {
      Value decay = context.taped(getDecays());
      Value spread = BroadcastOp::create(builder, loc, getDense(getState().getType()), decay);
      context.add(getState(), arith::MulFOp::create(builder, loc, gradient, spread));
    }
  }
  if (getDecays() && context.needs(getDecays())) {
    Value old = context.taped(getState());
    if (!getLeak().isZero())
      old = arith::SubFOp::create(builder, loc, old, splat(builder, loc, old.getType(), getLeak()));
    addPerUnit(context, loc, getDecays(), arith::MulFOp::create(builder, loc, gradient, old));
  }
  return success();
}

LogicalResult SpikeOp::buildAdjoint(AdjointContext &context) {
  OpBuilder &builder = context.builder();
  Value thresholds = getThresholds() ? context.taped(getThresholds()) : Value();
  Value compared = context.taped(getValue());
  SurrogateAttr surrogate = getSurrogate()
                                ? *getSurrogate()
                                : SurrogateAttr::get(getContext(), SurrogateKind::fast_sigmoid, {25.0});
  // A threshold of the value's own shape is no per-unit operand of a neuron: compare the difference with
  // zero.
  FloatAttr threshold = getThresholdAttr();
  if (thresholds && thresholds.getType() == compared.getType()) {
    if (readsThreshold(surrogate.getKind()))
      return emitOpError("surrogate '")
             << stringifySurrogateKind(surrogate.getKind())
             << "' depends on the threshold itself, which must have shape [N] or [] then, "
                "found "
             << thresholds.getType();
    compared = arith::SubFOp::create(builder, getLoc(), compared, thresholds);
    thresholds = Value();
    threshold = builder.getF32FloatAttr(0.0f);
  }
  // A neuron that integrates nothing and keeps nothing: its input cotangent is the surrogate's.
  auto adjoint = NeuronAdjointOp::create(
      builder, getLoc(), getValue().getType(), getValue().getType(), Type(), context.cotangent(getSpikes()),
      Value(), compared, Value(), Value(), Value(), Value(), Value(), Value(), thresholds, FireOrderAttr(),
      ResetTimeAttr(), ResetKindAttr::get(getContext(), ResetKind::none), ResetScopeAttr(), getCmpAttr(),
      FloatAttr(), FloatAttr(), threshold, FloatAttr(), FloatAttr(), surrogate, BoolAttr(),
      DenseF32ArrayAttr());
  context.add(getValue(), adjoint.getInputCotangent());
  if (getThresholds() && context.needs(getThresholds())) {
    Value negative = arith::NegFOp::create(builder, getLoc(), adjoint.getInputCotangent());
    if (getThresholds().getType() == getValue().getType())
      context.add(getThresholds(), negative);
    else
      addPerUnit(context, getLoc(), getThresholds(), negative);
  }
  return success();
}

LogicalResult CompressOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput()))
    context.add(getInput(), ExpandOp::create(context.builder(), getLoc(), getDense(getInput().getType()),
                                             context.cotangent(getResult())));
  return success();
}

LogicalResult ExpandOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput()))
    context.add(getInput(),
                RestrictOp::create(context.builder(), getLoc(), getCotangentType(getInput().getType()),
                                   context.cotangent(getResult()), context.taped(getInput())));
  return success();
}

LogicalResult BroadcastOp::buildAdjoint(AdjointContext &context) {
  if (!context.needs(getInput()))
    return success();
  if (cast<RankedTensorType>(getInput().getType()).getRank() > 1)
    return emitOpError("has no adjoint for an input of shape [B, 1]");
  addPerUnit(context, getLoc(), getInput(), context.cotangent(getResult()));
  return success();
}

/// `cotangent`, zero every `steps` steps. The cotangent of a list is made anew from what it comes from: it is
/// a sum of products with what is zero then.
static FailureOr<Value> zeroEvery(OpBuilder &builder, DetachEveryOp op, Value cotangent) {
  if (!getEvents(cotangent.getType()))
    return Value(ZeroEveryOp::create(builder, op.getLoc(), cotangent, op.getStepsAttr()));
  if (auto grad = cotangent.getDefiningOp<LinearInputGradOp>()) {
    FailureOr<Value> zeroed = zeroEvery(builder, op, grad.getGradient());
    return Value(LinearInputGradOp::create(builder, grad.getLoc(), grad.getType(), *zeroed, grad.getWeight(),
                                           grad.getSupport(), grad.getPlacementAttr()));
  }
  if (auto restrict = cotangent.getDefiningOp<RestrictOp>()) {
    FailureOr<Value> zeroed = zeroEvery(builder, op, restrict.getInput());
    return Value(
        RestrictOp::create(builder, restrict.getLoc(), restrict.getType(), *zeroed, restrict.getLike()));
  }
  if (auto sum = cotangent.getDefiningOp<AccumulateOp>()) {
    FailureOr<Value> lhs = zeroEvery(builder, op, sum.getLhs()), rhs = zeroEvery(builder, op, sum.getRhs());
    if (succeeded(lhs) && succeeded(rhs))
      return Value(AccumulateOp::create(builder, sum.getLoc(), sum.getType(), *lhs, *rhs));
  }
  return op.emitOpError("cannot cut the cotangent of a list that comes from elsewhere than synapses");
}

LogicalResult DetachEveryOp::buildAdjoint(AdjointContext &context) {
  if (!context.needs(getValue()))
    return success();
  FailureOr<Value> zeroed = zeroEvery(context.builder(), *this, context.cotangent(getResult()));
  if (failed(zeroed))
    return failure();
  context.add(getValue(), *zeroed);
  return success();
}

LogicalResult SumTimeOp::buildAdjoint(AdjointContext &context) {
  if (context.needs(getInput()))
    context.add(getInput(), RepeatTimeOp::create(context.builder(), getLoc(), getInput().getType(),
                                                 context.cotangent(getResult())));
  return success();
}
