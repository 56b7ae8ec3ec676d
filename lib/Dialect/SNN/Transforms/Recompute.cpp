// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recomputation: scans over segments, of which only the first states are kept for the backward pass.
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"

namespace spikeloom::snn {
#define GEN_PASS_DEF_SNNRECOMPUTE
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn

using namespace mlir;
using namespace spikeloom::snn;

/// The scan of the other direction that alone reads a stacked value, as a sequence; null where others do.
static ScanOp adjointReading(ScanOp scan, Value stacked) {
  ScanOp reader;
  for (OpOperand &use : stacked.getUses()) {
    auto user = dyn_cast<ScanOp>(use.getOwner());
    if (!user || user.getReverse() == scan.getReverse() || user->getBlock() != scan->getBlock() ||
        use.getOperandNumber() >= user.getSequences().size() || (reader && reader != user))
      return {};
    reader = user;
  }
  return reader;
}

namespace {
/// A forward scan and its adjoint, and both over segments.
class Segments {
public:
  Segments(ScanOp scan, ScanOp adjoint, int64_t length)
      : scan(scan), adjoint(adjoint), length(length), count(scan.getNumSteps() / length) {}

  void rewrite() {
    buildForward();
    buildAdjoint();
    adjoint.erase();
    scan.erase();
  }

private:
  bool isTape(Value stacked) { return adjointReading(scan, stacked) == adjoint; }
  Value split(OpBuilder &builder, Value steps) {
    RankedTensorType type = ScanOp::getStackedType(segmentType(steps), count);
    return SplitTimeOp::create(builder, steps.getLoc(), type, steps);
  }
  /// The type of the steps of one segment.
  RankedTensorType segmentType(Value steps) {
    return ScanOp::getStackedType(ScanOp::getStepType(cast<RankedTensorType>(steps.getType())), length);
  }
  ScanOp outerScan(OpBuilder &builder, ScanOp of, ValueRange sequences, ArrayRef<Value> stacked, bool starts);
  ScanOp innerScan(OpBuilder &builder, ScanOp of, ValueRange sequences, ValueRange inits,
                   ArrayRef<Value> stacked);
  void buildForward();
  void buildAdjoint();

