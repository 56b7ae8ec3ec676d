// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums over time inside scans, repetition by capture: no history is stacked for either.
#include "mlir/Dialect/Arith/IR/Arith.h"
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

struct SNNFuseTimeSums : spikeloom::snn::impl::SNNFuseTimeSumsBase<SNNFuseTimeSums> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SumInside, CaptureRepeated>(&getContext());
    ScanOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
