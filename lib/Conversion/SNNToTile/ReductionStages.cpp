// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions over tiles.
#include "Lowering.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

/// Strided partial sums of a reduction over the tiles of a group (D10 of docs/Rationale.md).
static constexpr int64_t kStrides = 16;
/// Partial sums that a task of a reduction should hold at most.
static constexpr int64_t kPartialsPerTask = 16384;

bool spikeloom::isReduction(Operation *op) { return isa<LinearInputGradOp, ConvKernelGradOp>(op); }

Reduction Lowering::reductionOf(Operation *op) const {
  Reduction reduction;
  reduction.op = op;
  reduction.unitClass = classes.getClass(op->getOperand(0));
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  reduction.rows = type.getDimSize(0);
  reduction.width = type.getDimSize(1);
  if (auto grad = dyn_cast<LinearInputGradOp>(op)) {
    reduction.support = grad.getSupport();
    if (EventsAttr listed = getEvents(type))
      reduction.width = listed.getCapacity();
  } else {
    // As the kernel lies: [taps][channels].
    std::swap(reduction.rows, reduction.width);
    reduction.steps = op->getParentOfType<ScanOp>() != nullptr;
  }
  return reduction;
}

/// Deals the elements of a reduction over `summed` tiles out to the tasks of helpers; to more tiles, where
/// units are too, only as far as a task would hold too much. Few tiles matter: a family has one address on
/// all of its tiles.
static ListShape dealOut(const Reduction &reduction, int64_t summed, const Placement &placement) {
  ListShape shape;
  int64_t tiles = placement.helperTiles();
  shape.samples = ceilDiv(reduction.rows, std::min(reduction.rows, tiles));
  shape.sampleTasks = ceilDiv(reduction.rows, shape.samples);
  int64_t wanted = std::min(reduction.width / kWorkers, tiles / shape.sampleTasks);
  int64_t needed = ceilDiv(summed * shape.samples * reduction.width, kPartialsPerTask);
  int64_t most = std::min(reduction.width, placement.tiles() / shape.sampleTasks);
  shape.segments = std::clamp<int64_t>(std::max(wanted, needed), 1, std::max<int64_t>(1, most));
  shape.segment = ceilDiv(reduction.width, shape.segments);
  shape.segments = ceilDiv(reduction.width, shape.segment);
  return shape;
}

void Lowering::prepareReduction(Operation *op) {
  const Reduction reduction = reductionOf(op);
  int64_t batch = reduction.rows, width = reduction.width;
  MLIRContext *context = op->getContext();
  int unitClass = reduction.unitClass;
  std::string layer = layerOf(unitClass);
  ListShape shape = dealOut(reduction, int64_t(family(unitClass).getTiles()), placement);
  shape.segmentFamily = indexFamily(layer + ".reduce", shape.sampleTasks * shape.segments);
  reductionShapes[op] = shape;

  SmallVector<int64_t> extents{batch, width};
  if (reduction.steps)
    extents.insert(extents.begin(), phaseSteps);
  BufferOp partials =
      ownBuffer(op->getLoc(), layer + ".partials", unitClass, extents, Layout::rows, reduction.steps);
  partials.setPitch(width);
  partialsOf[op] = {partials, reduction.steps, 0};

  // A cotangent that the next step reads has a row more, zero at the start: see bindState.
  Value value = op->getResult(0);
  bool carried = eventStates.contains(value);
  auto slice = SliceAttr::get(context, shape.segments, shape.samples * width, shape.segment,
                              {shape.samples, shape.segment});
  bool kept = reduction.steps && isKept(value);
  if (reduction.steps)
    extents.front() = rowsFor(value) + (carried ? 1 : 0);
  StringRef name = isa<LinearInputGradOp>(op) ? ".input_gradient" : ".kernel_gradient";
  BufferOp result = sliceBuffer(op->getLoc(), layer + name.str(), shape.segmentFamily, extents,
                                Float32Type::get(context), slice, reduction.steps);
  result.setClear(carried);
  Storage storage{result, false};
  if (reduction.steps)
    storage = rowsOfSegments(result, kept, carried && !reverse ? 1 : 0);
  if (reduction.support) {
    EventStorage list = events.lookup(reduction.support);
    list.payload = storage;
    list.spike.reset();
    events[value] = list;
  } else {
    FamilyOp reader = classes.getClass(value) >= 0 ? family(classes.getClass(value)) : FamilyOp();
    if (reader) {
      result.setPitch(wholeGroups(reader, width));
    }
    storages[value] = storage;
  }
}

