// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Neurons, their adjoint, integrators. Written one rounding at a time, as the op descriptions state.
#include "Lists.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

/// A per-unit operand of shape [N], [] or the value's own shape, else the attribute that stands for it.
struct PerUnit {
  PerUnit(const Tensor *tensor, APFloat otherwise) : tensor(tensor), otherwise(otherwise.convertToFloat()) {}
  float at(int64_t index, int64_t units) const {
    if (!tensor)
      return otherwise;
    int64_t size = tensor->elements();
    return tensor->data[size == 1 ? 0 : size == units ? index % units : index];
  }

private:
  const Tensor *tensor;
  float otherwise;
};

static bool fires(Comparison cmp, float value, float threshold) {
  return cmp == Comparison::gt ? value > threshold : value >= threshold;
}

/// factor * value; a factor of 1 is left out.
static float scaled(float factor, float value) { return factor == 1.0f ? value : factor * value; }

/// (d v + g x) + (1 - d) leak.
static float integrate(float decay, float gain, float leak, float input, float state) {
  float sum = scaled(decay, state) + scaled(gain, input);
  if (leak == 0.0f)
    return sum;
  float rest = 1.0f - decay;
  return sum + rest * leak;
}

static float surrogate(SurrogateAttr attribute, float u) {
  double slope = attribute.getSlope().convertToDouble();
  if (attribute.getKind() == SurrogateKind::atan) {
    float z = float(3.14159265358979323846 / 2 * slope) * u;
    float square = z * z;
    return float(slope / 2) / (1.0f + square);
  }
  float q = 1.0f + float(slope) * std::fabs(u);
  return 1.0f / (q * q);
}

namespace {
struct Step {
  float next, compared;
  bool fired, reset;
};
} // namespace

static Step stepOf(NeuronOp op, float x, float v, float decay, float threshold) {
  float gain = op.getGain().convertToFloat(), leak = op.getLeak().convertToFloat();
  float resetTo = op.getVReset().convertToFloat();
  bool early = op.getOrder() == FireOrder::fire_integrate;
  if (!early && op.getResetTime() == ResetTime::same_step) {
    float m = integrate(decay, gain, leak, x, v), next = m;
    bool fired = fires(op.getCmp(), m, threshold);
    if (op.getResetKind() == ResetKind::subtract)
      next = m - (fired ? 1.0f : 0.0f) * threshold;
    else if (op.getResetKind() == ResetKind::value && fired)
      next = resetTo;
    return {next, m, fired, fired};
  }
  bool reset = fires(op.getCmp(), v, threshold);
  float next;
  if (op.getResetKind() == ResetKind::value && op.getResetScope() == ResetScope::decayed_state) {
    next = integrate(decay, gain, leak, x, reset ? resetTo : v);
  } else {
    next = integrate(decay, gain, leak, x, v);
    if (op.getResetKind() == ResetKind::value && reset)
      next = resetTo;
    else if (op.getResetKind() == ResetKind::subtract)
      next = next - (reset ? 1.0f : 0.0f) * threshold;
  }
  float compared = early ? v : next;
  return {next, compared, early ? reset : fires(op.getCmp(), next, threshold), reset};
}

namespace {
struct NeuronResults {
  Tensor spikes, next, compared, fired;
};
} // namespace

static NeuronResults neuron(NeuronOp op, const Tensor &input, const Tensor &membrane, PerUnit decays,
                            PerUnit thresholds) {
  Tensor zero(input.shape);
  NeuronResults results{zero, zero, zero, zero};
  Tensor fired = zero;
  int64_t units = input.units();
  float graded = op.getGraded().convertToFloat();
  for (int64_t i = 0; i < input.elements(); ++i) {
    Step step = stepOf(op, input.data[i], membrane.data[i], decays.at(i, units), thresholds.at(i, units));
    results.next.data[i] = step.next;
    results.compared.data[i] = step.compared;
    results.spikes.data[i] = step.fired ? graded : 0.0f;
    results.fired.data[i] = step.reset ? 1.0f : 0.0f;
    fired.data[i] = step.fired ? 1.0f : 0.0f;
  }
  EventsAttr events = getEvents(op.getSpikes().getType());
  if (!events)
    return results;
  float near = op.getNear() ? op.getNear()->convertToFloat() : INFINITY;
  auto isNear = [&](int64_t row, int64_t unit) {
    if (!op.getNear() || std::isinf(near))
      return near < 0;
    int64_t i = row * units + unit;
    return results.compared.data[i] > near * thresholds.at(i, units);
  };
  std::vector<EventRow> rows = makeLists(fired, events.getCapacity(), isNear);
  results.spikes = restrictTo(results.spikes, rows);
  results.compared = restrictTo(results.compared, rows);
  return results;
}

