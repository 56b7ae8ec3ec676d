// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Everything about stacked values inside scans: sums over time, repetition by capture, arithmetic.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"

namespace spikeloom::snn {
#define GEN_PASS_DEF_SNNFUSETIMESUMS
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn

using namespace mlir;
using namespace spikeloom::snn;

namespace {
/// sum_time(stacked result of a forward scan) becomes a state of the scan.
struct SumInside : OpRewritePattern<SumTimeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SumTimeOp sum, PatternRewriter &rewriter) const override {
    auto scan = sum.getInput().getDefiningOp<ScanOp>();
    if (!scan)
      return rewriter.notifyMatchFailure(sum, "not the result of a scan");
    if (scan.getReverse())
      return rewriter.notifyMatchFailure(sum, "the scan meets the steps in another order than the sum");
    unsigned index = cast<OpResult>(sum.getInput()).getResultNumber();
    Location loc = sum.getLoc();
    RankedTensorType type = sum.getResult().getType();

    rewriter.setInsertionPoint(scan);
    SmallVector<Value> inits(scan.getInits());
    inits.push_back(arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(type)));
    SmallVector<Type> finalTypes(scan.getFinals().getTypes());
    finalTypes.push_back(type);
    auto summing = ScanOp::create(rewriter, scan.getLoc(), scan.getStacked().getTypes(), finalTypes,
                                  scan.getSequences(), inits, scan.getReverseAttr(), scan.getStepsAttr());
    summing->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
    rewriter.inlineRegionBefore(scan.getBody(), summing.getBody(), summing.getBody().end());
    Value soFar = summing.getBody().front().addArgument(type, loc);
    YieldOp yield = summing.getYield();
    rewriter.setInsertionPoint(yield);
    Value next = arith::AddFOp::create(rewriter, loc, soFar, yield.getStepValues()[index]);
    rewriter.modifyOpInPlace(yield, [&] { yield.getStatesMutable().append(next); });
    rewriter.replaceOp(sum, summing.getFinals().back());
    SmallVector<Value> results(summing.getStacked());
    llvm::append_range(results, summing.getFinals().drop_back());
    rewriter.replaceOp(scan, results);
    return success();
  }
};

/// A scan over repeat_time(value) captures the value.
struct CaptureRepeated : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ScanOp scan, PatternRewriter &rewriter) const override {
    Block &body = scan.getBody().front();
    llvm::BitVector repeated(body.getNumArguments());
    SmallVector<Value> kept;
    for (auto [argument, sequence] : llvm::zip(scan.getStepArgs(), scan.getSequences())) {
      auto repeat = sequence.getDefiningOp<RepeatTimeOp>();
      if (!repeat) {
        kept.push_back(sequence);
        continue;
      }
      rewriter.replaceAllUsesWith(argument, repeat.getInput());
      repeated.set(argument.getArgNumber());
    }
    if (repeated.none())
      return rewriter.notifyMatchFailure(scan, "no sequence repeats a value");
    int64_t steps = scan.getNumSteps();
    rewriter.modifyOpInPlace(scan, [&] {
      body.eraseArguments(repeated);
      scan.getSequencesMutable().assign(kept);
      if (kept.empty())
        scan.setSteps(steps);
    });
    return success();
  }
};

/// An operation that treats every step of stacked values alike, outside scans.
bool worksStepByStep(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() > 0 || isa<arith::ConstantOp>(op) ||
      !(op->hasTrait<OpTrait::Elementwise>() || isa<AccumulateOp, RestrictOp>(op)) ||
      !isa<func::FuncOp>(op->getParentOp()))
    return false;
  auto isStacked = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() == 3;
  };
  return isStacked(op->getResult(0)) && llvm::all_of(op->getOperands(), isStacked);
}

/// One step of a splat constant; null for everything else.
Value stepOfConstant(PatternRewriter &rewriter, Value value) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto splat = constant ? dyn_cast<SplatElementsAttr>(constant.getValue()) : SplatElementsAttr();
  if (!splat)
    return Value();
  RankedTensorType step = ScanOp::getStepType(cast<RankedTensorType>(value.getType()));
  return arith::ConstantOp::create(rewriter, value.getLoc(), splat.resizeSplat(step));
}

