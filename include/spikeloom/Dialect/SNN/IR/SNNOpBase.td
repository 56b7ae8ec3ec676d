// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the definitions of all snn operations share.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNOPBASE
#define SPIKELOOM_DIALECT_SNN_IR_SNNOPBASE

include "mlir/Interfaces/SideEffectInterfaces.td"
include "spikeloom/Dialect/SNN/IR/SNNAttributes.td"
include "spikeloom/Dialect/SNN/IR/SNNInterfaces.td"

class SNN_Op<string mnemonic, list<Trait> traits = []> : Op<SNN_Dialect, mnemonic, traits>;

def SNN_Tensor : RankedTensorOf<[F32]>;
def SNN_Differentiable : DeclareOpInterfaceMethods<SNN_DifferentiableOpInterface>;

#endif
