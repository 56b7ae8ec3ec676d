// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which values of a model are sharded together: every dense value has units (its last dimension), and values
// that are combined unit by unit must lie on the same tiles. A class of such values becomes a family of
// tiles.
#ifndef SPIKELOOM_CONVERSION_SNNTOTILE_UNITCLASSES_H
#define SPIKELOOM_CONVERSION_SNNTOTILE_UNITCLASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include <string>
#include <vector>

namespace spikeloom {

/// Bytes that each unit of a class holds, by what they are for.
struct UnitBytes {
  int64_t weights = 0, gradients = 0, optimizer = 0, states = 0;
};

/// Values that share a family of tiles.
struct UnitClass {
  std::string name; // of the first layer in it, from its weight's name
  int64_t units = 0;
  UnitBytes bytes;
  int64_t fanIn = 0;   // inputs of all its synapses together
  double listed = 0;   // list entries, or dense inputs, that a step reads per sample
  double gathered = 0; // connections of a unit, of which each has an input of its own
};

/// Classes of a model function, in the order of their first value.
class UnitClasses {
public:
  explicit UnitClasses(mlir::func::FuncOp function);

  /// The class of a dense value or of a parameter's output dimension; -1 for splat constants, scalars and
  /// events.
  int getClass(mlir::Value value) const;
  /// The class on which an event tensor's neurons live, -1 when it was made from an input.
  int getHomeClass(mlir::Value events) const;
  const std::vector<UnitClass> &getClasses() const { return classes; }

private:
  /// A dense value of the class on which the list's neurons live.
  mlir::Value getHome(mlir::Value events) const;
  void unite(mlir::Value a, mlir::Value b);
  void visit(mlir::Operation *op);
  void number(mlir::func::FuncOp function);

  llvm::EquivalenceClasses<mlir::Value> sets;
  llvm::DenseMap<mlir::Value, int> classOf;
  llvm::DenseMap<mlir::Value, mlir::Value> homeOf; // event value -> a dense value of its neurons' class
  std::vector<UnitClass> classes;
};

/// Does the operation work on whole rows? Such operations have tiles of their own.
bool isRowOp(mlir::Operation *op);

/// Does the operation compute a step again that was computed before?
bool isRecomputed(mlir::Operation *op);

/// Rewrites what classes and stages cannot express as it is: comparisons and spread parameters with several
/// readers, values that a scan only passes on. Before classes are made.
void prepareForPlacement(mlir::func::FuncOp function);

} // namespace spikeloom
#endif
