// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layers that do one thing in training and another in inference: batch normalisation and dropout.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace spikeloom::snn {
#define GEN_PASS_DEF_SNNPREPARELAYERS
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn

using namespace mlir;
using namespace spikeloom::snn;

namespace {
/// Builds arithmetic on rows and on values for each channel.
class Builder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  Value add(Value a, Value b) { return arith::AddFOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return arith::SubFOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(*this, a, b); }
  Value div(Value a, Value b) { return arith::DivFOp::create(*this, a, b); }
  Value constant(Type type, float value) {
    return arith::ConstantOp::create(*this, DenseElementsAttr::get(cast<ShapedType>(type), value));
  }
};

/// One batch normalisation, written as arithmetic.
class Normalisation {
public:
  explicit Normalisation(BatchNormOp op) : op(op), b(op.getLoc(), op), row(op.getInput().getType()) {
    channels = cast<RankedTensorType>(op.getMean().getType());
    units = RankedTensorType::get({row.getDimSize(1)}, row.getElementType());
  }

  void useRunning() {
    Value distance = b.sub(op.getInput(), overRows(op.getMean()));
    finish(distance, op.getVariance());
  }

  /// Takes the statistics of the batch; returns the new running ones.
  std::pair<Value, Value> useBatch(Value mean, Value variance) {
    float count = float(op.getCount()), momentum = op.getMomentum().convertToFloat();
    Value batchMean = average(op.getInput(), count);
    Value distance = b.sub(op.getInput(), overRows(batchMean));
    Value batchVariance = average(b.mul(distance, distance), count);
    finish(distance, batchVariance);
    auto move = [&](Value running, Value found, float weight) {
      return b.add(b.mul(running, b.constant(channels, 1.0f - momentum)),
                   b.mul(found, b.constant(channels, weight)));
    };
    return {move(mean, batchMean, momentum),
            move(variance, batchVariance, momentum * (count / (count - 1.0f)))};
  }

private:
  /// A value of each channel for every unit of every sample.
  Value overRows(Value perChannel) {
    if (op.getInner() != 1)
      perChannel = SpreadOp::create(b, units, perChannel, op.getInnerAttr());
    return BroadcastOp::create(b, row, perChannel);
  }

  Value average(Value value, float count) {
    Value sum = BatchSumOp::create(b, units, value, b.constant(units, 0.0f));
    if (op.getInner() != 1)
      sum = FoldOp::create(b, channels, sum, op.getInnerAttr());
    return b.mul(sum, b.constant(channels, 1.0f / count));
  }

  void finish(Value distance, Value variance) {
    Value sum = b.add(variance, b.constant(channels, op.getEpsilon().convertToFloat()));
    Value factor = b.div(op.getScale(), math::SqrtOp::create(b, sum));
    op.getResult().replaceAllUsesWith(b.add(b.mul(distance, overRows(factor)), overRows(op.getShift())));
  }

  BatchNormOp op;
  Builder b;
  RankedTensorType row, channels, units;
};

struct SNNPrepareLayers : spikeloom::snn::impl::SNNPrepareLayersBase<SNNPrepareLayers> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<BatchNormOp> norms;
    SmallVector<DropoutOp> dropouts;
    getOperation().walk([&](Operation *op) {
      if (auto norm = dyn_cast<BatchNormOp>(op))
        norms.push_back(norm);
      if (auto dropout = dyn_cast<DropoutOp>(op); dropout && !dropout.getKey())
        dropouts.push_back(dropout);
    });
    if (!train) {
      for (DropoutOp dropout : dropouts) {
        dropout.getResult().replaceAllUsesWith(dropout.getInput());
        dropout.erase();
      }
      for (BatchNormOp norm : norms) {
        Normalisation(norm).useRunning();
        norm.erase();
      }
      return;
    }
    if (failed(useBatchStatistics(norms)) || failed(drawUnits(dropouts)))
      signalPassFailure();
  }

