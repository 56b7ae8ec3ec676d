// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Questions about buffers and arguments of a tile program that memory and exchange planning must answer
// alike.
#ifndef SPIKELOOM_DIALECT_TILE_TRANSFORMS_PROGRAMQUERIES_H
#define SPIKELOOM_DIALECT_TILE_TRANSFORMS_PROGRAMQUERIES_H

#include "spikeloom/Dialect/Tile/IR/TileOps.h"

namespace spikeloom::tile {

int64_t product(llvm::ArrayRef<int64_t> dims);
int64_t elementBytes(BufferOp buffer);

/// The phases in the order in which they first run, those in loops included.
llvm::SmallVector<PhaseOp> phasesOf(ProgramOp program);

/// The shape without the dimension of time.
llvm::ArrayRef<int64_t> stepShape(BufferOp buffer);

/// Is the buffer the private result of every tile that a reduction sums?
bool isPartials(BufferOp buffer);

/// Bytes of one step on a tile of the buffer's family.
int64_t homeBytes(BufferOp buffer, FamilyOp family);

/// Does the codelet work on the buffer where it lies? The runtime's isAtHome() says the same of a manifest.
bool isAtHome(ComputeOp stage, BufferOp buffer, ArgumentAttr view);

/// Bytes of the staging copy of one argument on a tile: of one step for arguments with steps.
int64_t stagingBytes(ComputeOp stage, BufferOp buffer, ArgumentAttr view);

} // namespace spikeloom::tile
#endif
