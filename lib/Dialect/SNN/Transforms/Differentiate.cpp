// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reverse-mode differentiation: one walk backwards over a block, and a scan in the other direction for each
// scan.
#include "spikeloom/Dialect/SNN/Transforms/Differentiate.h"
#include "Activity.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"

namespace spikeloom::snn {
#define GEN_PASS_DEF_SNNDIFFERENTIATE
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn

using namespace mlir;
using namespace spikeloom::snn;

namespace {
/// The adjoint of one block. Cotangents of its own values are kept in a map.
class BlockAdjoint : public AdjointContext {
public:
  BlockAdjoint(const Varied &varied, OpBuilder builder) : varied(varied), nested(builder) {}

  OpBuilder &builder() override { return nested; }
  Value cotangent(Value result) override { return cotangents.lookup(result); }
  bool needs(Value operand) override { return varied.contains(operand); }
  Value taped(Value value) override { return value; }

  void add(Value operand, Value cotangent) override {
    if (!cotangent || !needs(operand))
      return;
    Value sum = sumSoFar(operand);
    if (sum && getEvents(sum.getType()))
      sum = AccumulateOp::create(nested, cotangent.getLoc(), sum.getType(), sum, cotangent);
    else if (sum)
      sum = arith::AddFOp::create(nested, cotangent.getLoc(), sum, cotangent);
    setSum(operand, sum ? sum : cotangent);
  }

  void accumulate(Value operand, function_ref<Value(Value)> addTo) override {
    if (!needs(operand))
      return;
    Value sum = sumSoFar(operand);
    setSum(operand, addTo(sum ? sum : zeros(operand)));
  }

  /// The running sum of the cotangents of a value, null where there is none yet; and its replacement.
  virtual Value sumSoFar(Value value) { return cotangents.lookup(value); }
  virtual void setSum(Value value, Value sum) { cotangents[value] = sum; }

  /// A cotangent of zero for a value.
  Value zeros(Value value) {
    Type type = value.getType();
    Type zeroType = getEvents(type) ? getDense(type) : type;
    Value dense = arith::ConstantOp::create(nested, value.getLoc(), nested.getZeroAttr(zeroType));
    if (!getEvents(type))
      return dense;
    return RestrictOp::create(nested, value.getLoc(), getCotangentType(type), dense, taped(value));
  }

  /// Builds the adjoint of the operations of `block`, up to `end` if it is not null.
  LogicalResult run(Block &block, Operation *end) {
    SmallVector<Operation *> operations;
    for (Operation &op : block) {
      if (&op == end)
        break;
      operations.push_back(&op);
    }
    for (Operation *op : llvm::reverse(operations))
      if (llvm::any_of(op->getResults(), [&](Value result) { return bool(cotangent(result)); }))
        if (failed(visit(op)))
          return failure();
    return success();
  }

protected:
  const Varied &varied;

private:
  LogicalResult visit(Operation *op);

  OpBuilder nested;
  DenseMap<Value, Value> cotangents;
};

/// The adjoint of a scan: a scan in the other direction. It is built in a block of its own, because the tape
/// and the captured parameters are known only when all adjoints have asked for them.
class ScanAdjoint : public BlockAdjoint {
public:
  ScanAdjoint(BlockAdjoint &parent, const Varied &varied, ScanOp scan)
      : BlockAdjoint(varied, OpBuilder(scan.getContext())), parent(parent), scan(scan) {
    builder().setInsertionPointToStart(block);
  }
  ~ScanAdjoint() override {
    if (block->getParent() == nullptr)
      delete block;
  }

  LogicalResult build();

  Value taped(Value value) override;
  Value sumSoFar(Value value) override;
  void setSum(Value value, Value sum) override;

private:
  /// A sequence of the adjoint scan: a value, or the stacked result `tape` of the forward scan.
  struct Sequence {
    Value value;
    int64_t tape = -1;
  };

