// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions over tiles, the loss, and the optimisers.
#include "Lowering.h"
#include "ScalarMath.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

/// Strided partial sums of a reduction over the tiles of a group (D10 of docs/Rationale.md).
static constexpr int64_t kStrides = 16;
/// Partial sums that a task of a reduction should hold at most.
static constexpr int64_t kPartialsPerTask = 16384;

//===----------------------------------------------------------------------===//
// Reduction
//===----------------------------------------------------------------------===//

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
  if (carried)
    ++extents.front();
  StringRef name = isa<LinearInputGradOp>(op) ? ".input_gradient" : ".kernel_gradient";
  BufferOp result = sliceBuffer(op->getLoc(), layer + name.str(), shape.segmentFamily, extents,
                                Float32Type::get(context), slice, reduction.steps);
  result.setClear(carried);
  Storage storage{result, reduction.steps, carried && !reverse ? 1 : 0};
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

//===----------------------------------------------------------------------===//
// Loss
//===----------------------------------------------------------------------===//

void Lowering::emitCrossEntropy(CrossEntropyOp op) {
  auto type = cast<RankedTensorType>(op.getLogits().getType());
  int64_t batch = type.getDimSize(0), count = type.getDimSize(1);
  MLIRContext *context = op->getContext();
  Type f32 = Float32Type::get(context);
  int64_t tiles = placement.helperTiles(), samples = ceilDiv(batch, std::min(batch, tiles));
  FamilyOp lossFamily = indexFamily("loss", ceilDiv(batch, samples));
  auto rowSlice = SliceAttr::get(context, 1, samples * count, 0, {samples, count});
  auto sampleSlice = SliceAttr::get(context, 1, samples, 0, {samples});
  Storage gradient{
      sliceBuffer(op->getLoc(), "loss.gradient", lossFamily, {batch, count}, f32, rowSlice, false), false, 0};
  if (int unitClass = classes.getClass(op.getGradient()); unitClass >= 0) {
    FamilyOp reader = family(unitClass);
    gradient.buffer.setPitch(wholeGroups(reader, count));
  }
  Storage losses{sliceBuffer(op->getLoc(), "loss.samples", lossFamily, {batch}, f32, sampleSlice, false),
                 false, 0};
  Storage hits{sliceBuffer(op->getLoc(), "correct.samples", lossFamily, {batch}, f32, sampleSlice, false),
               false, 0};
  storages[op.getGradient()] = gradient;
  {
    CodeletBuilder b(op->getLoc(), module, "loss_samples", lossFamily);
    ScalarMath math{b};
    Value logits =
        b.argument(storages.lookup(op.getLogits()), View::slice, Access::read, {samples, count}, rowSlice);
    Value labels =
        b.argument(storages.lookup(op.getLabels()), View::slice, Access::read, {samples}, sampleSlice);
    Value weights =
        b.argument(storages.lookup(op.getWeights()), View::slice, Access::read, {samples}, sampleSlice);
    Value out = b.argument(gradient, View::slice, Access::write, {samples, count}, rowSlice);
    Value loss = b.argument(losses, View::slice, Access::write, {samples}, sampleSlice);
    Value hit = b.argument(hits, View::slice, Access::write, {samples}, sampleSlice);
    b.steps(false, [&](Value) {
      Value present = b.min(b.index(samples), b.sub(b.index(batch), b.mul(b.getTask(), b.index(samples))));
      b.workers(kWorkers, [&](Value worker) {
        std::pair<Value, Value> range = b.share(worker, kWorkers, samples);
        Value from = range.first, to = range.second;
        Value zero = b.index(0), classes = b.index(count);
        b.loop(from, b.min(to, present), [&](Value s) {
          Value start = b.load(logits, {s, zero});
          auto best = b.loop(b.index(1), classes, ValueRange{start, zero}, [&](Value c, ValueRange old) {
            Value x = b.load(logits, {s, c});
            Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, old[0]);
            return SmallVector<Value>{arith::SelectOp::create(b, above, x, old[0]),
                                      arith::SelectOp::create(b, above, c, old[1])};
          });
          Value sum = b.loop(zero, classes, ValueRange{b.f32(0)}, [&](Value c, ValueRange old) {
            Value e = polynomialExp(math, arith::SubFOp::create(b, b.load(logits, {s, c}), best[0]));
            b.store(e, out, {s, c});
            return SmallVector<Value>{arith::AddFOp::create(b, old[0], e)};
          })[0];
          Value label = b.loadIndex(labels, s), weight = b.load(weights, s);
          b.loop(zero, classes, [&](Value c) {
            Value softmax = arith::DivFOp::create(b, b.load(out, {s, c}), sum);
            Value own = b.compare(arith::CmpIPredicate::eq, c, label);
            Value target = arith::SelectOp::create(b, own, b.f32(1), b.f32(0));
            b.store(arith::MulFOp::create(b, weight, arith::SubFOp::create(b, softmax, target)), out, {s, c});
          });
          Value entropy = arith::SubFOp::create(
              b, arith::AddFOp::create(b, polynomialLog(math, sum), best[0]), b.load(logits, {s, label}));
          b.store(arith::MulFOp::create(b, weight, entropy), loss, s);
          Value right =
              arith::AndIOp::create(b, b.compare(arith::CmpIPredicate::eq, best[1], label),
                                    arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, weight, b.f32(0)));
          b.store(arith::SelectOp::create(b, right, b.f32(1), b.f32(0)), hit, s);
        });
      });
    });
    b.finish(stages, "loss", "loss");
  }
  FamilyOp totalFamily = indexFamily("loss.total", 1);
  auto whole = SliceAttr::get(context, 1, 0, 0, {1});
  for (auto [from, value, name] : {std::tuple<Storage, Value, StringRef>{losses, op.getLoss(), "loss"},
                                   {hits, op.getCorrect(), "correct"}}) {
    Storage total{sliceBuffer(op->getLoc(), name, totalFamily, {1}, f32, whole, false), false, 0};
    storages[value] = total;
    CodeletBuilder b(op->getLoc(), module, name.str() + "_total", totalFamily);
    Value in = b.argument(from, View::broadcast, Access::read, {batch});
    Value out = b.argument(total, View::slice, Access::write, {1}, whole);
    b.steps(false, [&](Value) {
      Value sum = b.loop(b.index(0), b.index(batch), ValueRange{b.f32(0)}, [&](Value s, ValueRange old) {
        return SmallVector<Value>{arith::AddFOp::create(b, old[0], b.load(in, s))};
      })[0];
      b.store(sum, out, b.index(0));
    });
    b.finish(stages, "loss", "loss");
  }
}

