// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The three sections of a unit stage.
#include "UnitStage.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

static bool isSampleOp(Operation *op) {
  return !accumulatorOf(op) && !isReduction(op) && !isa<ConvMatrixOp>(op) && !isPerUnit(op);
}

static StringRef kindOf(const UnitStage &stage) {
  for (Operation *op : stage.ops)
    if (isa<NeuronAdjointOp, LinearWeightGradOp, LinearInputGradOp, BatchSumOp, ConvKernelGradOp>(op))
      return "backward";
  return "forward";
}

UnitStageEmitter::UnitStageEmitter(Lowering &lowering, const UnitStage &stage)
    : lowering(lowering), stage(stage), family(lowering.family(stage.unitClass)),
      b(stage.ops.front()->getLoc(), lowering.module,
        lowering.layerOf(stage.unitClass) + "_" + kindOf(stage).str(), family),
      perTile(family.getPerTile()) {
  auto look = [&](Value value) {
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    if (tensor && tensor.getRank() == 2 && !batch)
      batch = tensor.getDimSize(0);
  };
  for (Operation *op : stage.ops) {
    llvm::for_each(op->getOperands(), look);
    llvm::for_each(op->getResults(), look);
  }
}

void Lowering::emitUnitStage(const UnitStage &stage) { UnitStageEmitter(*this, stage).emit(); }

SmallVector<Value> UnitStageEmitter::at(const Storage &storage, ArrayRef<Value> indices) {
  SmallVector<Value> all;
  if (storage.steps)
    all.push_back(row);
  llvm::append_range(all, indices);
  return all;
}

Value UnitStageEmitter::spikeAt(const EventStorage &list, Value s, Value j) {
  if (list.spike)
    return *list.spike == 1.0 ? Value() : b.f32(*list.spike);
  Value payload = b.argument(list.payload, View::broadcast, Access::read, {batch, list.capacity});
  return b.load(payload, at(list.payload, {s, j}));
}

Value UnitStageEmitter::ownArgument(const Storage &storage, Access access) {
  SmallVector<int64_t> shape(cast<MemRefType>(BufferOp(storage.buffer).getType()).getShape());
  if (BufferOp(storage.buffer).getSteps())
    shape.erase(shape.begin());
  shape.back() = perTile;
  return b.argument(storage, View::own, access, shape);
}

Value UnitStageEmitter::listLength(const EventStorage &list, bool near) {
  Value info = b.argument(list.info, View::broadcast, Access::read, {batch, 10});
  return b.loadIndex(info, at(list.info, {sample, b.index(near ? 7 : 6)}));
}

Value UnitStageEmitter::scratch(Operation *op, int which) {
  Value &memref = scratches[{op, which}];
  if (!memref)
    memref = b.privateUnits(perTile);
  return memref;
}

void UnitStageEmitter::forUnits(llvm::function_ref<void(ArrayRef<Value>)> body) {
  int64_t unrolled = std::min(perTile, kUnroll), whole = perTile / unrolled;
  auto units = [&](Value base, int64_t count) {
    SmallVector<Value> result;
    for (int64_t k = 0; k < count; ++k)
      result.push_back(b.add(base, b.index(k)));
    body(result);
  };
  if (whole == 1)
    units(b.index(0), unrolled);
  else
    b.loop(b.index(0), b.index(whole), [&](Value i) { units(b.mul(i, b.index(unrolled)), unrolled); });
  if (int64_t rest = perTile - whole * unrolled)
    units(b.index(whole * unrolled), rest);
}

void UnitStageEmitter::emit() {
  b.steps(lowering.reverse, [&](Value t) {
    row = t;
    if (llvm::any_of(stage.ops, isPerUnit))
      emitPerUnit();
    if (llvm::any_of(stage.ops, isSampleOp))
      emitSamples();
    countSteps();
    for (Operation *op : stage.ops) {
      b.setLoc(op->getLoc());
      if (auto grad = dyn_cast<LinearWeightGradOp>(op))
        emitWeightGradient(grad);
      else if (auto sum = dyn_cast<BatchSumOp>(op))
        emitBatchSum(sum);
      else if (auto grad = dyn_cast<LinearInputGradOp>(op))
        emitInputGradient(grad);
      else if (auto matrix = dyn_cast<ConvMatrixOp>(op))
        emitConvMatrix(matrix);
      else if (auto grad = dyn_cast<ConvKernelGradOp>(op))
        emitConvKernelGrad(grad);
    }
  });
  b.setLoc(stage.ops.front()->getLoc());
  b.finish(lowering.stages, lowering.layerOf(stage.unitClass), kindOf(stage));
}

