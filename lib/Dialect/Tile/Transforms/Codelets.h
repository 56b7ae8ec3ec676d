// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the passes on codelets share: reading their attributes, and the plain forms of the tile
// operations.
#ifndef SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_CODELETS_H
#define SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_CODELETS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "spikeloom/Dialect/Tile/IR/TileOps.h"
#include "llvm/ADT/SmallVector.h"

namespace spikeloom::tile {

/// The attributes of one codelet, checked against the dialect's description of codelets.
struct CodeletInfo {
  int64_t lanes = 1;   // tiles of a group
  int64_t units = 0;   // of the layer; 0 for index families
  int64_t perTile = 1; // units of a tile

  /// Tiles of the family, 0 for index families.
  int64_t tiles() const;
};

/// The codelets of a module, in order.
llvm::SmallVector<mlir::func::FuncOp> codeletsOf(mlir::ModuleOp module);

/// Checks the signature and the attributes of a codelet, with a message for what is not as the dialect says.
mlir::FailureOr<CodeletInfo> readCodelet(mlir::func::FuncOp codelet);

/// How an argument sees its buffer. The argument must be a memref of a codelet that readCodelet() accepted.
View viewOf(mlir::func::FuncOp codelet, unsigned argument);

/// The %len and %task arguments: the last two.
mlir::BlockArgument stepsOf(mlir::func::FuncOp codelet);
mlir::BlockArgument taskOf(mlir::func::FuncOp codelet);

/// Creates function `<codelet><suffix>` after the codelet (replacing one of that name), with an empty entry
/// block and the argument attributes of the codelet for as many arguments as it has.
mlir::func::FuncOp createVersion(mlir::func::FuncOp codelet, llvm::StringRef suffix,
                                 llvm::ArrayRef<mlir::Type> arguments);

mlir::Value indexConstant(mlir::OpBuilder &builder, mlir::Location loc, int64_t value);

/// The id of list position `position` as an index; ids are unsigned.
mlir::Value loadId(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value ids, mlir::ValueRange row,
                   mlir::Value position);

/// Replaces every `tile.workers` in `function` by a loop over the workers.
void lowerWorkers(mlir::func::FuncOp function);

/// Replaces every `tile.own_entries` in `function` by a scan of the list that tests for the owner of every
/// entry.
void lowerOwnEntries(mlir::func::FuncOp function);

} // namespace spikeloom::tile
#endif
