// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The steps of native emission.
#ifndef SPIKELOOM_LIB_TARGET_NATIVESTEPS_H
#define SPIKELOOM_LIB_TARGET_NATIVESTEPS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace spikeloom::detail {

/// Copies the entry functions of `module`, those of the host's versions or the others, into a new module and
/// lowers them to the LLVM dialect, every one behind a function with the C signature of the manifest.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> lowerEntries(mlir::ModuleOp module, bool host);

/// Links object files in memory to a shared object; undefined symbols are errors. `where` is what errors are
/// about.
mlir::FailureOr<std::string> linkShared(llvm::ArrayRef<std::string> objects, llvm::StringRef linker,
                                        mlir::Location where);

} // namespace spikeloom::detail
#endif