static std::pair<Tensor, Tensor> neuronAdjoint(NeuronAdjointOp op, const Tensor *spikes, const Tensor *next,
                                               const Tensor &compared, const Tensor *fired,
                                               const Tensor *previous, PerUnit decays, PerUnit thresholds) {
  Tensor input(compared.shape), membrane(compared.shape);
  int64_t units = compared.units();
  float graded = op.getGraded().convertToFloat(), gain = op.getGain().convertToFloat();
  float resetTo = op.getVReset().convertToFloat();
  bool early = op.getOrder() == FireOrder::fire_integrate;
  bool same = !early && op.getResetTime() == ResetTime::same_step;
  bool value = op.getResetKind() == ResetKind::value, whole = op.getResetScope() == ResetScope::whole_update;
  bool attached = !op.getDetachReset() && op.getResetKind() != ResetKind::none;
  std::vector<char> listed = supportOf(compared);
  for (int64_t i = 0; i < compared.elements(); ++i) {
    float decay = decays.at(i, units), threshold = thresholds.at(i, units);
    auto slopeAt = [&](float p) { return surrogate(op.getSurrogate(), p - threshold); };
    auto resetSlope = [&](float p) { return (value ? resetTo - p : threshold) * slopeAt(p); };
    float p = compared.data[i];
    float c = spikes && listed[i] ? scaled(graded, spikes->data[i]) * slopeAt(p) : 0.0f;
    bool cut = value && fired->data[i] != 0.0f;
    auto withSpikes = [&](float sum) { return spikes ? sum + c : sum; };
    auto withReset = [&](float sum, float gradient, float slope) {
      return value ? sum + gradient * slope : sum - gradient * slope;
    };
    if (early) {
      float g = next ? next->data[i] : 0.0f;
      input.data[i] = scaled(gain, whole && cut ? 0.0f : g);
      float result = withSpikes(cut ? 0.0f : scaled(decay, g));
      if (attached)
        result = withReset(result, value ? scaled(decay, g) : g, listed[i] ? resetSlope(p) : 0.0f);
      membrane.data[i] = result;
      continue;
    }
    float sum = next ? withSpikes(same && cut ? 0.0f : next->data[i]) : c;
    if (same && attached && next)
      sum = withReset(sum, next->data[i], listed[i] ? resetSlope(p) : 0.0f);
    input.data[i] = scaled(gain, !same && whole && cut ? 0.0f : sum);
    float decayed = scaled(decay, sum), result = !same && cut ? 0.0f : decayed;
    if (!same && attached)
      result = withReset(result, value ? decayed : sum, resetSlope(previous->data[i]));
    membrane.data[i] = result;
  }
  return {std::move(input), std::move(membrane)};
}

LogicalResult Interpreter::evaluateNeuron(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](NeuronOp neuronOp) {
        PerUnit decays(optionalValueOf(neuronOp.getDecays()), neuronOp.getDecay());
        PerUnit thresholds(optionalValueOf(neuronOp.getThresholds()), neuronOp.getThreshold());
        NeuronResults results = neuron(neuronOp, valueOf(neuronOp.getInput()),
                                       valueOf(neuronOp.getMembrane()), decays, thresholds);
        countLists(op, results.spikes);
        set(neuronOp.getSpikes(), std::move(results.spikes));
        set(neuronOp.getNext(), std::move(results.next));
        if (neuronOp.getCompared())
          set(neuronOp.getCompared(), std::move(results.compared));
        if (neuronOp.getFired())
          set(neuronOp.getFired(), std::move(results.fired));
        return success();
      })
      .Case([&](NeuronAdjointOp adjoint) {
        PerUnit decays(optionalValueOf(adjoint.getDecays()), adjoint.getDecay());
        PerUnit thresholds(optionalValueOf(adjoint.getThresholds()), adjoint.getThreshold());
        auto [input, membrane] = neuronAdjoint(
            adjoint, optionalValueOf(adjoint.getSpikeCotangent()),
            optionalValueOf(adjoint.getNextCotangent()), valueOf(adjoint.getCompared()),
            optionalValueOf(adjoint.getFired()), optionalValueOf(adjoint.getPrevious()), decays, thresholds);
        set(adjoint.getInputCotangent(), std::move(input));
        set(adjoint.getMembraneCotangent(), std::move(membrane));
        return success();
      })
      .Case([&](IntegratorOp integrator) {
        const Tensor &input = valueOf(integrator.getInput()), &state = valueOf(integrator.getState());
        PerUnit decays(optionalValueOf(integrator.getDecays()), integrator.getDecay());
        Tensor next(input.shape);
        for (int64_t i = 0; i < input.elements(); ++i)
          next.data[i] = integrate(decays.at(i, input.units()), integrator.getGain().convertToFloat(),
                                   integrator.getLeak().convertToFloat(), input.data[i], state.data[i]);
        set(integrator.getNext(), std::move(next));
        return success();
      })
      .Case([&](SpikeOp spike) {
        const Tensor &value = valueOf(spike.getValue());
        PerUnit thresholds(optionalValueOf(spike.getThresholds()), spike.getThreshold());
        Tensor spikes(value.shape);
        for (int64_t i = 0; i < value.elements(); ++i)
          spikes.data[i] =
              fires(spike.getCmp(), value.data[i], thresholds.at(i, value.units())) ? 1.0f : 0.0f;
        set(spike.getSpikes(), std::move(spikes));
        return success();
      })
      .Default([](Operation *) { return failure(); });
}
