// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weight matrix of a convolution from its kernel, on the tiles of the units that the convolution feeds,
// and the gradient of the kernel from the matrix's.
#include "UnitStage.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

namespace {
/// Integers of 32 bits: whole SIMD blocks divide those by a constant fast.
struct Narrow {
  CodeletBuilder &b;

  Value from(Value index) { return arith::IndexCastOp::create(b, b.getI32Type(), index); }
  Value index(Value value) { return arith::IndexCastOp::create(b, b.getIndexType(), value); }
  Value add(Value x, int64_t y) { return y == 0 ? x : b.add(x, b.i32(y)); }
  Value mul(Value x, int64_t y) { return y == 1 ? x : b.mul(x, b.i32(y)); }
  Value div(Value x, int64_t y) { return y == 1 ? x : b.createOrFold<arith::DivUIOp>(x, b.i32(y)); }
  Value rem(Value x, int64_t y) { return y == 1 ? b.i32(0) : b.createOrFold<arith::RemUIOp>(x, b.i32(y)); }
  Value below(Value x, int64_t y) { return b.compare(arith::CmpIPredicate::ult, x, b.i32(y)); }
  Value both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
};
} // namespace

/// The number of the tile's unit c in the layer.
Value UnitStageEmitter::unitNumber(Value c) {
  int64_t group = family.getGroup();
  Value block = b.div(b.getTask(), group);
  Value lane = b.sub(b.getTask(), b.mul(block, b.index(group)));
  Value first = b.mul(block, b.index(group * perTile));
  return b.add(b.add(first, b.mul(c, b.index(group))), lane);
}

UnitStageEmitter::Tap UnitStageEmitter::tapOf(const ConvGeometry &g, Value c, Value tapIndex) {
  Narrow n{b};
  Value unit = n.from(unitNumber(c)), tap = n.from(tapIndex);
  Value channel = n.div(unit, g.positions()), position = n.rem(unit, g.positions());
  int64_t perKernel = g.kernel[0] * g.kernel[1];
  Value inKernel = n.rem(tap, perKernel);
  auto coordinate = [&](int axis, Value output, Value kernel) {
    return n.add(b.add(n.mul(output, g.strides[axis]), n.mul(kernel, g.dilations[axis])), -g.before[axis]);
  };
  Value y = coordinate(0, n.div(position, g.output[1]), n.div(inKernel, g.kernel[1]));
  Value x = coordinate(1, n.rem(position, g.output[1]), n.rem(inKernel, g.kernel[1]));
  Value from = n.div(tap, perKernel);
  if (g.groups > 1)
    from = b.add(from, n.mul(n.div(channel, g.outChannels / g.groups), g.inChannels / g.groups));
  Value input = b.add(n.mul(b.add(n.mul(from, g.input[0]), y), g.input[1]), x);
  // Coordinates before the first are large when read as unsigned.
  Value exists = n.both(n.below(unit, g.outputs()), n.both(n.below(y, g.input[0]), n.below(x, g.input[1])));
  return {exists, n.index(input), n.index(channel)};
}

void UnitStageEmitter::emitConvMatrix(ConvMatrixOp op) {
  ConvGeometry g = op.getGeometry();
  Value matrix = ownArgument(lowering.storages.lookup(op.getResult()), Access::write);
  Value kernel, splat;
  // A kernel that trains lies as its own units do, [taps][channels].
  bool transposed = lowering.classes.getClass(op.getWeight()) >= 0;
  if (auto constant = op.getWeight().getDefiningOp<arith::ConstantOp>()) {
    splat = b.f32(cast<DenseElementsAttr>(constant.getValue()).getSplatValue<APFloat>().convertToDouble());
  } else {
    SmallVector<int64_t> shape{g.outChannels, g.taps()};
    if (transposed)
      std::swap(shape[0], shape[1]);
    kernel = b.argument(lowering.storages.lookup(op.getWeight()), View::broadcast, Access::read, shape);
  }
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, g.inputs());
    b.loop(range.first, range.second, [&](Value i) {
      forUnits([&](ArrayRef<Value> units) {
        for (Value c : units)
          b.store(b.f32(0), matrix, {i, c});
      });
    });
  });
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, g.taps());
    b.loop(range.first, range.second, [&](Value tap) {
      b.loop(b.index(0), b.index(perTile), [&](Value c) {
        Tap place = tapOf(g, c, tap);
        b.ifThen(place.exists, [&] {
          Value value = splat        ? splat
                        : transposed ? b.load(kernel, {tap, place.channel})
                                     : b.load(kernel, {place.channel, tap});
          b.store(value, matrix, {place.input, c});
        });
      });
    });
  });
}

/// The tile's part of the sum for every kernel value. Only the units of a few channels are in a group of
/// tiles; all its tiles go through the same loops, because sums over a group are made together.
void UnitStageEmitter::emitConvKernelGrad(ConvKernelGradOp op) {
  ConvGeometry g = op.getGeometry();
  Value gradient = ownArgument(lowering.storages.lookup(op.getGradient()), Access::read);
  Storage partials = lowering.partialsOf.lookup(op);
  Value out = b.argument(partials, View::partials, Access::write, {g.taps(), g.outChannels});
  int64_t block = int64_t(family.getGroup()) * perTile;
  Value zero = b.index(0);
  Value first = b.mul(b.div(b.getTask(), family.getGroup()), b.index(block));
  Value firstChannel = b.div(first, g.positions());
  Value lastChannel = b.div(b.add(first, b.index(block - 1)), g.positions());
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, g.taps());
    b.loop(range.first, range.second, [&](Value tap) {
      b.loop(zero, b.index(g.outChannels), [&](Value channel) {
        Value here = arith::AndIOp::create(b, b.compare(arith::CmpIPredicate::ule, firstChannel, channel),
                                           b.compare(arith::CmpIPredicate::ule, channel, lastChannel));
        Value units = arith::SelectOp::create(b, here, b.index(perTile), zero);
        Value sum = b.loop(zero, units, ValueRange{b.f32(0)}, [&](Value c, ValueRange old) {
          Tap place = tapOf(g, c, tap);
          Value own = b.compare(arith::CmpIPredicate::eq, place.channel, channel);
          Value counts = arith::AndIOp::create(b, own, place.exists);
          Value input = arith::SelectOp::create(b, counts, place.input, zero);
          Value term = arith::SelectOp::create(b, counts, b.load(gradient, {input, c}), b.f32(0));
          return SmallVector<Value>{arith::AddFOp::create(b, old[0], term)};
        })[0];
        b.store(sum, out, at(partials, {tap, channel}));
      });
    });
  });
}
