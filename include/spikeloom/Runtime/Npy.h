// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NumPy's `.npy` files.
#ifndef SPIKELOOM_RUNTIME_NPY_H
#define SPIKELOOM_RUNTIME_NPY_H

#include "spikeloom/Runtime/Array.h"

namespace spikeloom::runtime {

/// float32, uint8, bool, int32, int64, little-endian, C order; anything else, pickled objects above all, is
/// refused with the way to convert it.
Result<Array> readNpy(const std::string &path);
Result<Array> parseNpy(const Bytes &bytes, const std::string &name);

Status writeNpy(const std::string &path, const ArrayView &array);

} // namespace spikeloom::runtime
#endif
