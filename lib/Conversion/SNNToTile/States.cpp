// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// States and stacked results of a scan: where the steps find and leave them.
#include "Lowering.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

/// Copies a dense [B, N] value of one class between two storages, in a phase of its own.
PhaseOp Lowering::copyState(Location loc, StringRef name, int unitClass, Storage from, Storage to) {
  auto phase = PhaseOp::create(phases, loc, name, 1, false, 1, 1);
  Block *block = new Block;
  phase.getBody().push_back(block);
  OpBuilder where = OpBuilder::atBlockEnd(block);
  FamilyOp owner = family(unitClass);
  CodeletBuilder codelet(loc, module, layerOf(unitClass) + "_" + name.str(), owner);
  auto shape = cast<MemRefType>(from.buffer.getType()).getShape().drop_front(from.buffer.getSteps() ? 1 : 0);
  int64_t batch = shape.front(), perTile = owner.getPerTile();
  Value source = codelet.argument(from, View::own, Access::read, {batch, perTile});
  Value target = codelet.argument(to, View::own, Access::write, {batch, perTile});
  codelet.steps(false, [&](Value t) {
    codelet.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = codelet.share(worker, kWorkers, batch);
      Value lo = range.first, hi = range.second;
      codelet.loop(lo, hi, [&](Value b) {
        codelet.loop(codelet.index(0), codelet.index(perTile), [&](Value c) {
          auto at = [&](const Storage &s) {
            return s.steps ? SmallVector<Value>{t, b, c} : SmallVector<Value>{b, c};
          };
          codelet.store(codelet.load(source, at(from)), target, at(to));
        });
      });
    });
  });
  codelet.finish(where, layerOf(unitClass), name);
  return phase;
}

LogicalResult Lowering::bindStacked(ScanOp scan, unsigned i) {
  Value stacked = scan.getStacked()[i], value = scan.getYield().getStepValues()[i];
  if (stacked.use_empty())
    return mlir::success();
  if (getEvents(value.getType())) {
    if (!events.count(value))
      return scan.emitError("stacks a list (result ") << i << ") that no operation of its body makes";
    events[stacked] = events.lookup(value);
    return mlir::success();
  }
  Operation *op = value.getDefiningOp();
  bool kept = isKept(value);
  if (auto found = storages.find(value);
      found != storages.end() && found->second.steps && (!kept || found->second.advance)) {
    store({stacked}, found->second); // a row for every step already
    return mlir::success();
  }
  if (!op || !stageOf.count(op))
    return scan.emitError("stacks a value (result ") << i << ") that no operation of its body computes";
  int unitClass = classes.getClass(value);
  SmallVector<int64_t> shape = storedShape(value);
  shape.insert(shape.begin(), kept ? totalSteps() : phaseSteps);
  Storage storage = rowsOfSegments(
      ownBuffer(op->getLoc(), layerOf(unitClass) + ".stacked", unitClass, shape, Layout::rows, true), kept);
  targets[value].push_back(storage);
  storages[stacked] = storage;
  return mlir::success();
}

/// Parameters of rank 2 are stored with their units last.
static bool isTransposed(func::FuncOp function, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != &function.getBody().front())
    return false;
  auto kind = function.getArgAttrOfType<ArgumentKindAttr>(argument.getArgNumber(), kKindAttr);
  return kind && kind.getValue() == ArgumentKind::parameter &&
         cast<RankedTensorType>(value.getType()).getRank() == 2;
}

LogicalResult Lowering::bindState(ScanOp scan, unsigned i) {
  BlockArgument argument = scan.getStateArgs()[i];
  Value init = startOf(scan, i), next = scan.getYield().getStates()[i], last = scan.getFinals()[i];
  Location loc = scan.getLoc();
  if (next == argument) { // never changes
    store({argument, last}, storages.lookup(scan.getInits()[i]));
    return mlir::success();
  }
  Operation *producer = next.getDefiningOp();
  if (!producer || producer->getBlock() != argument.getOwner())
    return scan.emitError("state ") << i << " takes a value that no operation of the body computes";
  if (accumulatorOf(producer))
    return bindSumState(scan, i);
  DenseElementsAttr splat;
  if (auto constant = init.getDefiningOp<arith::ConstantOp>())
    splat = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (init.getDefiningOp<arith::ConstantOp>() && (!splat || !splat.isSplat()))
    return scan.emitError("state ") << i << " must start from an argument or from one constant for all units";
  if (!splat && !storages.count(init))
    return scan.emitError("state ") << i << " starts from a value that is stored nowhere";
  if (isTransposed(function, init))
    return scan.emitError("state ") << i
                                    << " starts from a parameter of rank 2, whose rows are units; make it an "
                                    << "input or a state of @main (snn.kind)";
  auto start = [&](int unitClass, Storage state) {
    state.buffer.setClear(true);
    if (splat) {
      state.buffer.setFill(splat.getSplatValue<APFloat>());
      return;
    }
    PhaseOp copy = copyState(loc, "start", unitClass, storages.lookup(init), state);
    if (isCarried(scan, i))
      segments.before.insert(copy);
  };

  int unitClass = classes.getClass(next);
  SmallVector<int64_t> shape = storedShape(next);
  // Sums over samples and gradients of inputs are made when the new value is there already.
  bool inPlace = llvm::all_of(argument.getUses(), [&](OpOperand &use) {
    if (isa<YieldOp, LinearInputGradOp>(use.getOwner()) || accumulatorOf(use.getOwner()))
      return false;
    auto stage = stageOf.find(use.getOwner());
    return !isExchanged(use) && stage != stageOf.end() && stage->second == stageOf[producer];
  });
  if (inPlace) {
    Storage storage;
    Storage given = storages.lookup(init);
    bool atHome = given.buffer && given.buffer.getHome() == Home::own; // an input lies with the host
    if (llvm::is_contained(function.getArguments(), init) && init.hasOneUse() && atHome) {
      storage = given;
    } else {
      bool readElsewhere = llvm::any_of(endOf(scan, i).getUses(),
                                        [](OpOperand &use) { return !isa<func::ReturnOp>(use.getOwner()); });
      storage = {ownBuffer(loc, layerOf(unitClass) + ".state", unitClass, shape,
                           readElsewhere ? Layout::rows : Layout::blocked),
                 false, 0};
      start(unitClass, storage);
    }
    store({argument, last}, storage);
    targets[next].push_back(storage);
    return mlir::success();
  }

  // Another stage reads the old value, so every step has a row: row t is the value before step t when time
  // runs forward, after step t when it runs backward.
  shape.insert(shape.begin(), phaseSteps + 1);
  BufferOp rows = ownBuffer(loc, layerOf(unitClass) + ".history", unitClass, shape, Layout::rows, true);
  storages[argument] = {rows, true, reverse ? 1 : 0};
  start(unitClass, boundary(storages[argument], Boundary::start));
  targets[next].push_back({rows, true, reverse ? 0 : 1});
  return mlir::success();
}

