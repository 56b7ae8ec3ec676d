// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pass tile-count-cycles: prepares a copy of each codelet, has it counted, and says what the count
// depends on.
#include "CycleEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

namespace spikeloom::tile {
#define GEN_PASS_DEF_TILECOUNTCYCLESPASS
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h.inc"
} // namespace spikeloom::tile

/// Loops over so few iterations are written out by whoever writes codelets by hand.
static constexpr int64_t kUnrolled = 8;

static void simplify(func::FuncOp function) {
  MLIRContext *context = function.getContext();
  RewritePatternSet patterns(context);
  for (Dialect *dialect : context->getLoadedDialects())
    dialect->getCanonicalizationPatterns(patterns);
  for (RegisteredOperationName op : context->getRegisteredOperations())
    op.getCanonicalizationPatterns(patterns, context);
  (void)applyPatternsGreedily(function, std::move(patterns));
  IRRewriter rewriter(context);
  DominanceInfo dominance(function);
  eliminateCommonSubExpressions(rewriter, dominance, function);
  function.walk([](LoopLikeOpInterface loop) { moveLoopInvariantCode(loop); });
}

static bool isInnermost(scf::ForOp loop) {
  return !loop.getBody()
              ->walk([](Operation *op) {
                return op->getNumRegions() ? WalkResult::interrupt() : WalkResult::advance();
              })
              .wasInterrupted();
}

/// Unrolls innermost loops with known bounds: short ones fully, longer ones by two so that neighbours meet.
static void unroll(func::FuncOp function) {
  SmallVector<scf::ForOp> loops;
  function.walk([&](scf::ForOp loop) { loops.push_back(loop); });
  for (scf::ForOp loop : loops) {
    APInt from, to, step;
    if (!isInnermost(loop) || !matchPattern(loop.getLowerBound(), m_ConstantInt(&from)) ||
        !matchPattern(loop.getUpperBound(), m_ConstantInt(&to)) ||
        !matchPattern(loop.getStep(), m_ConstantInt(&step)) || !step.isOne())
      continue;
    int64_t trips = to.getSExtValue() - from.getSExtValue();
    if (trips <= kUnrolled)
      (void)loopUnrollFull(loop);
    else if (trips % 2 == 0 && from.getSExtValue() % 2 == 0 && loop.getInitArgs().empty() &&
             walksNeighbours(loop))
      (void)loopUnrollByFactor(loop, 2);
  }
}

/// Sets the attributes that say what the cycles depend on.
static void describe(func::FuncOp codelet, func::FuncOp cycles) {
  Builder builder(codelet.getContext());
  unsigned arrays = codelet.getNumArguments() - 2;
  bool uniform = cycles.getArgument(arrays + 1).use_empty(), constant = true;
  for (unsigned i = 0; i < arrays; ++i) {
    codelet.removeArgAttr(i, kDecidesCyclesAttr);
    if (cycles.getArgument(i).use_empty())
      continue;
    codelet.setArgAttr(i, kDecidesCyclesAttr, builder.getUnitAttr());
    constant = false;
    if (viewOf(codelet, i) != View::broadcast)
      uniform = false;
  }
  // Without data, a step differs from the next only if its number is used for more than the place of its
  // cycles.
  cycles.walk([&](scf::ForOp loop) {
    if (loop.getUpperBound() != cycles.getArgument(arrays))
      return;
    for (Operation *user : loop.getInductionVar().getUsers())
      constant &= isa<memref::StoreOp>(user) ||
                  llvm::all_of(user->getUsers(), [](Operation *next) { return isa<memref::StoreOp>(next); });
  });
  auto set = [&](StringRef name, bool holds) {
    codelet->removeAttr(name);
    if (holds)
      codelet->setAttr(name, builder.getUnitAttr());
  };
  set(kCyclesUniformAttr, uniform);
  set(kCyclesStaticAttr, constant);
}

namespace {
struct CountCyclesPass : spikeloom::tile::impl::TileCountCyclesPassBase<CountCyclesPass> {
  using TileCountCyclesPassBase::TileCountCyclesPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    Result<Machine> loaded = loadMachine(machine);
    if (!loaded) {
      module.emitError(loaded.error());
      return signalPassFailure();
    }
    if (quality == "scheduled" || quality == "compiled") {
      loaded->codeQuality = quality == "scheduled" ? CodeQuality::scheduled : CodeQuality::compiled;
    } else if (!quality.empty()) {
      module.emitError("option 'quality' is '") << quality << "', allowed: scheduled, compiled";
      return signalPassFailure();
    }
    for (func::FuncOp codelet : codeletsOf(module))
      if (failed(readCodelet(codelet)) || failed(count(codelet, *loaded)))
        return signalPassFailure();
  }

  LogicalResult count(func::FuncOp codelet, const Machine &target) {
    OwningOpRef<func::FuncOp> prepared = codelet.clone();
    bool scheduled = target.codeQuality == CodeQuality::scheduled;
    simplify(*prepared);
    if (scheduled) {
      unroll(*prepared);
      simplify(*prepared);
    }
    SmallVector<Type> types(codelet.getArgumentTypes());
    types.push_back(MemRefType::get({ShapedType::kDynamic}, IntegerType::get(&getContext(), 64)));
    func::FuncOp cycles = createVersion(codelet, kCyclesSuffix, types);
    if (failed(CycleEmitter(*prepared, cycles, target, print).run())) {
      cycles.erase();
      return failure();
    }
    simplify(cycles);
    describe(codelet, cycles);
    return mlir::success();
  }
};
} // namespace
