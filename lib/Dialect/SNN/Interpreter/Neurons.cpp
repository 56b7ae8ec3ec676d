// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Neurons, their adjoint, integrators. Written one rounding at a time, as the op descriptions state.
#include "Lists.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/IR/Surrogates.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

/// A per-unit operand of shape [N], [] or the value's own shape, else the attribute that stands for it.
struct PerUnit {
  PerUnit(const Tensor *tensor, const APFloat &otherwise)
      : tensor(tensor), otherwise(otherwise.convertToFloat()) {}
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

static float surrogate(SurrogateAttr attribute, Comparison cmp, float v, float threshold) {
  spikeloom::FloatOps math;
  return surrogateDerivative(math, attribute, cmp == Comparison::ge, v, threshold);
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
  Tensor spikes, next, compared, fired, unreset;
};
} // namespace

static NeuronResults neuron(NeuronOp op, const Tensor &input, const Tensor &membrane, PerUnit decays,
                            PerUnit thresholds, llvm::function_ref<int64_t(int64_t)> firstOf) {
  Tensor zero(input.shape);
  NeuronResults results{zero, zero, zero, zero, zero};
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
  results.unreset = results.compared;
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
  std::vector<EventRow> rows = makeLists(fired, events.getCapacity(), isNear, firstOf);
  results.spikes = restrictTo(results.spikes, rows);
  results.compared = restrictTo(results.compared, rows);
  return results;
}

namespace {
/// What the adjoint of a neuron reads and gives; operands that are not there are null.
struct NeuronAdjoint {
  NeuronAdjointOp op;
  const Tensor *spikes, *next, *compared, *fired, *previous, *update, *unreset, *weights;
  PerUnit decays, thresholds;
  Tensor input, membrane, threshold;

  void run();

private:
  float surrogateAt(float p, float theta) { return surrogate(op.getSurrogate(), op.getCmp(), p, theta); }
  /// What every neuron of a row gets from the penalties, before its surrogate.
  float penalty(int64_t row);
  void runUnit(int64_t i, bool listed, float penalised);
};
} // namespace

float NeuronAdjoint::penalty(int64_t row) {
  ArrayRef<float> penalties = *op.getPenalties();
  float sum = 0.0f, fires = float(compared->rows[row].fired);
  for (size_t k = 0; k < penalties.size(); k += 2) {
    float over = fires - penalties[k + 1], term = penalties[k] * (over > 0.0f ? over : 0.0f);
    sum = k == 0 ? term : sum + term;
  }
  return weights->data[row] * sum;
}

void NeuronAdjoint::runUnit(int64_t i, bool listed, float penalised) {
  int64_t units = compared->units();
  float graded = op.getGraded().convertToFloat(), gain = op.getGain().convertToFloat();
  float resetTo = op.getVReset().convertToFloat();
  bool early = op.getOrder() == FireOrder::fire_integrate;
  bool same = !early && op.getResetTime() == ResetTime::same_step;
  bool value = op.getResetKind() == ResetKind::value, whole = op.getResetScope() == ResetScope::whole_update;
  bool subtract = op.getResetKind() == ResetKind::subtract;
  bool attached = !op.getDetachReset() && op.getResetKind() != ResetKind::none;
  float decay = decays.at(i, units), theta = thresholds.at(i, units), p = compared->data[i];
  // The slope of the reset that the membrane p decided.
  auto resetSlope = [&](float p) {
    float step = whole ? (attached ? resetTo - update->data[i] : 0.0f) : value ? resetTo - p : theta;
    return step * surrogateAt(p, theta);
  };
  bool hasSpikes = spikes || op.getPenalties();
  float c = spikes && listed ? scaled(graded, spikes->data[i]) * surrogateAt(p, theta) : 0.0f;
  if (op.getPenalties()) {
    float everywhere = penalised * surrogateAt(unreset->data[i], theta);
    c = spikes ? c + everywhere : everywhere;
  }
  bool cut = value && fired->data[i] != 0.0f;
  auto withSpikes = [&](float sum) { return hasSpikes ? sum + c : sum; };
  auto withReset = [&](float sum, float gradient, float slope) {
    return value ? sum + gradient * slope : sum - gradient * slope;
  };
  // The cotangent of the threshold: against everything that came through the comparison, and the reset's own.
  auto putThreshold = [&](float through, bool hasNext, float subtracted) {
    float result = -through;
    if (subtract && hasNext)
      result = result - fired->data[i] * subtracted;
    threshold.data[i] = result;
  };
  bool wantsThreshold = bool(op.getThresholdCotangent());
  if (early) {
    float g = next ? next->data[i] : 0.0f, decayed = scaled(decay, g);
    input.data[i] = scaled(gain, whole && cut ? 0.0f : g);
    float result = withSpikes(cut ? 0.0f : decayed), slope = attached && listed ? resetSlope(p) : 0.0f;
    float factor = value && !whole ? decayed : g;
    if (attached)
      result = withReset(result, factor, slope);
    membrane.data[i] = result;
    if (wantsThreshold)
      putThreshold(attached ? withReset(c, factor, slope) : c, next, g);
    return;
  }
  float sum = next ? withSpikes(same && cut ? 0.0f : next->data[i]) : c, through = c;
  if (same && attached && next) {
    float slope = listed ? resetSlope(p) : 0.0f;
    sum = withReset(sum, next->data[i], slope);
    through = withReset(through, next->data[i], slope);
  }
  input.data[i] = scaled(gain, !same && whole && cut ? 0.0f : sum);
  float decayed = scaled(decay, sum), result = !same && cut ? 0.0f : decayed;
  if (!same && attached) {
    float factor = value && !whole ? decayed : sum, slope = resetSlope(previous->data[i]);
    result = withReset(result, factor, slope);
    through = withReset(through, factor, slope);
  }
  membrane.data[i] = result;
  if (wantsThreshold)
    putThreshold(through, same ? bool(next) : true, same && next ? next->data[i] : sum);
}

