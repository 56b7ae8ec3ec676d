// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise operations of the arith and math dialects.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "spikeloom/Support/Polynomials.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

static bool compare(arith::CmpFPredicate predicate, float a, float b) {
  using P = arith::CmpFPredicate;
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case P::AlwaysFalse:
    return false;
  case P::OEQ:
    return a == b;
  case P::OGT:
    return a > b;
  case P::OGE:
    return a >= b;
  case P::OLT:
    return a < b;
  case P::OLE:
    return a <= b;
  case P::ONE:
    return !unordered && a != b;
  case P::ORD:
    return !unordered;
  case P::UEQ:
    return unordered || a == b;
  case P::UGT:
    return unordered || a > b;
  case P::UGE:
    return unordered || a >= b;
  case P::ULT:
    return unordered || a < b;
  case P::ULE:
    return unordered || a <= b;
  case P::UNE:
    return a != b;
  case P::UNO:
    return unordered;
  case P::AlwaysTrue:
    return true;
  }
  return false;
}

/// NaN wins, and -0 is less than +0, as in arith.maximumf.
static float maximum(float a, float b) {
  if (std::isnan(a) || std::isnan(b))
    return NAN;
  return a == b ? (std::signbit(a) ? b : a) : a > b ? a : b;
}

LogicalResult Interpreter::evaluateElementwise(Operation *op) {
  auto apply = [&](auto f) {
    const Tensor &a = valueOf(op->getOperand(0));
    Tensor result(a.shape);
    for (size_t i = 0; i < result.data.size(); ++i)
      result.data[i] = f(i);
    set(op->getResult(0), std::move(result));
    return success();
  };
  auto unary = [&](auto f) {
    const Tensor &a = valueOf(op->getOperand(0));
    return apply([&](size_t i) { return f(a.data[i]); });
  };
  auto binary = [&](auto f) {
    const Tensor &a = valueOf(op->getOperand(0)), &b = valueOf(op->getOperand(1));
    return apply([&](size_t i) { return f(a.data[i], b.data[i]); });
  };
  spikeloom::FloatOps math;
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::AddFOp) { return binary([](float a, float b) { return a + b; }); })
      .Case([&](arith::SubFOp) { return binary([](float a, float b) { return a - b; }); })
      .Case([&](arith::MulFOp) { return binary([](float a, float b) { return a * b; }); })
      .Case([&](arith::DivFOp) { return binary([](float a, float b) { return a / b; }); })
      .Case([&](arith::NegFOp) { return unary([](float a) { return -a; }); })
      .Case([&](arith::MaximumFOp) { return binary(maximum); })
      .Case([&](arith::MinimumFOp) { return binary([](float a, float b) { return -maximum(-a, -b); }); })
      .Case([&](arith::CmpFOp cmp) {
        return binary([&](float a, float b) { return float(compare(cmp.getPredicate(), a, b)); });
      })
      .Case<arith::AndIOp>(
          [&](Operation *) { return binary([](float a, float b) { return float(a && b); }); })
      .Case<arith::OrIOp>([&](Operation *) { return binary([](float a, float b) { return float(a || b); }); })
      .Case<arith::XOrIOp>(
          [&](Operation *) { return binary([](float a, float b) { return float(a != b); }); })
      .Case([&](arith::SelectOp select) {
        const Tensor &condition = valueOf(select.getCondition());
        const Tensor &yes = valueOf(select.getTrueValue()), &no = valueOf(select.getFalseValue());
        return apply([&](size_t i) { return condition.data[i] != 0.0f ? yes.data[i] : no.data[i]; });
      })
      .Case<arith::UIToFPOp>([&](Operation *) { return unary([](float a) { return a; }); })
      .Case<math::AbsFOp>([&](Operation *) { return unary([](float a) { return std::fabs(a); }); })
      .Case<math::FloorOp>([&](Operation *) { return unary([](float a) { return std::floor(a); }); })
      .Case<math::SqrtOp>([&](Operation *) { return unary([](float a) { return std::sqrt(a); }); })
      .Case<math::CeilOp>([&](Operation *) { return unary([](float a) { return std::ceil(a); }); })
      .Case<math::TanhOp>(
          [&](Operation *) { return unary([&](float a) { return spikeloom::polynomialTanh(math, a); }); })
      .Case<math::ExpOp>(
          [&](Operation *) { return unary([&](float a) { return spikeloom::polynomialExp(math, a); }); })
      .Case<math::LogOp>(
          [&](Operation *) { return unary([&](float a) { return spikeloom::polynomialLog(math, a); }); })
      .Default([](Operation *) { return failure(); });
}
