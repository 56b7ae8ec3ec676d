// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Refuses the events encoding on operations that would ignore or erase it.
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"

namespace spikeloom::snn {
#define GEN_PASS_DEF_SNNVERIFYENCODING
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn

using namespace mlir;
using namespace spikeloom::snn;

namespace {
struct SNNVerifyEncoding : spikeloom::snn::impl::SNNVerifyEncodingBase<SNNVerifyEncoding> {
  static LogicalResult check(Operation *op) {
    if (isa_and_nonnull<SNNDialect>(op->getDialect()) || isa<FunctionOpInterface, CallOpInterface>(op) ||
        op->hasTrait<OpTrait::ReturnLike>() || isa<UnrealizedConversionCastOp>(op))
      return success();
    auto refuse = [&](StringRef what, unsigned number, Type type) {
      return op->emitOpError() << what << " " << number << " is the event tensor " << type
                               << ", whose list this operation does not know; make it dense with snn.expand";
    };
    for (auto [i, type] : llvm::enumerate(op->getOperandTypes()))
      if (getEvents(type))
        return refuse("operand", i, type);
    for (auto [i, type] : llvm::enumerate(op->getResultTypes()))
      if (getEvents(type))
        return refuse("result", i, type);
    return success();
  }

  void runOnOperation() override {
    bool failedAny = false;
    getOperation()->walk([&](Operation *op) { failedAny |= failed(check(op)); });
    if (failedAny)
      signalPassFailure();
  }
};
} // namespace
