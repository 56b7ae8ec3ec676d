// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builds one codelet: a func.func of scalar IR whose arguments are created as the body asks for buffers, and
// the tile.compute that runs it.
#ifndef SPIKELOOM_CONVERSION_SNNTOTILE_CODELETBUILDER_H
#define SPIKELOOM_CONVERSION_SNNTOTILE_CODELETBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "spikeloom/Dialect/Tile/IR/TileOps.h"
#include "llvm/ADT/MapVector.h"

namespace spikeloom {

/// Workers that codelets are dealt out to. The counts of a list hold the ranges of ids of as many (see "Event
/// tensors" in docs/Rationale.md), so `snn-partition` refuses machines with another number.
inline constexpr int64_t kWorkers = 6;

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Units of a family rounded up to whole groups of tiles: what a row must hold for the host's SIMD blocks.
int64_t wholeGroups(tile::FamilyOp family, int64_t units);

/// A buffer and how a value lies in it: row t + shift of a buffer with steps, or all of it. In a loop over
/// segments the rows move on by `advance` from trip to trip; without `steps` there is one row for a trip.
struct Storage {
  tile::BufferOp buffer;
  bool steps = false;
  int64_t shift = 0, advance = 0;
};

class CodeletBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using BodyFn = llvm::function_ref<void(mlir::Value)>;
  using IterFn = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;

  /// Starts a codelet for the tiles of `family`. `anchor` is where the function goes.
  CodeletBuilder(mlir::Location loc, mlir::ModuleOp module, llvm::StringRef name, tile::FamilyOp family);

  /// The argument that shows `storage` in this way; one per (buffer, view, rows). `shape` is what one tile
  /// sees of a step.
  mlir::Value argument(Storage storage, tile::View view, tile::Access access, llvm::ArrayRef<int64_t> shape,
                       tile::SliceAttr slice = {});

  /// A private array of f32, one for each unit of the tile.
  mlir::Value privateUnits(int64_t units);
  /// A private array of f32 of every worker. On the host the tiles of a group have one together as long as
  /// all store the same.
  mlir::Value privateRow(int64_t size);
  mlir::Value index(int64_t value);
  mlir::Value f32(double value);
  mlir::Value i32(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, int64_t b);
  mlir::Value rem(mlir::Value a, int64_t b);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a, mlir::Value b);

  mlir::Value load(mlir::Value memref, mlir::ValueRange indices);
  void store(mlir::Value value, mlir::Value memref, mlir::ValueRange indices);
  /// Loads an integer as index (ids are unsigned).
  mlir::Value loadIndex(mlir::Value memref, mlir::ValueRange indices);
  void storeIndex(mlir::Value value, mlir::Value memref, mlir::ValueRange indices);

  void loop(mlir::Value from, mlir::Value to, BodyFn body);
  llvm::SmallVector<mlir::Value> loop(mlir::Value from, mlir::Value to, mlir::ValueRange inits, IterFn body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  /// The workers of the tile; `body` gets the worker's number.
  void workers(int64_t count, BodyFn body);
  /// This worker's share [from, to) of n things.
  std::pair<mlir::Value, mlir::Value> share(mlir::Value worker, int64_t workers, int64_t n);
  /// The loop over the steps of the call; `body` gets the row of the step.
  void steps(bool reverse, BodyFn body);

  mlir::Value getTask() { return function.getArgument(function.getNumArguments() - 1); }
  tile::FamilyOp getFamily() { return family; }

  /// Ends the function and makes the compute step in front of `where`'s insertion point.
  tile::ComputeOp finish(mlir::OpBuilder &where, llvm::StringRef layer, llvm::StringRef kind);

private:
  mlir::Value constant(mlir::TypedAttr value);
  struct Argument {
    Storage storage;
    tile::View view;
    tile::Access access;
    tile::SliceAttr slice;
    mlir::Value value;
  };

  mlir::func::FuncOp function;
  tile::FamilyOp family;
  llvm::SmallVector<Argument> arguments;
  llvm::MapVector<mlir::Attribute, mlir::Value> constants;
};

} // namespace spikeloom
#endif
