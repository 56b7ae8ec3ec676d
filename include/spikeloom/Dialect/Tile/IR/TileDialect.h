// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tile dialect: attributes, types, and the names of the attributes that codelets carry.
#ifndef SPIKELOOM_DIALECT_TILE_IR_TILEDIALECT_H
#define SPIKELOOM_DIALECT_TILE_IR_TILEDIALECT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include "spikeloom/Dialect/Tile/IR/TileDialect.h.inc"
#include "spikeloom/Dialect/Tile/IR/TileEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "spikeloom/Dialect/Tile/IR/TileAttributes.h.inc"

#define GET_TYPEDEF_CLASSES
#include "spikeloom/Dialect/Tile/IR/TileTypes.h.inc"

namespace spikeloom::tile {

/// On a func.func: it is a codelet. `tile.lanes` = tiles of a group (1 for an index family).
inline constexpr llvm::StringLiteral kCodeletAttr = "tile.codelet";
inline constexpr llvm::StringLiteral kLanesAttr = "tile.lanes";
/// On codelet arguments: see Tile_View; the host layout; the host's row pitch in elements.
inline constexpr llvm::StringLiteral kViewAttr = "tile.view";
inline constexpr llvm::StringLiteral kLayoutAttr = "tile.layout";
inline constexpr llvm::StringLiteral kPitchAttr = "tile.pitch";
/// On a memref.alloca of a codelet: its last dimension are the units of the tile.
inline constexpr llvm::StringLiteral kUnitsAttr = "tile.units";

} // namespace spikeloom::tile
#endif
