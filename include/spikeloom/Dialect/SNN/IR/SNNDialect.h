// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The snn dialect and its attributes.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNDIALECT_H
#define SPIKELOOM_DIALECT_SNN_IR_SNNDIALECT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/TensorEncoding.h"

#include "spikeloom/Dialect/SNN/IR/SNNDialect.h.inc"
#include "spikeloom/Dialect/SNN/IR/SNNEnums.h.inc"

#include <vector>

#define GET_ATTRDEF_CLASSES
#include "spikeloom/Dialect/SNN/IR/SNNAttributes.h.inc"

namespace spikeloom::snn {

/// The event encoding of a tensor type, or null for a dense one.
EventsAttr getEvents(mlir::Type type);

/// The connections of a sparse weight's type (or of its gradient's), or null.
ConnectionsAttr getConnections(mlir::Type type);

/// The dense tensor type of the same shape.
mlir::RankedTensorType getDense(mlir::Type type);

/// The same shape as an event tensor.
mlir::RankedTensorType getEventTensor(mlir::Type type, int64_t capacity, bool binary);

// Names of the attributes on the arguments and results of a model's `@main`.
inline constexpr llvm::StringLiteral kNameAttr = "snn.name";
inline constexpr llvm::StringLiteral kKindAttr = "snn.kind";
inline constexpr llvm::StringLiteral kTrainableAttr = "snn.trainable";
inline constexpr llvm::StringLiteral kValueAttr = "snn.value";
inline constexpr llvm::StringLiteral kInitialAttr = "snn.initial";
inline constexpr llvm::StringLiteral kAxesAttr = "snn.axes";
/// On a result: the state argument whose last value it is.
inline constexpr llvm::StringLiteral kStateAttr = "snn.state";
/// On a result: the parameter or optimiser argument whose new value it is.
inline constexpr llvm::StringLiteral kUpdateAttr = "snn.update";
/// On a result of a training step or of snn-vector-jacobian: `loss`, `correct` or `gradient` (then `snn.of`
/// names what it is the gradient of).
inline constexpr llvm::StringLiteral kRoleAttr = "snn.role";
inline constexpr llvm::StringLiteral kOfAttr = "snn.of";
/// On a neuron and its adjoint the name of its layer, on a compressed input the input's: for options and
/// reports.
inline constexpr llvm::StringLiteral kLayerAttr = "snn.layer";

} // namespace spikeloom::snn
#endif
