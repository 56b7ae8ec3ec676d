// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations on whole rows: parts of rows, rows side by side, values spread over channels, softmax. Helper
// tiles each do some samples. A layer's own tiles would have to hold whole rows of a batch for the few
// elements that they need, and their neighbours in a SIMD block would need elements that are no neighbours.
#include "Lowering.h"
#include "ScalarMath.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

/// Elements that a worker should write: as in the making of lists.
static constexpr int64_t kUnitsPerWorker = 64;

bool spikeloom::isRowOp(Operation *op) {
  return isa<SliceOp, PlaceOp, ConcatOp, SpreadOp, FoldOp, SoftmaxOp, SoftmaxAdjointOp>(op);
}

/// The result's row is written line by line; tasks get whole lines.
static int64_t lineLength(Operation *op) {
  int64_t units = cast<RankedTensorType>(op->getResult(0).getType()).getShape().back();
  return TypeSwitch<Operation *, int64_t>(op)
      .Case([](SliceOp slice) { return slice.getWindow().sizes.back(); })
      .Case([](PlaceOp place) { return place.getWindow().shape.back(); })
      .Case([](SpreadOp spread) { return int64_t(spread.getInner()); })
      .Case([](FoldOp) { return int64_t(1); })
      .Default([&](Operation *) { return units; });
}

namespace {
class RowStageEmitter {
public:
  RowStageEmitter(CodeletBuilder &b, Operation *op, const RowStage &stage,
                  const llvm::DenseMap<Value, Storage> &storages)
      : b(b), op(op), stage(stage), storages(storages) {}
  void emit(bool reverse);

private:
  using Load = std::function<Value(Value)>;

  Value resultArgument();
  /// What loads an element of this sample's row of an operand.
  Load rowOf(Value operand);
  SmallVector<Value> at(const Storage &storage, Value element);
  void put(Value value, Value element) { b.store(value, out, at(result, element)); }
  void fill(Value value, Value from, Value to);
  void copy(const Load &load, Value from, Value to, Value at);

  void emitSample();
  void emitLine(Value line, Value start, Value from, Value to);
  void emitSlice(SliceOp slice, Value line, Value start, Value from, Value to);
  void emitPlace(PlaceOp place, Value line, Value start, Value from, Value to);
  void emitConcat(ConcatOp concat, Value from, Value to);
  void emitSoftmax(SoftmaxOp softmax);
  void emitSoftmaxAdjoint(SoftmaxAdjointOp softmax);

  CodeletBuilder &b;
  Operation *op;
  const RowStage &stage;
  const llvm::DenseMap<Value, Storage> &storages;
  llvm::DenseMap<Value, Value> arguments;
  Storage result;
  Value out, step, sample, worker;
};
} // namespace

SmallVector<Value> RowStageEmitter::at(const Storage &storage, Value element) {
  SmallVector<Value> indices;
  if (storage.steps)
    indices.push_back(step);
  if (stage.batched)
    indices.push_back(sample);
  indices.push_back(element);
  return indices;
}

Value RowStageEmitter::resultArgument() {
  SliceAttr slice = result.buffer.getSliceAttr();
  return b.argument(result, View::slice, Access::write, slice.getExtents(), slice);
}

RowStageEmitter::Load RowStageEmitter::rowOf(Value operand) {
  if (auto constant = operand.getDefiningOp<arith::ConstantOp>()) {
    double value = cast<DenseElementsAttr>(constant.getValue()).getSplatValue<APFloat>().convertToDouble();
    return [this, value](Value) { return b.f32(value); };
  }
  Storage storage = storages.lookup(operand);
  Value &argument = arguments[operand];
  if (!argument) {
    int64_t width = cast<RankedTensorType>(operand.getType()).getShape().back();
    if (stage.batched)
      argument = b.argument(
          storage, View::slice, Access::read, {stage.samples, width},
          SliceAttr::get(b.getContext(), stage.segments, stage.samples * width, 0, {stage.samples, width}));
    else
      argument = b.argument(storage, View::broadcast, Access::read, {width});
  }
  return [this, storage, argument](Value element) { return b.load(argument, at(storage, element)); };
}

void RowStageEmitter::fill(Value value, Value from, Value to) {
  b.loop(from, to, [&](Value i) { put(value, i); });
}

/// Elements [from, to) of a row to the result's from `start` on.
void RowStageEmitter::copy(const Load &load, Value from, Value to, Value start) {
  Value shift = b.sub(start, from);
  b.loop(from, to, [&](Value i) { put(load(i), b.add(i, shift)); });
}

