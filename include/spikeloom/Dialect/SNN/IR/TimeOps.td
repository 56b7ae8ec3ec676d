// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the snn dialect on values of all time steps. Part of SNNOps.td.
#ifndef SPIKELOOM_DIALECT_SNN_IR_TIMEOPS
#define SPIKELOOM_DIALECT_SNN_IR_TIMEOPS

def SNN_SumTimeOp : SNN_Op<"sum_time", [Pure, SNN_Differentiable]> {
  let summary = "sum over the time steps";
  let description = [{
    From `[T, B, N]` to `[B, N]`, t ascending from +0: spike counts, summed readouts.

    Example: `%count = snn.sum_time %s : tensor<100x48x10xf32> -> tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def SNN_RepeatTimeOp : SNN_Op<"repeat_time", [Pure]> {
  let summary = "the same value at every time step";
  let description = [{
    From `[B, N]` to `[T, B, N]`: adjoint of `snn.sum_time`.

    Example: `%g = snn.repeat_time %dcount : tensor<48x10xf32> -> tensor<100x48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def SNN_SplitTimeOp : SNN_Op<"split_time", [Pure]> {
  let summary = "the time steps in segments of equal length";
  let description = [{
    From `[T, ...]` to `[T / k, k, ...]`: a view, event lists included. A scan over it runs over segments, a scan in its
    body over the steps of a segment.

    Example: `%xs = snn.split_time %x : tensor<100x48x10xf32> -> tensor<4x25x48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def SNN_MergeTimeOp : SNN_Op<"merge_time", [Pure]> {
  let summary = "the time steps of all segments, one after another";
  let description = [{
    From `[S, k, ...]` to `[S k, ...]`: undoes `snn.split_time`.

    Example: `%x = snn.merge_time %xs : tensor<4x25x48x10xf32> -> tensor<100x48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

#endif
