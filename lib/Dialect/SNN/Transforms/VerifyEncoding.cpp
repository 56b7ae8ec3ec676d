// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Refuses encodings on operations that would ignore or erase them.
#include "mlir/Dialect/Arith/IR/Arith.h"
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
/// Whether the operation takes and makes weights with connections.
static bool knowsConnections(Operation *op) {
  return isa<LinearOp, LinearInputGradOp, LinearWeightGradOp, ClipByNormOp, OptimizerOpInterface, GradientOp,
             ScanOp, YieldOp, arith::ConstantOp, FunctionOpInterface, CallOpInterface>(op) ||
         op->hasTrait<OpTrait::ReturnLike>();
}

struct SNNVerifyEncoding : spikeloom::snn::impl::SNNVerifyEncodingBase<SNNVerifyEncoding> {
  static LogicalResult check(Operation *op) {
    auto connected = [](Type type) { return bool(getConnections(type)); };
    if (!knowsConnections(op) &&
        (llvm::any_of(op->getOperandTypes(), connected) || llvm::any_of(op->getResultTypes(), connected)))
      return op->emitOpError("takes or makes a weight with connections, which only synapses, their adjoints "
                             "and optimisers know; make the weight dense");
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
