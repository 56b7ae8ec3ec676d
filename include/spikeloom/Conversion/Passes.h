// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes from the snn to the tile dialect.
#ifndef SPIKELOOM_CONVERSION_PASSES_H
#define SPIKELOOM_CONVERSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace spikeloom {
#define GEN_PASS_DECL
#include "spikeloom/Conversion/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "spikeloom/Conversion/Passes.h.inc"
} // namespace spikeloom
#endif