/// Clones `op` for one step; `stepOf` gives one step of an operand.
Value cloneForStep(PatternRewriter &rewriter, Operation *op, function_ref<Value(Value)> stepOf) {
  IRMapping mapping;
  for (Value operand : op->getOperands())
    if (!mapping.contains(operand))
      mapping.map(operand, stepOf(operand));
  Operation *clone = rewriter.clone(*op, mapping);
  clone->getResult(0).setType(ScanOp::getStepType(cast<RankedTensorType>(op->getResult(0).getType())));
  return clone->getResult(0);
}

/// A scan over the result of such an operation runs over its operands.
struct SinkIntoScan : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ScanOp scan, PatternRewriter &rewriter) const override {
    for (unsigned i = 0; i < scan.getSequences().size(); ++i) {
      Operation *op = scan.getSequences()[i].getDefiningOp();
      if (!op || !worksStepByStep(op))
        continue;
      Block &body = scan.getBody().front();
      rewriter.setInsertionPointToStart(&body);
      SmallVector<Value> sequences(scan.getSequences());
      Value step = cloneForStep(rewriter, op, [&](Value operand) -> Value {
        if (Value constant = stepOfConstant(rewriter, operand))
          return constant;
        RankedTensorType type = ScanOp::getStepType(cast<RankedTensorType>(operand.getType()));
        sequences.push_back(operand);
        return body.insertArgument(unsigned(sequences.size() - 1), type, op->getLoc());
      });
      rewriter.replaceAllUsesWith(body.getArgument(i), step);
      sequences.erase(sequences.begin() + i);
      int64_t steps = scan.getNumSteps();
      rewriter.modifyOpInPlace(scan, [&] {
        body.eraseArgument(i);
        scan.getSequencesMutable().assign(sequences);
        scan.setSteps(steps);
      });
      return success();
    }
    return rewriter.notifyMatchFailure(scan, "no sequence is computed step by step");
  }
};

/// Where others than scans read it, the operation becomes a scan of its own.
struct WrapInScan : RewritePattern {
  explicit WrapInScan(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!worksStepByStep(op) || op->use_empty() || llvm::all_of(op->getUsers(), [](Operation *user) {
          return isa<ScanOp, SumTimeOp>(user) || worksStepByStep(user);
        }))
      return rewriter.notifyMatchFailure(op, "is not, or will be part of another scan");
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    SmallVector<Value> sequences;
    for (Value operand : op->getOperands())
      if (!operand.getDefiningOp<arith::ConstantOp>() && !llvm::is_contained(sequences, operand))
        sequences.push_back(operand);
    auto scan = ScanOp::create(rewriter, op->getLoc(), SmallVector<Type>{type}, TypeRange(), sequences,
                               ValueRange(), UnitAttr(), rewriter.getI64IntegerAttr(type.getDimSize(0)));
    Block *body = rewriter.createBlock(&scan.getBody());
    Value step = cloneForStep(rewriter, op, [&](Value operand) -> Value {
      if (Value constant = stepOfConstant(rewriter, operand))
        return constant;
      return body->addArgument(ScanOp::getStepType(cast<RankedTensorType>(operand.getType())), op->getLoc());
    });
    YieldOp::create(rewriter, op->getLoc(), step, ValueRange());
    rewriter.replaceOp(op, scan);
    return success();
  }
};

/// The sum over time of what no forward scan makes becomes a scan of its own.
struct SumInOwnScan : OpRewritePattern<SumTimeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SumTimeOp sum, PatternRewriter &rewriter) const override {
    auto from = sum.getInput().getDefiningOp<ScanOp>();
    if (from && !from.getReverse())
      return rewriter.notifyMatchFailure(sum, "will be part of the scan before it");
    Location loc = sum.getLoc();
    RankedTensorType type = sum.getResult().getType();
    Value zero = arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(type));
    auto scan =
        ScanOp::create(rewriter, loc, TypeRange(), SmallVector<Type>{type}, sum.getInput(), zero, UnitAttr(),
                       rewriter.getI64IntegerAttr(sum.getInput().getType().getDimSize(0)));
    Block *body = rewriter.createBlock(&scan.getBody(), {}, {type, type}, {loc, loc});
    Value next = arith::AddFOp::create(rewriter, loc, body->getArgument(1), body->getArgument(0));
    YieldOp::create(rewriter, loc, ValueRange(), next);
    rewriter.replaceOp(sum, scan);
    return success();
  }
};

struct SNNFuseTimeSums : spikeloom::snn::impl::SNNFuseTimeSumsBase<SNNFuseTimeSums> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SumInside, CaptureRepeated, SinkIntoScan, WrapInScan, SumInOwnScan>(&getContext());
    ScanOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
