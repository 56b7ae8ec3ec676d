// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Building event lists over tiles, in two stages: tiles of one family each go through a segment of the units
// of some samples, every worker making a sorted piece; tiles of another put the pieces of a sample together
// and cut the list at its capacity. The result is the list that the snn dialect defines, whatever the
// segments.
#include "Lowering.h"
#include "spikeloom/Dialect/SNN/IR/Rotation.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

/// Units that a worker should go through in a segment: as published programs do.
static constexpr int64_t kUnitsPerWorker = 64;
/// Numbers of an `info` row: see "Event tensors" in docs/Rationale.md.
static constexpr int64_t kInfo = 10;

static Value eventsOf(Operation *op) {
  for (Value value : op->getResults())
    if (getEvents(value.getType()))
      return value;
  return {};
}

static Type idType(MLIRContext *context, int64_t units) {
  return IntegerType::get(context, units <= 65536 ? 16 : 32);
}

/// Creates the families and buffers of the lists that `op` makes, so that stages can refer to them.
void Lowering::prepareLists(Operation *op) {
  if (!isa<NeuronOp, CompressOp>(op) || !eventsOf(op))
    return;
  Value value = eventsOf(op);
  auto type = cast<RankedTensorType>(value.getType());
  int64_t batch = type.getDimSize(0), units = type.getDimSize(1), capacity = getEvents(type).getCapacity();
  MLIRContext *context = op->getContext();
  Type i32 = IntegerType::get(context, 32), f32 = Float32Type::get(context);
  int home = classes.getHomeClass(value);
  std::string layer = home >= 0 ? layerOf(home) : "input";

  ListShape shape;
  int64_t tiles = placement.helperTiles();
  shape.samples = ceilDiv(batch, std::min(batch, tiles));
  shape.sampleTasks = ceilDiv(batch, shape.samples);
  shape.segments = std::clamp<int64_t>(units / (kWorkers * kUnitsPerWorker), 1,
                                       std::max<int64_t>(1, tiles / shape.sampleTasks));
  shape.segment = ceilDiv(units, shape.segments);
  shape.segments = ceilDiv(units, shape.segment);
  shape.segmentFamily = indexFamily(layer + ".segments", shape.sampleTasks * shape.segments);
  shape.concatFamily = indexFamily(layer + ".lists", shape.sampleTasks);
  listShapes[op] = shape;

  // A list that the next step reads has a row more: row 0 (backward: the last) is the empty list of the
  // start.
  bool carried = llvm::any_of(op->getResults(), [&](Value v) { return eventStates.contains(v); });
  int64_t shift = carried && !reverse ? 1 : 0;
  bool kept = llvm::any_of(op->getResults(), [&](Value v) { return isKept(v); });
  bool neuron = isa<NeuronOp>(op);
  bool payload = neuron ? cast<NeuronOp>(op).getCompared() || !getEvents(type).getBinary()
                        : !getEvents(type).getBinary();
  auto listBuffer = [&](StringRef name, ArrayRef<int64_t> dims, Type element, bool all) {
    int64_t rows = (all ? totalSteps() : phaseSteps) + (carried ? 1 : 0);
    SmallVector<int64_t> global{rows, batch}, extents{shape.samples};
    llvm::append_range(global, dims);
    llvm::append_range(extents, dims);
    int64_t row = 1;
    for (int64_t dim : dims)
      row *= dim;
    auto slice = SliceAttr::get(context, 1, shape.samples * row, 0, extents);
    BufferOp buffer =
        sliceBuffer(op->getLoc(), layer + "." + name.str(), shape.concatFamily, global, element, slice, true);
    buffer.setClear(carried);
    return rowsOfSegments(buffer, all, shift);
  };
  EventStorage list;
  if (neuron)
    list.spike = cast<NeuronOp>(op).getGraded().convertToDouble();
  else if (getEvents(type).getBinary())
    list.spike = 1.0;
  list.units = units;
  list.capacity = capacity;
  list.homeClass = home;
  bool reported = !isRecomputed(op); // what is computed again was counted the first time
  list.ids = listBuffer("ids", {capacity}, idType(context, units), kept);
  list.ids.buffer.setSpare(16);
  list.info = listBuffer("info", {kInfo}, i32, kept || (reported && segments.scan));
  if (payload)
    list.payload = listBuffer("payload", {capacity}, f32, kept);
  if (reported)
    EventsOp::create(phases, op->getLoc(), layer, units, capacity, list.info.buffer.getResult());

  if (neuron)
    comparedOf[op] = {
        ownBuffer(op->getLoc(), layer + ".compared", home, {phaseSteps, batch, units}, Layout::rows, true),
        true, 0};
  if (neuron && cast<NeuronOp>(op).getUnreset())
    storages[cast<NeuronOp>(op).getUnreset()] = comparedOf.lookup(op);
  for (Value result : op->getResults())
    if (getEvents(result.getType()))
      events[result] = list;
}

