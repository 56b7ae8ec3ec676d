// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes on the snn dialect.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_PASSES_H
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace spikeloom::snn {
#define GEN_PASS_DECL
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn
#endif
