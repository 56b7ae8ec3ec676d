// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations on rows viewed as features.
#include "Sums.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "spikeloom/Support/Polynomials.h"
#include "spikeloom/Support/Random.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

static std::vector<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape().vec();
}

static Tensor slice(SliceOp op, const Tensor &input) {
  Window window = op.getWindow();
  Tensor result(shapeOf(op.getResult()), op.getFill().convertToFloat());
  for (int64_t i = 0; i < result.units(); ++i)
    if (int64_t position = window.position(i); position >= 0)
      for (int64_t b = 0; b < result.numRows(); ++b)
        result.row(b)[i] = input.row(b)[position];
  return result;
}

static Tensor place(PlaceOp op, const Tensor &input) {
  Window window = op.getWindow();
  Tensor result(shapeOf(op.getResult()));
  for (int64_t i = 0; i < input.units(); ++i)
    if (int64_t position = window.position(i); position >= 0)
      for (int64_t b = 0; b < result.numRows(); ++b)
        result.row(b)[position] = input.row(b)[i];
  return result;
}

static Tensor convMatrix(const ConvGeometry &geometry, const Tensor &kernel) {
  Tensor result({geometry.outputs(), geometry.inputs()});
  for (int64_t o = 0; o < geometry.outputs(); ++o)
    for (int64_t tap = 0; tap < geometry.taps(); ++tap)
      if (int64_t i = geometry.inputOf(o, tap); i >= 0)
        result.row(o)[i] = kernel.row(o / geometry.positions())[tap];
  return result;
}

static Tensor convKernelGradient(ConvKernelGradOp op, const Tensor &gradient) {
  ConvGeometry geometry = op.getGeometry();
  Tensor result({geometry.outChannels, geometry.taps()});
  int64_t group = 1, perTile = geometry.outputs();
  if (auto placement = op.getPlacement())
    group = (*placement)[0], perTile = (*placement)[1];
  for (int64_t channel = 0; channel < geometry.outChannels; ++channel)
    for (int64_t tap = 0; tap < geometry.taps(); ++tap) {
      auto term = [&](int64_t o) {
        int64_t i = o / geometry.positions() == channel ? geometry.inputOf(o, tap) : -1;
        return i >= 0 ? gradient.row(o)[i] : 0.0f;
      };
      result.row(channel)[tap] = placedSum(term, geometry.outputs(), group, perTile);
    }
  return result;
}

static Tensor spread(const Tensor &input, int64_t inner, std::vector<int64_t> shape) {
  Tensor result(std::move(shape));
  for (int64_t i = 0; i < result.elements(); ++i)
    result.data[i] = input.data[i / inner];
  return result;
}

static Tensor fold(const Tensor &input, int64_t inner, std::vector<int64_t> shape) {
  Tensor result(std::move(shape));
  for (int64_t i = 0; i < input.elements(); ++i)
    result.data[i / inner] += input.data[i];
  return result;
}

static Tensor softmax(const Tensor &input, bool log) {
  spikeloom::FloatOps math;
  Tensor result(input.shape);
  for (int64_t b = 0; b < input.numRows(); ++b) {
    const float *x = input.row(b);
    float *y = result.row(b), best = x[0], sum = 0.0f;
    for (int64_t i = 1; i < input.units(); ++i)
      best = x[i] > best ? x[i] : best;
    for (int64_t i = 0; i < input.units(); ++i) {
      y[i] = spikeloom::polynomialExp(math, x[i] - best);
      sum += y[i];
    }
    float entropy = log ? spikeloom::polynomialLog(math, sum) : 0.0f;
    for (int64_t i = 0; i < input.units(); ++i)
      y[i] = log ? (x[i] - best) - entropy : y[i] / sum;
  }
  return result;
}