/// A buffer like another one, for lists of so many steps.
BufferOp Lowering::bufferLike(BufferOp like, StringRef suffix, int64_t rows) {
  auto type = cast<MemRefType>(like.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.front() = rows;
  BufferOp made = sliceBuffer(like.getLoc(), (like.getBuffer() + suffix).str(),
                              like.getFamily().getDefiningOp<FamilyOp>(), shape, type.getElementType(),
                              like.getSliceAttr(), true);
  made.setSpare(like.getSpare());
  return made;
}

/// Copies a list, near entries included, from one row to another, in a phase of its own; without its counts
/// if `to` has no place for them.
PhaseOp Lowering::copyList(Location loc, StringRef name, EventStorage from, EventStorage to) {
  auto phase = PhaseOp::create(phases, loc, name, 1, false, 1, 1);
  phase.getBody().push_back(new Block);
  OpBuilder where = OpBuilder::atBlockEnd(&phase.getBody().front());
  std::string layer = to.homeClass >= 0 ? layerOf(to.homeClass) : "input";
  auto family = to.ids.buffer.getFamily().getDefiningOp<FamilyOp>();
  CodeletBuilder b(loc, module, layer + "_" + name.str(), family);
  int64_t batch = cast<MemRefType>(to.ids.buffer.getType()).getDimSize(1);
  int64_t samples = to.ids.buffer.getSliceAttr().getExtents().front();
  // What a listed spike counts is known (see EventStorage), so payloads stay behind.
  auto rows = [&](Storage storage, Access access, int64_t width) {
    return b.argument(storage, View::slice, access, {samples, width}, storage.buffer.getSliceAttr());
  };
  Value ids = rows(from.ids, Access::read, from.capacity), info = rows(from.info, Access::read, kInfo);
  Value newIds = rows(to.ids, Access::write, to.capacity);
  Value newInfo = to.info.buffer ? rows(to.info, Access::write, kInfo) : Value();
  b.steps(false, [&](Value t) {
    Value zero = b.index(0), sampleFirst = b.mul(b.getTask(), b.index(samples));
    Value present = b.min(b.index(samples), b.sub(b.index(batch), sampleFirst));
    auto at = [&](const Storage &storage, Value s, Value i) {
      return storage.steps ? SmallVector<Value>{t, s, i} : SmallVector<Value>{s, i};
    };
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = b.share(worker, kWorkers, samples);
      b.loop(range.first, b.min(range.second, present), [&](Value s) {
        if (newInfo)
          b.loop(zero, b.index(kInfo),
                 [&](Value i) { b.store(b.load(info, at(from.info, s, i)), newInfo, at(to.info, s, i)); });
        b.loop(zero, b.loadIndex(info, at(from.info, s, b.index(7))),
               [&](Value i) { b.store(b.load(ids, at(from.ids, s, i)), newIds, at(to.ids, s, i)); });
      });
    });
  });
  b.finish(where, layer, name);
  return phase;
}

