// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pass around `Lowering`.
#include "Lowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "spikeloom/Conversion/Passes.h"

namespace spikeloom {
#define GEN_PASS_DEF_CONVERTSNNTOTILEPASS
#include "spikeloom/Conversion/Passes.h.inc"
} // namespace spikeloom

using namespace mlir;
using namespace spikeloom;

namespace {
struct ConvertPass : spikeloom::impl::ConvertSNNToTilePassBase<ConvertPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto function = module.lookupSymbol<func::FuncOp>("main");
    if (!function) {
      module.emitError("has no function @main to convert");
      return signalPassFailure();
    }
    if (microBatches < 1) {
      function.emitError("option 'micro-batches' must be at least 1, found ") << microBatches.getValue();
      return signalPassFailure();
    }
    FailureOr<Placement> placement = getPlacement(function);
    if (failed(placement))
      return signalPassFailure();
    if (UnitClasses(function).getClasses().size() != placement->units.size()) {
      function.emitError("attribute 'snn.placement' places ")
          << placement->units.size() << " layers, the function has "
          << UnitClasses(function).getClasses().size() << "; run snn-partition again";
      return signalPassFailure();
    }
    OpBuilder builder(function);
    auto program =
        tile::ProgramOp::create(builder, function.getLoc(), "program", placement->machine, placement->chips);
    program.getBody().push_back(new Block);
    program->setAttr("tile.load", builder.getI64IntegerAttr(placement->load));
    if (Attribute training = function->getAttr("snn.training"))
      program->setAttr("snn.training", training);
    if (failed(Lowering(function, *placement, program, microBatches).run()))
      return signalPassFailure();
    function.erase();
  }
};
} // namespace
