// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks the options of the optimiser and builds its steps.
#include "Optimizers.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

/// `norm:LIMIT` or `value:LIMIT`.
static LogicalResult parseClip(func::FuncOp function, StringRef clip, OptimizerChoice &choice) {
  if (clip.empty())
    return success();
  auto [kind, text] = clip.split(':');
  double limit;
  if ((kind != "norm" && kind != "value") || text.getAsDouble(limit) || !(limit > 0) || !std::isfinite(limit))
    return function.emitError(
               "option 'clip-gradients' takes norm:LIMIT (of all gradients together) or value:LIMIT "
               "(of each element) with a positive LIMIT, found '")
           << clip << "'";
  (kind == "norm" ? choice.normLimit : choice.valueLimit) = float(limit);
  return success();
}

LogicalResult OptimizerChoice::check(func::FuncOp function, StringRef clip) {
  if (kind != "adam" && kind != "adamw" && kind != "sgd")
    return function.emitError("option 'optimizer' is '") << kind << "'; there are: adam, adamw, sgd";
  auto refuse = [&](StringRef option, double value, StringRef wanted) {
    return function.emitError("option '") << option << "' is " << value << "; " << wanted << " is wanted";
  };
  if (!(lr >= 0) || !std::isfinite(lr))
    return refuse("lr", lr, "a number of at least 0");
  if (!(weightDecay >= 0) || !std::isfinite(weightDecay))
    return refuse("weight-decay", weightDecay, "a number of at least 0");
  if (!(momentum >= 0 && momentum < 1))
    return refuse("momentum", momentum, "a number in [0, 1)");
  for (auto [name, beta] : {std::pair<StringRef, double>{"beta1", beta1}, {"beta2", beta2}})
    if (!(beta >= 0 && beta < 1))
      return refuse(name, beta, "a number in [0, 1)");
  if (!(epsilon >= 0) || !std::isfinite(epsilon))
    return refuse("epsilon", epsilon, "a number of at least 0");
  if (kind != "sgd" && (momentum != 0 || nesterov))
    return function.emitError("options 'momentum' and 'nesterov' belong to the optimiser sgd, found '")
           << kind << "'";
  if (nesterov && momentum == 0)
    return function.emitError("option 'nesterov' needs a momentum above 0");
  return parseClip(function, clip, *this);
}

SmallVector<StringRef> OptimizerChoice::stateNames() const {
  if (kind != "sgd")
    return {"m", "v"};
  return momentum != 0 ? SmallVector<StringRef>{"momentum"} : SmallVector<StringRef>{};
}

OptimizerOpInterface OptimizerChoice::build(OpBuilder &builder, Location loc, Value parameter, Value gradient,
                                            ArrayRef<Value> states, Value hyper, Value scale) const {
  FloatAttr clip = valueLimit ? builder.getF32FloatAttr(*valueLimit) : FloatAttr();
  WeightDecay decay = weightDecay == 0  ? WeightDecay::none
                      : kind == "adamw" ? WeightDecay::decoupled
                                        : WeightDecay::l2;
  auto decayAttr = WeightDecayAttr::get(builder.getContext(), decay);
  Type type = parameter.getType();
  if (kind == "sgd") {
    Value velocity = states.empty() ? Value() : states[0];
    return SgdOp::create(builder, loc, type, velocity ? type : Type(), parameter, gradient, velocity, scale,
                         hyper, clip, decayAttr, nesterov ? builder.getUnitAttr() : UnitAttr());
  }
  return AdamOp::create(builder, loc, type, type, type, parameter, gradient, states[0], states[1], scale,
                        hyper, builder.getF32FloatAttr(float(beta1)), builder.getF32FloatAttr(float(beta2)),
                        builder.getF32FloatAttr(float(epsilon)), clip, decayAttr);
}

void OptimizerChoice::describe(Builder &builder, SmallVectorImpl<NamedAttribute> &attributes) const {
  attributes.push_back(builder.getNamedAttr("optimizer", builder.getStringAttr(kind)));
  auto number = [&](StringRef name, double value) {
    attributes.push_back(builder.getNamedAttr(name, builder.getF64FloatAttr(value)));
  };
  number("lr", lr);
  if (momentum != 0)
    number("momentum", momentum);
  if (weightDecay != 0)
    number("weight_decay", weightDecay);
  if (kind != "sgd") {
    number("beta1", beta1);
    number("beta2", beta2);
  }
}
