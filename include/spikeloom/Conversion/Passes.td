// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes from the snn to the tile dialect.
#ifndef SPIKELOOM_CONVERSION_PASSES
#define SPIKELOOM_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def SNNPartitionPass : Pass<"snn-partition", "::mlir::ModuleOp"> {
  let summary = "decide which tiles hold the units of which layer";
  let description = [{
    Finds the classes of values that are combined unit by unit, estimates what a unit costs in memory and cycles, and
    deals the classes out over the tiles of the machine. Writes the decision on `@main` (`snn.placement`) and, because
    sums over tiles have a fixed order that belongs to the meaning, `placement = [group, per_tile]` on every
    `snn.linear_input_grad`. A remark says how far the load of the busiest tile is above a lower bound.

    Example: after `snn-partition{machine=tiny}` a layer of 256 units has 8 tiles with 32 units each.
  }];
  let options = [
    Option<"machine", "machine", "std::string", "\"bow\"", "preset (gc2, gc200, bow, tiny) or path of a machine file">,
    Option<"chips", "chips", "int64_t", "1", "number of chips">,
  ];
}

def ConvertSNNToTilePass : Pass<"convert-snn-to-tile", "::mlir::ModuleOp"> {
  let summary = "convert a placed model function to a tile program with codelets";
  let description = [{
    `@main`, placed by `snn-partition`, becomes a `tile.program` and one `func.func` per codelet. A scan becomes a
    phase; the operations of one class of units between two exchanges become one compute step; lists of events are
    built in two steps by helper families; input gradients leave partial sums that a reduction adds.

    Example: see test/Conversion/SNNToTile/forward.mlir.
  }];
  let dependentDialects = ["::spikeloom::tile::TileDialect", "::mlir::scf::SCFDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def TileSchedulePass : Pass<"tile-schedule", "::mlir::ModuleOp"> {
  let summary = "decide in which superstep every compute step runs";
  let description = [{
    For every phase, derives from the buffers which compute step reads what which other made (and how many steps
    earlier), and finds the smallest interval between chunks of time and the earliest offsets. Sets how many steps of
    a buffer the tiles must keep (`window`) where nobody reads it after the phase.

    Example: three layers without feedback get `interval(1)` and offsets that grow by the stages between them.
  }];
}

def TilePlanMemoryPass : Pass<"tile-plan-memory", "::mlir::ModuleOp"> {
  let summary = "give every buffer and every staging copy an address on its tiles, and cost the exchanges";
  let description = [{
    Collects what lies on which tiles during which phase, solves one memory problem for the program, verifies the plan
    by an independent sweep, and writes addresses. A program that does not fit is refused with the tile, the bytes over,
    the five largest contributors and remedies.

    Example: `%w = tile.buffer "fc1.weight" on %fc1 {address = 16384 : i64, …}`
  }];
}

#endif
