// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of the hand-made programs, and how their code is called.
#ifndef SPIKELOOM_TEST_UNIT_RUNTIME_TOYSHAPE_H
#define SPIKELOOM_TEST_UNIT_RUNTIME_TOYSHAPE_H

#include <cstdint>

namespace toy {

constexpr int64_t steps = 5, batch = 2, inputs = 3, units = 10, perTile = 2, group = 4, groups = 2, tiles = 6;
constexpr int64_t groupUnits = perTile * group, pitch = groups * groupUnits;

using Check = void (*)(void *context, int64_t address, int32_t bytes, int32_t flags, int32_t location);
using Strict = void (*)(void *const *, int64_t, int64_t, int64_t *, void *, Check);

} // namespace toy
#endif
