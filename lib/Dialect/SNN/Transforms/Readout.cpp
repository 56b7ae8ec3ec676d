// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Readouts: counts of the first output, or the membrane of the neuron that makes it.
#include "Readout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include <limits>

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

/// The largest value that a value of a scan's body takes, as one more state. The earliest of equal ones gets
/// the gradient: see the adjoint of arith.maximumf.
static Value maximumOver(ScanOp scan, Value value) {
  OpBuilder builder(scan);
  Location loc = value.getLoc();
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<Value> inits(scan.getInits());
  auto lowest = DenseElementsAttr::get(type, std::numeric_limits<float>::lowest());
  inits.push_back(arith::ConstantOp::create(builder, loc, lowest));
  SmallVector<Type> finalTypes(scan.getFinals().getTypes());
  finalTypes.push_back(type);
  auto carrying = ScanOp::create(builder, scan.getLoc(), scan.getStacked().getTypes(), finalTypes,
                                 scan.getSequences(), inits, scan.getReverseAttr(), scan.getStepsAttr());
  carrying->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
  carrying.getBody().takeBody(scan.getBody());
  Value largest = carrying.getBody().front().addArgument(type, loc);
  YieldOp yield = carrying.getYield();
  builder.setInsertionPoint(yield);
  yield.getStatesMutable().append(arith::MaximumFOp::create(builder, loc, value, largest).getResult());
  scan.getStacked().replaceAllUsesWith(carrying.getStacked());
  scan.getFinals().replaceAllUsesWith(carrying.getFinals().drop_back());
  scan.erase();
  return carrying.getFinals().back();
}

/// A readout of the membrane of the neuron that makes the first output.
static FailureOr<Value> readMembrane(OpBuilder &builder, Location loc, Value output, StringRef kind,
                                     llvm::function_ref<FailureOr<Value>(StringRef)> refuse) {
  Value membrane = membraneOf(output);
  if (!membrane)
    return refuse("spikes [steps, batch, classes] that a neuron makes in a scan");
  auto scan = output.getDefiningOp<ScanOp>();
  if (kind == "membrane_max")
    return maximumOver(scan, membrane);
  if (kind == "membrane_mean")
    return sumOrMean(builder, loc, stack(scan, membrane), true);
  if (kind == "membrane_each")
    return stack(scan, membrane);
  auto states = scan.getYield().getStates();
  auto found = llvm::find(states, membrane);
  if (found == states.end())
    return refuse("a neuron whose membrane is a state of the scan");
  return Value(scan.getFinals()[std::distance(states.begin(), found)]);
}

ArrayRef<StringRef> spikeloom::snn::readouts() {
  static const StringRef all[] = {"spike_count",   "spike_rate",    "membrane_mean", "membrane_max",
                                  "membrane_last", "membrane_each", "output"};
  return all;
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
  auto refuse = [&](StringRef needs) -> FailureOr<Value> {
    return function.emitError("readout '")
           << kind << "' needs " << needs << ", found the first output " << output.getType();
  };
  if (kind == "output")
    return rank == 2 ? FailureOr<Value>(output) : refuse("logits [batch, classes]");
  if (rank != 3)
    return refuse("spikes [steps, batch, classes]");
  if (kind == "spike_rate" || kind == "spike_count")
    return sumOrMean(builder, loc, output, kind == "spike_rate");
  return readMembrane(builder, loc, output, kind, refuse);
}
