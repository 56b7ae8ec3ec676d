// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds the code of every codelet.
#include "Program.h"

namespace spikeloom::runtime {

Status Program::link(bool strict) {
  std::vector<bool> runsOnHost(manifest.codelets.size(), false); // group sums have no host code
  for (const Phase &phase : manifest.phases)
    for (const Stage &stage : phase.stages)
      if (!stage.groupSum)
        runsOnHost[stage.codelet] = true;
  std::string missing;
  auto find = [&](const Codelet &codelet, const std::string &symbol) -> void * {
    if (symbol.empty())
      return nullptr;
    void *address = symbols(symbol);
    if (!address && missing.empty())
      missing = "codelet '" + codelet.name + "': the native code has no symbol '" + symbol + "'";
    return address;
  };
  for (size_t i = 0; i < manifest.codelets.size(); ++i) {
    const Codelet &codelet = manifest.codelets[i];
    CodeletCode found;
    if (runsOnHost[i])
      found.host = reinterpret_cast<HostCode>(find(codelet, codelet.host));
    found.cycles = reinterpret_cast<HostCode>(find(codelet, codelet.cycles));
    if (strict) {
      if (codelet.strict.empty())
        return Error{"codelet '" + codelet.name + "' was compiled without code for the strict engine"};
      found.strict = reinterpret_cast<StrictCode>(find(codelet, codelet.strict));
    }
    code.push_back(found);
  }
  if (!missing.empty())
    return Error{missing};
  return success();
}

} // namespace spikeloom::runtime
