// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of the machine's constants: name, unit, limits, value on a Bow chip, status and source.
#ifndef SPIKELOOM_LIB_MACHINE_MACHINEFIELDS_H
#define SPIKELOOM_LIB_MACHINE_MACHINEFIELDS_H

#include "spikeloom/Machine/Machine.h"
#include <variant>

namespace spikeloom::detail {

/// Where a field lies in a `Machine`.
using Slot = std::variant<int64_t *, double *, bool *>;

struct MachineField {
  const char *name; // with dots
  Slot (*at)(Machine &);
  const char *unit;
  double minimum; // inclusive; a `double` must be more than that
  double value;   // on one Bow chip
  ConstantStatus status;
  const char *source;
};

/// All fields, in the order of printing.
const std::vector<MachineField> &machineFields();

double read(const Slot &slot);
void write(const Slot &slot, double value);

} // namespace spikeloom::detail
#endif
