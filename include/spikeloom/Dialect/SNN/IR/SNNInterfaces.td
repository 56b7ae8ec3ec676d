// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Interfaces that passes use instead of knowing ops by name.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNINTERFACES
#define SPIKELOOM_DIALECT_SNN_IR_SNNINTERFACES

include "mlir/IR/OpBase.td"

def SNN_DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::spikeloom::snn";
  let description = [{
    An op that knows its adjoint. `snn-differentiate` calls it once, in reverse order, where a cotangent arrives, and
    tapes exactly the values that it asks the context for.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the adjoint: reads the cotangents of the results and taped values from the context, adds cotangents to the
      operands that need one. Emits an error and fails where the op has no derivative.
    }], "::llvm::LogicalResult", "buildAdjoint", (ins "::spikeloom::snn::AdjointContext &":$context)>
  ];
}

#endif
