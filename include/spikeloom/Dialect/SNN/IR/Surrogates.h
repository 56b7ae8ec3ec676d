// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Surrogate derivatives by name: their parameters, and their formulas against a policy of scalar operations
// (see Support/Polynomials.h), so that the interpreter and the codelets do the same operations in the same
// order.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SURROGATES_H
#define SPIKELOOM_DIALECT_SNN_IR_SURROGATES_H

#include "spikeloom/Dialect/SNN/IR/SNNDialect.h"
#include "spikeloom/Support/Polynomials.h"
#include <cmath>

namespace spikeloom::snn {

/// A parameter of a surrogate: its name, what it is where it is not given, and what is allowed.
struct SurrogateParameter {
  llvm::StringRef name;
  double standard;
  bool positive; // else any finite number
};

/// The parameters of a kind, in order.
llvm::ArrayRef<SurrogateParameter> surrogateParameters(SurrogateKind kind);

/// Whether the derivative depends on the threshold itself, not only on the distance from it.
inline bool readsThreshold(SurrogateKind kind) {
  return kind == SurrogateKind::shifted_heaviside || kind == SurrogateKind::single_exponential ||
         kind == SurrogateKind::periodic_exponential;
}

/// Reads `KIND` or `KIND:P0:P1...`; on failure `problem` says what is wrong.
mlir::FailureOr<SurrogateAttr> parseSurrogate(mlir::MLIRContext *context, llvm::StringRef text,
                                              std::string &problem);

/// The derivative at membrane v and threshold theta; `atThreshold` says whether v = theta fires (`cmp` is
/// ge).
template <typename Ops>
typename Ops::Value surrogateDerivative(Ops &o, SurrogateAttr surrogate, bool atThreshold,
                                        typename Ops::Value v, typename Ops::Value theta) {
  using V = typename Ops::Value;
  auto p = [&](unsigned i) { return surrogate.getParameter(i); };
  auto c = [&](double x) { return o.constant(float(x)); };
  V u = o.sub(v, theta), zero = c(0), one = c(1);
  auto exp = [&](V x) { return polynomialExp(o, x); };
  auto square = [&](V x) { return o.mul(x, x); };
  auto inverseSquare = [&](double scale, double k) {
    V q = o.add(one, k == 1.0 ? o.abs(u) : o.mul(c(k), o.abs(u)));
    return o.div(c(scale), square(q));
  };
  // x where the neuron fires.
  auto whereFires = [&](V x, V otherwise) {
    return atThreshold ? o.selectLess(u, zero, otherwise, x) : o.selectLess(zero, u, x, otherwise);
  };
  // s (1 - s) with s = 1 / (1 + e^-x), from an exponential that cannot overflow.
  auto logistic = [&](double k) {
    V e = exp(o.mul(c(-k), o.abs(u)));
    return o.div(o.mul(c(k), e), square(o.add(one, e)));
  };
  auto gaussian = [&](double mu, double sigma) {
    const double pi = 3.14159265358979323846;
    V d = mu == 0.0 ? u : o.sub(u, c(mu));
    return o.mul(c(1 / (sigma * std::sqrt(2 * pi))), exp(o.mul(c(-1 / (2 * sigma * sigma)), square(d))));
  };
  const double pi = 3.14159265358979323846;
  switch (surrogate.getKind()) {
  case SurrogateKind::fast_sigmoid:
  case SurrogateKind::superspike:
    return inverseSquare(1, p(0));
  case SurrogateKind::atan:
    return o.div(c(p(0) / 2), o.add(one, square(o.mul(c(pi / 2 * p(0)), u))));
  case SurrogateKind::soft_sign:
    return inverseSquare(p(0) / 2, p(0));
  case SurrogateKind::inverse_square:
    return inverseSquare(p(0), 1);
  case SurrogateKind::sparse_fast_sigmoid:
    return o.selectLess(c(p(1)), u, inverseSquare(1, p(0)), zero);
  case SurrogateKind::sigmoid:
    return logistic(p(0));
  case SurrogateKind::triangular:
    return o.selectLess(u, zero, c(p(0)), c(-p(0)));
  case SurrogateKind::straight_through:
    return one;
  case SurrogateKind::heaviside:
    return whereFires(one, zero);
  case SurrogateKind::shifted_heaviside:
    return o.selectLess(v, o.sub(theta, c(p(0))), zero, o.div(one, theta));
  case SurrogateKind::spike_rate_escape:
    return o.mul(c(p(1)), exp(o.mul(c(-p(0)), o.abs(o.sub(u, one)))));
  case SurrogateKind::leaky:
    return whereFires(c(p(1)), c(p(0)));
  case SurrogateKind::piecewise_quadratic: {
    V magnitude = o.abs(u);
    return o.selectLess(c(1 / p(0)), magnitude, zero, o.sub(c(p(0)), o.mul(c(p(0) * p(0)), magnitude)));
  }
  case SurrogateKind::piecewise_exp:
    return o.mul(c(p(0) / 2), exp(o.mul(c(-p(0)), o.abs(u))));
  case SurrogateKind::erf:
    return o.mul(c(p(0) / std::sqrt(pi)), exp(o.neg(square(o.mul(c(p(0)), u)))));
  case SurrogateKind::heavi_erfc:
    return o.mul(c(2 / std::sqrt(pi)), exp(o.neg(square(o.mul(c(p(0)), u)))));
  case SurrogateKind::heavi_tanh:
    return o.sub(one, square(polynomialTanh(o, o.mul(c(p(0)), u))));
  case SurrogateKind::heavi_circ: {
    V r = o.sqrt(o.add(square(u), c(p(0) * p(0))));
    return o.div(c(p(0) * p(0) * p(0)), o.mul(square(r), r));
  }
  case SurrogateKind::triangle:
    return o.mul(c(p(0)), o.maximum(zero, o.sub(one, o.abs(u))));
  case SurrogateKind::piecewise_leaky_relu:
    return o.selectLess(o.abs(u), c(p(0)), c(1 / (2 * p(0))), c(p(1)));
  case SurrogateKind::rect:
    return o.selectLess(o.abs(u), c(0.5 / p(0)), c(p(0)), zero);
  case SurrogateKind::nonzero_sign_log_abs:
    return o.div(one, o.add(c(1 / p(0)), o.abs(u)));
  case SurrogateKind::s2nn:
    return o.selectLess(u, zero, logistic(p(0)), o.div(c(p(1)), o.add(u, one)));
  case SurrogateKind::q_pseudo_spike: {
    V base = o.add(one, o.mul(c(2 / (p(0) - 1)), o.abs(u)));
    return exp(o.mul(c(-p(0)), polynomialLog(o, base)));
  }
  case SurrogateKind::fake_numerical_gradient:
    return o.minimum(o.div(one, o.abs(u)), c(p(0)));
  case SurrogateKind::log_tailed_relu:
    return o.selectLess(zero, u, o.selectLess(one, u, o.div(one, u), one), c(p(0)));
  case SurrogateKind::single_exponential: {
    V width = o.mul(theta, c(p(0)));
    return o.mul(o.div(c(p(1)), width), exp(o.div(o.neg(o.abs(u)), width)));
  }
  case SurrogateKind::periodic_exponential: {
    V half = o.div(theta, c(2)), shifted = o.sub(v, half);
    V periodic = o.sub(shifted, o.floor(o.div(shifted, theta)));
    V distance = o.abs(o.sub(o.selectLess(v, theta, shifted, periodic), half));
    return o.mul(c(p(1)), o.div(exp(o.div(o.neg(distance), c(p(0)))), theta));
  }
  case SurrogateKind::gaussian:
    return o.mul(c(p(1)), gaussian(0, p(0)));
  case SurrogateKind::multi_gaussian: {
    double sigma = p(0), h = p(1), wide = p(2) * sigma;
    V main = o.mul(c(1 + h), gaussian(0, sigma));
    V sides = o.add(gaussian(sigma, wide), gaussian(-sigma, wide));
    return o.mul(c(p(3)), o.sub(main, o.mul(c(h), sides)));
  }
  }
  return one;
}

} // namespace spikeloom::snn
#endif
