// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Losses, clipping and optimisers.
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "spikeloom/Support/Polynomials.h"
#include "spikeloom/Support/UpdateRules.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

namespace {
struct LossResults {
  Tensor loss{std::vector<int64_t>{}}, correct{std::vector<int64_t>{}}, gradient;
};
} // namespace

static int64_t argMax(const float *x, int64_t count) {
  int64_t best = 0;
  for (int64_t c = 1; c < count; ++c)
    if (x[c] > x[best])
      best = c;
  return best;
}

/// The cross-entropy of one row times `weight`; its gradient goes to `g`.
static float crossEntropy(const float *x, int64_t classes, int64_t label, float weight, float *g) {
  spikeloom::FloatOps math;
  float largest = x[argMax(x, classes)], sum = 0.0f;
  for (int64_t c = 0; c < classes; ++c) {
    g[c] = spikeloom::polynomialExp(math, x[c] - largest);
    sum += g[c];
  }
  for (int64_t c = 0; c < classes; ++c) {
    float softmax = g[c] / sum, error = softmax - (c == label ? 1.0f : 0.0f);
    g[c] = weight * error;
  }
  float entropy = (spikeloom::polynomialLog(math, sum) + largest) - x[label];
  return weight * entropy;
}

static float squaredError(SquaredErrorOp op, const float *x, int64_t classes, int64_t label, float weight,
                          float *g) {
  float on = op.getOn().convertToFloat(), off = op.getOff().convertToFloat(), factor = op.getFactor();
  float sum = 0.0f;
  for (int64_t c = 0; c < classes; ++c) {
    float error = x[c] - (c == label ? on : off), slope = (2.0f * factor) * error;
    float square = error * error;
    sum += square;
    g[c] = weight * slope;
  }
  float mean = factor * sum;
  return weight * mean;
}

static FailureOr<LossResults> lossOf(LossOpInterface op, const Tensor &logits, const Tensor &labels,
                                     const Tensor &weights) {
  LossResults results;
  results.gradient = Tensor(logits.shape);
  int64_t classes = logits.units(), batch = labels.elements(), steps = logits.numRows() / batch;
  for (int64_t b = 0; b < batch; ++b) {
    int64_t label = int64_t(labels.data[b]);
    if (label < 0 || label >= classes) {
      op.emitOpError("label ") << label << " of sample " << b << " is not one of the " << classes
                               << " classes";
      return failure();
    }
    float weight = weights.data[b], loss = 0.0f;
    if (logits.shape.size() == 3)
      weight = weight * (1.0f / float(steps));
    std::vector<float> sums(classes);
    for (int64_t t = 0; t < steps; ++t) {
      const float *x = logits.row(t * batch + b);
      float *g = results.gradient.row(t * batch + b);
      float share = isa<CrossEntropyOp>(op)
                        ? crossEntropy(x, classes, label, weight, g)
                        : squaredError(cast<SquaredErrorOp>(op), x, classes, label, weight, g);
      loss += share;
      for (int64_t c = 0; c < classes; ++c)
        sums[c] += x[c];
    }
    results.loss.data[0] += loss;
    results.correct.data[0] += argMax(sums.data(), classes) == label && weight > 0.0f ? 1.0f : 0.0f;
  }
  return results;
}

/// The sum of the squares of a gradient, in the order that snn.clip_by_norm states.
static float squares(const Tensor &gradient) {
  int64_t units = gradient.shape.empty() ? 1 : gradient.shape.front(), inputs = gradient.elements() / units;
  int64_t parts = gradient.shape.size() < 2 ? 1 : ClipByNormOp::kParts;
  float total = 0.0f;
  for (int64_t n = 0; n < units; ++n) {
    float unit = 0.0f;
    for (int64_t k = 0; k < parts; ++k) {
      float part = 0.0f;
      for (int64_t i = k * inputs / parts; i < (k + 1) * inputs / parts; ++i) {
        float g = gradient.data[n * inputs + i], square = g * g;
        part += square;
      }
      unit = k == 0 ? part : unit + part;
    }
    total += unit;
  }
  return total;
}

/// The values at the connections alone, a row for each output; 0 behind the last.
static Tensor atConnections(const Tensor &dense, ConnectionsAttr connections) {
  Tensor values({dense.shape[0], connections.getFanIn()});
  for (auto [o, list] : llvm::enumerate(connections.getLists()))
    for (auto [j, i] : llvm::enumerate(list))
      values.row(o)[j] = dense.row(o)[i];
  return values;
}

