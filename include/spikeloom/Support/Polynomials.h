// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// exp, tanh and log as polynomials, once for every engine: the interpreter computes them in C++, the
// conversion emits the same operations in the same order as IR. Each operation is rounded to f32 by itself,
// so all give the same bits.
//
// All are written against a policy `Ops` with a type `Value` and
//   constant(float), add, sub, mul, div, neg, abs, sqrt, minimum, maximum, floor (Value, ... -> Value),
//   pow2(Value n): 2^n for an integral n in [-126, 127],
//   exponent(Value x), mantissa(Value x): x = mantissa * 2^exponent with mantissa in [0.5, 1), for positive
//   normal x, selectLess(a, b, yes, no): a < b ? yes : no.
// Coefficients: Cephes (S. Moshier), single precision; relative error about 2^-23.
#ifndef SPIKELOOM_SUPPORT_POLYNOMIALS_H
#define SPIKELOOM_SUPPORT_POLYNOMIALS_H

#include <cmath>
#include <cstdint>
#include <cstring>

namespace spikeloom {

/// e^x; x is clamped to [-87.3, 88.3], so that the result is a positive normal number.
template <typename Ops> typename Ops::Value polynomialExp(Ops &o, typename Ops::Value x) {
  using V = typename Ops::Value;
  x = o.minimum(o.maximum(x, o.constant(-87.3365f)), o.constant(88.3762f));
  V n = o.floor(o.add(o.mul(x, o.constant(1.44269504088896341f)), o.constant(0.5f)));
  // ln 2 in two parts, so that r is exact enough.
  V r = o.sub(o.sub(x, o.mul(n, o.constant(0.693359375f))), o.mul(n, o.constant(-2.12194440e-4f)));
  V p = o.constant(1.9875691500e-4f);
  for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    p = o.add(o.mul(p, r), o.constant(c));
  V y = o.add(o.add(o.mul(p, o.mul(r, r)), r), o.constant(1.0f));
  return o.mul(y, o.pow2(n));
}

/// ln x for positive normal x.
template <typename Ops> typename Ops::Value polynomialLog(Ops &o, typename Ops::Value x) {
  using V = typename Ops::Value;
  V e = o.exponent(x), m = o.mantissa(x), one = o.constant(1.0f), root = o.constant(0.707106781186547524f);
  // Centre the mantissa on 1.
  V shifted = o.selectLess(m, root, o.sub(o.add(m, m), one), o.sub(m, one));
  e = o.selectLess(m, root, o.sub(e, one), e);
  V z = o.mul(shifted, shifted);
  V p = o.constant(7.0376836292e-2f);
  for (float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                  2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f})
    p = o.add(o.mul(p, shifted), o.constant(c));
  V y = o.mul(o.mul(p, shifted), z);
  y = o.add(y, o.mul(e, o.constant(-2.12194440e-4f)));
  y = o.sub(y, o.mul(o.constant(0.5f), z));
  return o.add(o.add(shifted, y), o.mul(e, o.constant(0.693359375f)));
}

/// (e^x - e^-x) / (e^x + e^-x) from one exponential of a number that is not positive.
template <typename Ops> typename Ops::Value polynomialTanh(Ops &o, typename Ops::Value x) {
  using V = typename Ops::Value;
  V e = polynomialExp(o, o.mul(o.constant(-2.0f), o.abs(x))), one = o.constant(1.0f);
  V y = o.div(o.sub(one, e), o.add(one, e));
  return o.selectLess(x, o.constant(0.0f), o.neg(y), y);
}

/// The policy of plain C++ floats.
struct FloatOps {
  using Value = float;
  float constant(float x) { return x; }
  float add(float a, float b) { return a + b; }
  float sub(float a, float b) { return a - b; }
  float mul(float a, float b) { return a * b; }
  float div(float a, float b) { return a / b; }
  float neg(float a) { return -a; }
  float abs(float a) { return std::fabs(a); }
  float sqrt(float a) { return std::sqrt(a); }
  float minimum(float a, float b) { return a < b ? a : b; }
  float maximum(float a, float b) { return a > b ? a : b; }
  float floor(float x) { return std::floor(x); }
  float pow2(float n) { return fromBits(uint32_t(int32_t(n) + 127) << 23); }
  float exponent(float x) { return float(int32_t(toBits(x) >> 23) - 126); }
  float mantissa(float x) { return fromBits((toBits(x) & 0x007fffffu) | 0x3f000000u); }
  float selectLess(float a, float b, float yes, float no) { return a < b ? yes : no; }

private:
  static uint32_t toBits(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
  }
  static float fromBits(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
  }
};

} // namespace spikeloom
#endif
