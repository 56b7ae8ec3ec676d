// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whole files in and out, with messages that name the file and the cause.
#ifndef SPIKELOOM_RUNTIME_FILES_H
#define SPIKELOOM_RUNTIME_FILES_H

#include "spikeloom/Support/Result.h"
#include <cstdint>
#include <string>
#include <vector>

namespace spikeloom::runtime {

using Bytes = std::vector<uint8_t>;

Result<Bytes> readFile(const std::string &path);

/// Writes beside the target and renames: a reader sees the old file or the whole new one, also after a crash
/// or on a full disk.
Status writeFileAtomically(const std::string &path, const void *data, size_t size);

} // namespace spikeloom::runtime
#endif
