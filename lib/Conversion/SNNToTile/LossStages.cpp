// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Losses: a stage that judges rows, each sample by one task, and stages that add up over the samples.
#include "Lowering.h"
#include "ScalarMath.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

namespace {
/// One row of logits and what a task does with it.
class RowLoss {
public:
  RowLoss(CodeletBuilder &b, int64_t classes) : b(b), math{b}, classes(classes) {}

  /// The arg-max of a row, the lowest of equals, and its value.
  std::pair<Value, Value> argMax(llvm::function_ref<Value(Value)> at) {
    Value zero = b.index(0);
    auto best =
        b.loop(b.index(1), b.index(classes), ValueRange{at(zero), zero}, [&](Value c, ValueRange old) {
          Value x = at(c);
          Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, old[0]);
          return SmallVector<Value>{arith::SelectOp::create(b, above, x, old[0]),
                                    arith::SelectOp::create(b, above, c, old[1])};
        });
    return {best[1], best[0]};
  }

  /// Softmax cross-entropy times `weight`; writes the gradient. `at` and `put` read and write the row.
  Value crossEntropy(Value label, Value weight, llvm::function_ref<Value(Value)> logit,
                     llvm::function_ref<Value(Value)> gradient, llvm::function_ref<void(Value, Value)> put) {
    Value largest = argMax(logit).second;
    Value sum = b.loop(b.index(0), b.index(classes), ValueRange{b.f32(0)}, [&](Value c, ValueRange old) {
      Value e = polynomialExp(math, math.sub(logit(c), largest));
      put(e, c);
      return SmallVector<Value>{math.add(old[0], e)};
    })[0];
    b.loop(b.index(0), b.index(classes), [&](Value c) {
      Value softmax = math.div(gradient(c), sum);
      put(math.mul(weight, math.sub(softmax, target(c, label, 1, 0))), c);
    });
    Value entropy = math.sub(math.add(polynomialLog(math, sum), largest), logit(label));
    return math.mul(weight, entropy);
  }

  Value squaredError(SquaredErrorOp op, Value label, Value weight, llvm::function_ref<Value(Value)> logit,
                     llvm::function_ref<void(Value, Value)> put) {
    float factor = op.getFactor();
    Value sum = b.loop(b.index(0), b.index(classes), ValueRange{b.f32(0)}, [&](Value c, ValueRange old) {
      Value wanted = target(c, label, op.getOn().convertToDouble(), op.getOff().convertToDouble());
      Value error = math.sub(logit(c), wanted), slope = math.mul(b.f32(2.0f * factor), error);
      put(math.mul(weight, slope), c);
      return SmallVector<Value>{math.add(old[0], math.mul(error, error))};
    })[0];
    return math.mul(weight, math.mul(b.f32(factor), sum));
  }

private:
  Value target(Value c, Value label, double on, double off) {
    Value own = b.compare(arith::CmpIPredicate::eq, c, label);
    return arith::SelectOp::create(b, own, b.f32(on), b.f32(off));
  }

  CodeletBuilder &b;
  ScalarMath math;
  int64_t classes;
};
} // namespace

/// One task's part of a loss with a row per sample, `[samples, classes]` of each step.
struct Lowering::LossParts {
  int64_t batch, classes, samples;
  FamilyOp family;
  SliceAttr rows, each; // what a task sees of [batch, classes] and of [batch]
  Storage gradient, losses, hits, sums;
};

void Lowering::emitLoss(LossOpInterface op) {
  auto type = cast<RankedTensorType>(op.getLogits().getType());
  MLIRContext *context = op->getContext();
  Type f32 = Float32Type::get(context);
  bool stepwise = type.getRank() == 3;
  LossParts parts;
  parts.batch = type.getDimSize(type.getRank() - 2), parts.classes = type.getShape().back();
  parts.samples = ceilDiv(parts.batch, std::min(parts.batch, placement.helperTiles()));
  parts.family = indexFamily("loss", ceilDiv(parts.batch, parts.samples));
  parts.rows = SliceAttr::get(context, 1, parts.samples * parts.classes, 0, {parts.samples, parts.classes});
  parts.each = SliceAttr::get(context, 1, parts.samples, 0, {parts.samples});
  auto each = [&](StringRef name, ArrayRef<int64_t> shape, SliceAttr slice) {
    return Storage{sliceBuffer(op->getLoc(), name, parts.family, shape, f32, slice, false), false, 0};
  };
  parts.gradient = {
      sliceBuffer(op->getLoc(), "loss.gradient", parts.family, type.getShape(), f32, parts.rows, stepwise),
      stepwise, 0};
  if (int unitClass = classes.getClass(op.getGradient()); unitClass >= 0)
    parts.gradient.buffer.setPitch(wholeGroups(family(unitClass), parts.classes));
  parts.losses = each("loss.samples", {parts.batch}, parts.each);
  parts.hits = each("correct.samples", {parts.batch}, parts.each);
  if (stepwise) { // added up over the steps
    parts.sums = each("loss.logits", {parts.batch, parts.classes}, parts.rows);
    parts.sums.buffer.setClear(true);
    parts.losses.buffer.setClear(true);
  }
  storages[op.getGradient()] = parts.gradient;
  emitRowLoss(op, parts, stepwise);
  if (stepwise) {
    beginPhase(op->getLoc(), "loss", 1, false);
    emitStepwiseHits(op, parts);
  }
  emitLossTotals(op, parts);
}

