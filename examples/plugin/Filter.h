// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef FILTER_H
#define FILTER_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/Pass.h"

#include "FilterDialect.h.inc"
#define GET_OP_CLASSES
#include "FilterOps.h.inc"

namespace filter {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "FilterPasses.h.inc"
} // namespace filter

#endif
