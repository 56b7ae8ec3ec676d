// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an op's adjoint may ask of the pass that differentiates: cotangents, taped values, a builder.
#ifndef SPIKELOOM_DIALECT_SNN_IR_ADJOINTCONTEXT_H
#define SPIKELOOM_DIALECT_SNN_IR_ADJOINTCONTEXT_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace spikeloom::snn {

class AdjointContext {
public:
  virtual ~AdjointContext() = default;

  /// Where the adjoint is built.
  virtual mlir::OpBuilder &builder() = 0;

  /// The cotangent of a result; null where none arrives.
  virtual mlir::Value cotangent(mlir::Value result) = 0;

  /// Whether anybody wants the cotangent of an operand.
  virtual bool needs(mlir::Value operand) = 0;

  /// The value that `value` had in the forward pass. Asking puts it on the tape.
  virtual mlir::Value taped(mlir::Value value) = 0;

  /// Adds to the cotangent of an operand; does nothing where nobody needs it or `cotangent` is null.
  virtual void add(mlir::Value operand, mlir::Value cotangent) = 0;

  /// For adjoints that accumulate themselves: hands over the sum so far (zeros at first), takes the new sum.
  virtual void accumulate(mlir::Value operand, llvm::function_ref<mlir::Value(mlir::Value)> addTo) = 0;
};

/// The type of the cotangent of a value of this type: dense, or events with its support and a payload.
mlir::RankedTensorType getCotangentType(mlir::Type type);

} // namespace spikeloom::snn
#endif
