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

class SNN_ValueMethod<string description, string name>
    : InterfaceMethod<description, "::mlir::Value", name>;

def SNN_LossOpInterface : OpInterface<"LossOpInterface"> {
  let cppNamespace = "::spikeloom::snn";
  let description = [{
    A loss of rows that are judged by labels: `[B, C]`, or `[T, B, C]` for the mean over the steps. It gives its value,
    its gradient with respect to the rows and the number of correct samples.
  }];
  let methods = [
    SNN_ValueMethod<"What is judged.", "getLogits">,
    SNN_ValueMethod<"The labels, one per sample.", "getLabels">,
    SNN_ValueMethod<"The weights of the samples.", "getWeights">,
    SNN_ValueMethod<"The loss, a scalar.", "getLoss">,
    SNN_ValueMethod<"The gradient, in the shape of the logits.", "getGradient">,
    SNN_ValueMethod<"The number of correct samples, a scalar.", "getCorrect">,
  ];
}

def SNN_OptimizerOpInterface : OpInterface<"OptimizerOpInterface"> {
  let cppNamespace = "::spikeloom::snn";
  let description = [{ One step of an optimiser on one parameter. }];
  let methods = [
    SNN_ValueMethod<"The parameter before the step.", "getParameter">,
    SNN_ValueMethod<"Its gradient.", "getGradient">,
    SNN_ValueMethod<"The parameter after the step.", "getResult">,
    SNN_ValueMethod<"What all gradients are multiplied by, or null.", "getScale">,
    SNN_ValueMethod<"The factors of this step.", "getHyper">,
    InterfaceMethod<"The optimiser's states, in the shape of the parameter.",
                    "::llvm::SmallVector<::mlir::Value>", "getStates">,
    InterfaceMethod<"The states after the step.", "::llvm::SmallVector<::mlir::Value>", "getNextStates">,
  ];
}

#endif
