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
    `tile.workers` becomes a loop. Loops that append to lists test 32 elements at once.

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
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def TileCountCyclesPass : Pass<"tile-count-cycles", "::mlir::ModuleOp"> {
  let summary = "make `@<codelet>.cycles`, which computes the tile cycles of every step";
  let description = [{
    Covers the scalar codelet with the instructions of the modelled machine and counts issue slots: loops whose body is
    straight code become hardware loops, in which a main and an aux instruction share a slot; elsewhere slots add up. The
    workers share the tile, so that a slot of a worker lasts as many cycles as there are workers, and the slowest worker
    counts. Where trip counts depend on data, the new function reads that data; nothing else of the codelet is left in it.
    A condition that depends on floating-point data counts as its dearer side. `tile.own_entries` counts the cheaper
    of a test of every entry and a binary search for every unit, and the body for as many entries as the tile has units:
    more cannot be its own, fewer may be.

    `cycles[i]` is about the step in row i of the arguments, also where the codelet goes backwards.

    Sets on the codelet `tile.cycles_uniform` when all tiles of a family take the same number of cycles, and
    `tile.cycles_static` when it depends neither on data nor on the step.
  }];
  let options = [
    Option<"machine", "machine", "std::string", "\"bow\"", "preset or machine file">,
    Option<"quality", "quality", "std::string", "\"\"", "scheduled or compiled; default: what the machine says">,
    Option<"print", "print", "bool", "false", "remark the slots of every loop body">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
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

def TileSchedulePass : Pass<"tile-schedule", "::mlir::ModuleOp"> {
  let summary = "decide in which superstep every compute step runs";
  let description = [{
    For every phase, derives from the buffers which compute step reads what which other made (and how many steps
    earlier), and finds the smallest interval between chunks of time and the earliest offsets. Sets how many steps of
    a buffer the tiles must keep (`window`) where nobody reads it after the phase.

    A chunk holds several steps where that is cheaper by the load that the partition estimated (`tile.load` of the
    program), fewer supersteps against more staging memory and a longer pipeline; within feedback it holds one.

    Example: three layers without feedback get `interval(1)` and offsets that grow by the stages between them.
  }];
  let options = [Option<"chunk", "chunk", "int64_t", "0", "steps of a chunk where nothing feeds back; 0: the cheapest">];
}

def TilePlanMemoryPass : Pass<"tile-plan-memory", "::mlir::ModuleOp"> {
  let summary = "give every buffer and every staging copy an address on its tiles";
  let description = [{
    Collects what lies on which tiles during which phase, solves one memory problem for the program, verifies the plan
    by an independent sweep, and writes addresses. A program that does not fit is refused with the tile, the bytes over,
    the five largest contributors and remedies.

    Example: `%w = tile.buffer "fc1.weight" on %fc1 {address = 16384 : i64, …}`
  }];
}

def TilePlanExchangePass : Pass<"tile-plan-exchange", "::mlir::ModuleOp"> {
  let summary = "cost the exchange before every compute step";
  let description = [{
    An argument that is not at home on its tiles is copied there before the compute step. Finds how the array lies on the
    tiles that hold it and on those that read it, plans the pieces that move, and writes bytes and cycles of the busiest
    tile. `verify` plays every plan by an independent path: each element must arrive exactly once and in place.

    Example: `tile.compute @b on %g(%m, %y) {exchange_bytes = 128 : i64, exchange_cycles = 116 : i64, …}`
  }];
  let options = [Option<"verify", "verify", "bool", "false", "play every plan and check it">];
}

#endif
