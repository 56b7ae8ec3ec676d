// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the tile dialect.
#ifndef SPIKELOOM_DIALECT_TILE_IR_TILEOPS_H
#define SPIKELOOM_DIALECT_TILE_IR_TILEOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "spikeloom/Dialect/Tile/IR/TileDialect.h"

#define GET_OP_CLASSES
#include "spikeloom/Dialect/Tile/IR/TileOps.h.inc"

#endif