void UnitStageEmitter::emitSamples() {
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, batch);
    Value from = range.first, to = range.second;
    SmallVector<Value> spread = inputsToSpread();
    clearSpreadRows(spread);
    b.loop(from, to, [&](Value s) {
      sample = s;
      spreadRows(spread, s, /*spikes=*/true);
      for (Operation *op : stage.ops) {
        b.setLoc(op->getLoc());
        if (auto adjoint = dyn_cast<NeuronAdjointOp>(op);
            adjoint && getEvents(adjoint.getCompared().getType()))
          emitEntries(adjoint);
        else if (auto expand = dyn_cast<ExpandOp>(op))
          emitEntries(expand);
      }
      forUnits([&](ArrayRef<Value> units) {
        chunk.assign(units.begin(), units.end());
        current.clear();
        loaded.clear();
        for (Operation *op : stage.ops) {
          b.setLoc(op->getLoc());
          if (isSampleOp(op))
            emitOp(op);
        }
        storeTargets(isSampleOp);
      });
      spreadRows(spread, s, /*spikes=*/false);
    });
  });
}

void UnitStageEmitter::emitPerUnit() {
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, perTile);
    b.loop(range.first, range.second, [&](Value c) {
      chunk.assign({c});
      current.clear();
      loaded.clear();
      for (Operation *op : stage.ops) {
        b.setLoc(op->getLoc());
        if (isPerUnit(op))
          emitOp(op);
      }
      storeTargets(isPerUnit);
    });
  });
}

void UnitStageEmitter::storeTargets(llvm::function_ref<bool(Operation *)> ofSection) {
  for (Operation *op : stage.ops)
    for (Value value : op->getResults())
      for (const Storage &target : lowering.targets.lookup(value))
        if (ofSection(op) && current.count(value))
          for (auto [c, scalar] : llvm::zip(chunk, current[value]))
            b.store(scalar, ownArgument(target, Access::write),
                    at(target, isPerUnit(op) ? SmallVector<Value>{c} : SmallVector<Value>{sample, c}));
}

/// Every unit has a counter of the steps until the next one whose number is a multiple of the period: nobody
/// tells a tile which step it is in.
Value UnitStageEmitter::zeroNow(ZeroEveryOp op) {
  int64_t period = op.getSteps();
  auto [known, isNew] = counters.try_emplace(period);
  if (isNew) {
    Storage storage{lowering.ownBuffer(op.getLoc(), lowering.layerOf(stage.unitClass) + ".countdown",
                                       stage.unitClass, {int64_t(family.getUnits())}, Layout::blocked),
                    false, 0};
    storage.buffer.setClear(true);
    if (lowering.reverse)
      storage.buffer.setFill(APFloat(float((lowering.totalSteps() - 1) % period)));
    known->second = storage;
  }
  Value countdown = b.load(ownArgument(known->second, Access::update), b.index(0));
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, countdown, b.f32(0));
}

/// The step is over: counts on.
void UnitStageEmitter::countSteps() {
  for (auto &[period, storage] : counters) {
    Value countdown = ownArgument(storage, Access::update), restart = b.f32(double(period - 1));
    b.loop(b.index(0), b.index(perTile), [&](Value c) {
      Value left = b.load(countdown, c);
      Value done = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, left, b.f32(0));
      Value less = arith::SubFOp::create(b, left, b.f32(1));
      b.store(arith::SelectOp::create(b, done, restart, less), countdown, c);
    });
  }
}

void UnitStageEmitter::emitWeightGradient(LinearWeightGradOp op) {
  if (getConnections(op.getResult().getType()))
    return emitConnectedWeightGradient(op);
  Storage gradient = lowering.storages.lookup(op.getGradient());
  Storage target = lowering.targets.lookup(op.getResult()).front();
  int64_t in = cast<RankedTensorType>(op.getInput().getType()).getDimSize(1);
  Value g = ownArgument(gradient, Access::read);
  Value dw = ownArgument(target, Access::update);
  b.workers(kWorkers, [&](Value worker) {
    if (!getEvents(op.getInput().getType())) {
      Storage dense = lowering.storages.lookup(op.getInput());
      Value x = b.argument(dense, View::broadcast, Access::read, {batch, in});
      std::pair<Value, Value> range = b.share(worker, kWorkers, in);
      Value from = range.first, to = range.second;
      b.loop(from, to, [&](Value i) {
        forUnits([&](ArrayRef<Value> units) {
          SmallVector<Value> sums;
          for (Value c : units)
            sums.push_back(b.load(dw, {i, c}));
          sums = b.loop(b.index(0), b.index(batch), sums, [&](Value s, ValueRange old) {
            SmallVector<Value> next;
            Value value = b.load(x, at(dense, {s, i}));
            for (auto [c, sum] : llvm::zip(units, old))
              next.push_back(arith::AddFOp::create(
                  b, sum, arith::MulFOp::create(b, b.load(g, at(gradient, {s, c})), value)));
            return next;
          });
          for (auto [c, sum] : llvm::zip(units, sums))
            b.store(sum, dw, {i, c});
        });
      });
      return;
    }
    const EventStorage list = lowering.events.lookup(op.getInput());
    Value ids = b.argument(list.ids, View::broadcast, Access::read, {batch, list.capacity});
    Value info = b.argument(list.info, View::broadcast, Access::read, {batch, 10});
    b.loop(b.index(0), b.index(batch), [&](Value s) {
      Value from = b.loadIndex(info, at(list.info, {s, worker}));
      Value to = b.loadIndex(info, at(list.info, {s, b.add(worker, b.index(1))}));
      forUnits([&](ArrayRef<Value> units) {
        SmallVector<Value> gradients;
        for (Value c : units)
          gradients.push_back(b.load(g, at(gradient, {s, c})));
        b.loop(from, to, [&](Value j) {
          Value id = b.loadIndex(ids, at(list.ids, {s, j}));
          Value value = spikeAt(list, s, j);
          for (auto [c, gradient] : llvm::zip(units, gradients)) {
            Value term = value ? arith::MulFOp::create(b, gradient, value).getResult() : gradient;
            b.store(arith::AddFOp::create(b, b.load(dw, {id, c}), term), dw, {id, c});
          }
        });
      });
    });
  });
}

