// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A dialect of one operation, and the pass that rewrites it to arithmetic.
#ifndef FILTER
#define FILTER

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Pass/PassBase.td"

def Filter_Dialect : Dialect {
  let name = "filter";
  let cppNamespace = "::filter";
  let summary = "synaptic filters";
}

def Filter_LowpassOp : Op<Filter_Dialect, "lowpass", [Pure, AllTypesMatch<["input", "state", "next"]>]> {
  let summary = "one step of an exponential synapse";
  let description = [{
    `next = decay * state + input`, for every unit of every sample: the current that spikes leave behind.

    Example: `%c1 = filter.lowpass %i, %c {decay = 0.8 : f32} : tensor<4x20xf32>`
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$input, 2DTensorOf<[F32]>:$state, F32Attr:$decay);
  let results = (outs 2DTensorOf<[F32]>:$next);
  let assemblyFormat = "$input `,` $state attr-dict `:` type($next)";
  let hasVerifier = 1;
}

def LowerFilters : Pass<"lower-filters"> {
  let summary = "rewrite filters to arithmetic that Spikeloom compiles and differentiates";
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif
