// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights and checkpoints as safetensors files.
#ifndef SPIKELOOM_RUNTIME_SAFETENSORS_H
#define SPIKELOOM_RUNTIME_SAFETENSORS_H

#include "spikeloom/Runtime/Array.h"
#include <map>

namespace spikeloom::runtime {

struct Safetensors {
  std::map<std::string, Array> tensors;
  std::map<std::string, std::string> metadata;
};

Result<Safetensors> readSafetensors(const std::string &path);
Result<Safetensors> parseSafetensors(const Bytes &bytes, const std::string &name);

/// The same bytes for the same contents; written atomically.
Status writeSafetensors(const std::string &path, const Safetensors &file);

} // namespace spikeloom::runtime
#endif
