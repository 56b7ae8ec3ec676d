// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that make the three executable versions of a codelet.
#ifndef SPIKELOOM_DIALECT_TILE_TRANSFORMS_TILEPASSES
#define SPIKELOOM_DIALECT_TILE_TRANSFORMS_TILEPASSES

include "mlir/Pass/PassBase.td"

def TileWidenPass : Pass<"tile-widen", "::mlir::ModuleOp"> {
  let summary = "make `@<codelet>.host`, which computes a whole group of tiles";
  let description = [{
    A codelet is written for one tile. For a codelet with `tile.lanes = G > 1` this pass makes a function that computes G
    tiles at once, one tile per SIMD lane: what depends on the tile (loads from `own` arguments and from private arrays,
    and everything computed from them) becomes a vector of G lanes, what is the same on all tiles of the group (ids,
    counts, loop bounds) stays scalar. Conditions and trip counts that differ between tiles become masks. A store to a
    `partials` argument stores the sum over the group: sixteen strided partial sums, then a halving tree.

    A codelet with one lane (an index family) is copied, with its arguments in the host's row pitch. In both cases
    `tile.workers` becomes a loop.

    Example: `own` weights `memref<8x2xf32>` become `memref<8x2x64xf32>` with 64 lanes, and

    ```mlir
    %w = memref.load %weights[%id, %c0] : memref<8x2xf32>
    ```

    becomes

    ```mlir
    %w = vector.load %weights[%id, %c0, %c0] : memref<8x2x64xf32>, vector<64xf32>
    ```
  }];
  let options = [
    Option<"ahead", "ahead", "int64_t", "6", "entries of an event list by which rows are prefetched, 0 for none">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def TileStrictPass : Pass<"tile-strict", "::mlir::ModuleOp"> {
  let summary = "make `@<codelet>.strict`, which checks every access of one tile";
  let description = [{
    Copies the scalar codelet, with two more arguments: a context and the address of a function that is called before
    every access to an argument with (context, address, bytes, flags, location); bit 0 of the flags says that it is a
    store. `location` counts from 0 into the module's attribute `tile.locations`, an array of texts: the name of the
    user's node, else file:line:column.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

#endif