static std::pair<float, float> normAndFactor(ArrayRef<float> sums, float limit) {
  float total = 0.0f;
  for (auto [k, sum] : llvm::enumerate(sums))
    total = k == 0 ? sum : total + sum;
  float norm = std::sqrt(total), bounded = norm + 1e-6f, factor = limit / bounded;
  return {norm, factor < 1.0f ? factor : 1.0f};
}

namespace {
/// A parameter and its optimiser's states, changed in place.
struct Updated {
  Tensor parameter;
  std::vector<Tensor> states;
};
} // namespace

static spikeloom::Decay decayOf(WeightDecay decay) { return spikeloom::Decay(int(decay)); }

static Updated update(OptimizerOpInterface op, Updated old, const Tensor &gradient, const Tensor *scale,
                      const Tensor &hyper) {
  spikeloom::FloatOps math;
  spikeloom::HyperFactors<spikeloom::FloatOps> h{hyper.data[0], hyper.data[1], hyper.data[2], hyper.data[3]};
  auto sgd = dyn_cast<SgdOp>(op.getOperation());
  auto adam = dyn_cast<AdamOp>(op.getOperation());
  std::optional<APFloat> clip = sgd ? sgd.getClip() : adam.getClip();
  spikeloom::Decay decay = decayOf(sgd ? sgd.getDecay() : adam.getDecay());
  std::optional<float> factor = scale ? std::optional<float>(scale->data[0]) : std::nullopt;
  std::optional<float> limit = clip ? std::optional<float>(clip->convertToFloat()) : std::nullopt;
  for (size_t i = 0; i < gradient.data.size(); ++i) {
    float &p = old.parameter.data[i];
    float g = spikeloom::effectiveGradient(math, gradient.data[i], p, factor, limit, decay, h);
    if (adam) {
      spikeloom::adamStep(math, g, adam.getBeta1().convertToFloat(), adam.getBeta2().convertToFloat(),
                          adam.getEpsilon().convertToFloat(), decay, h, old.states[0].data[i],
                          old.states[1].data[i], p);
    } else {
      float none = 0.0f;
      spikeloom::sgdStep(math, g, !old.states.empty(), sgd.getNesterov(), h,
                         old.states.empty() ? none : old.states[0].data[i], p);
    }
  }
  return old;
}

LogicalResult Interpreter::evaluateTraining(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](LossOpInterface o) -> LogicalResult {
        FailureOr<LossResults> results =
            lossOf(o, valueOf(o.getLogits()), valueOf(o.getLabels()), valueOf(o.getWeights()));
        // The message is out; what follows sees zeros and the run fails at its end.
        checksFailed |= failed(results);
        LossResults values = succeeded(results) ? std::move(*results) : LossResults();
        values.gradient.shape = cast<RankedTensorType>(o.getGradient().getType()).getShape().vec();
        values.gradient.data.resize(values.gradient.elements());
        set(o.getLoss(), std::move(values.loss));
        set(o.getGradient(), std::move(values.gradient));
        set(o.getCorrect(), std::move(values.correct));
        return success();
      })
      .Case([&](DetachEveryOp o) {
        values[o.getResult()] = values.lookup(o.getValue());
        return success();
      })
      .Case([&](ZeroEveryOp o) {
        bool zero = currentStep % o.getSteps() == 0;
        set(o.getResult(), zero ? Tensor(valueOf(o.getValue()).shape) : valueOf(o.getValue()));
        return success();
      })
      .Case([&](ClipByNormOp o) {
        SmallVector<float> sums;
        for (Value gradient : o.getGradients()) {
          ConnectionsAttr connections = getConnections(gradient.getType());
          sums.push_back(
              squares(connections ? atConnections(valueOf(gradient), connections) : valueOf(gradient)));
        }
        auto [norm, factor] = normAndFactor(sums, o.getLimit().convertToFloat());
        Tensor scalar{std::vector<int64_t>{}};
        scalar.data[0] = norm;
        set(o.getNorm(), scalar);
        scalar.data[0] = factor;
        set(o.getFactor(), std::move(scalar));
        return success();
      })
      .Case([&](OptimizerOpInterface o) {
        Updated values{valueOf(o.getParameter()), {}};
        for (Value state : o.getStates())
          values.states.push_back(valueOf(state));
        values = update(o, std::move(values), valueOf(o.getGradient()), optionalValueOf(o.getScale()),
                        valueOf(o.getHyper()));
        set(o.getResult(), std::move(values.parameter));
        for (auto [result, state] : llvm::zip(o.getNextStates(), values.states))
          set(result, std::move(state));
        return success();
      })
      .Default([](Operation *) { return failure(); });
}
