// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a physical tile program to an executable.
#ifndef SPIKELOOM_TARGET_PROGRAM_H
#define SPIKELOOM_TARGET_PROGRAM_H

#include "mlir/IR/BuiltinOps.h"
#include "spikeloom/Runtime/Loom.h"

namespace spikeloom {

/// The manifest and the constants of the module's only tile.program, which must be scheduled and have
/// addresses. Errors are emitted on the operations at fault.
mlir::FailureOr<runtime::Loom> buildManifest(mlir::ModuleOp module);

/// The same with native code for `hostCpu`: native (the best level that this CPU has), x86-64-v3 or
/// x86-64-v4.
mlir::FailureOr<runtime::Loom> buildLoom(mlir::ModuleOp module, llvm::StringRef hostCpu);

/// The optimiser that the attribute `snn.training` of a function or program describes.
runtime::Optimizer optimizerOf(mlir::DictionaryAttr training);

} // namespace spikeloom
#endif