  bool isInside(Value value) { return scan.getBody().isAncestor(value.getParentRegion()); }
  Value addSequence(Sequence sequence, Type stepType, Location loc) {
    sequences.push_back(sequence);
    return block->insertArgument(sequences.size() - 1, stepType, loc);
  }
  Value addState(Value init) {
    inits.push_back(init);
    return block->addArgument(init.getType(), init.getLoc());
  }
  Value onTape(Value value);
  void extendForward();

  BlockAdjoint &parent;
  ScanOp scan;
  Block *block = new Block();
  SmallVector<Sequence> sequences;
  SmallVector<Value> inits;
  /// Values that the forward scan must stack besides its results.
  SmallVector<Value> tapes;
  DenseMap<Value, Value> tapedValues;
  /// Captured values with the running sum of their cotangents in this step, in the order of their states.
  llvm::MapVector<Value, Value> captured;
};
} // namespace

/// The name of the first variable that an operation depends on, quoted; empty where it has none.
static std::string variableOf(Operation *op) {
  std::string found;
  op->getParentOfType<func::FuncOp>().walk([&](GradientOp gradient) {
    for (Value variable : gradient.getVariables()) {
      auto argument = dyn_cast<BlockArgument>(variable);
      auto function = argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()) : func::FuncOp();
      auto name =
          function ? function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kNameAttr) : StringAttr();
      if (!name || !found.empty())
        continue;
      Varied varied(variable, gradient);
      if (llvm::any_of(op->getOperands(), [&](Value operand) { return varied.contains(operand); }))
        found = "'" + name.str() + "'";
    }
  });
  return found;
}

LogicalResult BlockAdjoint::visit(Operation *op) {
  if (auto scan = dyn_cast<ScanOp>(op))
    return ScanAdjoint(*this, varied, scan).build();
  if (auto differentiable = dyn_cast<DifferentiableOpInterface>(op)) {
    if (succeeded(differentiable.buildAdjoint(*this)))
      return success();
    if (std::string name = variableOf(op); !name.empty())
      op->emitRemark("trainable parameter ") << name << " acts through this operation";
    return failure();
  }
  if (succeeded(buildArithAdjoint(op, *this)))
    return success();
  std::string name = variableOf(op);
  return op->emitOpError("has no adjoint, but ")
         << (name.empty() ? "a trainable parameter" : "trainable parameter " + name)
         << " acts through it; exclude the parameter from the trainable ones or write the model without this "
            "operation";
}

Value ScanAdjoint::taped(Value value) {
  if (!isInside(value))
    return parent.taped(value);
  if (Value known = tapedValues.lookup(value))
    return known;
  Operation *op = value.getDefiningOp();
  // Cheaper to compute again than to keep; predicates cannot be kept because tapes hold f32.
  if (op && (op->hasTrait<OpTrait::ConstantLike>() || isa<BroadcastOp, arith::CmpFOp>(op))) {
    IRMapping mapping;
    for (Value operand : op->getOperands())
      mapping.map(operand, taped(operand));
    return tapedValues[value] =
               builder().clone(*op, mapping)->getResult(cast<OpResult>(value).getResultNumber());
  }
  return tapedValues[value] = onTape(value);
}

Value ScanAdjoint::onTape(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (argument && argument.getArgNumber() < scan.getSequences().size()) {
    Value sequence = parent.taped(scan.getSequences()[argument.getArgNumber()]);
    return addSequence({sequence}, value.getType(), value.getLoc());
  }
  auto stepValues = scan.getYield().getStepValues();
  auto found = llvm::find(stepValues, value);
  int64_t tape = std::distance(stepValues.begin(), found);
  if (found == stepValues.end()) {
    tape = stepValues.size() + tapes.size();
    tapes.push_back(value);
  }
  return addSequence({Value(), tape}, value.getType(), value.getLoc());
}

Value ScanAdjoint::sumSoFar(Value value) {
  if (isInside(value))
    return BlockAdjoint::sumSoFar(value);
  Value &sum = captured[value];
  if (!sum) {
    Value init = parent.sumSoFar(value);
    sum = addState(init ? init : parent.zeros(value));
  }
  return sum;
}

void ScanAdjoint::setSum(Value value, Value sum) {
  if (isInside(value))
    BlockAdjoint::setSum(value, sum);
  else
    captured[value] = sum;
}

void ScanAdjoint::extendForward() {
  if (tapes.empty())
    return;
  SmallVector<Type> stackedTypes(scan.getStacked().getTypes());
  for (Value tape : tapes)
    stackedTypes.push_back(
        ScanOp::getStackedType(cast<RankedTensorType>(tape.getType()), scan.getNumSteps()));
  OpBuilder before(scan);
  auto extended =
      ScanOp::create(before, scan.getLoc(), stackedTypes, scan.getFinals().getTypes(), scan.getSequences(),
                     scan.getInits(), scan.getReverseAttr(), scan.getStepsAttr());
  extended.getBody().takeBody(scan.getBody());
  extended.getYield().getStepValuesMutable().append(tapes);
  extended->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
  scan.getStacked().replaceAllUsesWith(extended.getStacked().take_front(scan.getStacked().size()));
  scan.getFinals().replaceAllUsesWith(extended.getFinals());
  scan.erase();
  scan = extended;
}

LogicalResult ScanAdjoint::build() {
  Location loc = scan.getLoc();
  unsigned numStacked = scan.getStacked().size();
  llvm::BitVector arriving(scan->getNumResults());
  for (auto [i, result] : llvm::enumerate(scan->getResults()))
    if (parent.cotangent(result))
      arriving.set(i);
  llvm::BitVector states = scan.usefulStates(arriving);
  for (unsigned i : states.set_bits())
    if (!needs(scan.getStateArgs()[i]))
      states.reset(i);

  YieldOp yield = scan.getYield();
  for (auto [i, value] : llvm::enumerate(yield.getStepValues()))
    if (arriving.test(i))
      add(value,
          addSequence({parent.cotangent(scan.getStacked()[i])}, getCotangentType(value.getType()), loc));
  for (unsigned i : states.set_bits()) {
    Value last = scan.getFinals()[i];
    Value init = arriving.test(numStacked + i) ? parent.cotangent(last) : parent.zeros(last);
    add(yield.getStates()[i], addState(init));
  }
  if (failed(run(scan.getBody().front(), nullptr)))
    return failure();

  auto cotangentOf = [&](Value argument) {
    Value sum = sumSoFar(argument);
    return sum ? sum : zeros(argument);
  };
  SmallVector<Value> stepValues, newStates;
  SmallVector<unsigned> variedSequences, variedStates(states.set_bits());
  for (unsigned i : variedStates)
    newStates.push_back(cotangentOf(scan.getStateArgs()[i]));
  for (auto [i, argument] : llvm::enumerate(scan.getStepArgs()))
    if (needs(scan.getSequences()[i])) {
      variedSequences.push_back(i);
      stepValues.push_back(cotangentOf(argument));
    }
  SmallVector<Value> parameters;
  for (auto [value, sum] : captured) {
    parameters.push_back(value);
    newStates.push_back(sum);
  }
  YieldOp::create(builder(), loc, stepValues, newStates);
  extendForward();

  SmallVector<Value> operands;
  for (Sequence &sequence : sequences)
    operands.push_back(sequence.value ? sequence.value : parent.taped(scan.getStacked()[sequence.tape]));
  SmallVector<Type> stackedTypes, finalTypes;
  for (Value value : stepValues)
    stackedTypes.push_back(
        ScanOp::getStackedType(cast<RankedTensorType>(value.getType()), scan.getNumSteps()));
  for (Value value : newStates)
    finalTypes.push_back(value.getType());
  OpBuilder &outer = parent.builder();
  auto adjoint =
      ScanOp::create(outer, loc, stackedTypes, finalTypes, operands, inits,
                     scan.getReverse() ? UnitAttr() : outer.getUnitAttr(),
                     operands.empty() ? outer.getI64IntegerAttr(scan.getNumSteps()) : IntegerAttr());
  adjoint.getBody().push_back(block);
  for (auto [i, value] : llvm::enumerate(parameters))
    parent.setSum(value, adjoint.getFinals()[variedStates.size() + i]);
  for (auto [i, state] : llvm::enumerate(variedStates))
    parent.add(scan.getInits()[state], adjoint.getFinals()[i]);
  for (auto [i, sequence] : llvm::enumerate(variedSequences))
    parent.add(scan.getSequences()[sequence], adjoint.getStacked()[i]);
  return success();
}

