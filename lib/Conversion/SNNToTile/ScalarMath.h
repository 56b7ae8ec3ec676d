// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The policy with which Support/Polynomials.h emits IR.
#ifndef SPIKELOOM_CONVERSION_SNNTOTILE_SCALARMATH_H
#define SPIKELOOM_CONVERSION_SNNTOTILE_SCALARMATH_H

#include "CodeletBuilder.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "spikeloom/Support/Polynomials.h"

namespace spikeloom {

struct ScalarMath {
  using Value = mlir::Value;
  CodeletBuilder &b;

  Value constant(float x) { return b.f32(x); }
  Value add(Value x, Value y) { return mlir::arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return mlir::arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return mlir::arith::MulFOp::create(b, x, y); }
  Value div(Value x, Value y) { return mlir::arith::DivFOp::create(b, x, y); }
  Value neg(Value x) { return mlir::arith::NegFOp::create(b, x); }
  Value abs(Value x) { return mlir::math::AbsFOp::create(b, x); }
  Value sqrt(Value x) { return mlir::math::SqrtOp::create(b, x); }
  Value floor(Value x) { return mlir::math::FloorOp::create(b, x); }
  Value selectLess(Value x, Value y, Value yes, Value no) {
    Value less = mlir::arith::CmpFOp::create(b, mlir::arith::CmpFPredicate::OLT, x, y);
    return mlir::arith::SelectOp::create(b, less, yes, no);
  }
  Value minimum(Value x, Value y) { return selectLess(x, y, x, y); }
  Value maximum(Value x, Value y) { return selectLess(y, x, x, y); }
  Value pow2(Value n) {
    Value i = mlir::arith::FPToSIOp::create(b, b.getI32Type(), n);
    Value biased = mlir::arith::AddIOp::create(b, i, b.i32(127));
    return mlir::arith::BitcastOp::create(b, b.getF32Type(),
                                          mlir::arith::ShLIOp::create(b, biased, b.i32(23)));
  }
  Value exponent(Value x) {
    Value e = mlir::arith::ShRUIOp::create(b, bits(x), b.i32(23));
    return mlir::arith::SIToFPOp::create(b, b.getF32Type(), mlir::arith::SubIOp::create(b, e, b.i32(126)));
  }
  Value mantissa(Value x) {
    Value m = mlir::arith::AndIOp::create(b, bits(x), b.i32(0x007fffff));
    return mlir::arith::BitcastOp::create(b, b.getF32Type(),
                                          mlir::arith::OrIOp::create(b, m, b.i32(0x3f000000)));
  }

private:
  Value bits(Value x) { return mlir::arith::BitcastOp::create(b, b.getI32Type(), x); }
};

} // namespace spikeloom
#endif