/// The loss of every sample in this step, and its gradient.
void Lowering::emitRowLoss(LossOpInterface op, const LossParts &parts, bool stepwise) {
  CodeletBuilder b(op->getLoc(), module, "loss_samples", parts.family);
  ScalarMath math{b};
  int64_t samples = parts.samples, count = parts.classes;
  auto rows = [&](Storage storage, Access access) {
    return b.argument(storage, View::slice, access, {samples, count}, parts.rows);
  };
  auto each = [&](Storage storage, Access access) {
    return b.argument(storage, View::slice, access, {samples}, parts.each);
  };
  Storage from = storages.lookup(op.getLogits());
  Value logits = rows(from, Access::read), out = rows(parts.gradient, Access::write);
  Value sums = stepwise ? rows(parts.sums, Access::update) : Value();
  Value labels = each(storages.lookup(op.getLabels()), Access::read);
  Value weights = each(storages.lookup(op.getWeights()), Access::read);
  Value loss = each(parts.losses, stepwise ? Access::update : Access::write);
  Value hit = stepwise ? Value() : each(parts.hits, Access::write);
  float share =
      stepwise ? 1.0f / float(cast<RankedTensorType>(op.getLogits().getType()).getDimSize(0)) : 1.0f;
  b.steps(false, [&](Value t) {
    Value present =
        b.min(b.index(samples), b.sub(b.index(parts.batch), b.mul(b.getTask(), b.index(samples))));
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = b.share(worker, kWorkers, samples);
      b.loop(range.first, b.min(range.second, present), [&](Value s) {
        RowLoss row(b, count);
        auto at = [&](const Storage &storage, Value c) {
          return storage.steps ? SmallVector<Value>{t, s, c} : SmallVector<Value>{s, c};
        };
        auto logit = [&](Value c) { return b.load(logits, at(from, c)); };
        auto gradient = [&](Value c) { return b.load(out, at(parts.gradient, c)); };
        auto put = [&](Value value, Value c) { b.store(value, out, at(parts.gradient, c)); };
        Value label = b.loadIndex(labels, s), weight = b.load(weights, s);
        if (stepwise)
          weight = math.mul(weight, b.f32(share));
        Value value = isa<CrossEntropyOp>(op)
                          ? row.crossEntropy(label, weight, logit, gradient, put)
                          : row.squaredError(cast<SquaredErrorOp>(op), label, weight, logit, put);
        if (!stepwise) {
          b.store(value, loss, s);
          return emitHit(b, row.argMax(logit).first, label, weight, hit, s);
        }
        b.store(math.add(b.load(loss, s), value), loss, s);
        b.loop(b.index(0), b.index(count),
               [&](Value c) { b.store(math.add(b.load(sums, {s, c}), logit(c)), sums, {s, c}); });
      });
    });
  });
  b.finish(stages, "loss", "loss");
}

/// 1 where a sample counts and its arg-max is the label.
void Lowering::emitHit(CodeletBuilder &b, Value best, Value label, Value weight, Value hit, Value s) {
  Value right = arith::AndIOp::create(b, b.compare(arith::CmpIPredicate::eq, best, label),
                                      arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, weight, b.f32(0)));
  b.store(arith::SelectOp::create(b, right, b.f32(1), b.f32(0)), hit, s);
}

/// Whether samples are correct by the sum of their logits over the steps.
void Lowering::emitStepwiseHits(LossOpInterface op, const LossParts &parts) {
  CodeletBuilder b(op->getLoc(), module, "loss_correct", parts.family);
  int64_t samples = parts.samples;
  Value sums = b.argument(parts.sums, View::slice, Access::read, {samples, parts.classes}, parts.rows);
  auto each = [&](Storage storage, Access access) {
    return b.argument(storage, View::slice, access, {samples}, parts.each);
  };
  Value labels = each(storages.lookup(op.getLabels()), Access::read);
  Value weights = each(storages.lookup(op.getWeights()), Access::read);
  Value hit = each(parts.hits, Access::write);
  b.steps(false, [&](Value) {
    Value present =
        b.min(b.index(samples), b.sub(b.index(parts.batch), b.mul(b.getTask(), b.index(samples))));
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = b.share(worker, kWorkers, samples);
      b.loop(range.first, b.min(range.second, present), [&](Value s) {
        Value best = RowLoss(b, parts.classes).argMax([&](Value c) { return b.load(sums, {s, c}); }).first;
        emitHit(b, best, b.loadIndex(labels, s), b.load(weights, s), hit, s);
      });
    });
  });
  b.finish(stages, "loss", "loss");
}

/// The loss and the correct samples of the batch.
void Lowering::emitLossTotals(LossOpInterface op, const LossParts &parts) {
  MLIRContext *context = op->getContext();
  FamilyOp totalFamily = indexFamily("loss.total", 1);
  auto whole = SliceAttr::get(context, 1, 0, 0, {1});
  for (auto [from, value, name] : {std::tuple<Storage, Value, StringRef>{parts.losses, op.getLoss(), "loss"},
                                   {parts.hits, op.getCorrect(), "correct"}}) {
    Storage total{sliceBuffer(op->getLoc(), name, totalFamily, {1}, Float32Type::get(context), whole, false),
                  false, 0};
    storages[value] = total;
    CodeletBuilder b(op->getLoc(), module, name.str() + "_total", totalFamily);
    Value in = b.argument(from, View::broadcast, Access::read, {parts.batch});
    Value out = b.argument(total, View::slice, Access::write, {1}, whole);
    b.steps(false, [&](Value) {
      Value sum =
          b.loop(b.index(0), b.index(parts.batch), ValueRange{b.f32(0)}, [&](Value s, ValueRange old) {
            return SmallVector<Value>{arith::AddFOp::create(b, old[0], b.load(in, s))};
          })[0];
      b.store(sum, out, b.index(0));
    });
    b.finish(stages, "loss", "loss");
  }
}
