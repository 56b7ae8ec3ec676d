// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the first-come order of event lists starts with the attribute `rotate`: see snn.neuron.
#ifndef SPIKELOOM_DIALECT_SNN_IR_ROTATION_H
#define SPIKELOOM_DIALECT_SNN_IR_ROTATION_H

#include <cstdint>

namespace spikeloom::snn {

struct Rotation {
  int64_t units, perStep, perSample;

  /// Golden sections of the units, in whole numbers, so that the starts of any few steps lie far apart.
  explicit Rotation(int64_t units)
      : units(units), perStep(618 * units / 1000 | 1), perSample(382 * units / 1000 | 1) {}
  int64_t first(int64_t step, int64_t sample) const { return (step * perStep + sample * perSample) % units; }
};

} // namespace spikeloom::snn
#endif