static Tensor softmaxAdjoint(const Tensor &gradient, const Tensor &output, bool log) {
  spikeloom::FloatOps math;
  Tensor result(gradient.shape);
  for (int64_t b = 0; b < gradient.numRows(); ++b) {
    const float *g = gradient.row(b), *y = output.row(b);
    float sum = 0.0f;
    for (int64_t i = 0; i < gradient.units(); ++i) {
      float term = log ? g[i] : g[i] * y[i];
      sum += term;
    }
    for (int64_t i = 0; i < gradient.units(); ++i) {
      float removed = log ? spikeloom::polynomialExp(math, y[i]) * sum : sum;
      float rest = g[i] - removed;
      result.row(b)[i] = log ? rest : y[i] * rest;
    }
  }
  return result;
}

static Tensor batchNorm(BatchNormOp op, const Tensor &input, const Tensor &mean, const Tensor &variance,
                        const Tensor &scale, const Tensor &shift) {
  Tensor result(input.shape);
  int64_t inner = op.getInner();
  float epsilon = op.getEpsilon().convertToFloat();
  for (int64_t n = 0; n < input.units(); ++n) {
    int64_t c = n / inner;
    float sum = variance.data[c] + epsilon, factor = scale.data[c] / std::sqrt(sum);
    for (int64_t b = 0; b < input.numRows(); ++b) {
      float distance = input.row(b)[n] - mean.data[c], scaled = distance * factor;
      result.row(b)[n] = scaled + shift.data[c];
    }
  }
  return result;
}

static Tensor dropout(DropoutOp op, const Tensor &input, const Tensor *key) {
  if (!key)
    return input;
  spikeloom::BitOps bits;
  Tensor result(input.shape);
  for (int64_t b = 0; b < input.numRows(); ++b)
    for (int64_t n = 0; n < input.units(); ++n)
      if (spikeloom::drawUnit(bits, uint32_t(key->data[b]), uint32_t(op.getSalt()), uint32_t(n)) >=
          op.getThreshold())
        result.row(b)[n] = input.row(b)[n] * op.getFactor();
  return result;
}

LogicalResult Interpreter::evaluateSpatial(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](SliceOp o) { return set(o.getResult(), slice(o, valueOf(o.getInput()))), success(); })
      .Case([&](PlaceOp o) { return set(o.getResult(), place(o, valueOf(o.getInput()))), success(); })
      .Case([&](ConcatOp o) {
        Tensor result(shapeOf(o.getResult()));
        int64_t offset = 0;
        for (Value value : o.getInputs()) {
          const Tensor &input = valueOf(value);
          for (int64_t b = 0; b < input.numRows(); ++b)
            std::copy(input.row(b), input.row(b) + input.units(), result.row(b) + offset);
          offset += input.units();
        }
        return set(o.getResult(), std::move(result)), success();
      })
      .Case([&](ConvMatrixOp o) {
        return set(o.getResult(), convMatrix(o.getGeometry(), valueOf(o.getWeight()))), success();
      })
      .Case([&](ConvKernelGradOp o) {
        return set(o.getResult(), convKernelGradient(o, valueOf(o.getGradient()))), success();
      })
      .Case([&](SpreadOp o) {
        return set(o.getResult(), spread(valueOf(o.getInput()), o.getInner(), shapeOf(o.getResult()))),
               success();
      })
      .Case([&](FoldOp o) {
        return set(o.getResult(), fold(valueOf(o.getInput()), o.getInner(), shapeOf(o.getResult()))),
               success();
      })
      .Case([&](SoftmaxOp o) {
        return set(o.getResult(), softmax(valueOf(o.getInput()), o.getLog())), success();
      })
      .Case([&](SoftmaxAdjointOp o) {
        return set(o.getResult(),
                   softmaxAdjoint(valueOf(o.getGradient()), valueOf(o.getOutput()), o.getLog())),
               success();
      })
      .Case([&](BatchNormOp o) {
        return set(o.getResult(),
                   batchNorm(o, valueOf(o.getInput()), valueOf(o.getMean()), valueOf(o.getVariance()),
                             valueOf(o.getScale()), valueOf(o.getShift()))),
               success();
      })
      .Case([&](DropoutOp o) {
        return set(o.getResult(), dropout(o, valueOf(o.getInput()), optionalValueOf(o.getKey()))), success();
      })
      .Default([](Operation *) { return failure(); });
}
