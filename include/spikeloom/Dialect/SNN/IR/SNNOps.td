// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the snn dialect.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNOPS
#define SPIKELOOM_DIALECT_SNN_IR_SNNOPS

include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "spikeloom/Dialect/SNN/IR/SNNOpBase.td"
include "spikeloom/Dialect/SNN/IR/SpatialOps.td"

//===----------------------------------------------------------------------===//
// Time
//===----------------------------------------------------------------------===//

def SNN_ScanOp : SNN_Op<"scan", [
    AttrSizedOperandSegments, AttrSizedResultSegments, RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"::spikeloom::snn::YieldOp">]> {
  let summary = "a loop over time with explicit state";
  let description = [{
    Runs its body for each of T steps, T being the first dimension of the sequences (or the attribute `steps` when
    there is none). The body's arguments are one step of each sequence, then the states; `snn.yield` gives one step
    of each stacked result, then the new states. Values from outside (parameters) are captured. With `reverse` the
    steps run from T-1 to 0; step t still reads and writes row t. The results are the stacked values, then the states
    after the last step.

    A scan in the body of a scan runs over the steps of a segment (see `snn.split_time`): its step t in step s of the
    outer scan is step s T + t to whatever asks for the number of the step.

    ```mlir
    %spikes, %last = snn.scan over(%xt = %x : tensor<100x48x784xf32>) state(%v = %v0 : tensor<48x10xf32>)
        -> (tensor<100x48x10xf32>), (tensor<48x10xf32>) {
      %i = snn.linear %xt, %w : (tensor<48x784xf32>, tensor<10x784xf32>) -> tensor<48x10xf32>
      %s, %v1 = snn.neuron %i, %v {decay = 0.9 : f32} : tensor<48x10xf32>, tensor<48x10xf32> -> tensor<48x10xf32>, tensor<48x10xf32>
      snn.yield step(%s : tensor<48x10xf32>) state(%v1 : tensor<48x10xf32>)
    }
    ```
  }];
  let arguments = (ins Variadic<SNN_Tensor>:$sequences, Variadic<SNN_Tensor>:$inits,
                       UnitAttr:$reverse, OptionalAttr<I64Attr>:$steps);
  let results = (outs Variadic<SNN_Tensor>:$stacked, Variadic<SNN_Tensor>:$finals);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// The number of steps T.
    int64_t getNumSteps();
    /// Body arguments: one step of each sequence.
    ::mlir::Block::BlockArgListType getStepArgs() { return getBody().front().getArguments().take_front(getSequences().size()); }
    /// Body arguments: the states at the start of the step.
    ::mlir::Block::BlockArgListType getStateArgs() { return getBody().front().getArguments().drop_front(getSequences().size()); }
    ::spikeloom::snn::YieldOp getYield();
    /// The type of one step of a stacked type (the first dimension dropped, the encoding kept), and the reverse.
    static ::mlir::RankedTensorType getStepType(::mlir::RankedTensorType stacked);
    static ::mlir::RankedTensorType getStackedType(::mlir::RankedTensorType step, int64_t steps);
    /// The states that act on the results of these numbers, or on what the body does beside computing.
    ::llvm::BitVector usefulStates(const ::llvm::BitVector &results);
    /// Does the scan compute the steps of a segment again? It then lies in a scan of the other direction.
    bool isRecomputed();
  }];
}

def SNN_YieldOp : SNN_Op<"yield", [Pure, Terminator, AttrSizedOperandSegments, HasParent<"ScanOp">]> {
  let summary = "ends a step of a scan";
  let description = [{
    Gives one step of each stacked result and the new value of each state.

    Example: `snn.yield step(%s : tensor<48x10xf32>) state(%v1 : tensor<48x10xf32>)`
  }];
  let arguments = (ins Variadic<SNN_Tensor>:$stepValues, Variadic<SNN_Tensor>:$states);
  let assemblyFormat = [{
    (`step` `(` $stepValues^ `:` type($stepValues) `)`)? (`state` `(` $states^ `:` type($states) `)`)? attr-dict
  }];
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange(), ::mlir::ValueRange()); }]>];
}