void NeuronAdjoint::run() {
  input = membrane = threshold = Tensor(compared->shape);
  std::vector<char> listed = supportOf(*compared);
  int64_t units = compared->units();
  for (int64_t row = 0; row < compared->numRows(); ++row) {
    float penalised = op.getPenalties() ? penalty(row) : 0.0f;
    for (int64_t i = row * units; i < (row + 1) * units; ++i)
      runUnit(i, listed[i], penalised);
  }
}

/// How many thresholds a value holds, at most `most` (0: any number).
static float spikeCount(float value, float threshold, int64_t most) {
  float count = value > 0.0f ? std::floor(value / threshold) : 0.0f;
  return most && count > float(most) ? float(most) : count;
}

LogicalResult Interpreter::evaluateNeuron(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](NeuronOp neuronOp) {
        PerUnit decays(optionalValueOf(neuronOp.getDecays()), neuronOp.getDecay());
        PerUnit thresholds(optionalValueOf(neuronOp.getThresholds()), neuronOp.getThreshold());
        NeuronResults results = neuron(neuronOp, valueOf(neuronOp.getInput()),
                                       valueOf(neuronOp.getMembrane()), decays, thresholds, [&](int64_t row) {
                                         return firstUnit(neuronOp.getRotate(), row,
                                                          neuronOp.getInput().getType().getShape().back());
                                       });
        countLists(op, results.spikes);
        set(neuronOp.getSpikes(), std::move(results.spikes));
        set(neuronOp.getNext(), std::move(results.next));
        if (neuronOp.getCompared())
          set(neuronOp.getCompared(), std::move(results.compared));
        if (neuronOp.getFired())
          set(neuronOp.getFired(), std::move(results.fired));
        if (neuronOp.getUnreset())
          set(neuronOp.getUnreset(), std::move(results.unreset));
        return success();
      })
      .Case([&](NeuronAdjointOp adjoint) {
        NeuronAdjoint unit{adjoint,
                           optionalValueOf(adjoint.getSpikeCotangent()),
                           optionalValueOf(adjoint.getNextCotangent()),
                           &valueOf(adjoint.getCompared()),
                           optionalValueOf(adjoint.getFired()),
                           optionalValueOf(adjoint.getPrevious()),
                           optionalValueOf(adjoint.getUpdate()),
                           optionalValueOf(adjoint.getUnreset()),
                           optionalValueOf(adjoint.getWeights()),
                           PerUnit(optionalValueOf(adjoint.getDecays()), adjoint.getDecay()),
                           PerUnit(optionalValueOf(adjoint.getThresholds()), adjoint.getThreshold()),
                           {},
                           {},
                           {}};
        unit.run();
        set(adjoint.getInputCotangent(), std::move(unit.input));
        set(adjoint.getMembraneCotangent(), std::move(unit.membrane));
        if (adjoint.getThresholdCotangent())
          set(adjoint.getThresholdCotangent(), std::move(unit.threshold));
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
        for (int64_t i = 0; i < value.elements(); ++i) {
          float threshold = thresholds.at(i, value.units());
          spikes.data[i] = spike.getMaxSpikes() ? spikeCount(value.data[i], threshold, *spike.getMaxSpikes())
                                                : float(fires(spike.getCmp(), value.data[i], threshold));
        }
        set(spike.getSpikes(), std::move(spikes));
        return success();
      })
      .Default([](Operation *) { return failure(); });
}
