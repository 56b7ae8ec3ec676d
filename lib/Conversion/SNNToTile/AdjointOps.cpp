// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar code of one unit of one sample for the adjoint of a neuron.
#include "ScalarMath.h"
#include "UnitStage.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

/// Does the gradient go through a reset that the compared membrane decided?
bool UnitStageEmitter::throughOwnReset(NeuronAdjointOp op) {
  return !op.getDetachReset() && op.getResetKind() != ResetKind::none &&
         (op.getOrder() == FireOrder::fire_integrate || op.getResetTime() == ResetTime::same_step);
}

/// What a reset decided by membrane p changes per spike.
Value UnitStageEmitter::resetStep(NeuronAdjointOp op, Value p, Value threshold) {
  if (op.getResetKind() != ResetKind::value)
    return threshold;
  return arith::SubFOp::create(b, b.f32(op.getVReset().convertToDouble()), p);
}

/// What every neuron of the sample gets from the penalties, before its surrogate.
Value UnitStageEmitter::emitPenalty(NeuronAdjointOp op) {
  ScalarMath math{b};
  const EventStorage list = lowering.events.lookup(op.getCompared());
  Value info = b.argument(list.info, View::broadcast, Access::read, {batch, 10});
  Value count = b.load(info, at(list.info, {sample, b.index(8)}));
  Value fires = arith::SIToFPOp::create(b, b.getF32Type(), count), sum;
  ArrayRef<float> penalties = *op.getPenalties();
  for (size_t k = 0; k < penalties.size(); k += 2) {
    Value over = math.maximum(math.sub(fires, b.f32(penalties[k + 1])), b.f32(0));
    Value term = math.mul(b.f32(penalties[k]), over);
    sum = sum ? math.add(sum, term) : term;
  }
  Value weights =
      b.argument(lowering.storages.lookup(op.getWeights()), View::broadcast, Access::read, {batch});
  return math.mul(b.load(weights, sample), sum);
}

namespace {
/// The pieces of an adjoint at one unit; see the table of snn.neuron_adjoint. What is not there is null.
struct AdjointTerms {
  Value spike; // c
  Value next;  // gv'
  Value slope; // e(p) of a reset that p decided
};
} // namespace

UnitStageEmitter::Scalars UnitStageEmitter::emitAdjoint(NeuronAdjointOp op, unsigned k) {
  ScalarMath math{b};
  Value c = chunk[k], zero = b.f32(0);
  bool listed = bool(getEvents(op.getCompared().getType())), attached = !op.getDetachReset();
  bool early = op.getOrder() == FireOrder::fire_integrate,
       same = !early && op.getResetTime() == ResetTime::same_step;
  bool value = op.getResetKind() == ResetKind::value, whole = bool(op.getUpdate());
  bool through = throughOwnReset(op);
  Value threshold = perUnit(op.getThresholds(), op.getThreshold(), c);
  auto wholeStep = [&] { return math.sub(b.f32(op.getVReset().convertToDouble()), unit(op.getUpdate(), k)); };

  AdjointTerms terms;
  if (listed) {
    terms.spike = op.getSpikeCotangent() ? b.load(scratch(op, 0), c) : Value();
    terms.slope = through ? b.load(scratch(op, 1), c) : Value();
    if (through && whole)
      terms.slope = math.mul(wholeStep(), terms.slope);
  } else {
    Value p = unit(op.getCompared(), k), surrogate;
    if (op.getSpikeCotangent() || through)
      surrogate = emitSurrogate(op, p, threshold);
    if (op.getSpikeCotangent())
      terms.spike = math.mul(graded(op, unit(op.getSpikeCotangent(), k)), surrogate);
    if (through)
      terms.slope = math.mul(whole ? wholeStep() : resetStep(op, p, threshold), surrogate);
  }
  if (op.getPenalties()) {
    Value everywhere = math.mul(emitPenalty(op), emitSurrogate(op, unit(op.getUnreset(), k), threshold));
    // Where a family's last units are missing, their slots must stay zero: weights and sums are made of them.
    if (family.getTiles() * family.getPerTile() != family.getUnits()) {
      Value number = arith::IndexCastOp::create(b, b.getI32Type(), unitNumber(c));
      Value exists = b.compare(arith::CmpIPredicate::slt, number, b.i32(int64_t(family.getUnits())));
      everywhere = arith::SelectOp::create(b, exists, everywhere, zero);
    }
    terms.spike = terms.spike ? math.add(terms.spike, everywhere) : everywhere;
  }
  terms.next = op.getNextCotangent() ? unit(op.getNextCotangent(), k) : Value();
  Value stopped; // where the reset cuts the state
  if (value)
    stopped = arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, unit(op.getFired(), k), zero);
  auto cut = [&](Value gradient) -> Value {
    return stopped ? arith::SelectOp::create(b, stopped, zero, gradient).getResult() : gradient;
  };
  auto decayed = [&](Value gradient) { return decayedBy(op, gradient, c); };
  auto total = [&](Value base, Value term) {
    return !base ? (term ? term : zero) : term ? math.add(base, term) : base;
  };
  auto withReset = [&](Value sum, Value gradient, Value slope) {
    Value term = math.mul(gradient, slope);
    return value ? math.add(sum, term) : math.sub(sum, term);
  };
  // The cotangents; `reset` adds the bracket of the table, `subtracted` is what the reset term is multiplied
  // by.
  auto results = [&](Value input, Value membrane, llvm::function_ref<Value(Value)> reset, Value subtracted) {
    Scalars all{gained(op, input), membrane};
    if (!op.getThresholdCotangent())
      return all;
    Value result = math.neg(reset(terms.spike ? terms.spike : zero));
    if (op.getResetKind() == ResetKind::subtract && subtracted)
      result = math.sub(result, math.mul(unit(op.getFired(), k), subtracted));
    all.push_back(result);
    return all;
  };
  if (early) {
    Value base = terms.next ? terms.next : zero;
    Value input = op.getResetScope() == ResetScope::whole_update ? cut(base) : base;
    auto reset = [&](Value sum) {
      return through ? withReset(sum, value && !whole ? decayed(base) : base, terms.slope) : sum;
    };
    return results(input, reset(total(cut(decayed(base)), terms.spike)), reset, terms.next);
  }
  if (same) {
    auto reset = [&](Value sum) {
      return through && terms.next ? withReset(sum, terms.next, terms.slope) : sum;
    };
    Value sum = reset(total(terms.next ? cut(terms.next) : Value(), terms.spike));
    return results(sum, decayed(sum), reset, terms.next);
  }
  Value sum = total(terms.next, terms.spike);
  Value input = op.getResetScope() == ResetScope::whole_update ? cut(sum) : sum;
  // The old membrane decided the reset.
  Value slope;
  if (attached && op.getResetKind() != ResetKind::none) {
    Value v = unit(op.getPrevious(), k);
    slope = math.mul(whole ? wholeStep() : resetStep(op, v, threshold), emitSurrogate(op, v, threshold));
  }
  auto reset = [&](Value from) {
    return slope ? withReset(from, value && !whole ? decayed(sum) : sum, slope) : from;
  };
  return results(input, reset(cut(decayed(sum))), reset, sum);
}
