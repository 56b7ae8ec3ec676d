// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Making and using the lists of event tensors.
#ifndef SPIKELOOM_DIALECT_SNN_INTERPRETER_LISTS_H
#define SPIKELOOM_DIALECT_SNN_INTERPRETER_LISTS_H

#include "spikeloom/Dialect/SNN/Interpreter/Tensor.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace spikeloom::snn {

/// The list of each row: spikes (values that are not zero) ascending, then near entries ascending, first
/// come, cut at the capacity. `isNear(row, unit)` is asked for entries that do not fire. First come is in the
/// order of units from `firstOf(row)` on, wrapping around.
std::vector<EventRow> makeLists(const Tensor &spikes, int64_t capacity,
                                llvm::function_ref<bool(int64_t, int64_t)> isNear,
                                llvm::function_ref<int64_t(int64_t)> firstOf);

/// The event tensor with these lists and the values that a dense tensor has there.
Tensor restrictTo(const Tensor &dense, const std::vector<EventRow> &rows);

/// 1 for every listed element; every element of a dense tensor is.
std::vector<char> supportOf(const Tensor &tensor);

} // namespace spikeloom::snn
#endif