//===----------------------------------------------------------------------===//
// Optimisers
//===----------------------------------------------------------------------===//

void Lowering::emitOptimizer(Operation *op) {
  Value parameter = op->getOperand(0), gradient = op->getOperand(1), hyper = op->getOperands().back();
  int unitClass = classes.getClass(parameter);
  FamilyOp owner = family(unitClass);
  auto type = cast<RankedTensorType>(parameter.getType());
  int64_t rows = type.getRank() == 2 ? type.getDimSize(1) : 1, perTile = owner.getPerTile();
  bool matrix = type.getRank() == 2;
  auto adam = dyn_cast<AdamOp>(op);
  CodeletBuilder b(op->getLoc(), module, layerOf(unitClass) + "_" + (adam ? "adam" : "sgd"), owner);
  SmallVector<int64_t> shape = matrix ? SmallVector<int64_t>{rows, perTile} : SmallVector<int64_t>{perTile};
  auto own = [&](Value value, Access access) {
    return b.argument(storages.lookup(value), View::own, access, shape);
  };
  Value p = own(parameter, Access::update), g = own(gradient, Access::read);
  Value m = adam ? own(adam.getFirst(), Access::update) : Value(),
        v = adam ? own(adam.getSecond(), Access::update) : Value();
  Value factors = b.argument(storages.lookup(hyper), View::broadcast, Access::read, {4});
  b.steps(false, [&](Value) {
    Value rate = b.load(factors, b.index(0)), correction = adam ? b.load(factors, b.index(1)) : Value();
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = b.share(worker, kWorkers, matrix ? rows : perTile);
      Value from = range.first, to = range.second;
      auto update = [&](ValueRange at) {
        auto multiply = [&](Value x, Value y) -> Value { return arith::MulFOp::create(b, x, y); };
        auto add = [&](Value x, Value y) -> Value { return arith::AddFOp::create(b, x, y); };
        Value gradient = b.load(g, at), step;
        if (adam) {
          float beta1 = adam.getBeta1().convertToFloat(), beta2 = adam.getBeta2().convertToFloat();
          Value first = add(multiply(b.f32(beta1), b.load(m, at)), multiply(b.f32(1.0f - beta1), gradient));
          Value second = add(multiply(b.f32(beta2), b.load(v, at)),
                             multiply(multiply(b.f32(1.0f - beta2), gradient), gradient));
          b.store(first, m, at);
          b.store(second, v, at);
          Value scale = add(multiply(math::SqrtOp::create(b, second), correction),
                            b.f32(adam.getEpsilon().convertToDouble()));
          step = multiply(rate, arith::DivFOp::create(b, first, scale));
        } else {
          step = multiply(rate, gradient);
        }
        b.store(arith::SubFOp::create(b, b.load(p, at), step), p, at);
      };
      b.loop(from, to, [&](Value i) {
        if (!matrix)
          return update(i);
        b.loop(b.index(0), b.index(perTile), [&](Value c) { update({i, c}); });
      });
    });
  });
  b.finish(stages, layerOf(unitClass), "optimizer");
}
