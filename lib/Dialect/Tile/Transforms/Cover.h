// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Covering straight code of a codelet with instructions of the modelled machine.
#ifndef SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_COVER_H
#define SPIKELOOM_LIB_DIALECT_TILE_TRANSFORMS_COVER_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Block.h"
#include "spikeloom/Machine/Machine.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace spikeloom::tile {

/// Issue slots of the operations of one block, without those of nested regions.
struct Slots {
  int64_t main = 0, aux = 0;                  // pipes of memory, integers and control; and of floating point
  bool repeatable = true;                     // nothing that a hardware loop cannot hold
  int64_t pairs = 0, gathers = 0, folded = 0; // patterns found, for remarks
};

/// The values that sit in the two halves of a register pair: low half -> high half. Kept over the blocks of a
/// codelet, from the outside in.
using RegisterPairs = llvm::DenseMap<mlir::Value, mlir::Value>;

/// Covers one block. With scheduled code:
///   * arithmetic that only makes addresses is part of the accesses (post-increment, base and offset);
///   * two accesses to neighbours of an even row become one of 64 bit, and arithmetic on such pairs one f32v2
///     instruction (comparisons and selections too, not divisions and roots);
///   * an id that is loaded to gather from one array is part of the gathering delta load. Where several
///   arrays are
///     accessed at it, or one is written, it costs its load and the scaling to an offset.
/// Compiled code has neither pairs nor delta loads.
class Cover {
public:
  Cover(mlir::Block &block, const Machine &machine, RegisterPairs &pairs);

  const Slots &slots() const { return total; }

private:
  void findPairs(mlir::Block &block);
  bool isPair(mlir::Operation &low, mlir::Operation &high) const;
  bool areNeighbours(mlir::Value memref, mlir::ValueRange low, mlir::ValueRange high) const;
  void pairUp(mlir::ValueRange values);
  void findGathers(mlir::Block &block);
  void add(mlir::Operation &op);
  void addMemory(mlir::Operation &op);
  void addInteger(mlir::Operation &op);
  void addFloat(mlir::Operation &op);

  const Machine &machine;
  const InstructionCosts &cost;
  bool scheduled;
  Slots total;
  RegisterPairs &upper;
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> high; // operation -> the one it is paired with
  llvm::DenseSet<mlir::Operation *> absorbed;                // part of another instruction
};

/// Consecutive iterations of the loop access neighbours.
bool walksNeighbours(mlir::scf::ForOp loop);

} // namespace spikeloom::tile
#endif
