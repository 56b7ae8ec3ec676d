// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the operations of a scan to stages: which operations of a class of units run between two exchanges,
// and which values must be stored because another stage, another step or another phase reads them.
#include "Lowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

/// Operations that only rearrange event cotangents: they are evaluated where their result is read.
static bool isExpression(Operation *op) { return isa<AccumulateOp, RestrictOp>(op); }

bool spikeloom::isExchanged(OpOperand &use) {
  Operation *op = use.getOwner();
  if (auto neuron = dyn_cast<NeuronOp>(op))
    // The tiles that make the lists compare with the thresholds.
    return use.get() == neuron.getThresholds() && getEvents(neuron.getSpikes().getType());
  if (isa<LinearOp>(op) && use.getOperandNumber() == 0)
    return true;
  if (auto grad = dyn_cast<LinearWeightGradOp>(op))
    return use.get() == grad.getInput();
  if (auto sum = dyn_cast<BatchSumOp>(op); sum && use.getOperandNumber() == 0)
    return cast<RankedTensorType>(sum.getValue().getType()).getRank() == 1;
  auto rankOf = [](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type ? type.getRank() : 0;
  };
  if (op->getNumResults() && rankOf(use.get()) == 0 && rankOf(op->getResult(0)) > 0)
    return true; // one number for all units
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return rankOf(broadcast.getInput()) == 2;
  if (auto dropout = dyn_cast<DropoutOp>(op))
    return use.get() == dropout.getKey();
  if (auto adjoint = dyn_cast<NeuronAdjointOp>(op))
    // Read at the entries of a list, before the units are gone through.
    return use.get() == adjoint.getSpikeCotangent() && getEvents(adjoint.getCompared().getType());
  return isa<RestrictOp, CompressOp, LossOpInterface, ConvMatrixOp>(op) || isRowOp(op);
}

void Lowering::beginPhase(Location loc, StringRef name, int64_t steps, bool isReverse) {
  auto phase = PhaseOp::create(phases, loc, name, steps, isReverse, 1, 1);
  Block *block = new Block;
  phase.getBody().push_back(block);
  stages = OpBuilder::atBlockEnd(block);
  reverse = isReverse;
  phaseSteps = steps;
  unitStages.clear();
  stageOf.clear();
  helperLevels.clear();
}

/// The level at which a value can be read: that of the stage that makes it, one more if an exchange lies
/// between.
int Lowering::levelAfter(Value value, bool exchanged) const {
  Operation *op = value.getDefiningOp();
  if (!op)
    return 0;
  if (isExpression(op)) {
    int level = 0;
    for (Value operand : op->getOperands())
      level = std::max(level, levelAfter(operand, true));
    return level;
  }
  if (auto helper = helperLevels.find(op); helper != helperLevels.end())
    return helper->second;
  auto found = stageOf.find(op);
  if (found == stageOf.end())
    return 0;
  bool throughLists = getEvents(value.getType()) != nullptr || isReduction(op);
  return found->second.second + (exchanged || throughLists ? 1 : 0);
}

LogicalResult Lowering::assignStage(Operation *op) {
  if (isExpression(op) || isa<arith::ConstantOp>(op))
    return mlir::success();
  int level = 0;
  for (OpOperand &operand : op->getOpOperands()) {
    // A sum is complete when all parts of its stage have run, and so is a matrix.
    Operation *source = operand.get().getDefiningOp();
    bool sum = source && accumulatorOf(source) && operand.get() != accumulatorOf(op);
    bool complete = sum || isa_and_nonnull<ConvMatrixOp>(source);
    level = std::max(level, levelAfter(operand.get(), complete || isExchanged(operand)));
  }
  if (isa<CompressOp, LossOpInterface, ClipByNormOp, OptimizerOpInterface>(op)) {
    helperLevels[op] = level ? level + 1 : 0;
    return mlir::success();
  }
  int unitClass = -1;
  if (isReduction(op))
    unitClass = classes.getClass(op->getOperand(0));
  else
    for (Value value : op->getResults())
      if (unitClass < 0 && !getEvents(value.getType()))
        unitClass = classes.getClass(value);
  for (Value operand : op->getOperands())
    if (auto constant = operand.getDefiningOp<arith::ConstantOp>();
        constant && !isa<SplatElementsAttr>(constant.getValue()))
      return op->emitError("reads a constant that differs from unit to unit; make it a parameter of @main "
                           "(snn.kind = #snn.kind<parameter>, snn.value = ...)");
  if (isa<ConvMatrixOp>(op) && op->getParentOfType<ScanOp>())
    return op->emitError(
        "is computed in every step from parameters that do not change; move it out of the scan");
  if (unitClass < 0 && !isRowOp(op))
    return op->emitError(
        "has no units that could be dealt out to tiles; operands and results must be tensors of "
        "[batch, units]");
  if (isRowOp(op)) {
    helperLevels[op] = level + 1;
  } else {
    stageOf[op] = {unitClass, level};
    joinSums(op);
  }
  return mlir::success();
}

