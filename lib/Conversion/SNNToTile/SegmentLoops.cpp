// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scans over segments of the time steps: their bodies' scans become phases of a loop. What its trips read and
// write for all steps moves on by a segment from trip to trip; everything else has room for one segment.
#include "Lowering.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

//===----------------------------------------------------------------------===//
// What a scan of the body has to do with the loop
//===----------------------------------------------------------------------===//

/// Does the loop carry the state from one segment to the next?
bool Lowering::isCarried(ScanOp scan, unsigned state) const {
  ScanOp outer = segments.scan;
  return outer && llvm::is_contained(outer.getStateArgs(), scan.getInits()[state]);
}

/// What the state is before its first step: of the first segment, if the loop carries it.
Value Lowering::startOf(ScanOp scan, unsigned state) const {
  Value init = scan.getInits()[state];
  if (!isCarried(scan, state))
    return init;
  ScanOp outer = segments.scan;
  return outer.getInits()[cast<BlockArgument>(init).getArgNumber() - outer.getSequences().size()];
}

/// The value of the state after its last step: of the last segment, if the loop carries it.
Value Lowering::endOf(ScanOp scan, unsigned state) const {
  if (!isCarried(scan, state))
    return scan.getFinals()[state];
  ScanOp outer = segments.scan;
  auto argument = cast<BlockArgument>(scan.getInits()[state]);
  return outer.getFinals()[argument.getArgNumber() - outer.getSequences().size()];
}

/// Does the loop stack what the scan around the value stacks of it?
bool Lowering::isKept(Value value) const {
  if (!segments.scan)
    return false;
  return llvm::any_of(value.getUses(), [](OpOperand &use) {
    auto yield = dyn_cast<YieldOp>(use.getOwner());
    if (!yield || use.getOperandNumber() >= yield.getStepValues().size())
      return false;
    Value stacked = cast<ScanOp>(yield->getParentOp()).getStacked()[use.getOperandNumber()];
    return llvm::any_of(stacked.getUsers(), llvm::IsaPred<YieldOp>);
  });
}

/// The rows of a value that has one for each step of the phase, or, with `all`, of all segments.
Storage Lowering::rowsOfSegments(BufferOp buffer, bool all, int64_t shift) const {
  Storage rows{buffer, true, shift};
  return all ? segments.perTrip(rows, phaseSteps) : rows;
}

/// The number of the step for a codelet that has counted the steps it has done: nobody tells a tile.
Value Lowering::stepNumber(CodeletBuilder &b, Value done) const {
  auto ordered = [&](Value number, int64_t count, bool backwards) {
    return backwards ? b.sub(b.index(count - 1), number) : number;
  };
  if (!segments.scan)
    return ordered(done, phaseSteps, reverse);
  Value segment = ordered(b.div(done, phaseSteps), segments.count, segments.reverse);
  return b.add(b.mul(segment, b.index(phaseSteps)), ordered(b.rem(done, phaseSteps), phaseSteps, reverse));
}

//===----------------------------------------------------------------------===//
// From segment to segment
//===----------------------------------------------------------------------===//

/// At the start of a trip, keeps the states that the loop stacks.
void Lowering::storeStarts(ScanOp scan) {
  ScanOp outer = segments.scan;
  auto row = [&](BufferOp buffer) { return segments.perTrip({buffer, false}, 1); };
  for (auto [init, argument] : llvm::zip(scan.getInits(), scan.getStateArgs())) {
    if (!llvm::is_contained(outer.getStateArgs(), init) ||
        !llvm::is_contained(outer.getYield().getStepValues(), init))
      continue;
    if (getEvents(init.getType())) {
      EventStorage state = boundary(events.lookup(argument), Boundary::start);
      EventStorage kept = state;
      kept.payload = {}; // what a spike counts is known
      kept.ids = row(bufferLike(state.ids.buffer, ".starts", segments.count));
      kept.info = row(bufferLike(state.info.buffer, ".starts", segments.count));
      copyList(scan.getLoc(), "keep", state, kept);
      kept.ids = {kept.ids.buffer, true};
      kept.info = {kept.info.buffer, true};
      segments.listStarts[init] = kept;
      continue;
    }
    int unitClass = classes.getClass(argument);
    SmallVector<int64_t> shape = storedShape(argument);
    shape.insert(shape.begin(), segments.count);
    BufferOp kept =
        ownBuffer(scan.getLoc(), layerOf(unitClass) + ".starts", unitClass, shape, Layout::blocked, true);
    copyState(scan.getLoc(), "keep", unitClass, boundary(storages.lookup(argument), Boundary::start),
              row(kept));
    segments.starts[init] = {kept, true};
  }
}

