// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reference interpreter of the snn dialect: what its operations mean, in float32 and in the order they
// state.
#ifndef SPIKELOOM_DIALECT_SNN_INTERPRETER_INTERPRETER_H
#define SPIKELOOM_DIALECT_SNN_INTERPRETER_INTERPRETER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "spikeloom/Dialect/SNN/IR/Rotation.h"
#include "spikeloom/Dialect/SNN/Interpreter/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include <string>

namespace spikeloom::snn {

class ScanOp;

/// How many spikes the lists of a layer had, and how many did not fit.
struct ListCount {
  int64_t fired = 0;
  int64_t listed = 0;
};

class Interpreter {
public:
  /// Evaluates a function of one block. Emits an error where an operation is not known or a check fails.
  llvm::FailureOr<std::vector<TensorPtr>> run(mlir::func::FuncOp function, std::vector<TensorPtr> arguments);

  /// Lists made since the start, by the attribute `snn.layer` of the op that made them, in order of the
  /// program.
  const llvm::MapVector<mlir::StringAttr, ListCount> &getListCounts() const { return listCounts; }

private:
  const Tensor &valueOf(mlir::Value value) const { return *values.find(value)->second; }
  const Tensor *optionalValueOf(mlir::Value value) const { return value ? &valueOf(value) : nullptr; }
  void set(mlir::Value value, Tensor tensor);

  llvm::LogicalResult evaluateBlock(mlir::Block &block);
  llvm::LogicalResult evaluate(mlir::Operation *op);
  llvm::LogicalResult evaluateScan(ScanOp scan);
  /// Returns failure without a message where the op belongs to another group.
  llvm::LogicalResult evaluateNeuron(mlir::Operation *op);
  llvm::LogicalResult evaluateSynapse(mlir::Operation *op);
  llvm::LogicalResult evaluateEvents(mlir::Operation *op);
  llvm::LogicalResult evaluateSpatial(mlir::Operation *op);
  llvm::LogicalResult evaluateTraining(mlir::Operation *op);
  llvm::LogicalResult evaluateElementwise(mlir::Operation *op);
  llvm::LogicalResult evaluateCheck(mlir::Operation *op);
  /// Where the first-come order of a sample's list starts in this step.
  int64_t firstUnit(bool rotate, int64_t sample, int64_t units) const {
    return rotate ? Rotation(units).first(currentStep, sample) : 0;
  }
  void countLists(mlir::Operation *op, const Tensor &events);

  llvm::DenseMap<mlir::Value, TensorPtr> values;
  llvm::MapVector<mlir::StringAttr, ListCount> listCounts;
  bool checksFailed = false;
  int64_t currentStep = 0; // of the scan that runs, 0 outside
};

/// The value of a constant: elements or splat, of f32, i32 or i1. Null where the attribute is none of these.
TensorPtr constantTensor(mlir::Attribute attribute);

/// A model's arguments by name and what it gives, for tools: see InterpretTool.cpp.
int interpretTool(int argc, char **argv);

} // namespace spikeloom::snn
#endif
