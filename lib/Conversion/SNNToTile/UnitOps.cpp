// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar code of one unit of one sample for every operation that works unit by unit.
#include "ScalarMath.h"
#include "UnitStage.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "spikeloom/Dialect/SNN/IR/Surrogates.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// A value of this sample at unit c of the tile, from where it is stored.
Value UnitStageEmitter::loadOwn(Value value, Value c) {
  Storage storage = lowering.storages.lookup(value);
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  if (rank == 0 && storage.buffer.getFamily() != family.getResult()) // made by a helper
    return perUnit(value, APFloat(0.0f), c);
  return b.load(ownArgument(storage, Access::read),
                at(storage, rank < 2 ? SmallVector<Value>{c} : SmallVector<Value>{sample, c}));
}

/// A value at the k-th unit in registers.
Value UnitStageEmitter::unit(Value value, unsigned k) {
  if (auto found = current.find(value); found != current.end())
    return found->second[k];
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    return b.f32(cast<DenseElementsAttr>(constant.getValue()).getSplatValue<APFloat>().convertToDouble());
  Value &known = loaded[{value, k}];
  if (!known)
    known = loadOwn(value, chunk[k]);
  return known;
}

/// A per-unit parameter ([N] or []), or the attribute that stands for it.
Value UnitStageEmitter::perUnit(Value parameter, const APFloat &otherwise, Value c) {
  if (!parameter)
    return b.f32(otherwise.convertToDouble());
  if (auto constant = parameter.getDefiningOp<arith::ConstantOp>())
    return b.f32(cast<DenseElementsAttr>(constant.getValue()).getSplatValue<APFloat>().convertToDouble());
  Storage storage = lowering.storages.lookup(parameter);
  if (cast<RankedTensorType>(parameter.getType()).getRank() == 0)
    return b.load(b.argument(storage, View::broadcast, Access::read, {1}), at(storage, {b.index(0)}));
  return b.load(ownArgument(storage, Access::read), at(storage, {c}));
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

static Value scaled(CodeletBuilder &b, const APFloat &factor, Value value) {
  if (factor.isExactlyValue(1.0))
    return value;
  return arith::MulFOp::create(b, b.f32(factor.convertToDouble()), value);
}

Value UnitStageEmitter::graded(NeuronAdjointOp op, Value value) { return scaled(b, op.getGraded(), value); }
Value UnitStageEmitter::gained(NeuronAdjointOp op, Value value) { return scaled(b, op.getGain(), value); }
Value UnitStageEmitter::decayedBy(NeuronAdjointOp op, Value value, Value c) {
  if (!op.getDecays())
    return scaled(b, op.getDecay(), value);
  return arith::MulFOp::create(b, perUnit(op.getDecays(), op.getDecay(), c), value);
}

Value UnitStageEmitter::emitCompare(Comparison cmp, Value x, Value y) {
  auto predicate = cmp == Comparison::gt ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OGE;
  return arith::CmpFOp::create(b, predicate, x, y);
}

/// The surrogate derivative at membrane v; see #snn.surrogate.
Value UnitStageEmitter::emitSurrogate(NeuronAdjointOp op, Value v, Value threshold) {
  ScalarMath math{b};
  return surrogateDerivative(math, op.getSurrogate(), op.getCmp() == Comparison::ge, v, threshold);
}

UnitStageEmitter::Scalars UnitStageEmitter::emitNeuron(NeuronOp op, unsigned k) {
  Value c = chunk[k], x = unit(op.getInput(), k), v = unit(op.getMembrane(), k);
  Value threshold = perUnit(op.getThresholds(), op.getThreshold(), c), zero = b.f32(0), one = b.f32(1);
  auto add = [&](Value p, Value q) -> Value { return arith::AddFOp::create(b, p, q); };
  auto subtract = [&](Value p, Value q) -> Value { return arith::SubFOp::create(b, p, q); };
  auto multiply = [&](Value p, Value q) -> Value { return arith::MulFOp::create(b, p, q); };
  auto choose = [&](Value cond, Value p, Value q) -> Value { return arith::SelectOp::create(b, cond, p, q); };
  auto decayed = [&](Value value) {
    return op.getDecays() ? multiply(perUnit(op.getDecays(), op.getDecay(), c), value)
                          : scaled(b, op.getDecay(), value);
  };
  auto integrate = [&](Value from) {
    Value sum = add(decayed(from), scaled(b, op.getGain(), x));
    if (op.getLeak().isZero())
      return sum;
    Value decay = perUnit(op.getDecays(), op.getDecay(), c);
    return add(sum, multiply(subtract(one, decay), b.f32(op.getLeak().convertToDouble())));
  };
  Value resetTo = b.f32(op.getVReset().convertToDouble());
  bool early = op.getOrder() == FireOrder::fire_integrate,
       same = !early && op.getResetTime() == ResetTime::same_step;
  Value next, compared, fired, reset;
  if (same) {
    compared = integrate(v);
    fired = reset = emitCompare(op.getCmp(), compared, threshold);
    next = compared;
    if (op.getResetKind() == ResetKind::subtract)
      next = subtract(compared, multiply(choose(fired, one, zero), threshold));
    else if (op.getResetKind() == ResetKind::value)
      next = choose(fired, resetTo, compared);
  } else {
    reset = emitCompare(op.getCmp(), v, threshold);
    if (op.getResetKind() == ResetKind::value && op.getResetScope() == ResetScope::decayed_state) {
      next = integrate(choose(reset, resetTo, v));
    } else {
      next = integrate(v);
      if (op.getResetKind() == ResetKind::value)
        next = choose(reset, resetTo, next);
      else if (op.getResetKind() == ResetKind::subtract)
        next = subtract(next, multiply(choose(reset, one, zero), threshold));
    }
    compared = early ? v : next;
    fired = early ? reset : emitCompare(op.getCmp(), next, threshold);
  }
  Value spikes = choose(fired, b.f32(op.getGraded().convertToDouble()), zero);
  return {spikes, next, compared, choose(reset, one, zero), compared};
}

//===----------------------------------------------------------------------===//
// List entries
//===----------------------------------------------------------------------===//

/// The cotangent at position j of the list, whose unit is c.
Value UnitStageEmitter::cotangentAt(Value cotangent, Value j, Value c) {
  if (auto sum = cotangent.getDefiningOp<AccumulateOp>())
    return arith::AddFOp::create(b, cotangentAt(sum.getLhs(), j, c), cotangentAt(sum.getRhs(), j, c));
  if (auto restrict = cotangent.getDefiningOp<RestrictOp>())
    return loadOwn(restrict.getInput(), c);
  if (!getEvents(cotangent.getType()))
    return loadOwn(cotangent, c);
  const EventStorage list = lowering.events.lookup(cotangent);
  Value payload = b.argument(list.payload, View::broadcast, Access::read, {batch, list.capacity});
  return b.load(payload, at(list.payload, {sample, j}));
}

static void forOwnEntries(CodeletBuilder &b, FamilyOp family, Value ids, ValueRange row, Value n0, Value n1,
                          llvm::function_ref<void(Value, Value)> body) {
  auto entries =
      OwnEntriesOp::create(b, ids, row, n0, n1, b.getTask(), family.getGroup(), family.getPerTile());
  OpBuilder::InsertionGuard guard(b);
  Type index = b.getIndexType();
  Block *block = b.createBlock(&entries.getBody(), {}, {index, index}, {b.getLoc(), b.getLoc()});
  b.setInsertionPointToStart(block);
  body(block->getArgument(0), block->getArgument(1));
  EndOp::create(b);
}

void UnitStageEmitter::emitEntries(NeuronAdjointOp op) {
  bool through = throughOwnReset(op);
  if (!op.getSpikeCotangent() && !through)
    return;
  const EventStorage list = lowering.events.lookup(op.getCompared());
  Value ids = b.argument(list.ids, View::broadcast, Access::read, {batch, list.capacity});
  Value payload = b.argument(list.payload, View::broadcast, Access::read, {batch, list.capacity});
  b.loop(b.index(0), b.index(perTile), [&](Value c) {
    b.store(b.f32(0), scratch(op, 0), c);
    if (through)
      b.store(b.f32(0), scratch(op, 1), c);
  });
  forOwnEntries(b, family, ids, at(list.ids, {sample}), listLength(list, false), listLength(list, true),
                [&](Value j, Value c) {
                  Value p = b.load(payload, at(list.payload, {sample, j}));
                  Value threshold = perUnit(op.getThresholds(), op.getThreshold(), c);
                  Value surrogate = emitSurrogate(op, p, threshold);
                  if (op.getSpikeCotangent()) {
                    Value spike = scaled(b, op.getGraded(), cotangentAt(op.getSpikeCotangent(), j, c));
                    b.store(arith::MulFOp::create(b, spike, surrogate), scratch(op, 0), c);
                  }
                  if (!through)
                    return;
                  // With a reset of the whole update the step is known where the unit is gone through.
                  Value step = op.getUpdate() ? Value() : resetStep(op, p, threshold);
                  b.store(step ? arith::MulFOp::create(b, step, surrogate).getResult() : surrogate,
                          scratch(op, 1), c);
                });
}

void UnitStageEmitter::emitEntries(ExpandOp op) {
  const EventStorage list = lowering.events.lookup(op.getInput());
  Value ids = b.argument(list.ids, View::broadcast, Access::read, {batch, list.capacity});
  b.loop(b.index(0), b.index(perTile), [&](Value c) { b.store(b.f32(0), scratch(op, 0), c); });
  Value n0 = listLength(list, false), n1 = list.spike ? n0 : listLength(list, true);
  forOwnEntries(b, family, ids, at(list.ids, {sample}), n0, n1, [&](Value j, Value c) {
    Value spike = spikeAt(list, sample, j);
    b.store(spike ? spike : b.f32(1), scratch(op, 0), c);
  });
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

void UnitStageEmitter::emitLinear(LinearOp op) {
  if (getConnections(op.getWeight().getType()))
    return emitConnectedLinear(op);
  int64_t in = cast<RankedTensorType>(op.getWeight().getType()).getDimSize(1);
  Value w = ownArgument(lowering.storages.lookup(op.getWeight()), Access::read);
  SmallVector<Value> sums(chunk.size(), b.f32(0));
  auto gather = [&](Value id, Value factor, ValueRange old) {
    SmallVector<Value> next;
    for (auto [c, sum] : llvm::zip(chunk, old)) {
      Value term = b.load(w, {id, c});
      if (factor)
        term = arith::MulFOp::create(b, factor, term);
      next.push_back(arith::AddFOp::create(b, sum, term));
    }
    return next;
  };
  if (getEvents(op.getInput().getType())) {
    const EventStorage list = lowering.events.lookup(op.getInput());
    Value ids = b.argument(list.ids, View::broadcast, Access::read, {batch, list.capacity});
    sums = b.loop(b.index(0), listLength(list, false), sums, [&](Value j, ValueRange old) {
      Value id = b.loadIndex(ids, at(list.ids, {sample, j}));
      return gather(id, spikeAt(list, sample, j), old);
    });
  } else {
    Storage dense = lowering.storages.lookup(op.getInput());
    Value x = b.argument(dense, View::broadcast, Access::read, {batch, in});
    sums = b.loop(b.index(0), b.index(in), sums,
                  [&](Value i, ValueRange old) { return gather(i, b.load(x, at(dense, {sample, i})), old); });
  }
  if (op.getBias())
    for (auto [c, sum] : llvm::zip(chunk, sums))
      sum = arith::AddFOp::create(b, sum, perUnit(op.getBias(), APFloat(0.0f), c));
  current[op.getResult()] = Scalars(sums.begin(), sums.end());
}

/// How many thresholds a value holds, at most `most` (0: any number).
static Value spikeCount(ScalarMath &math, Value value, Value threshold, int64_t most) {
  Value zero = math.constant(0);
  Value count = math.selectLess(zero, value, math.floor(math.div(value, threshold)), zero);
  Value limit = math.constant(float(most));
  return most ? math.selectLess(limit, count, limit, count) : count;
}

void UnitStageEmitter::emitOp(Operation *op) {
  if (auto linear = dyn_cast<LinearOp>(op))
    return emitLinear(linear);
  SmallVector<Scalars> results(op->getNumResults());
  ScalarMath math{b};
  for (unsigned k = 0; k < chunk.size(); ++k) {
    Scalars values =
        TypeSwitch<Operation *, Scalars>(op)
            .Case([&](NeuronOp neuron) {
              Scalars all = emitNeuron(neuron, k); // spikes, next, compared, fired, unreset
              if (Storage compared = lowering.comparedOf.lookup(op); compared.buffer)
                b.store(all[2], ownArgument(compared, Access::write), at(compared, {sample, chunk[k]}));
              Scalars present{all[0], all[1]};
              if (neuron.getCompared())
                present.push_back(all[2]);
              if (neuron.getFired())
                present.push_back(all[3]);
              if (neuron.getUnreset())
                present.push_back(all[4]);
              return present;
            })
            .Case([&](NeuronAdjointOp adjoint) { return emitAdjoint(adjoint, k); })
            .Case([&](IntegratorOp integrator) {
              Value state = unit(integrator.getState(), k);
              Value decayed =
                  integrator.getDecays()
                      ? arith::MulFOp::create(
                            b, perUnit(integrator.getDecays(), integrator.getDecay(), chunk[k]), state)
                            .getResult()
                      : scaled(b, integrator.getDecay(), state);
              Value sum = arith::AddFOp::create(
                  b, decayed, scaled(b, integrator.getGain(), unit(integrator.getInput(), k)));
              if (!integrator.getLeak().isZero()) {
                Value rest = arith::SubFOp::create(
                    b, b.f32(1), perUnit(integrator.getDecays(), integrator.getDecay(), chunk[k]));
                sum = arith::AddFOp::create(
                    b, sum, arith::MulFOp::create(b, rest, b.f32(integrator.getLeak().convertToDouble())));
              }
              return Scalars{sum};
            })
            .Case([&](SpikeOp spike) {
              Value thresholds = spike.getThresholds();
              Value threshold = thresholds && thresholds.getType() == spike.getValue().getType()
                                    ? unit(thresholds, k)
                                    : perUnit(thresholds, spike.getThreshold(), chunk[k]);
              if (spike.getMaxSpikes())
                return Scalars{spikeCount(math, unit(spike.getValue(), k), threshold, *spike.getMaxSpikes())};
              Value fires = emitCompare(spike.getCmp(), unit(spike.getValue(), k), threshold);
              return Scalars{arith::SelectOp::create(b, fires, b.f32(1), b.f32(0))};
            })
            .Case([&](ZeroEveryOp every) {
              return Scalars{arith::SelectOp::create(b, zeroNow(every), b.f32(0), unit(every.getValue(), k))};
            })
            .Case([&](ExpandOp) { return Scalars{b.load(scratch(op, 0), chunk[k])}; })
            .Case([&](BroadcastOp broadcast) {
              Value input = broadcast.getInput();
              if (cast<RankedTensorType>(input.getType()).getRank() < 2)
                return Scalars{perUnit(input, APFloat(0.0f), chunk[k])};
              Storage storage = lowering.storages.lookup(input);
              Value column = b.argument(storage, View::broadcast, Access::read, {batch, 1});
              return Scalars{b.load(column, at(storage, {sample, b.index(0)}))};
            })
            .Case([&](DropoutOp dropout) { return Scalars{emitDropout(dropout, k)}; })
            .Case([&](math::ExpOp exp) { return Scalars{polynomialExp(math, unit(exp.getOperand(), k))}; })
            .Case([&](math::LogOp log) { return Scalars{polynomialLog(math, unit(log.getOperand(), k))}; })
            .Case(
                [&](math::TanhOp tanh) { return Scalars{polynomialTanh(math, unit(tanh.getOperand(), k))}; })
            .Case([&](math::CeilOp ceil) {
              return Scalars{math.neg(math.floor(math.neg(unit(ceil.getOperand(), k))))};
            })
            .Default([&](Operation *elementwise) {
              // arith and math: the same operation on scalars.
              OperationState state(b.getLoc(), elementwise->getName());
              for (Value operand : elementwise->getOperands())
                state.addOperands(unit(operand, k));
              for (Type type : elementwise->getResultTypes())
                state.addTypes(cast<RankedTensorType>(type).getElementType());
              state.addAttributes(SmallVector<NamedAttribute>(elementwise->getDiscardableAttrs()));
              state.propertiesAttr = elementwise->getPropertiesAsAttribute();
              return Scalars(b.create(state)->getResults());
            });
    for (auto [result, value] : llvm::zip(results, values))
      result.push_back(value);
  }
  for (auto [value, scalars] : llvm::zip(op->getResults(), results))
    if (!getEvents(value.getType()))
      current[value] = scalars;
}
