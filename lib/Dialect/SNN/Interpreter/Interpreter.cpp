// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions, scans, constants, shapes.
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace spikeloom::snn;

static std::vector<int64_t> shapeOf(Type type) { return cast<RankedTensorType>(type).getShape().vec(); }

TensorPtr spikeloom::snn::constantTensor(Attribute attribute) {
  if (auto resource = dyn_cast<DenseF32ResourceElementsAttr>(attribute)) {
    auto data = resource.tryGetAsArrayRef();
    auto tensor = std::make_shared<Tensor>(shapeOf(resource.getType()));
    if (!data || int64_t(data->size()) != tensor->elements())
      return nullptr;
    tensor->data.assign(data->begin(), data->end());
    return tensor;
  }
  auto elements = dyn_cast<DenseElementsAttr>(attribute);
  if (!elements || !isa<RankedTensorType>(elements.getType()))
    return nullptr;
  auto tensor = std::make_shared<Tensor>(shapeOf(elements.getType()));
  Type type = elements.getElementType();
  size_t next = 0;
  if (type.isF32())
    for (float value : elements.getValues<float>())
      tensor->data[next++] = value;
  else if (type.isInteger(32))
    for (int32_t value : elements.getValues<int32_t>())
      tensor->data[next++] = float(value);
  else if (type.isInteger(1))
    for (bool value : elements.getValues<bool>())
      tensor->data[next++] = value;
  else
    return nullptr;
  return tensor;
}

void Interpreter::set(Value value, Tensor tensor) {
  values[value] = std::make_shared<Tensor>(std::move(tensor));
}

FailureOr<std::vector<TensorPtr>> Interpreter::run(func::FuncOp function, std::vector<TensorPtr> arguments) {
  if (!function.getBody().hasOneBlock()) {
    function.emitError("is not interpreted: it has no body of one block");
    return failure();
  }
  for (auto [argument, value] : llvm::zip(function.getArguments(), arguments)) {
    if (value->shape != shapeOf(argument.getType())) {
      function.emitError("argument ") << argument.getArgNumber() << " must be " << argument.getType();
      return failure();
    }
    values[argument] = value;
  }
  checksFailed = false;
  if (failed(evaluateBlock(function.getBody().front())) || checksFailed)
    return failure();
  std::vector<TensorPtr> results;
  for (Value value : function.getBody().front().getTerminator()->getOperands())
    results.push_back(values.lookup(value));
  return results;
}

LogicalResult Interpreter::evaluateBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(evaluate(&op)))
      return failure();
  return success();
}

LogicalResult Interpreter::evaluate(Operation *op) {
  if (auto scan = dyn_cast<ScanOp>(op))
    return evaluateScan(scan);
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    TensorPtr tensor = constantTensor(constant.getValue());
    if (!tensor)
      return op->emitOpError("is not interpreted: constants must be tensors of f32, i32 or i1");
    values[constant.getResult()] = tensor;
    return success();
  }
  if (succeeded(evaluateNeuron(op)) || succeeded(evaluateSynapse(op)) || succeeded(evaluateEvents(op)) ||
      succeeded(evaluateSpatial(op)) || succeeded(evaluateTraining(op)) ||
      succeeded(evaluateElementwise(op)) || succeeded(evaluateCheck(op)))
    return success();
  return op->emitOpError("is not known to the interpreter");
}

/// Step t of a stacked value.
static Tensor sliceOf(const Tensor &stacked, int64_t t) {
  Tensor step;
  step.shape.assign(stacked.shape.begin() + 1, stacked.shape.end());
  int64_t size = step.elements();
  step.data.assign(stacked.data.begin() + t * size, stacked.data.begin() + (t + 1) * size);
  if (stacked.isEvents()) {
    int64_t rows = step.numRows();
    step.rows.assign(stacked.rows.begin() + t * rows, stacked.rows.begin() + (t + 1) * rows);
  }
  return step;
}

LogicalResult Interpreter::evaluateScan(ScanOp scan) {
  int64_t steps = scan.getNumSteps();
  // The steps of a scan within a scan count on from one segment to the next.
  const int64_t outerStep = currentStep, firstStep = outerStep * steps;
  YieldOp yield = scan.getYield();
  std::vector<Tensor> stacked;
  for (Value value : scan.getStacked())
    stacked.emplace_back(shapeOf(value.getType()));
  // lookup, because a reference into the map would not survive the insertion.
  for (auto [argument, init] : llvm::zip(scan.getStateArgs(), scan.getInits()))
    values[argument] = values.lookup(init);
  for (int64_t i = 0; i < steps; ++i) {
    int64_t t = scan.getReverse() ? steps - 1 - i : i;
    currentStep = firstStep + t;
    for (auto [argument, sequence] : llvm::zip(scan.getStepArgs(), scan.getSequences()))
      set(argument, sliceOf(valueOf(sequence), t));
    if (failed(evaluateBlock(scan.getBody().front())))
      return failure();
    for (auto [result, value] : llvm::zip(stacked, yield.getStepValues())) {
      const Tensor &step = valueOf(value);
      std::copy(step.data.begin(), step.data.end(), result.data.begin() + t * step.elements());
      if (!step.isEvents())
        continue;
      result.rows.resize(result.numRows());
      std::copy(step.rows.begin(), step.rows.end(), result.rows.begin() + t * step.numRows());
    }
    // All states change at once: the yield may exchange them.
    std::vector<TensorPtr> next;
    for (Value value : yield.getStates())
      next.push_back(values.lookup(value));
    for (auto [argument, value] : llvm::zip(scan.getStateArgs(), next))
      values[argument] = value;
  }
  currentStep = outerStep;
  for (auto [result, tensor] : llvm::zip(scan.getStacked(), stacked))
    set(result, std::move(tensor));
  for (auto [result, argument] : llvm::zip(scan.getFinals(), scan.getStateArgs()))
    values[result] = values.lookup(argument);
  return success();
}

void Interpreter::countLists(Operation *op, const Tensor &events) {
  auto layer = op->getAttrOfType<StringAttr>(kLayerAttr);
  auto scan = op->getParentOfType<ScanOp>();
  if (!layer || (scan && scan.isRecomputed()))
    return;
  ListCount &count = listCounts[layer];
  for (const EventRow &row : events.rows) {
    count.fired += row.fired;
    count.listed += row.spikes;
  }
}