/// Gives the neurons before `gradient` the results that their adjoints read.
static void requestTapes(GradientOp gradient) {
  Varied varied(gradient.getVariables(), gradient);
  SmallVector<NeuronOp> neurons;
  auto trainsThreshold = [&](NeuronOp neuron) {
    return neuron.getThresholds() && varied.contains(neuron.getThresholds());
  };
  for (Operation &op : *gradient->getBlock()) {
    if (&op == gradient)
      break;
    op.walk([&](NeuronOp neuron) {
      bool fired = neuron.needsFired(trainsThreshold(neuron));
      if (varied.contains(neuron.getSpikes()) && (!neuron.getCompared() || (fired && !neuron.getFired()) ||
                                                  (neuron.getPenalties() && !neuron.getUnreset())))
        neurons.push_back(neuron);
    });
  }
  for (NeuronOp neuron : neurons) {
    OpBuilder builder(neuron);
    Type dense = neuron.getNext().getType();
    bool fired = neuron.getFired() || neuron.needsFired(trainsThreshold(neuron));
    bool unreset = neuron.getUnreset() || neuron.getPenalties();
    SmallVector<Type> types{neuron.getSpikes().getType(), dense,
                            getCotangentType(neuron.getSpikes().getType())};
    types.append(int(fired) + int(unreset), dense);
    NeuronOp::Properties properties = neuron.getProperties();
    properties.resultSegmentSizes = {1, 1, 1, int(fired), int(unreset)};
    auto full = NeuronOp::create(builder, neuron.getLoc(), types, neuron->getOperands(), properties,
                                 llvm::to_vector(neuron->getDiscardableAttrs()));
    neuron.getSpikes().replaceAllUsesWith(full.getSpikes());
    neuron.getNext().replaceAllUsesWith(full.getNext());
    if (neuron.getCompared())
      neuron.getCompared().replaceAllUsesWith(full.getCompared());
    if (neuron.getFired())
      neuron.getFired().replaceAllUsesWith(full.getFired());
    if (neuron.getUnreset())
      neuron.getUnreset().replaceAllUsesWith(full.getUnreset());
    neuron.erase();
  }
}

LogicalResult spikeloom::snn::expandGradient(GradientOp gradient) {
  requestTapes(gradient);
  Varied varied(gradient.getVariables(), gradient);
  BlockAdjoint adjoint(varied, OpBuilder(gradient));
  for (auto [value, seed] : llvm::zip(gradient.getValues(), gradient.getSeeds()))
    adjoint.add(value, seed);
  if (failed(adjoint.run(*gradient->getBlock(), gradient)))
    return failure();
  for (auto [variable, result] : llvm::zip(gradient.getVariables(), gradient.getGradients())) {
    Value sum = adjoint.sumSoFar(variable);
    result.replaceAllUsesWith(sum ? sum : adjoint.zeros(variable));
  }
  // Detaching acts on gradients only.
  gradient->getBlock()->walk([](DetachEveryOp op) {
    op.getResult().replaceAllUsesWith(op.getValue());
    op.erase();
  });
  gradient.erase();
  return success();
}

namespace {
struct SNNDifferentiate : spikeloom::snn::impl::SNNDifferentiateBase<SNNDifferentiate> {
  void runOnOperation() override {
    SmallVector<GradientOp> gradients;
    getOperation().walk([&](GradientOp op) { gradients.push_back(op); });
    for (GradientOp gradient : gradients)
      if (failed(expandGradient(gradient)))
        return signalPassFailure();
  }
};
} // namespace
