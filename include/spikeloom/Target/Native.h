// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Native code for codelets: from MLIR to the bytes of a shared object.
#ifndef SPIKELOOM_TARGET_NATIVE_H
#define SPIKELOOM_TARGET_NATIVE_H

#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace spikeloom {

struct NativeOptions {
  std::string cpu = "native"; ///< "native", "x86-64-v3", "x86-64-v4", or a name that LLVM knows.
  int optimisation = 2;       ///< 0 to 3; 3 takes twice as long and makes nothing faster
  std::string linker;         ///< Path of ld.lld; empty: ld.lld-22 or ld.lld, wherever it is found.
};

/// Compiles the functions @*.host, @*.cycles and @*.strict of `module`, as `tile-widen`, `tile-count-cycles`
/// and `tile-strict` made them, to a shared object without imports. Every function becomes a symbol of the
/// same name with the C signature that `struct Codelet` in Runtime/Manifest.h describes. The same module,
/// options and version give the same bytes. `module` is not changed. Errors are emitted on the operations at
/// fault.
mlir::FailureOr<std::string> compileNative(mlir::ModuleOp module, const NativeOptions &options = {});

/// The CPU that `cpu` stands for ("native" is looked up), for messages and manifests.
std::string resolveCpu(const std::string &cpu);

} // namespace spikeloom
#endif
