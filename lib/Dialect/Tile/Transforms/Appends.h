// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host's form of loops that make lists.
#ifndef SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_APPENDS_H
#define SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_APPENDS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace spikeloom::tile {

/// Tests many elements at once in the loops of `host` that append to lists. On the machine such a loop writes
/// every element to the end of its list and moves the end past those to keep,
///
///     scf.for %i = ... iter_args(%end = ...) {
///       %keep = <elementwise, from x[%i]>
///       memref.store <from %i and x[%i]>, %list[..., %end]
///       %next = %end + (%keep ? 1 : 0)
///
/// because it has no cheap branches. On the host few elements are kept: the conditions of 32 elements are
/// computed as a vector, and only its set bits are visited. What lies behind the end of a list afterwards
/// differs; nobody reads it.
void vectoriseAppends(mlir::func::FuncOp host);

} // namespace spikeloom::tile
#endif
