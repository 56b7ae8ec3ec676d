// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random numbers without a state: hashes of counters, the same in interpreter, runtime and codelets.
#ifndef SPIKELOOM_SUPPORT_RANDOM_H
#define SPIKELOOM_SUPPORT_RANDOM_H

#include <cstdint>

namespace spikeloom {

/// Mixes 32 bits so that every bit of the result depends on every bit of `x` (the constants are those of
/// Wellons' "lowbias32"). `Ops` computes with numbers, or emits code.
template <typename Ops> typename Ops::Value mixBits(Ops &ops, typename Ops::Value x) {
  x = ops.exclusiveOr(x, ops.shiftRight(x, 16));
  x = ops.multiply(x, 0x7feb352du);
  x = ops.exclusiveOr(x, ops.shiftRight(x, 15));
  x = ops.multiply(x, 0x846ca68bu);
  return ops.exclusiveOr(x, ops.shiftRight(x, 16));
}

/// Uniform in [0, 2^24): what a sample's key gives for a unit of the layer that `salt` stands for.
template <typename Ops>
typename Ops::Value drawUnit(Ops &ops, typename Ops::Value key, typename Ops::Value salt,
                             typename Ops::Value unit) {
  typename Ops::Value stream = mixBits(ops, ops.exclusiveOr(key, salt));
  return ops.shiftRight(mixBits(ops, ops.exclusiveOr(stream, unit)), 8);
}

/// The operations on numbers.
struct BitOps {
  using Value = uint32_t;
  Value exclusiveOr(Value x, Value y) { return x ^ y; }
  Value shiftRight(Value x, int bits) { return x >> bits; }
  Value multiply(Value x, uint32_t y) { return x * y; }
};

/// The key of element `index` in a training step: below 2^24, so that float32 holds it.
inline uint32_t randomKey(int64_t step, int64_t index) {
  BitOps ops;
  return drawUnit(ops, uint32_t(step), uint32_t(uint64_t(step) >> 32), uint32_t(index));
}

} // namespace spikeloom
#endif
