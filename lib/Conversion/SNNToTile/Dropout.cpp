// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar code of dropout: the draw of a unit from its sample's key.
#include "UnitStage.h"
#include "spikeloom/Support/Random.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

namespace {
/// The policy with which Support/Random.h emits IR.
struct ScalarBits {
  using Value = mlir::Value;
  CodeletBuilder &b;

  Value exclusiveOr(Value x, Value y) { return arith::XOrIOp::create(b, x, y); }
  Value shiftRight(Value x, int bits) { return arith::ShRUIOp::create(b, x, b.i32(bits)); }
  Value multiply(Value x, uint32_t y) { return arith::MulIOp::create(b, x, b.i32(int32_t(y))); }
};
} // namespace

Value UnitStageEmitter::emitDropout(DropoutOp op, unsigned k) {
  Value x = unit(op.getInput(), k);
  if (!op.getKey())
    return x;
  Storage storage = lowering.storages.lookup(op.getKey());
  Value keys = b.argument(storage, View::broadcast, Access::read, {batch, 1});
  Value key = arith::FPToSIOp::create(b, b.getI32Type(), b.load(keys, at(storage, {sample, b.index(0)})));
  Value number = arith::IndexCastOp::create(b, b.getI32Type(), unitNumber(chunk[k]));
  ScalarBits bits{b};
  Value draw = drawUnit(bits, key, b.i32(int32_t(op.getSalt())), number);
  Value kept = b.compare(arith::CmpIPredicate::sge, draw, b.i32(op.getThreshold()));
  return arith::SelectOp::create(b, kept, arith::MulFOp::create(b, x, b.f32(op.getFactor())), b.f32(0));
}
