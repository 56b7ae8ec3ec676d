// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Adjoints of the elementwise operations that models are written with.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "spikeloom/Dialect/SNN/Transforms/Differentiate.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace spikeloom::snn;

namespace {
/// Short names for building elementwise arithmetic.
struct Elementwise {
  OpBuilder &builder;
  Location loc;

  Value add(Value a, Value b) { return arith::AddFOp::create(builder, loc, a, b); }
  Value sub(Value a, Value b) { return arith::SubFOp::create(builder, loc, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(builder, loc, a, b); }
  Value div(Value a, Value b) { return arith::DivFOp::create(builder, loc, a, b); }
  Value neg(Value a) { return arith::NegFOp::create(builder, loc, a); }
  Value greater(Value a, Value b) {
    return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, a, b);
  }
  Value select(Value c, Value a, Value b) { return arith::SelectOp::create(builder, loc, c, a, b); }
  Value constant(Type type, float value) {
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(cast<ShapedType>(type), value));
  }
};
} // namespace

/// A maximum gives its gradient to the first operand where that is greater, else to the second (so relu'(0) =
/// 0); a minimum to the second where that is smaller, else to the first (so a clamp passes at its upper
/// bound).
static void splitGradient(Operation *op, AdjointContext &context, Elementwise e) {
  Value g = context.cotangent(op->getResult(0)), zero = e.constant(g.getType(), 0.0f);
  Value firstIsGreater = e.greater(context.taped(op->getOperand(0)), context.taped(op->getOperand(1)));
  Value greater = e.select(firstIsGreater, g, zero), other = e.select(firstIsGreater, zero, g);
  bool isMaximum = isa<arith::MaximumFOp>(op);
  context.add(op->getOperand(0), isMaximum ? greater : other);
  context.add(op->getOperand(1), isMaximum ? other : greater);
}

LogicalResult spikeloom::snn::buildArithAdjoint(Operation *op, AdjointContext &context) {
  if (op->getNumResults() != 1)
    return failure();
  Value g = context.cotangent(op->getResult(0));
  Elementwise e{context.builder(), op->getLoc()};
  auto value = [&](unsigned operand) { return context.taped(op->getOperand(operand)); };
  auto result = [&] { return context.taped(op->getResult(0)); };
  auto needs = [&](unsigned operand) { return context.needs(op->getOperand(operand)); };
  auto give = [&](unsigned operand, Value cotangent) { context.add(op->getOperand(operand), cotangent); };
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::AddFOp) { return give(0, g), give(1, g), success(); })
      .Case([&](arith::SubFOp) {
        give(0, g);
        if (needs(1))
          give(1, e.neg(g));
        return success();
      })
      .Case([&](arith::MulFOp) {
        if (needs(0))
          give(0, e.mul(g, value(1)));
        if (needs(1))
          give(1, e.mul(g, value(0)));
        return success();
      })
      .Case([&](arith::DivFOp) {
        if (needs(0))
          give(0, e.div(g, value(1)));
        if (needs(1))
          give(1, e.neg(e.div(e.mul(g, result()), value(1))));
        return success();
      })
      .Case([&](arith::NegFOp) { return give(0, e.neg(g)), success(); })
      .Case<arith::MaximumFOp, arith::MinimumFOp>(
          [&](Operation *) { return splitGradient(op, context, e), success(); })
      .Case([&](arith::SelectOp select) {
        Value zero = e.constant(g.getType(), 0.0f), condition = context.taped(select.getCondition());
        if (needs(1))
          give(1, e.select(condition, g, zero));
        if (needs(2))
          give(2, e.select(condition, zero, g));
        return success();
      })
      .Case([&](math::AbsFOp) {
        Value zero = e.constant(g.getType(), 0.0f), x = value(0);
        give(0, e.select(e.greater(x, zero), g, e.select(e.greater(zero, x), e.neg(g), zero)));
        return success();
      })
      .Case([&](math::ExpOp) { return give(0, e.mul(g, result())), success(); })
      .Case([&](math::LogOp) { return give(0, e.div(g, value(0))), success(); })
      .Case([&](math::SqrtOp) {
        return give(0, e.div(e.mul(g, e.constant(g.getType(), 0.5f)), result())), success();
      })
      .Case([&](math::TanhOp) {
        Value y = result();
        return give(0, e.mul(g, e.sub(e.constant(g.getType(), 1.0f), e.mul(y, y)))), success();
      })
      // Conversions of predicates are piecewise constant.
      .Case<arith::UIToFPOp, arith::SIToFPOp>([&](Operation *) { return success(); })
      .Default([](Operation *) { return failure(); });
}
