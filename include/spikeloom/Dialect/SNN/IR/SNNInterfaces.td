// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Interfaces that passes use instead of knowing ops by name.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNINTERFACES
#define SPIKELOOM_DIALECT_SNN_IR_SNNINTERFACES

include "mlir/IR/OpBase.td"

def SNN_DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::spikeloom::snn";
  let description = [{
    An op that knows its adjoint. `snn-differentiate` tapes what the adjoint reads (every value that
    `buildAdjoint` obtains through `taped`) and calls it once, in reverse order.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the adjoint. `cotangents` holds one value per result, null where no gradient arrives. `taped(v)` gives
      the value that v had in the forward pass. Returns one cotangent per operand, null where none flows.
    }], "::llvm::SmallVector<::mlir::Value>", "buildAdjoint",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$cotangents,
           "::llvm::function_ref<::mlir::Value(::mlir::Value)>":$taped)>
  ];
}

#endif
