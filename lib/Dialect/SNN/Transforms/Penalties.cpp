// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Penalties and truncation as operations and attributes of the forward pass; differentiation does the rest.
#include "Penalties.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

/// The share of a list's capacity at which the overflow penalty begins.
static constexpr double kOverflowMargin = 0.9;

LogicalResult PenaltyChoice::parse(func::FuncOp function, StringRef text, double overflowWeight) {
  if (!text.empty()) {
    auto [weightText, rateText] = text.split(':');
    Rate parsed;
    if (weightText.getAsDouble(parsed.weight) || rateText.getAsDouble(parsed.rate) || !(parsed.weight > 0) ||
        !std::isfinite(parsed.weight) || !(parsed.rate >= 0 && parsed.rate <= 1))
      return function.emitError(
                 "option 'rate-penalty' takes WEIGHT:RATE with a positive WEIGHT and the RATE in [0, 1] "
                 "above which firing costs, found '")
             << text << "'";
    rate = parsed;
  }
  overflow = overflowWeight;
  if (!(overflow >= 0) || !std::isfinite(overflow))
    return function.emitError("option 'overflow-penalty' is ")
           << overflow << "; a weight of at least 0 is wanted";
  return success();
}

void PenaltyChoice::apply(func::FuncOp function, Value weights) const {
  function.walk([&](NeuronOp neuron) {
    auto type = cast<RankedTensorType>(neuron.getSpikes().getType());
    EventsAttr events = getEvents(type);
    auto scan = neuron->getParentOfType<ScanOp>();
    if (!events || !scan)
      return;
    double units = double(type.getShape().back()), steps = double(scan.getNumSteps());
    SmallVector<float> pairs;
    auto add = [&](double weight, double limit) {
      pairs.append({float(2 * weight / (steps * units * units)), float(limit)});
    };
    if (rate)
      add(rate->weight, rate->rate * units);
    if (overflow > 0 && double(events.getCapacity()) < units)
      add(overflow, kOverflowMargin * double(events.getCapacity()));
    if (pairs.empty())
      return;
    neuron.setPenalties(pairs);
    neuron.getWeightsMutable().assign(weights);
  });
}

void spikeloom::snn::detachStates(func::FuncOp function, int64_t steps) {
  function.walk([&](ScanOp scan) {
    OpBuilder builder = OpBuilder::atBlockBegin(&scan.getBody().front());
    for (auto [argument, next] : llvm::zip(scan.getStateArgs(), scan.getYield().getStates())) {
      if (argument.use_empty() || next == argument)
        continue;
      auto detached =
          DetachEveryOp::create(builder, argument.getLoc(), argument, builder.getI64IntegerAttr(steps));
      argument.replaceAllUsesExcept(detached, detached);
    }
  });
}
