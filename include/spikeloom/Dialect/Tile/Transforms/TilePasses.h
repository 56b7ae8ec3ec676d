// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the tile dialect, and the attributes by which they talk to later stages.
#ifndef SPIKELOOM_DIALECT_TILE_TRANSFORMS_TILEPASSES_H
#define SPIKELOOM_DIALECT_TILE_TRANSFORMS_TILEPASSES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace spikeloom::tile {

/// On codelets, set by `tile-count-cycles`: see the pass.
inline constexpr llvm::StringLiteral kCyclesUniformAttr = "tile.cycles_uniform";
inline constexpr llvm::StringLiteral kCyclesStaticAttr = "tile.cycles_static";
/// On arguments of codelets, set by `tile-count-cycles`: their content decides the number of cycles.
inline constexpr llvm::StringLiteral kDecidesCyclesAttr = "tile.decides_cycles";
/// On arguments of codelets that may overlap other arguments, such as two steps of one buffer; set by
/// `tile-widen` where a `tile.compute` passes a buffer twice.
inline constexpr llvm::StringLiteral kMayAliasAttr = "tile.may_alias";
/// On `slice` arguments: the shape of one step of the buffer that the slice is cut from.
inline constexpr llvm::StringLiteral kShapeAttr = "tile.shape";
/// On codelets of unit families, next to `tile.units` (of the layer): units of a tile.
inline constexpr llvm::StringLiteral kPerTileAttr = "tile.per_tile";
/// On the functions made from codelets: "host", "cycles" or "strict".
inline constexpr llvm::StringLiteral kEntryAttr = "tile.entry";
/// On the module, set by `tile-strict`: array of strings.
inline constexpr llvm::StringLiteral kLocationsAttr = "tile.locations";
/// The functions made from codelet @f are @f.host, @f.cycles and @f.strict.
inline constexpr llvm::StringLiteral kHostSuffix = ".host";
inline constexpr llvm::StringLiteral kCyclesSuffix = ".cycles";
inline constexpr llvm::StringLiteral kStrictSuffix = ".strict";

#define GEN_PASS_DECL
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h.inc"

} // namespace spikeloom::tile
#endif
