// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Synapses, their adjoints, and sums: the order of accumulation is part of what they mean.
#include "Sums.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace spikeloom::snn;

/// Calls f(unit, value, isBinary) for what a synapse reads of a row: true spikes of events, everything of a
/// dense row.
template <typename F> static void forInputs(const Tensor &input, bool binary, int64_t row, F f) {
  const float *values = input.row(row);
  if (!input.isEvents()) {
    for (int64_t i = 0; i < input.units(); ++i)
      f(i, values[i]);
    return;
  }
  const EventRow &list = input.rows[row];
  for (int32_t j = 0; j < list.spikes; ++j)
    f(int64_t(list.ids[j]), binary ? 1.0f : values[list.ids[j]]);
}

static bool isBinary(Value value) {
  EventsAttr events = getEvents(value.getType());
  return events && events.getBinary();
}

static Tensor linear(const Tensor &input, bool binary, const Tensor &weight, const Tensor *bias) {
  int64_t outputs = weight.shape[0], inputs = weight.shape[1];
  // Transposed, so that the sums of all outputs advance together.
  std::vector<float> transposed(weight.data.size());
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t i = 0; i < inputs; ++i)
      transposed[i * outputs + o] = weight.data[o * inputs + i];
  Tensor result({input.shape[0], outputs});
  for (int64_t b = 0; b < input.shape[0]; ++b) {
    float *sums = result.row(b);
    forInputs(input, binary, b, [&](int64_t i, float x) {
      const float *weights = transposed.data() + i * outputs;
      // A product with 1 has the bits of the other factor.
      for (int64_t o = 0; o < outputs; ++o)
        sums[o] += x * weights[o];
    });
    if (bias)
      for (int64_t o = 0; o < outputs; ++o)
        sums[o] += bias->data[o];
  }
  return result;
}

float spikeloom::snn::placedSum(llvm::function_ref<float(int64_t)> term, int64_t units, int64_t group,
                                int64_t perTile) {
  constexpr int64_t kStrides = 16;
  auto tileSum = [&](int64_t first, int64_t lane) {
    float sum = 0.0f;
    for (int64_t c = 0; c < perTile; ++c)
      if (int64_t unit = first + c * group + lane; unit < units)
        sum += term(unit);
    return sum;
  };
  float total = 0.0f;
  for (int64_t first = 0; first < units; first += perTile * group) {
    float partials[kStrides];
    for (int64_t q = 0; q < kStrides; ++q) {
      partials[q] = 0.0f;
      for (int64_t lane = q; lane < group; lane += kStrides)
        partials[q] += tileSum(first, lane);
    }
    for (int64_t half = kStrides / 2; half; half /= 2)
      for (int64_t q = 0; q < half; ++q)
        partials[q] += partials[q + half];
    total = first == 0 ? partials[0] : total + partials[0];
  }
  return total;
}