/// The list so many rows further on.
static EventStorage movedBy(EventStorage list, int64_t rows) {
  for (Storage *storage : {&list.ids, &list.info, &list.payload})
    storage->shift += rows;
  return list;
}

Storage Lowering::boundary(Storage state, Boundary at) const {
  if (state.steps)
    state.shift += at == Boundary::end ? (reverse ? -1 : phaseSteps) : (reverse ? phaseSteps - 1 : 0);
  return state;
}

EventStorage Lowering::boundary(EventStorage state, Boundary at) const {
  for (Storage *storage : {&state.ids, &state.info, &state.payload})
    *storage = boundary(*storage, at);
  return state;
}

/// A state that is a list: row t is the list before step t, as in the history of a dense state.
LogicalResult Lowering::bindListState(ScanOp scan, unsigned i) {
  Value init = startOf(scan, i), next = scan.getYield().getStates()[i];
  auto made = events.find(next);
  if (made == events.end() || !next.getDefiningOp())
    return scan.emitError("state ")
           << i << ": lists that are carried to the next step must be made by an operation of the body";
  EventStorage before = movedBy(made->second, reverse ? 1 : -1);
  events[scan.getStateArgs()[i]] = before;
  events[scan.getFinals()[i]] = boundary(before, Boundary::end);
  // Cleared memory is the empty list.
  Value dense = init;
  if (auto compress = init.getDefiningOp<CompressOp>())
    dense = compress.getInput();
  else if (auto restrict = init.getDefiningOp<RestrictOp>())
    dense = restrict.getInput();
  if (matchPattern(dense, m_AnyZeroFloat()))
    return mlir::success();
  auto given = events.find(init);
  bool restarts = segments.scan && llvm::is_contained(segments.scan.getStepArgs(), init);
  if (given == events.end() || !(restarts || init.getDefiningOp<CompressOp>()))
    return scan.emitError("state ") << i << ": a list starts from zero or from a dense value (snn.compress)";
  EventStorage first = boundary(before, Boundary::start);
  if (!isCarried(scan, i)) {
    copyList(scan.getLoc(), "start", given->second, first);
    return mlir::success();
  }
  for (Storage *storage : {&first.ids, &first.info})
    storage->advance = 0; // the row of the first trip, from before the loop
  segments.before.insert(copyList(scan.getLoc(), "start", given->second, first));
  return mlir::success();
}

LogicalResult Lowering::bindStates(ScanOp scan) {
  for (auto [i, argument] : llvm::enumerate(scan.getStateArgs()))
    if (failed(getEvents(argument.getType()) ? bindListState(scan, unsigned(i))
                                             : bindState(scan, unsigned(i))))
      return failure();
  return mlir::success();
}

/// States kept as a history end as a value of their own.
void Lowering::finishStates(ScanOp scan) {
  for (auto [i, next] : llvm::enumerate(scan.getYield().getStates())) {
    Value last = endOf(scan, unsigned(i));
    if (last.use_empty() || storages.count(scan.getFinals()[i]) || getEvents(last.getType()))
      continue;
    int unitClass = classes.getClass(next);
    Storage rows = boundary(storages.lookup(scan.getStateArgs()[i]), Boundary::end);
    Storage end{ownBuffer(scan.getLoc(), layerOf(unitClass) + ".last", unitClass,
                          cast<RankedTensorType>(last.getType()).getShape(), Layout::rows),
                false, 0};
    copyState(scan.getLoc(), "end", unitClass, rows, end);
    storages[scan.getFinals()[i]] = end;
  }
}
