// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parts of the validation; each returns the first mistake it finds, or an empty text.
#ifndef SPIKELOOM_LIB_RUNTIME_CHECKS_H
#define SPIKELOOM_LIB_RUNTIME_CHECKS_H

#include "Geometry.h"
#include <string>

namespace spikeloom::runtime {

/// "buffer 3 'fc1.state'": how every message names an entry.
std::string entry(const char *kind, int64_t index, const std::string &name);

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
