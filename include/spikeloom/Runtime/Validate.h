// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Full validation of a manifest: whatever passes can be executed without further checks of indices or sizes.
#ifndef SPIKELOOM_RUNTIME_VALIDATE_H
#define SPIKELOOM_RUNTIME_VALIDATE_H

#include "spikeloom/Runtime/Manifest.h"
#include "spikeloom/Support/Result.h"

namespace spikeloom::runtime {

/// The message names the entry, its number, what is wrong, and limit and value found.
Status validate(const Manifest &manifest, uint64_t constantBytes);

/// Whether the connections of sparse weights, which lie in the constants, name inputs that there are,
/// ascending. The manifest is valid.
Status validateConnections(const Manifest &manifest, const std::vector<uint8_t> &constants);

} // namespace spikeloom::runtime
#endif