/// The latest level at which all readers of an operation's results are still served; its own without readers.
int Lowering::latestLevel(Operation *op) const {
  auto [unitClass, level] = stageOf.lookup(op);
  int latest = -1;
  for (OpOperand &use : op->getUses()) {
    if (isa<YieldOp>(use.getOwner()))
      continue; // written whenever it is ready
    auto user = stageOf.find(use.getOwner());
    if (user == stageOf.end())
      return level;
    int bound = user->second.second - (isExchanged(use) || user->second.first != unitClass ? 1 : 0);
    latest = latest < 0 ? bound : std::min(latest, bound);
  }
  return std::max(level, latest);
}

LogicalResult Lowering::assignStages(ArrayRef<Operation *> ops) {
  for (Operation *op : ops)
    if (failed(assignStage(op)))
      return failure();
  // Arithmetic runs beside its readers, where its result needs no buffer.
  for (Operation *op : llvm::reverse(ops))
    if (stageOf.count(op) &&
        (isa<BroadcastOp>(op) || isa<arith::ArithDialect, math::MathDialect>(op->getDialect())))
      stageOf[op].second = latestLevel(op);
  for (Operation *op : ops) {
    auto found = stageOf.find(op);
    if (found == stageOf.end())
      continue;
    UnitStage &stage = unitStages[found->second];
    std::tie(stage.unitClass, stage.level) = found->second;
    stage.ops.push_back(op);
  }
  return mlir::success();
}

/// Gives a value of the phase a buffer if another stage reads it, or a later part of its own stage.
void Lowering::bindValue(Operation *op, Value value) {
  if (getEvents(value.getType()) || storages.count(value) || classes.getClass(value) < 0 ||
      !stageOf.count(op) || isReduction(op))
    return;
  bool elsewhere = false, later = false;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (isa<YieldOp>(user))
      continue;
    auto stage = stageOf.find(user);
    if (isExchanged(use) || stage == stageOf.end() || stage->second != stageOf[op])
      elsewhere = true;
    else if (isReduction(user) || accumulatorOf(user) || (isPerUnit(op) && !isPerUnit(user)))
      later = true;
  }
  if (!elsewhere && !later)
    return;
  // A stacked result or a state that is written anyway serves as well, if it has a row for every step.
  if (!targets[value].empty() && (targets[value].front().steps || !elsewhere)) {
    storages[value] = targets[value].front();
    return;
  }
  int unitClass = classes.getClass(value);
  // A row for every step also where only this stage reads it: the host then runs each of the stage's parts
  // for all steps, so that one array at a time is in its cache. A tile keeps the rows of a chunk.
  bool steps = phaseSteps > 1;
  SmallVector<int64_t> shape = storedShape(value);
  if (steps)
    shape.insert(shape.begin(), phaseSteps);
  Storage storage{ownBuffer(op->getLoc(), layerOf(unitClass) + (elsewhere ? ".exchanged" : ".scratch"),
                            unitClass, shape, elsewhere ? Layout::rows : Layout::blocked, steps),
                  steps, 0};
  storages[value] = storage;
  targets[value].push_back(storage);
}

LogicalResult Lowering::lowerStages(ArrayRef<Operation *> ops) {
  for (Operation *op : ops)
    for (Value value : op->getResults())
      bindValue(op, value);
  for (Operation *op : ops)
    if (isReduction(op) && !reductionShapes.count(op))
      prepareReduction(op);
  for (auto &entry : unitStages)
    emitUnitStage(entry.second);
  for (Operation *op : ops) {
    if (listShapes.count(op))
      emitLists(op);
    if (isReduction(op))
      emitReduction(op);
    if (isRowOp(op))
      emitRows(op);
  }
  return mlir::success();
}

