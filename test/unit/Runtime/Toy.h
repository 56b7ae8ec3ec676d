// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs made by hand, with codelets written in C++: small enough to compute by plain loops, and with a
// remainder in every dimension.
#ifndef SPIKELOOM_TEST_UNIT_RUNTIME_TOY_H
#define SPIKELOOM_TEST_UNIT_RUNTIME_TOY_H

#include "ToyShape.h"
#include "spikeloom/Runtime/Session.h"
#include <map>

namespace toy {

using spikeloom::runtime::Bytes;
using spikeloom::runtime::Manifest;
using spikeloom::runtime::SymbolLookup;

/// A layer y[t] = u = 0.5 u + x[t] w, counts of positive y per sample (one task per sample, cycles by data),
/// and g[t] = y[t] w^T summed over tiles. Ten units, two a tile, groups of four tiles: the second group has
/// two tiles.
Manifest layer();
/// y[t+1][n] = x[t][n] + 0.25 sum y[t], with feedback; `reverse` runs it from the end.
Manifest loop(bool reverse);
/// w -= hyper0 (m = hyper1 m + sum of label[b] weight[b]), and loss = that sum: what sessions do around a
/// training step.
Manifest training();

/// The codelets of all programs, by the names that the manifests use; tests replace single ones.
std::map<std::string, void *> symbols();
inline SymbolLookup lookup(std::map<std::string, void *> table) {
  return [table](const std::string &name) {
    auto it = table.find(name);
    return it == table.end() ? nullptr : it->second;
  };
}

/// The layer as a file, with `weights` as its constants and the test's object as code.
spikeloom::runtime::Loom layerLoom(const std::vector<float> &weights);

/// The same numbers for the same seed, between -2 and 2.
std::vector<float> numbers(size_t count, uint32_t seed);
Bytes bytesOf(const std::vector<float> &values);

} // namespace toy
#endif
