// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The loop over micro-batches: what it runs, what it clears, and where its trips find their data.
#include "MicroBatches.h"
#include "Lowering.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

bool MicroBatches::isPerBatch(func::FuncOp function, unsigned argument) {
  auto kind = function.getArgAttrOfType<ArgumentKindAttr>(argument, kKindAttr);
  return !kind || kind.getValue() == ArgumentKind::input || kind.getValue() == ArgumentKind::label ||
         kind.getValue() == ArgumentKind::weight || kind.getValue() == ArgumentKind::random;
}

/// The state of a scan whose last value this is; nothing for other values.
static std::optional<unsigned> stateOf(ScanOp scan, Value value) {
  unsigned index = cast<OpResult>(value).getResultNumber(), stacked = scan.getStacked().size();
  return index < stacked ? std::nullopt : std::optional<unsigned>(index - stacked);
}

/// Walks from a gradient back to the sums over samples that it is made from.
void MicroBatches::collectSums(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !visited.insert(value).second)
    return;
  if (auto scan = dyn_cast<ScanOp>(op)) {
    std::optional<unsigned> state = stateOf(scan, value);
    if (!state || !isSumState(scan, *state))
      return;
    sums.insert(value);
    return collectSums(scan.getInits()[*state]);
  }
  if (Value start = accumulatorOf(op)) {
    sums.insert(value);
    return collectSums(start);
  }
  for (Value operand : op->getOperands())
    collectSums(operand);
}

LogicalResult MicroBatches::place(Operation *op) {
  bool reads = false, waits = false;
  op->walk([&](Operation *inner) {
    for (OpOperand &operand : inner->getOpOperands()) {
      reads |= varying.contains(operand.get());
      auto scan = dyn_cast<ScanOp>(inner);
      bool grows = accumulatorOf(inner) == operand.get();
      if (scan && operand.getOperandNumber() >= scan.getSequences().size())
        grows = goesOn(scan.getFinals()[operand.getOperandNumber() - scan.getSequences().size()]);
      waits |= complete.contains(operand.get()) && !grows;
    }
  });
  if (reads && waits)
    return op->emitError(
               "reads data of a micro-batch and a gradient that is known when all are over; gradients "
               "cannot be accumulated over ")
           << count << " micro-batches";
  places[op] = waits ? When::after : reads ? When::every : When::before;
  for (Value result : op->getResults()) {
    if (waits || (reads && goesOn(result)))
      complete.insert(result);
    else if (reads)
      varying.insert(result);
  }
  return mlir::success();
}

LogicalResult MicroBatches::classify() {
  if (count == 1)
    return mlir::success();
  auto end = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  for (auto [i, value] : llvm::enumerate(end.getOperands()))
    if (auto role = function.getResultAttrOfType<StringAttr>(unsigned(i), kRoleAttr);
        role && role.getValue() == "gradient")
      collectSums(value);
  if (sums.empty())
    return function.emitError("has no gradients to accumulate over ")
           << count << " micro-batches; compile a training step, or leave the number at 1";
  for (BlockArgument argument : function.getArguments())
    if (isPerBatch(function, argument.getArgNumber()))
      varying.insert(argument);
  for (Operation &op : function.getBody().front().without_terminator())
    if (failed(place(&op)))
      return failure();
  return mlir::success();
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

/// Changes by how many rows the arguments of a step move on in the loops around it.
static void changeAdvances(ComputeOp stage,
                           llvm::function_ref<void(Value buffer, SmallVector<int64_t> &advance)> change) {
  SmallVector<Attribute> views(stage.getViews().getAsRange<Attribute>());
  MLIRContext *context = stage.getContext();
  for (auto [i, value] : llvm::enumerate(stage.getArguments())) {
    auto view = cast<ArgumentAttr>(views[i]);
    SmallVector<int64_t> advance;
    if (view.getAdvance())
      advance.assign(view.getAdvance().asArrayRef().begin(), view.getAdvance().asArrayRef().end());
    change(value, advance);
    auto rows = advance.empty() ? DenseI64ArrayAttr() : DenseI64ArrayAttr::get(context, advance);
    views[i] = ArgumentAttr::get(context, view.getView(), view.getAccess(), view.getSteps(), view.getShift(),
                                 view.getAddress(), view.getSlice(), rows);
  }
  stage.setViewsAttr(ArrayAttr::get(context, views));
}

/// Lets what steps see of a buffer move on by `rows` in the outermost loop.
static void advanceInOuterLoop(ComputeOp stage, BufferOp buffer, int64_t rows) {
  changeAdvances(stage, [&](Value value, SmallVector<int64_t> &advance) {
    if (value != buffer.getResult())
      return;
    size_t depth = 0;
    for (auto loop = stage->getParentOfType<LoopOp>(); loop; loop = loop->getParentOfType<LoopOp>())
      ++depth;
    advance.resize(depth, 0);
    advance.front() = rows;
  });
}

/// Gives a buffer of the host the data of all micro-batches, one after another.
void Lowering::repeatBuffer(BufferOp buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<int64_t> shape(type.getShape());
  int64_t rows = buffer.getSteps() ? shape.front() : 1;
  if (buffer.getSteps())
    shape.front() *= batches.getCount();
  else
    shape.insert(shape.begin(), batches.getCount());
  buffer.setSteps(true);
  buffer.getResult().setType(MemRefType::get(shape, type.getElementType()));
  for (Operation *user : buffer->getUsers()) {
    if (auto stage = dyn_cast<ComputeOp>(user))
      advanceInOuterLoop(stage, buffer, rows);
    if (auto port = dyn_cast<PortOp>(user)) {
      SmallVector<int64_t> all(port.getShape());
      all.insert(all.begin(), batches.getCount());
      port.setShape(all);
    }
  }
}

/// Puts the phases and loops behind `last` into a loop of their own.
LoopOp Lowering::wrapPhases(Operation *last, StringRef name, int64_t trips, bool sums, ValueRange clear) {
  SmallVector<Operation *> inside;
  for (Operation *op = last ? last->getNextNode() : &program.getBody().front().front(); op;
       op = op->getNextNode())
    if (isa<PhaseOp, LoopOp>(op) && !segments.before.contains(op))
      inside.push_back(op);
  auto loop = LoopOp::create(phases, function.getLoc(), name, trips, sums, clear);
  Block *body = new Block;
  loop.getBody().push_back(body);
  for (Operation *op : inside) {
    op->moveBefore(body, body->end());
    if (isa<LoopOp>(op))
      op->walk([](ComputeOp stage) {
        changeAdvances(stage, [](Value, SmallVector<int64_t> &advance) {
          if (!advance.empty())
            advance.insert(advance.begin(), 0);
        });
      });
  }
  return loop;
}

/// Puts the phases behind `last` into a loop over the micro-batches.
void Lowering::makeLoop(Operation *last) {
  LoopOp loop = wrapPhases(last, "micro_batches", batches.getCount(), /*sums=*/true, ValueRange());
  SmallVector<Value> clear;
  for (auto buffer : program.getBody().getOps<BufferOp>())
    if (buffer.getClear() && buffer.getHome() != Home::host && !buffer.getPersistent() &&
        !growing.contains(buffer) &&
        llvm::any_of(buffer->getUsers(), [&](Operation *user) { return loop->isAncestor(user); }))
      clear.push_back(buffer.getResult());
  loop.getClearMutable().assign(clear);
  for (BlockArgument argument : function.getArguments())
    if (MicroBatches::isPerBatch(function, argument.getArgNumber()))
      repeatBuffer(storages.lookup(argument).buffer);
}