  ScanOp scan, adjoint;
  int64_t length, count;
  SmallVector<Value> starts; // what every segment starts from, stacked by segment; as the states of `scan`
};
} // namespace

/// A scan over segments without a body: stacks the segments' `stacked` values and, with `starts`, its states.
ScanOp Segments::outerScan(OpBuilder &builder, ScanOp of, ValueRange sequences, ArrayRef<Value> stacked,
                           bool starts) {
  SmallVector<Type> stackedTypes;
  for (Value value : stacked)
    stackedTypes.push_back(ScanOp::getStackedType(segmentType(value), count));
  for (Value init : of.getInits())
    if (starts)
      stackedTypes.push_back(ScanOp::getStackedType(cast<RankedTensorType>(init.getType()), count));
  auto outer = ScanOp::create(builder, of.getLoc(), stackedTypes, of.getFinals().getTypes(), sequences,
                              of.getInits(), of.getReverseAttr(), builder.getI64IntegerAttr(count));
  Block *body = &outer.getBody().emplaceBlock();
  for (Value sequence : sequences)
    body->addArgument(ScanOp::getStepType(cast<RankedTensorType>(sequence.getType())), sequence.getLoc());
  for (Value init : of.getInits())
    body->addArgument(init.getType(), init.getLoc());
  return outer;
}

/// The scan `of` over the steps of a segment, with only some of its stacked results.
ScanOp Segments::innerScan(OpBuilder &builder, ScanOp of, ValueRange sequences, ValueRange inits,
                           ArrayRef<Value> stacked) {
  SmallVector<Type> stackedTypes;
  SmallVector<Value> stepValues;
  for (Value value : stacked) {
    stackedTypes.push_back(segmentType(value));
    stepValues.push_back(of.getYield().getStepValues()[cast<OpResult>(value).getResultNumber()]);
  }
  auto inner = ScanOp::create(builder, of.getLoc(), stackedTypes, of.getFinals().getTypes(), sequences, inits,
                              of.getReverseAttr(), builder.getI64IntegerAttr(length));
  IRMapping mapping;
  of.getBody().cloneInto(&inner.getBody(), mapping);
  SmallVector<Value> kept =
      llvm::map_to_vector(stepValues, [&](Value v) { return mapping.lookupOrDefault(v); });
  inner.getYield().getStepValuesMutable().assign(kept);
  return inner;
}

void Segments::buildForward() {
  OpBuilder builder(scan);
  SmallVector<Value> sequences, kept;
  for (Value sequence : scan.getSequences())
    sequences.push_back(split(builder, sequence));
  for (Value stacked : scan.getStacked())
    if (!stacked.use_empty() && !isTape(stacked))
      kept.push_back(stacked);
  ScanOp outer = outerScan(builder, scan, sequences, kept, /*starts=*/true);
  OpBuilder body = OpBuilder::atBlockEnd(&outer.getBody().front());
  ScanOp inner = innerScan(body, scan, outer.getStepArgs(), outer.getStateArgs(), kept);
  SmallVector<Value> stepValues(inner.getStacked());
  llvm::append_range(stepValues, outer.getStateArgs());
  YieldOp::create(body, scan.getLoc(), stepValues, inner.getFinals());

  for (auto [i, value] : llvm::enumerate(kept))
    value.replaceAllUsesWith(
        MergeTimeOp::create(builder, value.getLoc(), value.getType(), outer.getStacked()[i]));
  llvm::append_range(starts, outer.getStacked().drop_front(kept.size()));
  scan.getFinals().replaceAllUsesWith(outer.getFinals());
}

void Segments::buildAdjoint() {
  OpBuilder builder(adjoint);
  SmallVector<Value> sequences, tapes, others;
  for (Value sequence : scan.getSequences())
    sequences.push_back(split(builder, sequence));
  llvm::append_range(sequences, starts);
  for (Value sequence : adjoint.getSequences())
    if (sequence.getDefiningOp() == scan) {
      if (!llvm::is_contained(tapes, sequence))
        tapes.push_back(sequence);
    } else {
      others.push_back(split(builder, sequence));
    }
  size_t first = sequences.size();
  llvm::append_range(sequences, others);
  SmallVector<Value> stacked(adjoint.getStacked());
  ScanOp outer = outerScan(builder, adjoint, sequences, stacked, /*starts=*/false);
  OpBuilder body = OpBuilder::atBlockEnd(&outer.getBody().front());
  auto arguments = outer.getStepArgs();
  size_t read = scan.getSequences().size();
  ScanOp again = innerScan(body, scan, ValueRange(arguments.take_front(read)),
                           ValueRange(arguments.slice(read, starts.size())), tapes);
  SmallVector<Value> segment;
  for (Value sequence : adjoint.getSequences()) {
    auto *tape = llvm::find(tapes, sequence);
    segment.push_back(tape == tapes.end() ? Value(arguments[first++])
                                          : Value(again.getStacked()[tape - tapes.begin()]));
  }
  ScanOp inner = innerScan(body, adjoint, segment, outer.getStateArgs(), stacked);
  YieldOp::create(body, adjoint.getLoc(), inner.getStacked(), inner.getFinals());
  for (auto [value, segments] : llvm::zip(stacked, outer.getStacked()))
    value.replaceAllUsesWith(MergeTimeOp::create(builder, value.getLoc(), value.getType(), segments));
  adjoint.getFinals().replaceAllUsesWith(outer.getFinals());
}

/// The divisors of `steps` between 1 and itself, for a message.
static std::string divisorsOf(int64_t steps) {
  SmallVector<std::string> divisors;
  for (int64_t k = 1; k < steps; ++k)
    if (steps % k == 0)
      divisors.push_back(std::to_string(k));
  return llvm::join(divisors, ", ");
}

namespace {
struct SNNRecompute : spikeloom::snn::impl::SNNRecomputeBase<SNNRecompute> {
  using Base::Base;

  void runOnOperation() override {
    if (every < 0) {
      getOperation().emitError("cannot be recomputed every ")
          << every.getValue() << " steps; at least 1 is wanted, or 0 to keep all tapes";
      return signalPassFailure();
    }
    if (every == 0)
      return;
    // An adjoint that reads the tapes of several scans goes through segments of the first of them.
    llvm::SmallPtrSet<Operation *, 8> taken;
    SmallVector<Segments> pairs;
    for (ScanOp scan : getOperation().getOps<ScanOp>()) {
      ScanOp adjoint;
      for (Value stacked : scan.getStacked())
        if (ScanOp reader = adjointReading(scan, stacked); reader && !taken.contains(reader))
          if (!adjoint || adjoint->isBeforeInBlock(reader)) // a model's own backward scan comes first
            adjoint = reader;
      if (!adjoint || taken.contains(scan) || scan.getNumSteps() <= every)
        continue;
      if (scan.getNumSteps() % every) {
        scan.emitError("cannot be recomputed every ")
            << every.getValue() << " steps, which do not divide its " << scan.getNumSteps()
            << " steps; take one of " << divisorsOf(scan.getNumSteps());
        return signalPassFailure();
      }
      taken.insert(adjoint);
      taken.insert(scan);
      pairs.emplace_back(scan, adjoint, every);
    }
    if (pairs.empty())
      getOperation().emitWarning("keeps all tapes: no scan of more than ")
          << every.getValue() << " steps has one";
    for (Segments &pair : pairs)
      pair.rewrite();
  }
};
} // namespace