private:
  // Batch normalisation.

  LogicalResult useBatchStatistics(ArrayRef<BatchNormOp> norms) {
    llvm::MapVector<Operation *, SmallVector<BatchNormOp>> byScan;
    for (BatchNormOp norm : norms) {
      auto scan = dyn_cast<ScanOp>(norm->getParentOp());
      if (!scan)
        return norm.emitOpError("stands outside of a scan, where a training step cannot move its statistics");
      if (norm.getCount() < 2)
        return norm.emitOpError(
            "needs more than one value for each channel in training; give a larger batch");
      for (Value statistic : {norm.getMean(), norm.getVariance()})
        if (!isArgument(statistic))
          return norm.emitOpError(
              "has statistics that are no parameters of @main, so that training cannot move them");
      byScan[scan].push_back(norm);
    }
    for (auto &[scan, members] : byScan)
      useBatchStatistics(cast<ScanOp>(scan), members);
    return success();
  }

  bool isArgument(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == &getOperation().getBody().front();
  }

  /// The running statistics become states of the scan, and results of the function that replace the
  /// parameters.
  void useBatchStatistics(ScanOp scan, ArrayRef<BatchNormOp> norms) {
    llvm::MapVector<Value, Value> running; // parameter -> its value after the operations so far
    for (BatchNormOp norm : norms)
      for (Value statistic : {norm.getMean(), norm.getVariance()})
        if (!running.count(statistic))
          running[statistic] = scan.getBody().front().addArgument(statistic.getType(), norm.getLoc());
    for (BatchNormOp norm : norms) {
      Value mean = norm.getMean(), variance = norm.getVariance();
      std::tie(running[mean], running[variance]) =
          Normalisation(norm).useBatch(running[mean], running[variance]);
      norm.erase();
    }
    scan.getYield().getStatesMutable().append(
        llvm::map_to_vector(running, [](auto &entry) { return entry.second; }));
    SmallVector<Value> inits(scan.getInits());
    for (auto &[parameter, last] : running)
      inits.push_back(parameter);
    ScanOp extended = replace(scan, scan.getSequences(), inits);
    for (auto [entry, last] : llvm::zip(running, extended.getFinals().take_back(running.size())))
      returnUpdate(cast<BlockArgument>(entry.first), last);
  }

  /// The scan with other sequences and initial states; its body has the arguments already.
  ScanOp replace(ScanOp scan, ValueRange sequences, ArrayRef<Value> inits) {
    OpBuilder builder(scan);
    auto extended = ScanOp::create(builder, scan.getLoc(), scan.getStacked().getTypes(),
                                   ValueRange(inits).getTypes(), sequences, inits, scan.getReverseAttr(),
                                   sequences.empty() ? scan.getStepsAttr() : IntegerAttr());
    extended.getBody().takeBody(scan.getBody());
    extended->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
    scan.getStacked().replaceAllUsesWith(extended.getStacked());
    scan.getFinals().replaceAllUsesWith(extended.getFinals().take_front(scan.getFinals().size()));
    scan.erase();
    return extended;
  }

  void returnUpdate(BlockArgument parameter, Value last) {
    func::FuncOp function = getOperation();
    Operation *end = function.getBody().front().getTerminator();
    auto name = function.getArgAttrOfType<StringAttr>(parameter.getArgNumber(), kNameAttr);
    mlir::Builder builder(&getContext());
    if (!name)
      name = builder.getStringAttr("arg" + std::to_string(parameter.getArgNumber()));
    auto attributes = builder.getDictionaryAttr(
        {builder.getNamedAttr(kNameAttr, name), builder.getNamedAttr(kUpdateAttr, name)});
    end->insertOperands(end->getNumOperands(), last);
    (void)function.insertResult(function.getNumResults(), last.getType(), attributes);
  }

  // Dropout.

  LogicalResult drawUnits(ArrayRef<DropoutOp> dropouts) {
    int64_t number = 0;
    for (DropoutOp dropout : dropouts) {
      ++number;
      if (dropout.getSalt() == 0)
        dropout.setSalt(number);
      auto scan = dyn_cast<ScanOp>(dropout->getParentOp());
      if (!scan && dropout->getParentOp() != getOperation())
        return dropout.emitOpError("must stand in a scan or in the function itself");
      int64_t batch = dropout.getInput().getType().getDimSize(0);
      bool steps = scan && !dropout.getHold();
      dropout.getKeyMutable().assign(steps ? keysOf(scan, batch) : held(batch));
    }
    return success();
  }

  Value addKeys(StringRef name, ArrayRef<int64_t> shape) {
    func::FuncOp function = getOperation();
    mlir::Builder builder(&getContext());
    auto attributes = builder.getDictionaryAttr(
        {builder.getNamedAttr(kNameAttr, builder.getStringAttr(name)),
         builder.getNamedAttr(kKindAttr, ArgumentKindAttr::get(&getContext(), ArgumentKind::random))});
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(index, RankedTensorType::get(shape, builder.getF32Type()), attributes,
                                  function.getLoc());
    return function.getArgument(index);
  }

  /// Keys that stay the same over time.
  Value held(int64_t batch) {
    if (!heldKeys)
      heldKeys = addKeys("dropout.held", {batch, 1});
    return heldKeys;
  }

  /// The keys of a scan's step.
  Value keysOf(ScanOp scan, int64_t batch) {
    Block *body = &scan.getBody().front();
    Value &keys = stepKeys[body];
    if (keys)
      return keys;
    std::string name = "dropout.keys" + (stepKeys.size() > 1 ? std::to_string(stepKeys.size()) : "");
    Value stacked = addKeys(name, {scan.getNumSteps(), batch, 1});
    SmallVector<Value> sequences(scan.getSequences()), inits(scan.getInits());
    keys = body->insertArgument(
        sequences.size(), ScanOp::getStepType(cast<RankedTensorType>(stacked.getType())), scan.getLoc());
    sequences.push_back(stacked);
    // The body's block moves along.
    replace(scan, sequences, inits);
    return keys;
  }

  Value heldKeys;
  llvm::DenseMap<Block *, Value> stepKeys;
};
} // namespace
