// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parameters of surrogate derivatives, and surrogates by name.
#include "spikeloom/Dialect/SNN/IR/Surrogates.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace spikeloom::snn;

ArrayRef<SurrogateParameter> spikeloom::snn::surrogateParameters(SurrogateKind kind) {
  using P = SurrogateParameter;
  static const P k25[] = {{"k", 25, true}}, k10[] = {{"k", 10, true}}, k1[] = {{"k", 1, true}};
  static const P alpha2[] = {{"alpha", 2, true}}, alpha1[] = {{"alpha", 1, true}};
  static const P alpha03[] = {{"alpha", 0.3, true}}, alpha0[] = {{"alpha", 0, false}};
  static const P sparse[] = {{"k", 25, true}, {"B", 1, false}};
  static const P height[] = {{"a", 1, false}}, window[] = {{"w", 1, false}};
  static const P escape[] = {{"beta", 1, true}, {"k", 25, true}};
  static const P leaky[] = {{"l", 0.1, false}, {"k", 1, false}};
  static const P piecewise[] = {{"w", 1, true}, {"c", 0.01, false}};
  static const P s2nn[] = {{"alpha", 4, true}, {"beta", 1, true}};
  static const P exponential[] = {{"w", 0.5, true}, {"s", 1, true}};
  static const P gaussian[] = {{"s", 0.5, true}, {"a", 1, true}};
  static const P multi[] = {{"s", 0.5, true}, {"h", 0.15, false}, {"r", 6, true}, {"a", 1, true}};
  switch (kind) {
  case SurrogateKind::fast_sigmoid:
  case SurrogateKind::sigmoid:
    return k25;
  case SurrogateKind::superspike:
    return k10;
  case SurrogateKind::atan:
  case SurrogateKind::soft_sign:
  case SurrogateKind::erf:
  case SurrogateKind::q_pseudo_spike:
    return alpha2;
  case SurrogateKind::inverse_square:
  case SurrogateKind::piecewise_quadratic:
  case SurrogateKind::piecewise_exp:
  case SurrogateKind::heavi_circ:
  case SurrogateKind::rect:
  case SurrogateKind::nonzero_sign_log_abs:
    return alpha1;
  case SurrogateKind::sparse_fast_sigmoid:
    return sparse;
  case SurrogateKind::triangular:
    return height;
  case SurrogateKind::straight_through:
  case SurrogateKind::heaviside:
    return {};
  case SurrogateKind::shifted_heaviside:
    return window;
  case SurrogateKind::spike_rate_escape:
    return escape;
  case SurrogateKind::leaky:
    return leaky;
  case SurrogateKind::heavi_erfc:
  case SurrogateKind::heavi_tanh:
    return k1;
  case SurrogateKind::triangle:
  case SurrogateKind::fake_numerical_gradient:
    return alpha03;
  case SurrogateKind::piecewise_leaky_relu:
    return piecewise;
  case SurrogateKind::s2nn:
    return s2nn;
  case SurrogateKind::log_tailed_relu:
    return alpha0;
  case SurrogateKind::single_exponential:
  case SurrogateKind::periodic_exponential:
    return exponential;
  case SurrogateKind::gaussian:
    return gaussian;
  case SurrogateKind::multi_gaussian:
    return multi;
  }
  return {};
}

double SurrogateAttr::getParameter(unsigned i) const {
  return i < getParameters().size() ? getParameters()[i] : surrogateParameters(getKind())[i].standard;
}

/// What is wrong with the parameters of a kind; empty where nothing is.
static std::string problemOf(SurrogateKind kind, ArrayRef<double> values) {
  ArrayRef<SurrogateParameter> known = surrogateParameters(kind);
  std::string text;
  llvm::raw_string_ostream out(text);
  auto names = [&] {
    llvm::interleaveComma(known, out, [&](const SurrogateParameter &p) { out << p.name; });
  };
  if (values.size() > known.size()) {
    out << "surrogate '" << stringifySurrogateKind(kind) << "' takes " << known.size() << " parameters";
    if (!known.empty())
      out << " (", names(), out << ")";
    out << ", found " << values.size();
    return text;
  }
  for (auto [value, parameter] : llvm::zip(values, known))
    if (!std::isfinite(value) || (parameter.positive && !(value > 0))) {
      out << "parameter '" << parameter.name << "' of surrogate '" << stringifySurrogateKind(kind)
          << "' must be " << (parameter.positive ? "positive" : "finite") << ", found " << value;
      return text;
    }
  if (kind == SurrogateKind::q_pseudo_spike && !values.empty() && !(values[0] > 1))
    out << "parameter 'alpha' of surrogate 'q_pseudo_spike' must be above 1, found " << values[0];
  return text;
}

LogicalResult SurrogateAttr::verify(function_ref<InFlightDiagnostic()> emitError, SurrogateKind kind,
                                    DenseF64ArrayAttr values) {
  std::string problem = problemOf(kind, values.asArrayRef());
  if (!problem.empty())
    return emitError() << problem;
  return success();
}

FailureOr<SurrogateAttr> spikeloom::snn::parseSurrogate(MLIRContext *context, StringRef text,
                                                        std::string &problem) {
  SmallVector<StringRef> parts;
  text.split(parts, ':');
  std::optional<SurrogateKind> kind = symbolizeSurrogateKind(parts.front());
  if (!kind) {
    llvm::raw_string_ostream out(problem);
    out << "takes KIND or KIND:PARAMETER..., found '" << text << "'; kinds: ";
    for (uint32_t i = 0; i <= getMaxEnumValForSurrogateKind(); ++i)
      out << (i ? ", " : "") << stringifySurrogateKind(SurrogateKind(i));
    return failure();
  }
  SmallVector<double> values;
  for (StringRef part : llvm::drop_begin(parts)) {
    double value;
    if (part.getAsDouble(value)) {
      problem = ("takes KIND or KIND:PARAMETER..., found '" + text + "': '" + part + "' is no number").str();
      return failure();
    }
    values.push_back(value);
  }
  problem = problemOf(*kind, values);
  if (!problem.empty()) {
    problem = "is '" + text.str() + "': " + problem;
    return failure();
  }
  return SurrogateAttr::get(context, *kind, values);
}
