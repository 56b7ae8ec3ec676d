// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums whose order the placement of a layer decides.
#ifndef SPIKELOOM_DIALECT_SNN_INTERPRETER_SUMS_H
#define SPIKELOOM_DIALECT_SNN_INTERPRETER_SUMS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>

namespace spikeloom::snn {

/// The sum of terms of all output units in the order that `placement = [group, perTile]` gives: see
/// snn.linear_input_grad.
float placedSum(llvm::function_ref<float(int64_t)> term, int64_t units, int64_t group, int64_t perTile);

} // namespace spikeloom::snn
#endif