void UnitStageEmitter::emitBatchSum(BatchSumOp op) {
  Storage value = lowering.storages.lookup(op.getValue());
  Storage target = lowering.targets.lookup(op.getResult()).front();
  auto type = cast<RankedTensorType>(op.getValue().getType());
  bool units = type.getRank() == 1; // one tile adds up what the units have
  int64_t count = type.getDimSize(0);
  Value v =
      units ? b.argument(value, View::broadcast, Access::read, {count}) : ownArgument(value, Access::read);
  Value sum = ownArgument(target, isPartialSum(op) ? Access::write : Access::update);
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, perTile);
    b.loop(range.first, range.second, [&](Value c) {
      Value start = b.f32(0);
      if (!isPartialSum(op))
        start = b.load(sum, at(target, {c}));
      else if (op.getAccumulator().getDefiningOp<BatchSumOp>()) // goes on where another sum of the step ended
        start = loadOwn(op.getAccumulator(), c);
      Value total = b.loop(b.index(0), b.index(count), ValueRange{start}, [&](Value s, ValueRange old) {
        Value next = b.load(v, at(value, units ? SmallVector<Value>{s} : SmallVector<Value>{s, c}));
        return SmallVector<Value>{arith::AddFOp::create(b, old[0], next)};
      })[0];
      b.store(total, sum, at(target, {c}));
    });
  });
}

void UnitStageEmitter::emitInputGradient(LinearInputGradOp op) {
  if (getConnections(op.getWeight().getType()))
    return emitConnectedInputGradient(op);
  Storage gradient = lowering.storages.lookup(op.getGradient());
  int64_t in = cast<RankedTensorType>(op.getWeight().getType()).getDimSize(1);
  Value g = ownArgument(gradient, Access::read);
  Value w = ownArgument(lowering.storages.lookup(op.getWeight()), Access::read);
  Storage partials = lowering.partialsOf.lookup(op);
  bool listed = bool(op.getSupport());
  const EventStorage list = listed ? lowering.events.lookup(op.getSupport()) : EventStorage();
  int64_t width = listed ? list.capacity : in;
  Value out = b.argument(partials, View::partials, Access::write, {batch, width});
  Value ids = listed ? b.argument(list.ids, View::broadcast, Access::read, {batch, list.capacity}) : Value();
  bool inRegisters = perTile <= 2 * kUnroll;
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, batch);
    Value from = range.first, to = range.second;
    b.loop(from, to, [&](Value s) {
      sample = s;
      SmallVector<Value> gradients;
      for (int64_t c = 0; inRegisters && c < perTile; ++c)
        gradients.push_back(b.load(g, at(gradient, {s, b.index(c)})));
      Value length = listed ? listLength(list, /*near=*/true) : b.index(in);
      b.loop(b.index(0), length, [&](Value j) {
        Value id = listed ? b.loadIndex(ids, at(list.ids, {s, j})) : j;
        auto term = [&](Value sum, Value c, Value gradient) -> Value {
          return arith::AddFOp::create(b, sum, arith::MulFOp::create(b, gradient, b.load(w, {id, c})));
        };
        Value sum = b.f32(0);
        if (inRegisters)
          for (auto [c, value] : llvm::enumerate(gradients))
            sum = term(sum, b.index(c), value);
        else
          sum = b.loop(b.index(0), b.index(perTile), ValueRange{sum}, [&](Value c, ValueRange old) {
            return SmallVector<Value>{term(old[0], c, b.load(g, at(gradient, {s, c})))};
          })[0];
        b.store(sum, out, at(partials, {s, j}));
      });
    });
  });
}