/// Copies a list to where the first step of the next segment finds it.
void Lowering::carryList(EventStorage state) {
  if (state.ids.advance)
    return; // the rows of all segments lie one behind the other
  EventStorage end = boundary(state, Boundary::end), start = boundary(state, Boundary::start),
               between = state;
  between.payload = {};
  between.ids = {bufferLike(state.ids.buffer, ".carried", 1), true};
  between.info = {bufferLike(state.info.buffer, ".carried", 1), true};
  Location loc = state.ids.buffer.getLoc();
  copyList(loc, "carry", end, between);
  if (state.info.advance)
    start.info = {};
  copyList(loc, "carry", between, start);
}

/// The same for the cotangents of a list: their places are those of the list, which is there again.
void Lowering::carryCotangents(Operation *reduction, Storage state) {
  if (state.advance)
    return;
  const ListShape shape = reductionShapes.lookup(reduction);
  auto type = cast<MemRefType>(state.buffer.getType());
  int64_t batch = type.getDimSize(1), width = type.getDimSize(2);
  auto copy = [&](Storage from, Storage to) {
    auto phase = PhaseOp::create(phases, reduction->getLoc(), "carry", 1, false, 1, 1);
    phase.getBody().push_back(new Block);
    OpBuilder where = OpBuilder::atBlockEnd(&phase.getBody().front());
    std::string layer = layerOf(classes.getClass(reduction->getOperand(0)));
    CodeletBuilder b(reduction->getLoc(), module, layer + "_carry", shape.segmentFamily);
    SliceAttr slice = from.buffer.getSliceAttr();
    Value source = b.argument(from, View::slice, Access::read, slice.getExtents(), slice);
    Value target = b.argument(to, View::slice, Access::write, slice.getExtents(), slice);
    b.steps(false, [&](Value t) {
      Value firstSample = b.mul(b.div(b.getTask(), shape.segments), b.index(shape.samples));
      Value samples = b.min(b.index(shape.samples), b.sub(b.index(batch), firstSample));
      Value first = b.mul(b.rem(b.getTask(), shape.segments), b.index(shape.segment));
      Value present = b.min(b.index(shape.segment), b.sub(b.index(width), first));
      b.workers(kWorkers, [&](Value worker) {
        std::pair<Value, Value> range = b.share(worker, kWorkers, shape.segment);
        b.loop(b.index(0), samples, [&](Value s) {
          b.loop(range.first, b.min(range.second, present),
                 [&](Value j) { b.store(b.load(source, {t, s, j}), target, {t, s, j}); });
        });
      });
    });
    b.finish(where, layer, "carry");
  };
  Storage between{bufferLike(state.buffer, ".carried", 1), true};
  copy(boundary(state, Boundary::end), between);
  copy(between, boundary(state, Boundary::start));
}

