// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parts of the validation; each returns the first mistake it finds, or an empty text.
#ifndef SPIKELOOM_LIB_RUNTIME_CHECKS_H
#define SPIKELOOM_LIB_RUNTIME_CHECKS_H

#include "Geometry.h"
#include <string>

namespace spikeloom::runtime {

// Far above any machine, far below where products of two such numbers overflow.
constexpr int64_t largestCount = int64_t(1) << 40;

/// Ends the calling check with the first problem.
#define CHECK(...)                                                                                           \
  if (std::string problem = (__VA_ARGS__); !problem.empty())                                                 \
  return problem

/// "buffer 3 'fc1.state'": how every message names an entry.
std::string entry(const char *kind, int64_t index, const std::string &name);
/// Empty when least <= value <= most.
std::string range(const std::string &where, const char *what, int64_t value, int64_t least,
                  int64_t most = largestCount);
/// Empty when there is an entry of that number.
std::string index(const std::string &where, const char *what, int64_t value, size_t size);
/// Slices need positive divisors and every task's start inside the step.
std::string checkSlice(const std::string &where, const Slice &slice, const std::vector<int64_t> &dims,
                       int64_t tasks);

std::string checkMachine(const Manifest &manifest);
std::string checkFamilies(const Manifest &manifest);
std::string checkBuffers(const Manifest &manifest);
std::string checkPorts(const Manifest &manifest, uint64_t constantBytes);
std::string checkLoops(const Manifest &manifest);
std::string checkStages(const Manifest &manifest);
/// Buffers with content and the connections of sparse weights; needs the checks above to have passed.
std::string checkConnections(const Manifest &manifest, uint64_t constantBytes);
/// Host order, machine order and data flow; needs the checks above to have passed.
std::string checkOrder(const Manifest &manifest);
/// What lies where on the tiles; needs the checks above to have passed.
std::string checkMemory(const Manifest &manifest);

/// Does the argument use the data at its home address, on the tile where the codelet runs?
bool isAtHome(const Manifest &manifest, const Stage &stage, const Argument &argument);

/// What the view shows of one step on a task's tile.
Window windowOf(const Manifest &manifest, const Geometry &geometry, const Argument &argument, int64_t task);

} // namespace spikeloom::runtime
#endif
