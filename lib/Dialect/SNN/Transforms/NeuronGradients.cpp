// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conventions of the gradient that a model leaves open.
#include "NeuronGradients.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include <limits>

using namespace mlir;
using namespace spikeloom::snn;

static FailureOr<SurrogateAttr> parseSurrogate(func::FuncOp function, StringRef text) {
  auto [kindName, slopeText] = text.split(':');
  std::optional<SurrogateKind> kind = symbolizeSurrogateKind(kindName);
  double slope;
  if (!kind || slopeText.getAsDouble(slope) || !(slope > 0))
    return function.emitError(
               "option 'surrogate' takes KIND:SLOPE with KIND one of fast_sigmoid, superspike, atan "
               "and a positive SLOPE, found '")
           << text << "'";
  return SurrogateAttr::get(function.getContext(), *kind, slope);
}

LogicalResult spikeloom::snn::prepareNeuronGradients(func::FuncOp function, StringRef surrogate,
                                                     StringRef detachReset) {
  if (!detachReset.empty() && detachReset != "true" && detachReset != "false")
    return function.emitError("option 'detach-reset' is '") << detachReset << "'; there are: true, false";
  FailureOr<SurrogateAttr> byDefault = parseSurrogate(function, surrogate);
  if (failed(byDefault))
    return failure();
  LogicalResult result = success();
  function.walk([&](Operation *op) {
    if (auto spike = dyn_cast<SpikeOp>(op))
      if (!spike.getSurrogate())
        spike.setSurrogateAttr(*byDefault);
    auto neuron = dyn_cast<NeuronOp>(op);
    if (!neuron)
      return;
    if (!neuron.getSurrogate())
      neuron.setSurrogateAttr(*byDefault);
    if (!detachReset.empty())
      neuron.setDetachReset(detachReset == "true");
    if (getEvents(neuron.getSpikes().getType()) && !neuron.getNear())
      neuron.setNear(APFloat(-std::numeric_limits<float>::infinity()));
    if (failed(neuron.verify()))
      result = failure();
  });
  return result;
}
