// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Losses and optimisers of one element, once for every engine: as Polynomials.h, written against a policy
// `Ops` that the interpreter fills with floats and the conversion with IR, so that both do the same
// operations in the same order.
#ifndef SPIKELOOM_SUPPORT_UPDATERULES_H
#define SPIKELOOM_SUPPORT_UPDATERULES_H

#include <optional>

namespace spikeloom {

/// What an optimiser does besides its rule. Weight decay: see #snn.weight_decay.
enum class Decay { none, l2, decoupled };

/// The factors of a step (see the description of snn.sgd and snn.adam).
template <typename Ops> struct HyperFactors {
  typename Ops::Value rate, correction, decay, momentum;
};

/// The gradient that the rule sees: scaled, kept within a limit, with the L2 term.
template <typename Ops>
typename Ops::Value effectiveGradient(Ops &o, typename Ops::Value gradient, typename Ops::Value parameter,
                                      std::optional<typename Ops::Value> scale, std::optional<float> limit,
                                      Decay decay, const HyperFactors<Ops> &h) {
  if (scale)
    gradient = o.mul(gradient, *scale);
  if (limit)
    gradient = o.minimum(o.maximum(gradient, o.constant(-*limit)), o.constant(*limit));
  return decay == Decay::l2 ? o.add(gradient, o.mul(h.decay, parameter)) : gradient;
}

/// The velocity after a step, and the parameter. Without momentum the velocity is not read.
template <typename Ops>
void sgdStep(Ops &o, typename Ops::Value gradient, bool momentum, bool nesterov, const HyperFactors<Ops> &h,
             typename Ops::Value &velocity, typename Ops::Value &parameter) {
  typename Ops::Value direction = gradient;
  if (momentum) {
    velocity = o.add(o.mul(h.momentum, velocity), gradient);
    direction = nesterov ? o.add(gradient, o.mul(h.momentum, velocity)) : velocity;
  }
  parameter = o.sub(parameter, o.mul(h.rate, direction));
}

template <typename Ops>
void adamStep(Ops &o, typename Ops::Value gradient, float beta1, float beta2, float epsilon, Decay decay,
              const HyperFactors<Ops> &h, typename Ops::Value &first, typename Ops::Value &second,
              typename Ops::Value &parameter) {
  first = o.add(o.mul(o.constant(beta1), first), o.mul(o.constant(1.0f - beta1), gradient));
  second =
      o.add(o.mul(o.constant(beta2), second), o.mul(o.mul(o.constant(1.0f - beta2), gradient), gradient));
  auto scale = o.add(o.mul(o.sqrt(second), h.correction), o.constant(epsilon));
  auto step = o.mul(h.rate, o.div(first, scale));
  if (decay == Decay::decoupled)
    parameter = o.mul(parameter, h.decay);
  parameter = o.sub(parameter, step);
}

} // namespace spikeloom
#endif