/// At the end of a trip, brings states to where the next one starts from.
void Lowering::carryOn(ScanOp scan) {
  for (auto [i, argument] : llvm::enumerate(scan.getStateArgs())) {
    if (!isCarried(scan, unsigned(i)))
      continue;
    Value next = scan.getYield().getStates()[i];
    if (!getEvents(argument.getType())) {
      Storage state = storages.lookup(argument);
      if (state.steps && next != argument)
        copyState(scan.getLoc(), "carry", classes.getClass(next), boundary(state, Boundary::end),
                  boundary(state, Boundary::start));
    } else if (isReduction(next.getDefiningOp())) {
      carryCotangents(next.getDefiningOp(), events.lookup(argument).payload);
    } else {
      carryList(events.lookup(argument));
    }
  }
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

/// The state that a scan of the body ends with and the loop carries on, if it is one.
static bool carriesOn(ScanOp outer, unsigned state) {
  Value argument = outer.getStateArgs()[state], next = outer.getYield().getStates()[state];
  auto scan = next.getDefiningOp<ScanOp>();
  if (!scan)
    return next == argument;
  unsigned result = cast<OpResult>(next).getResultNumber(), stacked = scan.getStacked().size();
  return scan->getBlock() == &outer.getBody().front() && result >= stacked &&
         scan.getInits()[result - stacked] == argument;
}

/// What can be a loop over segments: scans whose states the loop carries on or that start from what it runs
/// over.
LogicalResult Lowering::checkSegments(ScanOp outer) {
  for (Operation &op : outer.getBody().front().without_terminator()) {
    auto scan = dyn_cast<ScanOp>(op);
    if (!scan && !isa<arith::ConstantOp>(op))
      return op.emitError("lies beside scans in the body of a scan; a scan over segments holds scans only");
    if (scan && !scan.getBody().getOps<ScanOp>().empty())
      return op.emitError(
          "is the third scan within one another; programs have loops over segments and steps");
    for (Value init : scan ? scan.getInits() : ValueRange())
      if (!llvm::is_contained(outer.getBody().getArguments(), init))
        return op.emitError(
            "starts every segment from a value that is neither a state of the scan over segments "
            "nor one of its sequences");
  }
  for (auto [i, sequence] : llvm::enumerate(outer.getSequences()))
    if (cast<RankedTensorType>(sequence.getType()).getRank() > 3 && !sequence.getDefiningOp<SplitTimeOp>())
      return outer.emitError("sequence ")
             << i << " must be steps in segments (snn.split_time) or a row for each";
  for (unsigned i = 0; i < outer.getInits().size(); ++i)
    if (!carriesOn(outer, i))
      return outer.emitError("state ")
             << i << " must be carried on by one scan of the body, as the same state";
  for (auto [i, value] : llvm::enumerate(outer.getYield().getStepValues())) {
    auto scan = value.getDefiningOp<ScanOp>();
    bool stacked = scan && cast<OpResult>(value).getResultNumber() < scan.getStacked().size();
    if (!stacked && !llvm::is_contained(outer.getStateArgs(), value))
      return outer.emitError("result ")
             << i << " must be what a scan of the body stacks, or the state before a segment";
  }
  return mlir::success();
}

/// Stores a value as another one is, seen in a certain way.
void Lowering::bindView(Value value, Value source, llvm::function_ref<Storage(Storage)> view) {
  if (auto found = events.find(source); found != events.end()) {
    EventStorage list = found->second;
    for (Storage *storage : {&list.ids, &list.info, &list.payload})
      if (storage->buffer)
        *storage = view(*storage);
    events[value] = list;
  } else if (auto found = storages.find(source); found != storages.end()) {
    Storage storage = view(found->second);
    storages[value] = storage;
  }
}

LogicalResult Lowering::bindSegments(ScanOp outer) {
  for (auto [argument, sequence] : llvm::zip(outer.getStepArgs(), outer.getSequences())) {
    if (!events.count(sequence) && !storages.count(sequence))
      return outer.emitError("reads a sequence that is stored nowhere: ") << sequence;
    bool steps = sequence.getDefiningOp<SplitTimeOp>() != nullptr;
    int64_t rows = steps ? cast<RankedTensorType>(argument.getType()).getDimSize(0) : 1;
    bindView(argument, sequence, [&](Storage storage) {
      storage.steps = steps;
      return segments.perTrip(storage, rows);
    });
  }
  for (auto [i, argument] : llvm::enumerate(outer.getStateArgs())) {
    Value init = outer.getInits()[i];
    if (!isSumState(outer, unsigned(i))) {
      bindView(argument, init, [](Storage storage) { return storage; });
      continue;
    }
    FailureOr<Storage> sum = storageOfSum(outer, outer.getYield().getStates()[i], init);
    if (failed(sum))
      return failure();
    storages[argument] = *sum;
    if (batches.goesOn(outer.getFinals()[i]))
      growing.insert(sum->buffer);
  }
  return mlir::success();
}

void Lowering::bindResults(ScanOp outer) {
  for (auto [stacked, value] : llvm::zip(outer.getStacked(), outer.getYield().getStepValues())) {
    if (auto found = segments.starts.find(value); found != segments.starts.end()) {
      storages[stacked] = found->second;
    } else if (auto found = segments.listStarts.find(value); found != segments.listStarts.end()) {
      events[stacked] = found->second;
    } else {
      bindView(stacked, value, [&](Storage storage) {
        if (storage.advance < 0)
          storage.shift += storage.advance * (segments.count - 1);
        storage.advance = 0;
        return storage;
      });
    }
  }
  for (auto [last, value] : llvm::zip(outer.getFinals(), outer.getYield().getStates()))
    bindView(last, value, [&](Storage storage) { // as the last trip leaves it
      storage.shift += storage.advance * (segments.count - 1);
      storage.advance = 0;
      return storage;
    });
}

LogicalResult Lowering::lowerSegments(ScanOp outer) {
  if (failed(checkSegments(outer)))
    return failure();
  segments.scan = outer;
  segments.count = outer.getNumSteps();
  segments.reverse = outer.getReverse();
  Block &made = program.getBody().front();
  Operation *last = made.empty() ? nullptr : &made.back();
  if (failed(bindSegments(outer)))
    return failure();
  for (ScanOp scan : outer.getBody().getOps<ScanOp>())
    if (failed(lowerScan(scan)))
      return failure();
  wrapPhases(last, "segments", segments.count, /*sums=*/false, ValueRange());
  bindResults(outer);
  segments = SegmentLoop();
  return mlir::success();
}
