// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loss and optimisers.
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "spikeloom/Support/Polynomials.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

namespace {
struct LossResults {
  Tensor loss{std::vector<int64_t>{}}, correct{std::vector<int64_t>{}}, gradient;
};
} // namespace

static FailureOr<LossResults> crossEntropy(CrossEntropyOp op, const Tensor &logits, const Tensor &labels,
                                           const Tensor &weights) {
  spikeloom::FloatOps math;
  LossResults results;
  results.gradient = Tensor(logits.shape);
  int64_t classes = logits.units();
  for (int64_t b = 0; b < logits.numRows(); ++b) {
    const float *x = logits.row(b);
    float *g = results.gradient.row(b);
    int64_t label = int64_t(labels.data[b]), best = 0;
    if (label < 0 || label >= classes) {
      op.emitOpError("label ") << label << " of sample " << b << " is not one of the " << classes
                               << " classes";
      return failure();
    }
    for (int64_t c = 1; c < classes; ++c)
      if (x[c] > x[best])
        best = c;
    float sum = 0.0f;
    for (int64_t c = 0; c < classes; ++c) {
      g[c] = spikeloom::polynomialExp(math, x[c] - x[best]);
      sum += g[c];
    }
    float weight = weights.data[b];
    for (int64_t c = 0; c < classes; ++c) {
      float softmax = g[c] / sum, error = softmax - (c == label ? 1.0f : 0.0f);
      g[c] = weight * error;
    }
    float entropy = (spikeloom::polynomialLog(math, sum) + x[best]) - x[label];
    float share = weight * entropy;
    results.loss.data[0] += share;
    results.correct.data[0] += best == label && weight > 0.0f ? 1.0f : 0.0f;
  }
  return results;
}

static Tensor sgd(Tensor parameter, const Tensor &gradient, const Tensor &hyper) {
  for (size_t i = 0; i < parameter.data.size(); ++i) {
    float step = hyper.data[0] * gradient.data[i];
    parameter.data[i] -= step;
  }
  return parameter;
}

namespace {
struct AdamState {
  Tensor parameter, first, second;
};
} // namespace

static AdamState adam(AdamOp op, AdamState state, const Tensor &gradient, const Tensor &hyper) {
  float beta1 = op.getBeta1().convertToFloat(), beta2 = op.getBeta2().convertToFloat();
  float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2, epsilon = op.getEpsilon().convertToFloat();
  for (size_t i = 0; i < gradient.data.size(); ++i) {
    float g = gradient.data[i], &m = state.first.data[i], &v = state.second.data[i];
    float kept1 = beta1 * m, new1 = rest1 * g;
    m = kept1 + new1;
    float kept2 = beta2 * v, weighted = rest2 * g, new2 = weighted * g;
    v = kept2 + new2;
    float root = std::sqrt(v), corrected = root * hyper.data[1], scale = corrected + epsilon,
          direction = m / scale;
    float step = hyper.data[0] * direction;
    state.parameter.data[i] -= step;
  }
  return state;
}

LogicalResult Interpreter::evaluateTraining(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](CrossEntropyOp o) -> LogicalResult {
        FailureOr<LossResults> results =
            crossEntropy(o, valueOf(o.getLogits()), valueOf(o.getLabels()), valueOf(o.getWeights()));
        // The message is out; what follows sees zeros and the run fails at its end.
        checksFailed |= failed(results);
        LossResults values = succeeded(results) ? std::move(*results) : LossResults();
        values.gradient.shape = o.getGradient().getType().getShape().vec();
        values.gradient.data.resize(values.gradient.elements());
        set(o.getLoss(), std::move(values.loss));
        set(o.getGradient(), std::move(values.gradient));
        set(o.getCorrect(), std::move(values.correct));
        return success();
      })
      .Case([&](SgdOp o) {
        set(o.getResult(), sgd(valueOf(o.getParameter()), valueOf(o.getGradient()), valueOf(o.getHyper())));
        return success();
      })
      .Case([&](AdamOp o) {
        AdamState state{valueOf(o.getParameter()), valueOf(o.getFirst()), valueOf(o.getSecond())};
        state = adam(o, std::move(state), valueOf(o.getGradient()), valueOf(o.getHyper()));
        set(o.getResult(), std::move(state.parameter));
        set(o.getNextFirst(), std::move(state.first));
        set(o.getNextSecond(), std::move(state.second));
        return success();
      })
      .Default([](Operation *) { return failure(); });
}