namespace {
/// The coordinates of a line in all axes but the last, and what follows from them.
struct LineStart {
  Value base, exists;
};
} // namespace

/// Goes through the axes of `extents` but the last: `place` gives for the coordinate in an axis the
/// coordinate on the other side and the conditions under which there is one.
static LineStart lineStart(CodeletBuilder &b, Value line, ArrayRef<int64_t> extents, ArrayRef<int64_t> others,
                           llvm::function_ref<Value(size_t, Value, SmallVectorImpl<Value> &)> place) {
  LineStart result{b.index(0), Value()};
  int64_t stride = others.back();
  SmallVector<Value> conditions;
  for (size_t axis = extents.size() - 1; axis-- > 0;) {
    Value other = place(axis, b.rem(line, extents[axis]), conditions);
    line = b.div(line, extents[axis]);
    result.base = b.add(result.base, b.mul(other, b.index(stride)));
    stride *= others[axis];
  }
  for (Value condition : conditions)
    result.exists =
        result.exists ? arith::AndIOp::create(b, result.exists, condition).getResult() : condition;
  return result;
}

static int64_t ceilDivSigned(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : -(-a / b); }

/// The elements i of `size` for which offset + stride * i lies in [0, extent).
static std::pair<int64_t, int64_t> insideOf(int64_t offset, int64_t stride, int64_t size, int64_t extent) {
  int64_t from = std::clamp<int64_t>(ceilDivSigned(-offset, stride), 0, size);
  int64_t to = std::clamp<int64_t>(ceilDivSigned(extent - offset, stride), from, size);
  return {from, to};
}

void RowStageEmitter::emitSlice(SliceOp slice, Value line, Value start, Value from, Value to) {
  Window window = slice.getWindow();
  Load load = rowOf(slice.getInput());
  auto [inside, end] =
      insideOf(window.offsets.back(), window.strides.back(), window.sizes.back(), window.shape.back());
  LineStart source = lineStart(
      b, line, window.sizes, window.shape, [&](size_t axis, Value i, SmallVectorImpl<Value> &conditions) {
        int64_t offset = window.offsets[axis], stride = window.strides[axis], extent = window.shape[axis];
        Value at = b.add(b.mul(i, b.index(stride)), b.index(offset));
        if (offset < 0 || offset + stride * (window.sizes[axis] - 1) >= extent)
          conditions.push_back(b.compare(arith::CmpIPredicate::ult, at, b.index(extent)));
        return at;
      });
  Value first = b.index(inside), last = b.index(end);
  if (source.exists)
    last = arith::SelectOp::create(b, source.exists, last, first);
  first = b.min(b.max(first, from), to);
  last = b.max(b.min(last, to), first);
  Value other = b.f32(slice.getFill().convertToDouble());
  Value base = b.add(source.base, b.index(window.offsets.back()));
  fill(other, b.add(start, from), b.add(start, first));
  b.loop(first, last,
         [&](Value i) { put(load(b.add(base, b.mul(i, b.index(window.strides.back())))), b.add(start, i)); });
  fill(other, b.add(start, last), b.add(start, to));
}

void RowStageEmitter::emitPlace(PlaceOp place, Value line, Value start, Value from, Value to) {
  Window window = place.getWindow();
  Load load = rowOf(place.getInput());
  int64_t offset = window.offsets.back(), stride = window.strides.back();
  auto [inside, end] = insideOf(offset, stride, window.sizes.back(), window.shape.back());
  LineStart source = lineStart(
      b, line, window.shape, window.sizes, [&](size_t axis, Value at, SmallVectorImpl<Value> &conditions) {
        // Positions before the offset wrap around to numbers that are too large.
        Value distance = b.sub(at, b.index(window.offsets[axis]));
        int64_t step = window.strides[axis], span = step * (window.sizes[axis] - 1) + 1;
        conditions.push_back(b.compare(arith::CmpIPredicate::ult, distance, b.index(span)));
        if (step > 1)
          conditions.push_back(b.compare(arith::CmpIPredicate::eq, b.rem(distance, step), b.index(0)));
        return b.div(distance, step);
      });
  fill(b.f32(0), b.add(start, from), b.add(start, to));
  // The elements that this worker's piece [from, to) of the line holds.
  auto firstAfter = [&](Value position) {
    return b.div(b.max(b.index(0), b.add(b.sub(position, b.index(offset)), b.index(stride - 1))), stride);
  };
  Value first = b.min(b.max(b.index(inside), firstAfter(from)), b.index(end));
  Value last = b.max(b.min(b.index(end), firstAfter(to)), first);
  if (source.exists)
    last = arith::SelectOp::create(b, source.exists, last, first);
  Value target = b.add(start, b.index(offset));
  b.loop(first, last,
         [&](Value i) { put(load(b.add(source.base, i)), b.add(target, b.mul(i, b.index(stride)))); });
}

