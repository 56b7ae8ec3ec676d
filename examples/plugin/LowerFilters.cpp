// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Filter.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace filter {
#define GEN_PASS_DEF_LOWERFILTERS
#include "FilterPasses.h.inc"
} // namespace filter

using namespace mlir;

namespace {
struct LowerLowpass : OpRewritePattern<filter::LowpassOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(filter::LowpassOp op, PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getType());
    Value decay =
        arith::ConstantOp::create(rewriter, op.getLoc(), DenseElementsAttr::get(type, op.getDecay()));
    Value kept = arith::MulFOp::create(rewriter, op.getLoc(), op.getState(), decay);
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, kept, op.getInput());
    return success();
  }
};

struct LowerFilters : filter::impl::LowerFiltersBase<LowerFilters> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerLowpass>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
