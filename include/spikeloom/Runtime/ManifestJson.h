// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The manifest as JSON and CBOR: the form in which a `.loom` stores it and people look at it.
#ifndef SPIKELOOM_RUNTIME_MANIFESTJSON_H
#define SPIKELOOM_RUNTIME_MANIFESTJSON_H

#include "spikeloom/Runtime/Manifest.h"
#include "spikeloom/Support/Result.h"
#include <nlohmann/json_fwd.hpp>

namespace spikeloom::runtime {

nlohmann::json manifestToJson(const Manifest &manifest);
std::vector<uint8_t> manifestToCbor(const Manifest &manifest);

/// Every field must be there, of the right type, and no other; the message says which. Whether the numbers
/// make sense is the business of `validate`.
Result<Manifest> manifestFromJson(const nlohmann::json &json);
Result<Manifest> manifestFromCbor(const uint8_t *data, size_t size);

} // namespace spikeloom::runtime
#endif
