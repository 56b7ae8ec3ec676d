// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Two programs made by hand, with codelets written in C++: small enough to compute by plain loops, and with a
// remainder in every dimension.
#ifndef SPIKELOOM_TEST_UNIT_RUNTIME_TOY_H
#define SPIKELOOM_TEST_UNIT_RUNTIME_TOY_H

#include "spikeloom/Runtime/Session.h"
#include <map>

namespace toy {

using spikeloom::runtime::Bytes;
using spikeloom::runtime::Manifest;
using spikeloom::runtime::SymbolLookup;

constexpr int64_t steps = 5, batch = 2, inputs = 3, units = 10, perTile = 2, group = 4, groups = 2, tiles = 6;

/// A layer y[t] = u = 0.5 u + x[t] w, counts of positive y per sample (one task per sample, cycles by data),
/// and g[t] = y[t] w^T summed over tiles. Ten units, two a tile, groups of four tiles: the second group has
/// two tiles.
Manifest layer();
/// y[t+1][n] = x[t][n] + 0.25 sum y[t], with feedback; `reverse` runs it from the end.
Manifest loop(bool reverse);

/// The codelets of both programs, by the names that the manifests use; tests replace single ones.
std::map<std::string, void *> symbols();
inline SymbolLookup lookup(std::map<std::string, void *> table) {
  return [table](const std::string &name) {
    auto it = table.find(name);
    return it == table.end() ? nullptr : it->second;
  };
}

/// Signature of strict code, for codelets that tests write themselves.
using Check = void (*)(void *context, int64_t address, int32_t bytes, int32_t flags, int32_t location);
using Strict = void (*)(void *const *, int64_t, int64_t, int64_t *, void *, Check);

} // namespace toy
#endif
