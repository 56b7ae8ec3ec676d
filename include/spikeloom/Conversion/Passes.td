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
    Option<"memoryShare", "memory-share", "double", "1.0",
           "share of a tile's memory that its units may take by estimate; less spreads layers over more tiles">,
  ];
}

def ConvertSNNToTilePass : Pass<"convert-snn-to-tile", "::mlir::ModuleOp"> {
  let summary = "convert a placed model function to a tile program with codelets";
  let description = [{
    `@main`, placed by `snn-partition`, becomes a `tile.program` and one `func.func` per codelet. A scan becomes a
    phase; the operations of one class of units between two exchanges become one compute step; lists of events are
    built in two steps by helper families; input gradients leave partial sums that a reduction adds.

    With `micro-batches` K the function is one of K micro-batches of a training step: what depends on their data becomes
    a `tile.loop` of K trips over inputs, labels and sample weights of K times the size; gradients grow from trip to
    trip; arithmetic on parameters comes before it, and what reads gradients (the optimiser) behind it.

    Example: see test/Conversion/SNNToTile/forward.mlir and micro-batches.mlir.
  }];
  let options = [Option<"microBatches", "micro-batches", "int64_t", "1",
                        "Micro-batches whose gradients are added up before the optimiser runs">];
  let dependentDialects = ["::spikeloom::tile::TileDialect", "::mlir::scf::SCFDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

#endif
