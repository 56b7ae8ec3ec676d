// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the snn dialect.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNOPS_H
#define SPIKELOOM_DIALECT_SNN_IR_SNNOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "spikeloom/Dialect/SNN/IR/AdjointContext.h"
#include "spikeloom/Dialect/SNN/IR/SNNDialect.h"
#include "spikeloom/Dialect/SNN/IR/Spatial.h"

#include "spikeloom/Dialect/SNN/IR/SNNInterfaces.h.inc"

namespace spikeloom::snn {
class YieldOp;
} // namespace spikeloom::snn

#define GET_OP_CLASSES
#include "spikeloom/Dialect/SNN/IR/SNNOps.h.inc"

#endif
