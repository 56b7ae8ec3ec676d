// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host's form of index families, which make lists.
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
/// differs; nobody reads it. With `early`, what is tested is fetched early (see below).
void vectoriseAppends(mlir::func::FuncOp host, bool early);

/// Elements of four bytes in a cache line, and how many steps early a task's data is fetched.
constexpr int64_t kLineElements = 16, kStepsAhead = 2;

/// Steps of an array lie far apart and a task goes through a short piece of each, too short for the processor
/// to guess the next: `elements` of the same piece in a coming step are fetched early, if the first index is
/// the step. A prefetch beyond the last step does nothing.
void prefetchPiece(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memref,
                   mlir::SmallVector<mlir::Value> indices, int64_t elements);

/// Does so for the beginning of every row that a loop of `host` reads.
void prefetchPieces(mlir::func::FuncOp host);

} // namespace spikeloom::tile
#endif