LogicalResult Lowering::lowerScan(ScanOp scan) {
  SmallVector<Operation *> ops;
  for (Operation &op : scan.getBody().front().without_terminator())
    if (!isa<arith::ConstantOp>(op))
      ops.push_back(&op);
  for (auto [argument, sequence] : llvm::zip(scan.getStepArgs(), scan.getSequences())) {
    if (events.count(sequence))
      events[argument] = events.lookup(sequence);
    else if (storages.count(sequence))
      storages[argument] = storages.lookup(sequence);
    else
      return scan.emitError("reads a sequence that is stored nowhere: ") << sequence;
  }
  // Copies of states that a phase starts from are phases of their own and come first; the insertion point of
  // this phase's stages is its block, so the order of creation is kept by moving the phase behind them.
  StringRef name = scan.isRecomputed() ? "recompute" : scan.getReverse() ? "backward" : "forward";
  beginPhase(scan.getLoc(), name, scan.getNumSteps(), scan.getReverse());
  Operation *phase = stages.getInsertionBlock()->getParentOp();
  if (failed(assignStages(ops)))
    return failure();
  for (Value state : scan.getYield().getStates())
    if (getEvents(state.getType()))
      eventStates.insert(state);
  for (Operation *op : ops) {
    prepareLists(op);
    prepareRows(op);
    // A cotangent that the next step reads is bound to its state below, one that is stacked to its result.
    if (isReduction(op) && (eventStates.contains(op->getResult(0)) ||
                            llvm::is_contained(scan.getYield().getStepValues(), op->getResult(0))))
      prepareReduction(op);
  }
  if (failed(bindStates(scan)))
    return failure();
  if (segments.scan)
    storeStarts(scan);
  phase->moveAfter(&program.getBody().front().back());
  for (unsigned i = 0; i < scan.getStacked().size(); ++i)
    if (failed(bindStacked(scan, i)))
      return failure();
  if (failed(lowerStages(ops)))
    return failure();
  finishStates(scan);
  if (segments.scan)
    carryOn(scan);
  return mlir::success();
}

LogicalResult Lowering::lowerFlat(ArrayRef<Operation *> ops) {
  if (ops.empty())
    return mlir::success();
  bool optimizer = llvm::any_of(ops, [](Operation *op) { return isa<OptimizerOpInterface>(op); });
  // A loss is a phase of its own, of as many steps as it judges: what comes before makes its logits, what
  // comes after reads its gradient.
  if (auto *found = llvm::find_if(ops, llvm::IsaPred<LossOpInterface>); found != ops.end()) {
    if (failed(lowerFlat(ops.take_front(found - ops.begin()))))
      return failure();
    auto loss = cast<LossOpInterface>(*found);
    auto type = cast<RankedTensorType>(loss.getLogits().getType());
    bool stepwise = type.getRank() == 3;
    beginPhase(loss->getLoc(), stepwise ? "judge" : "loss", stepwise ? type.getDimSize(0) : 1, false);
    emitLoss(loss);
    return lowerFlat(ops.drop_front(found - ops.begin() + 1));
  }
  beginPhase(ops.front()->getLoc(), optimizer ? "update" : "pass", 1, false);
  for (Operation *op : ops) {
    if (isa<SumTimeOp, RepeatTimeOp>(op))
      return op->emitError("must be part of a scan; run snn-fuse-time-sums first");
  }
  if (failed(assignStages(ops)))
    return failure();
  for (Operation *op : ops) {
    prepareLists(op);
    prepareRows(op);
    if (isReduction(op))
      prepareReduction(op);
    if (accumulatorOf(op) && !isPartialSum(op) && failed(bindSum(op)))
      return failure();
  }
  // What a later phase or the caller reads is stored.
  for (Operation *op : ops)
    for (Value value : op->getResults())
      if (stageOf.count(op) && !isReduction(op) && !getEvents(value.getType()) && !storages.count(value) &&
          classes.getClass(value) >= 0 &&
          (isa<ConvMatrixOp>(op) ||
           llvm::any_of(value.getUsers(), [&](Operation *user) { return !llvm::is_contained(ops, user); }))) {
        int unitClass = classes.getClass(value);
        SmallVector<int64_t> shape = storedShape(value);
        bool weights = isa<ConvMatrixOp>(op);
        if (weights)
          std::reverse(shape.begin(), shape.end());
        Storage storage{ownBuffer(op->getLoc(), layerOf(unitClass) + (weights ? ".matrix" : ".value"),
                                  unitClass, shape, weights ? Layout::blocked : Layout::rows),
                        false, 0};
        targets[value].push_back(storage);
        storages[value] = storage;
      }
  for (Operation *op : ops)
    for (Value value : op->getResults())
      bindValue(op, value);
  for (Operation *op : ops) {
    if (auto clip = dyn_cast<ClipByNormOp>(op))
      emitClipByNorm(clip);
    if (auto update = dyn_cast<OptimizerOpInterface>(op))
      emitOptimizer(update);
  }
  if (failed(lowerStages(ops)))
    return failure();
  for (Operation *op : ops)
    for (Value value : op->getResults())
      settle(value);
  return mlir::success();
}

/// Later phases read the one row of what a phase without time made, whatever their step.
void Lowering::settle(Value value) {
  if (auto found = storages.find(value); found != storages.end())
    found->second.steps = false;
  if (auto found = events.find(value); found != events.end())
    for (Storage *storage : {&found->second.ids, &found->second.info, &found->second.payload})
      storage->steps = false;
}