void Lowering::emitLists(Operation *op) {
  const ListShape shape = listShapes.lookup(op);
  Value value = eventsOf(op);
  const EventStorage list = events.lookup(value);
  auto type = cast<RankedTensorType>(value.getType());
  int64_t batch = type.getDimSize(0), units = type.getDimSize(1), tasks = shape.sampleTasks * shape.segments;
  MLIRContext *context = op->getContext();
  Type i32 = IntegerType::get(context, 32), f32 = Float32Type::get(context);
  bool payload = bool(list.payload.buffer);
  auto neuron = dyn_cast<NeuronOp>(op);
  bool near = neuron && neuron.getNear(),
       rotate = neuron ? neuron.getRotate() : cast<CompressOp>(op).getRotate();
  std::string layer = list.homeClass >= 0 ? layerOf(list.homeClass) : "input";

  // Pieces: per task [samples][spikes, near][segment], per worker how many of each, with `rotate` also how
  // many of them lie before the unit that comes first.
  auto piece = [&](StringRef name, ArrayRef<int64_t> dims, Type element) {
    SmallVector<int64_t> global{phaseSteps, tasks}, extents{1};
    llvm::append_range(global, dims);
    llvm::append_range(extents, dims);
    int64_t size = 1;
    for (int64_t dim : dims)
      size *= dim;
    return Storage{sliceBuffer(op->getLoc(), layer + "." + name.str(), shape.segmentFamily, global, element,
                               SliceAttr::get(context, 1, size, 0, extents), true),
                   true, 0};
  };
  SmallVector<int64_t> pieceDims{shape.samples, 2, shape.segment},
      countDims{shape.samples, kWorkers, rotate ? 4 : 2};
  Storage pieceIds = piece("piece_ids", pieceDims, idType(context, units));
  Storage pieceCounts = piece("piece_counts", countDims, i32);
  Storage piecePayload = payload ? piece("piece_payload", pieceDims, f32) : Storage();

  {
    CodeletBuilder b(op->getLoc(), module, layer + "_segments", shape.segmentFamily);
    Storage source = neuron ? comparedOf.lookup(op) : storages.lookup(cast<CompressOp>(op).getInput());
    auto slice = SliceAttr::get(context, shape.segments, shape.samples * units, shape.segment,
                                {shape.samples, shape.segment});
    Value v = b.argument(source, View::slice, Access::read, {shape.samples, shape.segment}, slice);
    auto own = [&](Storage storage, ArrayRef<int64_t> dims) {
      SmallVector<int64_t> extents{1};
      llvm::append_range(extents, dims);
      return b.argument(storage, View::slice, Access::write, extents, storage.buffer.getSliceAttr());
    };
    Value ids = own(pieceIds, pieceDims), counts = own(pieceCounts, countDims);
    Value values = payload ? own(piecePayload, pieceDims) : Value();
    Value stepsDone;
    if (rotate) {
      auto each = SliceAttr::get(context, 1, 1, 0, {1});
      BufferOp counter =
          sliceBuffer(op->getLoc(), layer + ".steps", shape.segmentFamily, {tasks}, i32, each, false);
      counter.setClear(true);
      stepsDone = b.argument({counter, false, 0}, View::slice, Access::update, {1}, each);
    }
    Value thresholds, scalarThreshold;
    if (neuron && neuron.getThresholds()) {
      Storage storage = storages.lookup(neuron.getThresholds());
      if (cast<RankedTensorType>(neuron.getThresholds().getType()).getRank() == 0)
        scalarThreshold = b.load(b.argument(storage, View::broadcast, Access::read, {1}), b.index(0));
      else
        thresholds = b.argument(storage, View::slice, Access::read, {shape.segment},
                                SliceAttr::get(context, shape.segments, 0, shape.segment, {shape.segment}));
    } else if (neuron) {
      scalarThreshold = b.f32(neuron.getThreshold().convertToDouble());
    }
    b.steps(reverse, [&](Value t) {
      Value first = b.mul(b.rem(b.getTask(), shape.segments), b.index(shape.segment));
      Value present = b.min(b.index(shape.segment), b.sub(b.index(units), first));
      Value sampleFirst = b.mul(b.div(b.getTask(), shape.segments), b.index(shape.samples));
      Value samples = b.min(b.index(shape.samples), b.sub(b.index(batch), sampleFirst));
      b.workers(kWorkers, [&](Value worker) {
        std::pair<Value, Value> range = b.share(worker, kWorkers, shape.segment);
        Value from = range.first, to = range.second;
        Value end = b.min(to, present);
        b.loop(b.index(0), samples, [&](Value s) {
          Value firstUnit;
          if (rotate) {
            Value number = stepNumber(b, b.loadIndex(stepsDone, b.index(0)));
            Rotation rotation(units);
            Value step = b.mul(number, b.index(rotation.perStep));
            Value sample = b.mul(b.add(sampleFirst, s), b.index(rotation.perSample));
            firstUnit = b.rem(b.add(step, sample), units);
          }
          auto fires = [&](Value x, Value i) -> Value {
            if (!neuron)
              return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x, b.f32(0));
            auto predicate =
                neuron.getCmp() == Comparison::gt ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OGE;
            return arith::CmpFOp::create(b, predicate, x,
                                         thresholds ? b.load(thresholds, i) : scalarThreshold);
          };
          // Every unit is written to the end of its piece and kept by moving the end: no branches. What is
          // written lies within the worker's own share, because a piece cannot be longer than the units gone
          // through.
          SmallVector<Value> inits(2, from);
          inits.append(rotate ? 2 : 0, b.index(0));
          SmallVector<Value> ends = b.loop(from, end, inits, [&](Value i, ValueRange old) {
            Value x = b.load(v, source.steps ? SmallVector<Value>{t, s, i} : SmallVector<Value>{s, i});
            Value fire = fires(x, i);
            auto append = [&](int64_t which, Value position, Value keep) -> Value {
              b.storeIndex(b.add(first, i), ids, {t, b.index(0), s, b.index(which), position});
              if (payload)
                b.store(x, values, {t, b.index(0), s, b.index(which), position});
              return b.add(position, arith::SelectOp::create(b, keep, b.index(1), b.index(0)));
            };
            auto countEarly = [&](Value count, Value keep) -> Value {
              Value early = b.compare(arith::CmpIPredicate::ult, b.add(first, i), firstUnit);
              Value counts = arith::AndIOp::create(b, early, keep);
              return b.add(count, arith::SelectOp::create(b, counts, b.index(1), b.index(0)));
            };
            Value spikes = append(0, old[0], fire);
            SmallVector<Value> next{spikes, old[1]};
            if (rotate)
              next.append({countEarly(old[2], fire), old[3]});
            if (!near)
              return next;
            Value bound = arith::MulFOp::create(b, b.f32(neuron.getNear()->convertToDouble()),
                                                thresholds ? b.load(thresholds, i) : scalarThreshold);
            Value close = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, bound);
            Value listed = arith::AndIOp::create(
                b, close, arith::XOrIOp::create(b, fire, arith::ConstantOp::create(b, b.getBoolAttr(true))));
            next[1] = append(1, old[1], listed);
            if (rotate)
              next[3] = countEarly(old[3], listed);
            return next;
          });
          auto put = [&](int64_t at, Value n) {
            b.storeIndex(n, counts, {t, b.index(0), s, worker, b.index(at)});
          };
          for (int64_t which : {0, 1})
            put(which, b.sub(ends[which], from));
          for (int64_t at = 2; at < int64_t(ends.size()); ++at)
            put(at, ends[at]);
        });
      });
      if (rotate)
        b.storeIndex(b.add(b.loadIndex(stepsDone, b.index(0)), b.index(1)), stepsDone, b.index(0));
    });
    b.finish(stages, layer, "segments");
  }

  CodeletBuilder b(op->getLoc(), module, layer + "_lists", shape.concatFamily);
  // A task reads the pieces of all segments of its samples.
  auto pieces = [&](Storage storage, ArrayRef<int64_t> dims) {
    SmallVector<int64_t> extents{shape.segments};
    int64_t size = shape.segments;
    for (int64_t dim : dims)
      size *= dim;
    llvm::append_range(extents, dims);
    return b.argument(storage, View::slice, Access::read, extents,
                      SliceAttr::get(context, 1, size, 0, extents));
  };
  auto own = [&](Storage storage, ArrayRef<int64_t> extents) {
    return b.argument(storage, View::slice, Access::write, extents, storage.buffer.getSliceAttr());
  };
  Value counts = pieces(pieceCounts, countDims), fromIds = pieces(pieceIds, pieceDims);
  Value fromValues = payload ? pieces(piecePayload, pieceDims) : Value();
  Value ids = own(list.ids, {shape.samples, list.capacity}), info = own(list.info, {shape.samples, kInfo});
  Value values = payload ? own(list.payload, {shape.samples, list.capacity}) : Value();
  int64_t sublists = shape.segments * kWorkers;
  b.steps(reverse, [&](Value t) {
    Value sampleFirst = b.mul(b.getTask(), b.index(shape.samples));
    Value samples = b.min(b.index(shape.samples), b.sub(b.index(batch), sampleFirst));
    Value capacity = b.index(list.capacity), zero = b.index(0);
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = b.share(worker, kWorkers, sublists);
      Value from = range.first, to = range.second;
      b.loop(zero, samples, [&](Value s) {
        auto count = [&](Value q, int64_t which) {
          return b.loadIndex(counts, {t, b.div(q, kWorkers), s, b.rem(q, kWorkers), b.index(which)});
        };
        auto total = [&](Value lo, Value hi, int64_t which) {
          return b.loop(lo, hi, ValueRange{zero}, [&](Value q, ValueRange old) {
            return SmallVector<Value>{b.add(old[0], count(q, which))};
          })[0];
        };
        // Copies entries [lo, hi) of sublist q, the first to position `target`.
        auto copy = [&](int64_t which, Value q, Value lo, Value hi, Value target) {
          Value segment = b.div(q, kWorkers),
                begin = b.share(b.rem(q, kWorkers), kWorkers, shape.segment).first;
          b.loop(lo, hi, [&](Value i) {
            Value source = b.add(begin, i), position = b.add(target, b.sub(i, lo));
            b.store(b.load(fromIds, {t, segment, s, b.index(which), source}), ids, {t, s, position});
            if (payload)
              b.store(b.load(fromValues, {t, segment, s, b.index(which), source}), values, {t, s, position});
          });
        };
        // Takes as many of the `all` entries as there is room for behind position `base`; this worker's
        // sublists begin with the entry of number `before`. Returns how many are taken.
        auto take = [&](int64_t which, Value before, Value all, Value base) -> Value {
          Value room = b.sub(capacity, base);
          Value early = rotate ? total(zero, b.index(sublists), which + 2) : zero;
          // Those from the first unit on, then those before it.
          Value late = b.min(rotate ? b.sub(all, early) : all, room);
          Value rest = rotate ? b.min(early, b.sub(room, late)) : zero;
          b.loop(from, to, ValueRange{before}, [&](Value q, ValueRange old) {
            Value n = count(q, which), number = old[0];
            auto within = [&](Value bound) { return b.min(n, b.max(zero, b.sub(bound, number))); };
            if (rotate)
              copy(which, q, zero, within(rest), b.add(base, number));
            Value lo = rotate ? within(early) : zero, hi = within(b.add(early, late));
            Value behind = rotate ? b.sub(b.add(b.add(number, lo), rest), early) : number;
            copy(which, q, lo, hi, b.add(base, behind));
            return SmallVector<Value>{b.add(number, n)};
          });
          return b.add(rest, late);
        };
        Value before = total(zero, from, 0);
        Value fired = b.add(before, total(from, b.index(sublists), 0));
        Value spikes = take(0, before, fired, zero);
        Value listed = spikes;
        if (near) {
          Value nearBefore = total(zero, from, 1);
          Value all = b.add(nearBefore, total(from, b.index(sublists), 1));
          listed = b.add(spikes, take(1, nearBefore, all, spikes));
        }
        b.ifThen(b.compare(arith::CmpIPredicate::eq, worker, zero), [&] {
          auto put = [&](int64_t at, Value n) { b.storeIndex(n, info, {t, s, b.index(at)}); };
          put(0, zero);
          put(kWorkers, spikes);
          put(7, listed);
          put(8, fired);
          put(9, zero);
        });
      });
    });
    // Where each worker's range of ids begins among the spikes: a binary search by each worker but the first.
    b.workers(kWorkers, [&](Value worker) {
      b.ifThen(b.compare(arith::CmpIPredicate::ne, worker, zero), [&] {
        Value bound = b.share(worker, kWorkers, units).first;
        b.loop(zero, samples, [&](Value s) {
          Value spikes = b.loadIndex(info, {t, s, b.index(kWorkers)});
          int64_t rounds = 1;
          while ((int64_t(1) << rounds) <= list.capacity)
            ++rounds;
          auto range = b.loop(zero, b.index(rounds), ValueRange{zero, spikes}, [&](Value, ValueRange old) {
            Value open = b.compare(arith::CmpIPredicate::slt, old[0], old[1]);
            Value middle = b.div(b.add(old[0], old[1]), 2);
            auto choice = scf::IfOp::create(b, TypeRange{b.getIndexType(), b.getIndexType()}, open, true);
            {
              OpBuilder::InsertionGuard guard(b);
              b.setInsertionPointToStart(choice.thenBlock());
              Value below = b.compare(arith::CmpIPredicate::ult, b.loadIndex(ids, {t, s, middle}), bound);
              Value lo = arith::SelectOp::create(b, below, b.add(middle, b.index(1)), old[0]);
              Value hi = arith::SelectOp::create(b, below, old[1], middle);
              scf::YieldOp::create(b, ValueRange{lo, hi});
              b.setInsertionPointToStart(choice.elseBlock());
              scf::YieldOp::create(b, old);
            }
            return SmallVector<Value>(choice.getResults());
          });
          b.storeIndex(range[0], info, {t, s, worker});
        });
      });
    });
  });
  b.finish(stages, layer, "lists");
}