void Lowering::emitReduction(Operation *op) {
  const Reduction reduction = reductionOf(op);
  const ListShape shape = reductionShapes.lookup(op);
  Storage partials = partialsOf.lookup(op);
  bool listed = bool(reduction.support);
  const EventStorage list = listed ? events.lookup(reduction.support) : EventStorage();
  Value value = op->getResult(0);
  Storage result = listed ? events.lookup(value).payload : storages.lookup(value);
  int64_t batch = reduction.rows, width = reduction.width;
  int unitClass = reduction.unitClass;
  FamilyOp owner = family(unitClass);
  int64_t tiles = owner.getTiles(), group = owner.getGroup();
  MLIRContext *context = op->getContext();
  std::string layer = layerOf(unitClass);

  CodeletBuilder b(op->getLoc(), module, layer + "_reduce", shape.segmentFamily);
  SmallVector<int64_t> extents{shape.samples, shape.segment};
  auto slice = SliceAttr::get(context, shape.segments, shape.samples * width, shape.segment, extents);
  // [tile of the family][steps of a chunk][samples][entries]; tile-schedule sets the length of a chunk.
  Value from = b.argument({partials.buffer, false, 0}, View::partials, Access::read,
                          {tiles, 1, shape.samples, shape.segment}, slice);
  Value to = b.argument(result, View::slice, Access::write, extents, slice);
  Value info;
  if (listed)
    info = b.argument(list.info, View::slice, Access::read, {shape.samples, 10},
                      SliceAttr::get(context, shape.segments, shape.samples * 10, 0, {shape.samples, 10}));
  b.steps(reverse, [&](Value t) {
    Value zero = b.index(0);
    Value sampleFirst = b.mul(b.div(b.getTask(), shape.segments), b.index(shape.samples));
    Value samples = b.min(b.index(shape.samples), b.sub(b.index(batch), sampleFirst));
    Value first = b.mul(b.rem(b.getTask(), shape.segments), b.index(shape.segment));
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = b.share(worker, kWorkers, shape.segment);
      Value lo = range.first, hi = range.second;
      b.loop(zero, samples, [&](Value s) {
        SmallVector<Value> row = list.info.steps ? SmallVector<Value>{t, s} : SmallVector<Value>{s};
        row.push_back(b.index(7));
        Value n = listed ? b.loadIndex(info, row) : b.index(width);
        Value end = b.min(hi, b.max(zero, b.sub(n, first)));
        b.loop(lo, end, [&](Value j) {
          // Lanes q, q + 16, ... of a group into the q-th sum, then a halving tree; absent lanes count +0.
          auto groupSum = [&](Value base, int64_t lanes) {
            SmallVector<Value> sums(kStrides, b.f32(0));
            auto addLanes = [&](Value first, int64_t count, ArrayRef<Value> old) {
              SmallVector<Value> next(old);
              for (int64_t q = 0; q < count; ++q)
                next[q] = arith::AddFOp::create(b, old[q], b.load(from, {b.add(first, b.index(q)), t, s, j}));
              return next;
            };
            if (int64_t whole = lanes / kStrides)
              sums = b.loop(zero, b.index(whole), sums, [&](Value i, ValueRange old) {
                return addLanes(b.add(base, b.mul(i, b.index(kStrides))), kStrides, SmallVector<Value>(old));
              });
            if (int64_t rest = lanes % kStrides)
              sums = addLanes(b.add(base, b.index(lanes - rest)), rest, sums);
            for (int64_t half = kStrides / 2; half; half /= 2)
              for (int64_t q = 0; q < half; ++q)
                sums[q] = arith::AddFOp::create(b, sums[q], sums[q + half]);
            return sums[0];
          };
          int64_t wholeGroups = tiles / group, lastLanes = tiles % group;
          Value total = groupSum(zero, wholeGroups ? group : lastLanes);
          total = b.loop(b.index(1), b.index(wholeGroups), ValueRange{total}, [&](Value g, ValueRange old) {
            return SmallVector<Value>{
                arith::AddFOp::create(b, old[0], groupSum(b.mul(g, b.index(group)), group))};
          })[0];
          if (wholeGroups && lastLanes)
            total = arith::AddFOp::create(b, total, groupSum(b.index(wholeGroups * group), lastLanes));
          b.store(total, to, result.steps ? SmallVector<Value>{t, s, j} : SmallVector<Value>{s, j});
        });
      });
    });
  });
  ComputeOp compute = b.finish(stages, layer, "reduce");
  compute.setGroupSum(true);
  // The codelet sees one step of the partial sums; the program passes the row of the step.
  SmallVector<Attribute> views(compute.getViews().getAsRange<Attribute>());
  for (auto [i, buffer] : llvm::enumerate(compute.getArguments()))
    if (buffer == partials.buffer.getResult()) {
      auto view = cast<ArgumentAttr>(views[i]);
      views[i] = ArgumentAttr::get(context, view.getView(), view.getAccess(), reduction.steps, 0, -1,
                                   view.getSlice(), {});
    }
  compute.setViewsAttr(ArrayAttr::get(context, views));
}
