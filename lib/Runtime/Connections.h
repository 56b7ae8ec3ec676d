// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Between a sparse weight as people see it, [out, in] with zeros, and the values at its connections,
// [m][out].
#ifndef SPIKELOOM_LIB_RUNTIME_CONNECTIONS_H
#define SPIKELOOM_LIB_RUNTIME_CONNECTIONS_H

#include "spikeloom/Runtime/Array.h"
#include "spikeloom/Runtime/Manifest.h"
#include <optional>

namespace spikeloom::runtime {

/// Takes the values at the connections, whose compact content is `inputs`. The result is the first element
/// that is not zero and has no connection, if there is one.
std::optional<int64_t> toConnections(const Port &port, const Bytes &inputs, const float *dense,
                                     float *values);

/// Zero wherever there is no connection.
void fromConnections(const Port &port, const Bytes &inputs, const float *values, float *dense);

} // namespace spikeloom::runtime
#endif
