// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conventions of the gradient that a model leaves open.
#include "NeuronGradients.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/IR/Surrogates.h"
#include <limits>

using namespace mlir;
using namespace spikeloom::snn;

LogicalResult spikeloom::snn::prepareNeuronGradients(func::FuncOp function, StringRef surrogate,
                                                     StringRef detachReset) {
  if (!detachReset.empty() && detachReset != "true" && detachReset != "false")
    return function.emitError("option 'detach-reset' is '") << detachReset << "'; there are: true, false";
  std::string problem;
  FailureOr<SurrogateAttr> byDefault = parseSurrogate(function.getContext(), surrogate, problem);
  if (failed(byDefault))
    return function.emitError("option 'surrogate' ") << problem;
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
