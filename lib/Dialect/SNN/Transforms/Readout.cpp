// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Readouts: counts of the first output, or the membrane of the neuron that makes it.
#include "Readout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

using namespace mlir;
using namespace spikeloom::snn;

/// The sum over time of a stacked value, divided by the number of steps if asked for.
static Value sumOrMean(OpBuilder &builder, Location loc, Value stacked, bool mean) {
  auto type = cast<RankedTensorType>(stacked.getType());
  auto step = RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
  Value sum = SumTimeOp::create(builder, loc, step, stacked);
  if (!mean)
    return sum;
  Value share =
      arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(step, 1.0f / float(type.getDimSize(0))));
  return arith::MulFOp::create(builder, loc, sum, share);
}

/// The new membrane, in the scan's body, of the neuron whose spikes a stacked result holds; null if there is
/// none.
static Value membraneOf(Value stacked) {
  auto scan = stacked.getDefiningOp<ScanOp>();
  if (!scan)
    return Value();
  unsigned index = cast<OpResult>(stacked).getResultNumber();
  if (index >= scan.getStacked().size())
    return Value();
  Value spikes = scan.getYield().getStepValues()[index];
  if (auto expand = spikes.getDefiningOp<ExpandOp>())
    spikes = expand.getInput();
  if (auto neuron = spikes.getDefiningOp<NeuronOp>())
    return neuron.getNext();
  if (auto integrator = spikes.getDefiningOp<IntegratorOp>())
    return integrator.getNext();
  return Value();
}

/// Stacks a value of a scan's body as one more result.
static Value stack(ScanOp scan, Value value) {
  OpBuilder builder(scan);
  SmallVector<Type> stackedTypes(scan.getStacked().getTypes());
  stackedTypes.push_back(ScanOp::getStackedType(cast<RankedTensorType>(value.getType()), scan.getNumSteps()));
  auto stacking =
      ScanOp::create(builder, scan.getLoc(), stackedTypes, scan.getFinals().getTypes(), scan.getSequences(),
                     scan.getInits(), scan.getReverseAttr(), scan.getStepsAttr());
  stacking->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
  stacking.getBody().takeBody(scan.getBody());
  stacking.getYield().getStepValuesMutable().append(value);
  scan.getStacked().replaceAllUsesWith(stacking.getStacked().drop_back());
  scan.getFinals().replaceAllUsesWith(stacking.getFinals());
  scan.erase();
  return stacking.getStacked().back();
}

FailureOr<Value> spikeloom::snn::buildReadout(func::FuncOp function, StringRef kind) {
  auto end = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  int64_t first = -1;
  for (unsigned i = 0; i < end.getNumOperands() && first < 0; ++i)
    if (!function.getResultAttr(i, kStateAttr))
      first = i;
  if (first < 0)
    return function.emitError("has no output for the readout '") << kind << "': every result is a state";
  Value output = end.getOperand(first);
  Location loc = output.getLoc();
  OpBuilder builder(end);
  auto type = dyn_cast<RankedTensorType>(output.getType());
  int64_t rank = type && !getEvents(type) ? type.getRank() : -1;
  auto refuse = [&](StringRef needs) {
    return function.emitError("readout '")
           << kind << "' needs " << needs << ", found the first output " << output.getType();
  };
  if (kind == "output")
    return rank == 2 ? FailureOr<Value>(output) : refuse("logits [batch, classes]");
  bool rate = kind == "spike_rate";
  if (rate || kind == "spike_count")
    return rank == 3 ? FailureOr<Value>(sumOrMean(builder, loc, output, rate))
                     : refuse("spikes [steps, batch, classes]");
  if (kind == "membrane_mean" || kind == "membrane_last") {
    Value membrane = rank == 3 ? membraneOf(output) : Value();
    if (!membrane)
      return refuse("spikes [steps, batch, classes] that a neuron makes in a scan");
    Value stacked = stack(output.getDefiningOp<ScanOp>(), membrane);
    if (kind == "membrane_mean")
      return sumOrMean(builder, loc, stacked, true);
    auto scan = stacked.getDefiningOp<ScanOp>();
    auto states = scan.getYield().getStates();
    auto found = llvm::find(states, membrane);
    if (found == states.end())
      return refuse("a neuron whose membrane is a state of the scan");
    return Value(scan.getFinals()[std::distance(states.begin(), found)]);
  }
  return function.emitError("option 'readout' is '")
         << kind << "'; there are: spike_count, spike_rate, membrane_mean, membrane_last, output";
}