void RowStageEmitter::emitConcat(ConcatOp concat, Value from, Value to) {
  int64_t offset = 0;
  for (Value input : concat.getInputs()) {
    int64_t end = offset + cast<RankedTensorType>(input.getType()).getShape().back();
    Value first = b.min(b.max(b.index(offset), from), b.index(end));
    Value last = b.max(b.min(b.index(end), to), first);
    Value shift = b.index(offset);
    copy(rowOf(input), b.sub(first, shift), b.sub(last, shift), first);
    offset = end;
  }
}

void RowStageEmitter::emitSoftmax(SoftmaxOp softmax) {
  ScalarMath math{b};
  Load load = rowOf(softmax.getInput());
  Value zero = b.index(0), width = b.index(stage.length);
  Value best = b.loop(b.index(1), width, ValueRange{load(zero)}, [&](Value i, ValueRange old) {
    Value x = load(i);
    Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, old[0]);
    return SmallVector<Value>{arith::SelectOp::create(b, above, x, old[0])};
  })[0];
  Value sum = b.loop(zero, width, ValueRange{b.f32(0)}, [&](Value i, ValueRange old) {
    Value e = polynomialExp(math, arith::SubFOp::create(b, load(i), best));
    put(e, i);
    return SmallVector<Value>{arith::AddFOp::create(b, old[0], e)};
  })[0];
  Value entropy = softmax.getLog() ? polynomialLog(math, sum) : Value();
  b.loop(zero, width, [&](Value i) {
    if (entropy)
      put(math.sub(math.sub(load(i), best), entropy), i);
    else
      put(math.div(b.load(out, at(result, i)), sum), i);
  });
}

void RowStageEmitter::emitSoftmaxAdjoint(SoftmaxAdjointOp softmax) {
  ScalarMath math{b};
  Load g = rowOf(softmax.getGradient()), y = rowOf(softmax.getOutput());
  Value zero = b.index(0), width = b.index(stage.length);
  Value sum = b.loop(zero, width, ValueRange{b.f32(0)}, [&](Value i, ValueRange old) {
    return SmallVector<Value>{math.add(old[0], softmax.getLog() ? g(i) : math.mul(g(i), y(i)))};
  })[0];
  b.loop(zero, width, [&](Value i) {
    if (softmax.getLog())
      put(math.sub(g(i), math.mul(polynomialExp(math, y(i)), sum)), i);
    else
      put(math.mul(y(i), math.sub(g(i), sum)), i);
  });
}

/// Elements [from, to) of a line of the result, which begins at element `start` of what this task writes.
void RowStageEmitter::emitLine(Value line, Value start, Value from, Value to) {
  TypeSwitch<Operation *>(op)
      .Case([&](SliceOp slice) { emitSlice(slice, line, start, from, to); })
      .Case([&](PlaceOp place) { emitPlace(place, line, start, from, to); })
      .Case([&](ConcatOp concat) { emitConcat(concat, from, to); })
      .Case([&](SpreadOp spread) {
        Value value = rowOf(spread.getInput())(line);
        fill(value, b.add(start, from), b.add(start, to));
      })
      .Case([&](FoldOp fold) {
        Load load = rowOf(fold.getInput());
        Value base = b.mul(line, b.index(fold.getInner()));
        Value sum =
            b.loop(b.index(0), b.index(fold.getInner()), ValueRange{b.f32(0)}, [&](Value j, ValueRange old) {
              return SmallVector<Value>{arith::AddFOp::create(b, old[0], load(b.add(base, j)))};
            })[0];
        put(sum, start);
      });
}

/// Workers share the lines, or where these are few the elements of each.
void RowStageEmitter::emitSample() {
  Value zero = b.index(0), length = b.index(stage.length);
  Value firstLine = b.mul(b.rem(b.getTask(), stage.segments), b.index(stage.segment));
  Value present = b.min(b.index(stage.segment), b.sub(b.index(stage.lines), firstLine));
  bool shareLines = stage.segment >= kWorkers || stage.length == 1;
  std::pair<Value, Value> share = b.share(worker, kWorkers, shareLines ? stage.segment : stage.length);
  Value from = shareLines ? zero : share.first, to = shareLines ? length : share.second;
  b.loop(shareLines ? share.first : zero, shareLines ? b.min(share.second, present) : present,
         [&](Value line) { emitLine(b.add(firstLine, line), b.mul(line, length), from, to); });
}

