// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Native code of a `.loom`, loaded into this process.
#ifndef SPIKELOOM_RUNTIME_NATIVEMODULE_H
#define SPIKELOOM_RUNTIME_NATIVEMODULE_H

#include "spikeloom/Runtime/Files.h"
#include <functional>

namespace spikeloom::runtime {

/// Finds the address of a symbol, or null.
using SymbolLookup = std::function<void *(const std::string &name)>;

/// Loads a linked ELF shared object from memory; it stays loaded as long as a copy of the lookup lives.
Result<SymbolLookup> loadNative(const Bytes &code, const std::string &name);

} // namespace spikeloom::runtime
#endif
