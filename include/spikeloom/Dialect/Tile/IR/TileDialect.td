// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tile dialect: WHERE and WHEN a model is computed.
#ifndef SPIKELOOM_DIALECT_TILE_IR_TILEDIALECT
#define SPIKELOOM_DIALECT_TILE_IR_TILEDIALECT

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::spikeloom::tile";
  let summary = "Programs for processors of many tiles with local memory, in bulk-synchronous steps";
  let description = [{
    A `tile.program` says where and when. A *family* is a range of tiles that run the same codelets; a *buffer* is
    sharded over a family, or belongs to the host; a *phase* is a loop over time; a *compute* step runs one codelet on
    the tiles of a family. Nothing is repeated per tile, so that size and compile time of a program do not grow with
    the machine.

    A family of units (neurons) deals them out in groups: with `group` tiles and `per_tile` units a tile, unit n lies
    in group g = n / (per_tile * group); with r = n mod (per_tile * group) it is unit r / group of the tile in lane
    r mod group of that group. A group is what the host computes in one SIMD block and what a reduction sums first.

    A *codelet* is scalar IR for one tile: a `func.func` with the attribute `tile.codelet` whose memref arguments say
    by `tile.view` how they see their buffer (`own`, `broadcast`, `slice` or `partials`), followed by the number of
    steps and the number of the tile in its family, both `index`.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

#endif