void RowStageEmitter::emit(bool reverse) {
  result = storages.lookup(op->getResult(0));
  out = resultArgument();
  bool wholeRows = isa<SoftmaxOp, SoftmaxAdjointOp>(op);
  for (Value operand : op->getOperands())
    (void)rowOf(operand);
  b.steps(reverse, [&](Value t) {
    step = t;
    Value sampleFirst = b.mul(b.div(b.getTask(), stage.segments), b.index(stage.samples));
    Value samples = b.min(b.index(stage.samples), b.sub(b.index(stage.batch), sampleFirst));
    b.workers(kWorkers, [&](Value w) {
      worker = w;
      std::pair<Value, Value> range{b.index(0), b.index(stage.samples)};
      if (wholeRows)
        range = b.share(worker, kWorkers, stage.samples);
      b.loop(range.first, b.min(range.second, samples), [&](Value s) {
        sample = s;
        if (auto softmax = dyn_cast<SoftmaxOp>(op))
          emitSoftmax(softmax);
        else if (auto softmax = dyn_cast<SoftmaxAdjointOp>(op))
          emitSoftmaxAdjoint(softmax);
        else
          emitSample();
      });
    });
  });
}

std::string Lowering::rowLayer(Operation *op) const {
  SmallVector<Value> values(op->getResults());
  llvm::append_range(values, op->getOperands());
  for (Value value : values)
    if (int unitClass = classes.getClass(value); unitClass >= 0)
      return layerOf(unitClass);
  return "rows";
}

/// Creates the family and the result of an operation on rows, so that stages can refer to them.
void Lowering::prepareRows(Operation *op) {
  if (!isRowOp(op))
    return;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  RowStage stage;
  stage.batched = type.getRank() == 2;
  stage.batch = stage.batched ? type.getDimSize(0) : 1;
  int64_t units = type.getShape().back(), tiles = placement.helperTiles();
  stage.length = lineLength(op);
  stage.lines = units / stage.length;
  stage.samples = ceilDiv(stage.batch, std::min(stage.batch, tiles));
  int64_t sampleTasks = ceilDiv(stage.batch, stage.samples);
  int64_t most = std::min(stage.lines, std::max<int64_t>(1, tiles / sampleTasks));
  stage.segments = std::clamp<int64_t>(units / (kWorkers * kUnitsPerWorker), 1, most);
  stage.segment = ceilDiv(stage.lines, stage.segments);
  stage.segments = ceilDiv(stage.lines, stage.segment);
  StringRef kind = op->getName().stripDialect();
  std::string layer = rowLayer(op) + "." + kind.str();
  stage.family = indexFamily(layer, sampleTasks * stage.segments);

  MLIRContext *context = op->getContext();
  int64_t piece = stage.segment * stage.length;
  SmallVector<int64_t> shape(type.getShape()), extents{piece};
  if (stage.batched)
    extents.insert(extents.begin(), stage.samples);
  bool steps = op->getParentOfType<ScanOp>() != nullptr;
  if (steps)
    shape.insert(shape.begin(), rowsFor(op->getResult(0)));
  auto slice =
      SliceAttr::get(context, stage.segments, stage.batched ? stage.samples * units : 0, piece, extents);
  BufferOp buffer =
      sliceBuffer(op->getLoc(), layer, stage.family, shape, Float32Type::get(context), slice, steps);
  if (int unitClass = classes.getClass(op->getResult(0)); unitClass >= 0)
    buffer.setPitch(wholeGroups(family(unitClass), units));
  storages[op->getResult(0)] =
      steps ? rowsOfSegments(buffer, isKept(op->getResult(0))) : Storage{buffer, false};
  rowStages[op] = stage;
}

void Lowering::emitRows(Operation *op) {
  const RowStage stage = rowStages.lookup(op);
  StringRef kind = op->getName().stripDialect();
  std::string layer = rowLayer(op);
  CodeletBuilder b(op->getLoc(), module, layer + "_" + kind.str(), stage.family);
  RowStageEmitter(b, op, stage, storages).emit(reverse);
  b.finish(stages, layer, kind);
}