//===----------------------------------------------------------------------===//
// Synapses
//===----------------------------------------------------------------------===//

def SNN_LinearOp : SNN_Op<"linear", [Pure, SNN_Differentiable]> {
  let summary = "synapses: input times transposed weights, plus bias";
  let description = [{
    `result[b, o] = sum over i of input[b, i] * weight[o, i]  (+ bias[o])`. Of an event tensor only the true spikes
    are read. Sums run over i in ascending order from +0, the bias is added last. Of a weight with connections
    (`#snn.connections`) there are only the terms of its connections; an input that is not listed counts 0 there.

    Example: `%i = snn.linear %x, %w bias(%b : tensor<10xf32>) : (tensor<48x784xf32>, tensor<10x784xf32>) -> tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, SNN_Tensor:$weight, Optional<SNN_Tensor>:$bias);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` `(` $bias^ `:` type($bias) `)`)? attr-dict
    `:` `(` type($input) `,` type($weight) `)` `->` type($result)
  }];
  let hasVerifier = 1;
}

def SNN_LinearInputGradOp : SNN_Op<"linear_input_grad", [Pure]> {
  let summary = "adjoint of the synapses with respect to their input";
  let description = [{
    `result[b, i] = sum over o of gradient[b, o] * weight[o, i]`. With a support the result is an event tensor with
    the support of that operand and only its listed entries are computed. Of a weight with connections there are only
    the terms of its connections.

    The order of the sum is part of the meaning: the optional `placement = [group, perTile]` (written by the
    partition) says which output units share a tile: unit o lies in group g = o / (perTile * group); with
    r = o mod (perTile * group) it is unit r / group of the tile in lane r mod group. A tile adds its units in
    ascending order from +0; the tiles of a group are added as sixteen strided partial sums (lane q, q+16, ...; absent
    lanes count +0) and a halving tree; groups are added in ascending order. Without it all units are one tile's.

    Example: `%dx = snn.linear_input_grad %g, %w support(%e : tensor<48x784xf32, #snn.events<capacity = 32>>) : (tensor<48x10xf32>, tensor<10x784xf32>) -> tensor<48x784xf32, #snn.events<capacity = 32>>`
  }];
  let arguments = (ins SNN_Tensor:$gradient, SNN_Tensor:$weight, Optional<SNN_Tensor>:$support,
                       OptionalAttr<DenseI64ArrayAttr>:$placement);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = [{
    $gradient `,` $weight (`support` `(` $support^ `:` type($support) `)`)? attr-dict
    `:` `(` type($gradient) `,` type($weight) `)` `->` type($result)
  }];
  let hasVerifier = 1;
}

def SNN_LinearWeightGradOp : SNN_Op<"linear_weight_grad", [Pure, AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "adjoint of the synapses with respect to their weights, added to an accumulator";
  let description = [{
    `result[o, i] = accumulator[o, i] + sum over b of gradient[b, o] * input[b, i]`, b ascending, each product added
    to the accumulator in turn. Of an event tensor only the true spikes are read (binary ones without a product).
    An accumulator with connections gets the products at its connections, of inputs that are not listed 0 times the
    gradient, and stays zero elsewhere.

    Example: `%dw1 = snn.linear_weight_grad %g, %x into %dw : (tensor<48x10xf32>, tensor<48x784xf32>) -> tensor<10x784xf32>`
  }];
  let arguments = (ins SNN_Tensor:$gradient, SNN_Tensor:$input, SNN_Tensor:$accumulator);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = [{
    $gradient `,` $input `into` $accumulator attr-dict `:` `(` type($gradient) `,` type($input) `)` `->` type($result)
  }];
  let hasVerifier = 1;
}