static Tensor inputGradient(LinearInputGradOp op, const Tensor &gradient, const Tensor &weight,
                            const Tensor *support) {
  int64_t outputs = weight.shape[0], inputs = weight.shape[1];
  // Which terms there are: without connections all.
  std::vector<bool> connected;
  if (ConnectionsAttr connections = getConnections(op.getWeight().getType())) {
    connected.assign(outputs * inputs, false);
    for (auto [o, list] : llvm::enumerate(connections.getLists()))
      for (int32_t i : list)
        connected[o * inputs + i] = true;
  }
  Tensor result({gradient.shape[0], inputs});
  if (support)
    result.rows = support->rows;
  for (int64_t b = 0; b < gradient.shape[0]; ++b) {
    const float *g = gradient.row(b);
    auto entry = [&](int64_t i) {
      auto term = [&](int64_t o) {
        bool exists = connected.empty() || connected[o * inputs + i];
        return exists ? g[o] * weight.data[o * inputs + i] : 0.0f;
      };
      float sum = 0.0f;
      if (auto placement = op.getPlacement())
        sum = placedSum(term, outputs, (*placement)[0], (*placement)[1]);
      else
        for (int64_t o = 0; o < outputs; ++o)
          sum += term(o);
      result.row(b)[i] = sum;
    };
    if (support)
      for (int32_t i : support->rows[b].ids)
        entry(i);
    else
      for (int64_t i = 0; i < inputs; ++i)
        entry(i);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Weights with connections
//===----------------------------------------------------------------------===//

using Connections = std::vector<std::vector<int32_t>>;

/// What synapses with connections read of a row: every element of it, zero where it lists no spike.
static std::vector<float> wholeRow(const Tensor &input, bool binary, int64_t row) {
  std::vector<float> values(input.units(), 0.0f);
  forInputs(input, binary, row, [&](int64_t i, float x) { values[i] = x; });
  return values;
}

static Tensor connectedLinear(const Tensor &input, bool binary, const Tensor &weight,
                              const Connections &connections, const Tensor *bias) {
  int64_t outputs = weight.shape[0], inputs = weight.shape[1];
  Tensor result({input.shape[0], outputs});
  for (int64_t b = 0; b < input.shape[0]; ++b) {
    std::vector<float> x = wholeRow(input, binary, b);
    for (int64_t o = 0; o < outputs; ++o) {
      float sum = 0.0f;
      for (int32_t i : connections[o])
        sum += x[i] * weight.data[o * inputs + i];
      result.row(b)[o] = bias ? sum + bias->data[o] : sum;
    }
  }
  return result;
}

static Tensor connectedWeightGradient(const Tensor &gradient, const Tensor &input, bool binary,
                                      const Connections &connections, Tensor accumulator) {
  int64_t inputs = accumulator.shape[1];
  for (int64_t b = 0; b < gradient.shape[0]; ++b) {
    std::vector<float> x = wholeRow(input, binary, b);
    for (size_t o = 0; o < connections.size(); ++o)
      for (int32_t i : connections[o])
        accumulator.data[o * inputs + i] += gradient.row(b)[o] * x[i];
  }
  return accumulator;
}

static Tensor weightGradient(const Tensor &gradient, const Tensor &input, bool binary, Tensor accumulator) {
  int64_t outputs = accumulator.shape[0], inputs = accumulator.shape[1];
  for (int64_t b = 0; b < gradient.shape[0]; ++b) {
    const float *g = gradient.row(b);
    forInputs(input, binary, b, [&](int64_t i, float x) {
      for (int64_t o = 0; o < outputs; ++o)
        accumulator.data[o * inputs + i] += g[o] * x;
    });
  }
  return accumulator;
}

static Tensor batchSum(const Tensor &value, Tensor accumulator) {
  int64_t units = value.units(), samples = value.elements() / units;
  std::vector<float> sums(units, 0.0f);
  bool scalar = accumulator.shape.empty();
  if (!scalar)
    sums = accumulator.data;
  for (int64_t b = 0; b < samples; ++b)
    for (int64_t n = 0; n < units; ++n)
      sums[n] += value.row(b)[n];
  if (!scalar)
    accumulator.data = sums;
  else
    for (float sum : sums)
      accumulator.data[0] += sum;
  return accumulator;
}

static Tensor broadcast(const Tensor &input, std::vector<int64_t> shape) {
  Tensor result(std::move(shape));
  int64_t units = result.units(), size = input.elements();
  bool perSample = input.shape.size() == 2;
  for (int64_t b = 0; b < result.numRows(); ++b)
    for (int64_t n = 0; n < units; ++n)
      result.row(b)[n] = input.data[perSample ? b : size == 1 ? 0 : n];
  return result;
}

LogicalResult Interpreter::evaluateSynapse(Operation *op) {
  auto shapeOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getShape().vec(); };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](LinearOp o) {
        if (ConnectionsAttr connections = getConnections(o.getWeight().getType())) {
          set(o.getResult(),
              connectedLinear(valueOf(o.getInput()), isBinary(o.getInput()), valueOf(o.getWeight()),
                              connections.getLists(), optionalValueOf(o.getBias())));
          return success();
        }
        set(o.getResult(), linear(valueOf(o.getInput()), isBinary(o.getInput()), valueOf(o.getWeight()),
                                  optionalValueOf(o.getBias())));
        return success();
      })
      .Case([&](LinearInputGradOp o) {
        set(o.getResult(), inputGradient(o, valueOf(o.getGradient()), valueOf(o.getWeight()),
                                         optionalValueOf(o.getSupport())));
        return success();
      })
      .Case([&](LinearWeightGradOp o) {
        if (ConnectionsAttr connections = getConnections(o.getResult().getType())) {
          set(o.getResult(),
              connectedWeightGradient(valueOf(o.getGradient()), valueOf(o.getInput()), isBinary(o.getInput()),
                                      connections.getLists(), valueOf(o.getAccumulator())));
          return success();
        }
        set(o.getResult(), weightGradient(valueOf(o.getGradient()), valueOf(o.getInput()),
                                          isBinary(o.getInput()), valueOf(o.getAccumulator())));
        return success();
      })
      .Case([&](BatchSumOp o) {
        set(o.getResult(), batchSum(valueOf(o.getValue()), valueOf(o.getAccumulator())));
        return success();
      })
      .Case([&](BroadcastOp o) {
        set(o.getResult(), broadcast(valueOf(o.getInput()), shapeOf(o.getResult())));
        return success();
      })
      .Case([&](SumTimeOp o) {
        const Tensor &input = valueOf(o.getInput());
        Tensor sum(shapeOf(o.getResult()));
        for (int64_t i = 0; i < input.elements(); ++i)
          sum.data[i % sum.elements()] += input.data[i];
        set(o.getResult(), std::move(sum));
        return success();
      })
      .Case<SplitTimeOp, MergeTimeOp>([&](auto o) {
        Tensor result = valueOf(o.getInput());
        result.shape = shapeOf(o.getResult());
        set(o.getResult(), std::move(result));
        return success();
      })
      .Case([&](RepeatTimeOp o) {
        const Tensor &input = valueOf(o.getInput());
        Tensor result(shapeOf(o.getResult()));
        for (int64_t i = 0; i < result.elements(); ++i)
          result.data[i] = input.data[i % input.elements()];
        set(o.getResult(), std::move(result));
        return success();
      })
      .Default([](Operation *) { return failure(); });
}