def SNN_BatchSumOp : SNN_Op<"batch_sum", [Pure, SNN_Differentiable, AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "sums a value over the samples of a batch, onto an accumulator";
  let description = [{
    `result[n] = accumulator[n] + sum over b of value[b, n]`, b ascending, each added in turn: the gradient of a
    bias or of a per-unit parameter. With an accumulator of shape `[]` the per-unit sums, each taken from +0, are added
    to it in ascending n. A value of shape `[N]` holds such sums already and takes an accumulator of shape `[]`.

    Example: `%db1 = snn.batch_sum %g into %db : tensor<48x10xf32> -> tensor<10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$value, SNN_Tensor:$accumulator);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$value `into` $accumulator attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Neurons
//===----------------------------------------------------------------------===//

def SNN_NeuronOp : SNN_Op<"neuron", [Pure, SNN_Differentiable, AttrSizedOperandSegments,
                                   AttrSizedResultSegments]> {
  let summary = "one step of a spiking neuron";
  let description = [{
    With input x, membrane v, decay d, gain g, threshold θ, `lt = (1 - d) * leak` and H the comparison (`cmp`):

    | `order` | `reset_time` | update, fire, reset |
    | --- | --- | --- |
    | `integrate_fire` | `same_step` | `m = (d v + g x) + lt`, `s = H(m, θ)`, subtract: `v' = m - s θ`, value: `v' = s ? v_reset : m` |
    | `integrate_fire` | `delayed` | `r = H(v, θ)`, subtract: `v' = ((d v + g x) + lt) - r θ`, value of `decayed_state`: `v' = (d (r ? v_reset : v) + g x) + lt`, value of `whole_update`: `v' = r ? v_reset : (d v + g x) + lt`; `s = H(v', θ)` |
    | `fire_integrate` | - | `s = H(v, θ)`, then as delayed with r = s |

    Every operation is rounded by itself; factors of 1 and terms of 0 are left out. The results are the spikes (times
    `graded`), the new membrane and, on request, the compared membrane (what θ was compared with, before the reset):
    the tape of the surrogate gradient; and `fired`, dense: 1 where the reset of this step applies (s, or r when
    delayed), dropped spikes included. Where the spikes are an event tensor, the compared membrane has its support.
    Entries that do not fire but have a compared membrane above `near * θ` are listed after the spikes; with `near`
    of minus infinity that is every entry, whatever θ is; without `near` it is none.

    `decay` and `threshold` may be operands of shape `[N]` or `[]`: learnable or per-neuron values.
    `detach_reset` (the default) lets no gradient flow through s and r in the reset terms.

    With `rotate` the first-come order of the lists, of spikes and of near entries, starts at unit
    `(t p + b q) mod N` of step t and sample b, p = floor(0.618 N) and q = floor(0.382 N), both made odd, and wraps
    around: no unit is always last. What is kept is listed in ascending order as ever.

    `penalties = [k0, l0, k1, l1, ...]` adds to the training loss, for every step and sample with n neurons that fired
    before the cut, `w_b sum over i of (k_i / 2) max(0, n - l_i)^2`, w being `weights`. It changes nothing in the
    forward pass; the gradient goes through the surrogate of every neuron, listed or not, for which `unreset`, dense,
    is the compared membrane of every neuron.

    Example: `%s, %v1 = snn.neuron %i, %v {decay = 0.95 : f32, reset_time = #snn.reset_time<delayed>} : tensor<48x10xf32>, tensor<48x10xf32> -> tensor<48x10xf32>, tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, SNN_Tensor:$membrane,
      Optional<SNN_Tensor>:$decays, Optional<SNN_Tensor>:$thresholds, Optional<SNN_Tensor>:$weights,
      DefaultValuedAttr<SNN_FireOrderAttr, "::spikeloom::snn::FireOrder::integrate_fire">:$order,
      DefaultValuedAttr<SNN_ResetTimeAttr, "::spikeloom::snn::ResetTime::same_step">:$reset_time,
      DefaultValuedAttr<SNN_ResetKindAttr, "::spikeloom::snn::ResetKind::subtract">:$reset_kind,
      DefaultValuedAttr<SNN_ResetScopeAttr, "::spikeloom::snn::ResetScope::decayed_state">:$reset_scope,
      DefaultValuedAttr<SNN_ComparisonAttr, "::spikeloom::snn::Comparison::gt">:$cmp,
      DefaultValuedAttr<F32Attr, "1.0f">:$decay,
      DefaultValuedAttr<F32Attr, "1.0f">:$gain,
      DefaultValuedAttr<F32Attr, "0.0f">:$leak,
      DefaultValuedAttr<F32Attr, "1.0f">:$threshold,
      DefaultValuedAttr<F32Attr, "0.0f">:$v_reset,
      DefaultValuedAttr<F32Attr, "1.0f">:$graded,
      OptionalAttr<F32Attr>:$near,
      OptionalAttr<SNN_SurrogateAttr>:$surrogate,
      DefaultValuedAttr<BoolAttr, "true">:$detach_reset,
      UnitAttr:$rotate,
      OptionalAttr<DenseF32ArrayAttr>:$penalties);
  let results = (outs SNN_Tensor:$spikes, SNN_Tensor:$next, Optional<SNN_Tensor>:$compared,
                      Optional<SNN_Tensor>:$fired, Optional<SNN_Tensor>:$unreset);
  let assemblyFormat = [{
    $input `,` $membrane (`decay` `(` $decays^ `:` type($decays) `)`)? (`threshold` `(` $thresholds^ `:` type($thresholds) `)`)?
    (`weights` `(` $weights^ `:` type($weights) `)`)?
    attr-dict `:` type($input) `,` type($membrane) `->` type($spikes) `,` type($next)
    (`compared` `(` type($compared)^ `)`)? (`fired` `(` type($fired)^ `)`)? (`unreset` `(` type($unreset)^ `)`)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The surrogate in effect: the attribute's, else fast_sigmoid with slope 25.
    ::spikeloom::snn::SurrogateAttr getSurrogateOrDefault();
    /// Whether the adjoint reads where the reset applied.
    bool needsFired(bool trainsThreshold);
  }];
}

def SNN_NeuronAdjointOp : SNN_Op<"neuron_adjoint", [Pure, AttrSizedOperandSegments]> {
  let summary = "adjoint of one step of a spiking neuron";
  let description = [{
    From the cotangent gs of the spikes (dense, or with the support of the compared membrane), the cotangent gv' of
    the new membrane and the compared membrane p, computes the cotangents gx of the input and gv of the old membrane.
    With decay d, gain g and σ' the surrogate derivative:

    On the support `c = (gs * graded) * σ'(p)` and, for the terms [in brackets], which are there when
    `detach_reset` is false, the slope of the reset `e(p) = θ * σ'(p)` (subtract), `e(p) = (v_reset - p) * σ'(p)`
    (value) or `e(p) = (v_reset - u) * σ'(p)` (whole_update; u is `update`, what the reset replaced); elsewhere c and
    e are 0. With `penalties` (see `snn.neuron`) every unit's c then gets `+ q * σ'(unreset)`,
    `q = w_b * (sum over i of k_i * max(0, n - l_i))`, n being counted by the lists of the compared membrane.

    | neuron | cotangents |
    | --- | --- |
    | same_step, subtract | `a = (gv' + c) [- gv' e(p)]`, `gx = g a`, `gv = d a` |
    | same_step, value | `a = ((s ? 0 : gv') + c) [+ gv' e(p)]`, `gx = g a`, `gv = d a` |
    | delayed, subtract | `a = gv' + c`, `gx = g a`, `gv = d a [- a e(v)]` |
    | delayed, value, decayed_state | `a = gv' + c`, `gx = g a`, `gv = (r ? 0 : d a) [+ (d a) e(v)]` |
    | delayed, value, whole_update | `a = gv' + c`, `gx = g (r ? 0 : a)`, `gv = (r ? 0 : d a) [+ a e(v)]` |
    | fire_integrate, subtract | `gx = g gv'`, `gv = (d gv' + c) [- gv' e(p)]` |
    | fire_integrate, value, decayed_state | `gx = g gv'`, `gv = ((s ? 0 : d gv') + c) [+ (d gv') e(p)]` |
    | fire_integrate, value, whole_update | `gx = g (s ? 0 : gv')`, `gv = ((s ? 0 : d gv') + c) [+ gv' e(p)]` |

    The cotangent of the threshold, on request, is `-k` with k the sum of c and the term in brackets, and with
    subtract then `- f z`, f being `fired` and z what the reset term is multiplied by: gv' (same_step, fire_integrate)
    or a (delayed).

    Reset `none` is subtract without the brackets. A term whose cotangent gs or gv' is not given is left out (with
    fire_integrate, gv' is 0 then), and so are factors of 1; every operation is rounded by itself. The surrogate
    derivative σ' is that of `#snn.surrogate`.

    `fired` (1 where the neuron really fired, dropped or not; s or r above) is needed by resets to a value and by the
    threshold's cotangent with subtract, `previous` (the old membrane v) by delayed resets that are not detached.

    Example: `%gx, %gv = snn.neuron_adjoint %gs, %gv1, %p {decay = 0.95 : f32} : tensor<48x10xf32>, tensor<48x10xf32>, tensor<48x10xf32> -> tensor<48x10xf32>, tensor<48x10xf32>`
  }];
  let arguments = (ins Optional<SNN_Tensor>:$spikeCotangent, Optional<SNN_Tensor>:$nextCotangent,
      SNN_Tensor:$compared, Optional<SNN_Tensor>:$fired, Optional<SNN_Tensor>:$previous,
      Optional<SNN_Tensor>:$update, Optional<SNN_Tensor>:$unreset, Optional<SNN_Tensor>:$weights,
      Optional<SNN_Tensor>:$decays, Optional<SNN_Tensor>:$thresholds,
      DefaultValuedAttr<SNN_FireOrderAttr, "::spikeloom::snn::FireOrder::integrate_fire">:$order,
      DefaultValuedAttr<SNN_ResetTimeAttr, "::spikeloom::snn::ResetTime::same_step">:$reset_time,
      DefaultValuedAttr<SNN_ResetKindAttr, "::spikeloom::snn::ResetKind::subtract">:$reset_kind,
      DefaultValuedAttr<SNN_ResetScopeAttr, "::spikeloom::snn::ResetScope::decayed_state">:$reset_scope,
      DefaultValuedAttr<SNN_ComparisonAttr, "::spikeloom::snn::Comparison::gt">:$cmp,
      DefaultValuedAttr<F32Attr, "1.0f">:$decay,
      DefaultValuedAttr<F32Attr, "1.0f">:$gain,
      DefaultValuedAttr<F32Attr, "1.0f">:$threshold,
      DefaultValuedAttr<F32Attr, "0.0f">:$v_reset,
      DefaultValuedAttr<F32Attr, "1.0f">:$graded,
      SNN_SurrogateAttr:$surrogate,
      DefaultValuedAttr<BoolAttr, "true">:$detach_reset,
      OptionalAttr<DenseF32ArrayAttr>:$penalties);
  let results = (outs SNN_Tensor:$inputCotangent, SNN_Tensor:$membraneCotangent,
                      Optional<SNN_Tensor>:$thresholdCotangent);
  let assemblyFormat = [{
    (`spikes` `(` $spikeCotangent^ `:` type($spikeCotangent) `)`)? (`next` `(` $nextCotangent^ `:` type($nextCotangent) `)`)?
    `compared` `(` $compared `:` type($compared) `)` (`fired` `(` $fired^ `:` type($fired) `)`)?
    (`previous` `(` $previous^ `:` type($previous) `)`)? (`update` `(` $update^ `:` type($update) `)`)?
    (`unreset` `(` $unreset^ `:` type($unreset) `)`)? (`weights` `(` $weights^ `:` type($weights) `)`)?
    (`decay` `(` $decays^ `:` type($decays) `)`)? (`threshold` `(` $thresholds^ `:` type($thresholds) `)`)?
    attr-dict `->` type($inputCotangent) `,` type($membraneCotangent) (`,` type($thresholdCotangent)^)?
  }];
  let hasVerifier = 1;
}

def SNN_IntegratorOp : SNN_Op<"integrator", [Pure, SNN_Differentiable, AllTypesMatch<["state", "next"]>]> {
  let summary = "one step of a leaky integrator: a readout or a synaptic current";
  let description = [{
    `v' = (decay * v + gain * x) + (1 - decay) * leak`; factors of 1 and terms of 0 are left out. `decay` may be an
    operand of shape `[N]` or `[]`.

    Example: `%v1 = snn.integrator %x, %v {decay = 0.9 : f32} : tensor<48x10xf32>, tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, SNN_Tensor:$state, Optional<SNN_Tensor>:$decays,
      DefaultValuedAttr<F32Attr, "1.0f">:$decay,
      DefaultValuedAttr<F32Attr, "1.0f">:$gain,
      DefaultValuedAttr<F32Attr, "0.0f">:$leak);
  let results = (outs SNN_Tensor:$next);
  let assemblyFormat = [{
    $input `,` $state (`decay` `(` $decays^ `:` type($decays) `)`)? attr-dict `:` type($input) `,` type($state)
  }];
  let hasVerifier = 1;
}

def SNN_SpikeOp : SNN_Op<"spike", [Pure, SNN_Differentiable, AllTypesMatch<["value", "spikes"]>]> {
  let summary = "the step function with a surrogate derivative";
  let description = [{
    1 where the value compares (`cmp`) with the threshold, else 0: for neurons that are written as arithmetic.
    `thresholds` may be an operand of the value's shape, `[N]` or `[]`. With `max_spikes` M it is the number of
    thresholds in the value, `min(floor(value / threshold), M)` where the value is positive, else 0 (sinabs
    `MultiSpike`, and `MaxSpike` with a limit); M = 0 stands for any number.

    Example: `%s = snn.spike %v {threshold = 1.0 : f32} : tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$value, Optional<SNN_Tensor>:$thresholds,
      DefaultValuedAttr<SNN_ComparisonAttr, "::spikeloom::snn::Comparison::gt">:$cmp,
      DefaultValuedAttr<F32Attr, "1.0f">:$threshold,
      OptionalAttr<SNN_SurrogateAttr>:$surrogate,
      OptionalAttr<I64Attr>:$max_spikes);
  let results = (outs SNN_Tensor:$spikes);
  let assemblyFormat = [{
    $value (`threshold` `(` $thresholds^ `:` type($thresholds) `)`)? attr-dict `:` type($value)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

def SNN_CompressOp : SNN_Op<"compress", [Pure, SNN_Differentiable]> {
  let summary = "makes an event tensor of a dense one";
  let description = [{
    Lists the entries that are not zero, ascending, and cuts the list at the capacity. The result type says whether
    the events are binary (then every entry that is not zero counts as 1). `rotate`: see `snn.neuron`.

    Example: `%e = snn.compress %x : tensor<48x784xf32> -> tensor<48x784xf32, #snn.events<capacity = 32, binary = true>>`
  }];
  let arguments = (ins SNN_Tensor:$input, UnitAttr:$rotate);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def SNN_ExpandOp : SNN_Op<"expand", [Pure, SNN_Differentiable]> {
  let summary = "the dense tensor of an event tensor";
  let description = [{
    The values of the support, zero elsewhere.

    Example: `%x = snn.expand %e : tensor<48x784xf32, #snn.events<capacity = 32>> -> tensor<48x784xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def SNN_RestrictOp : SNN_Op<"restrict", [Pure]> {
  let summary = "the values of a dense tensor on the support of an event tensor";
  let description = [{
    Adjoint of `snn.expand`: an event tensor with the support of `like` (spikes and near entries) and the values that
    the dense tensor has there.

    Example: `%c = snn.restrict %g like %e : tensor<48x10xf32>, tensor<48x10xf32, #snn.events<capacity = 4, binary = true>> -> tensor<48x10xf32, #snn.events<capacity = 4>>`
  }];
  let arguments = (ins SNN_Tensor:$input, SNN_Tensor:$like);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input `like` $like attr-dict `:` type($input) `,` type($like) `->` type($result)";
  let hasVerifier = 1;
}

def SNN_AccumulateOp : SNN_Op<"accumulate", [Pure, SameOperandsAndResultType]> {
  let summary = "sum of two event cotangents with one support";
  let description = [{
    Both operands are cotangents of the same event value, so their supports are equal; the sum is entry by entry.

    Example: `%c = snn.accumulate %a, %b : tensor<48x10xf32, #snn.events<capacity = 4>>`
  }];
  let arguments = (ins SNN_Tensor:$lhs, SNN_Tensor:$rhs);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Checks, for tests
//===----------------------------------------------------------------------===//

def SNN_CheckEqualOp : SNN_Op<"check_equal", [AllTypesMatch<["actual", "expected"]>]> {
  let summary = "checks that two values are equal, bit by bit";
  let description = [{
    For tests run by `snn-interpret --check`. Zeros of both signs are equal, and so are NaNs.

    Example: `snn.check_equal %a, %b : tensor<4x8xf32>`
  }];
  let arguments = (ins SNN_Tensor:$actual, SNN_Tensor:$expected);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
  let hasVerifier = 1;
}

def SNN_CheckCloseOp : SNN_Op<"check_close", [AllTypesMatch<["actual", "expected"]>]> {
  let summary = "checks that two values differ little";
  let description = [{
    For tests run by `snn-interpret --check`: no element may differ by more than `tolerance`.

    Example: `snn.check_close %a, %b {tolerance = 1.0e-6 : f32} : tensor<4x8xf32>`
  }];
  let arguments = (ins SNN_Tensor:$actual, SNN_Tensor:$expected, DefaultValuedAttr<F32Attr, "1e-6f">:$tolerance);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
  let hasVerifier = 1;
}

def SNN_CheckEventsOp : SNN_Op<"check_events"> {
  let summary = "checks the lists of an event tensor";
  let description = [{
    For tests run by `snn-interpret --check`: per row the ids of the listed spikes, of the near entries, and how many neurons
    fired, listed or not (each only where the attribute is given).

    Example: `snn.check_events %e {spikes = [array<i64: 0, 3>, array<i64>], near = [array<i64: 1>, array<i64>], fired = array<i64: 5, 0>} : tensor<2x8xf32, #snn.events<capacity = 3>>`
  }];
  let arguments = (ins SNN_Tensor:$events, OptionalAttr<ArrayAttr>:$spikes, OptionalAttr<ArrayAttr>:$near,
                       OptionalAttr<DenseI64ArrayAttr>:$fired);
  let assemblyFormat = "$events attr-dict `:` type($events)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Shapes and sums
//===----------------------------------------------------------------------===//

def SNN_BroadcastOp : SNN_Op<"broadcast", [Pure, SNN_Differentiable]> {
  let summary = "spreads a parameter over units and samples";
  let description = [{
    From `[N]` or `[]` to `[B, N]`, or from `[B, 1]`.

    Example: `%d = snn.broadcast %beta : tensor<10xf32> -> tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

include "spikeloom/Dialect/SNN/IR/TimeOps.td"
include "spikeloom/Dialect/SNN/IR/SNNTrainingOps.td"

#endif
