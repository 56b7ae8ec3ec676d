// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the snn dialect that training adds: losses, gradients, clipping, optimisers. Part of SNNOps.td.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNTRAININGOPS
#define SPIKELOOM_DIALECT_SNN_IR_SNNTRAININGOPS

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

class SNN_LossOp<string mnemonic> : SNN_Op<mnemonic, [Pure, SNN_LossOpInterface]> {
  dag common = (ins SNN_Tensor:$logits, RankedTensorOf<[I32]>:$labels, SNN_Tensor:$weights);
  let results = (outs SNN_Tensor:$loss, SNN_Tensor:$gradient, SNN_Tensor:$correct);
  let assemblyFormat = [{
    $logits `,` $labels `,` $weights attr-dict `:` type($logits) `,` type($labels) `,` type($weights)
    `->` type($loss) `,` type($gradient) `,` type($correct)
  }];
  let hasVerifier = 1;
}

def SNN_CrossEntropyOp : SNN_LossOp<"cross_entropy"> {
  let summary = "softmax cross-entropy with its gradient";
  let description = [{
    For logits `[B, C]`, labels `[B]` and sample weights w `[B]` (the host passes 1 / number of valid samples, and 0
    for padding): loss = sum over b of w_b (log(sum over c of exp(l_bc - max_b)) + max_b - l_b,label); gradient = w_b (softmax_bc -
    onehot_bc); correct = number of samples with w_b > 0 whose lowest arg-max is the label. Sums ascending.

    For logits `[T, B, C]` every step is judged and the loss is the mean over the steps: each step counts
    w_b (1 / T) instead of w_b, a sample's steps are added in ascending t before the samples are, and a sample is
    correct by the arg-max of the sum of its logits over the steps.

    Example: `%loss, %d, %ok = snn.cross_entropy %l, %y, %w : tensor<48x10xf32>, tensor<48xi32>, tensor<48xf32> -> tensor<f32>, tensor<48x10xf32>, tensor<f32>`
  }];
  let arguments = common;
}

def SNN_SquaredErrorOp : SNN_LossOp<"squared_error"> {
  let summary = "mean squared error against a target for the labelled unit and one for the others";
  let description = [{
    As `snn.cross_entropy`, but the target of unit c of sample b is `on` where c is the label, else `off`:
    with e = l_bc - target and f = `scale` / C (rounded once from double), loss = sum over b of
    w_b (f (sum over c of e e)) and gradient = w_b ((2 f) e). With targets in spikes (`on` = the steps times the
    wanted rate) and `scale` = 1 / steps it is snnTorch's `mse_count_loss`, on membranes `[T, B, C]` its
    `mse_membrane_loss`.

    Example: `%loss, %d, %ok = snn.squared_error %l, %y, %w {on = 25.0 : f32, scale = 0.04 : f64} : tensor<48x10xf32>, tensor<48xi32>, tensor<48xf32> -> tensor<f32>, tensor<48x10xf32>, tensor<f32>`
  }];
  let arguments = !con(common, (ins DefaultValuedAttr<F32Attr, "1.0f">:$on, DefaultValuedAttr<F32Attr, "0.0f">:$off,
                                    DefaultValuedAttr<F64Attr, "1.0">:$scale));
  let extraClassDeclaration = [{
    /// f: what the sum of a sample's squared errors is multiplied by.
    float getFactor() {
      return float(getScale().convertToDouble() / double(getLogits().getType().getShape().back()));
    }
  }];
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

def SNN_GradientOp : SNN_Op<"gradient", [Pure, AttrSizedOperandSegments]> {
  let summary = "the gradient of a function of the values with respect to variables";
  let description = [{
    For `seeds`, the cotangents of `values`, gives the cotangents of `wrt`, in their types. It stands for a whole
    reverse pass: `snn-differentiate` replaces it by the adjoint computation.

    Example: `%dw = snn.gradient of(%y : tensor<48x10xf32>) seeds(%dy : tensor<48x10xf32>) wrt(%w : tensor<10x784xf32>) -> tensor<10x784xf32>`
  }];
  let arguments = (ins Variadic<SNN_Tensor>:$values, Variadic<SNN_Tensor>:$seeds, Variadic<SNN_Tensor>:$variables);
  let results = (outs Variadic<SNN_Tensor>:$gradients);
  let assemblyFormat = [{
    `of` `(` $values `:` type($values) `)` `seeds` `(` $seeds `:` type($seeds) `)`
    `wrt` `(` $variables `:` type($variables) `)` attr-dict `->` type($gradients)
  }];
  let hasVerifier = 1;
}

def SNN_DetachEveryOp : SNN_Op<"detach_every", [Pure, SNN_Differentiable, SameOperandsAndResultType]> {
  let summary = "a state that is detached every so many steps";
  let description = [{
    The value itself; in the steps t of the enclosing scan with t mod `steps` = 0 its cotangent is zero. On the states
    that enter a step it is truncated backpropagation through time, the same as PyTorch's `detach` of the states
    before every `steps`-th step. It is gone after differentiation.

    Example: `%w = snn.detach_every %v {steps = 10 : i64} : tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$value, ConfinedAttr<I64Attr, [IntPositive]>:$steps);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def SNN_ZeroEveryOp : SNN_Op<"zero_every", [Pure, SameOperandsAndResultType]> {
  let summary = "zero every so many steps";
  let description = [{
    Zero in the steps t of the enclosing scan with t mod `steps` = 0, else the value: adjoint of `snn.detach_every`.

    Example: `%h = snn.zero_every %g {steps = 10 : i64} : tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$value, ConfinedAttr<I64Attr, [IntPositive]>:$steps);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($value)";
  let hasVerifier = 1;
}

def SNN_ClipByNormOp : SNN_Op<"clip_by_norm", [Pure]> {
  let summary = "the norm of all gradients together, and the factor that keeps it below a limit";
  let description = [{
    `norm = sqrt(S_0 + S_1 + ...)` with S_k the sum of the squares of the k-th gradient; `factor = limit / (norm +
    1e-6)`, at most 1 (as `torch.nn.utils.clip_grad_norm_`). Optimisers take the factor with `scale(...)`.

    The order of the sums is part of the meaning. A gradient `[N, I]` gives each unit n six parts, the i in
    [k I / 6, (k + 1) I / 6), each added from +0 in ascending i; a unit's parts are added in order, then the units
    in ascending n from +0, then the gradients in order. A gradient `[N]` has one part per unit. Of one with
    connections, M at most for a unit, the parts are those of a gradient `[N, M]`: i counts a unit's connections.

    Example: `%norm, %factor = snn.clip_by_norm %dw, %db {limit = 1.0 : f32} : tensor<10x784xf32>, tensor<10xf32> -> tensor<f32>, tensor<f32>`
  }];
  let arguments = (ins Variadic<SNN_Tensor>:$gradients, F32Attr:$limit);
  let results = (outs SNN_Tensor:$norm, SNN_Tensor:$factor);
  let assemblyFormat = "$gradients attr-dict `:` type($gradients) `->` type($norm) `,` type($factor)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Parts of a unit's sum.
    static constexpr int64_t kParts = 6;
  }];
}

//===----------------------------------------------------------------------===//
// Optimisers
//===----------------------------------------------------------------------===//

class SNN_UpdateOp<string mnemonic, list<Trait> traits = []>
    : SNN_Op<mnemonic, [Pure, SNN_OptimizerOpInterface, AllTypesMatch<["parameter", "gradient", "result"]>] # traits> {
  let hasVerifier = 1;
}

def SNN_SgdOp : SNN_UpdateOp<"sgd", [AttrSizedOperandSegments]> {
  let summary = "one step of stochastic gradient descent";
  let description = [{
    With h = `hyper`, `tensor<4xf32>`, which the host fills for each step: h[0] the learning rate, h[2] the weight decay,
    h[3] the momentum. The gradient g is first multiplied by `scale`, then kept within [-`clip`, `clip`], then
    `g = g + h[2] p` with `decay = #snn.weight_decay<l2>`; what is not given is left out. Without a velocity
    `p' = p - h[0] g`; with one `m' = h[3] m + g` and `p' = p - h[0] m'`, or with `nesterov`
    `p' = p - h[0] (g + h[3] m')` (as in PyTorch).

    Example: `%p1, %m1 = snn.sgd %p, %g, %h momentum(%m : tensor<10x784xf32>) {nesterov} : tensor<10x784xf32>, tensor<4xf32> -> tensor<10x784xf32>`
  }];
  let arguments = (ins SNN_Tensor:$parameter, SNN_Tensor:$gradient, Optional<SNN_Tensor>:$velocity,
      Optional<SNN_Tensor>:$scale, SNN_Tensor:$hyper, OptionalAttr<F32Attr>:$clip,
      DefaultValuedAttr<SNN_WeightDecayAttr, "::spikeloom::snn::WeightDecay::none">:$decay, UnitAttr:$nesterov);
  let results = (outs SNN_Tensor:$result, Optional<SNN_Tensor>:$nextVelocity);
  let assemblyFormat = [{
    $parameter `,` $gradient `,` $hyper (`momentum` `(` $velocity^ `:` type($velocity) `)`)?
    (`scale` `(` $scale^ `:` type($scale) `)`)? attr-dict `:` type($parameter) `,` type($hyper)
    (`->` type($nextVelocity)^)?
  }];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::Value> getStates();
    ::llvm::SmallVector<::mlir::Value> getNextStates();
  }];
}

def SNN_AdamOp : SNN_UpdateOp<"adam", [AllTypesMatch<["parameter", "first", "second", "nextFirst", "nextSecond"]>]> {
  let summary = "one step of Adam or AdamW";
  let description = [{
    With h = `hyper`, `tensor<4xf32>`, which the host computes for step t: h[0] = lr / (1 - beta1^t), h[1] =
    1 / sqrt(1 - beta2^t), h[2] the weight decay (`l2`) or 1 - lr * decay (`decoupled`). The gradient g is first
    multiplied by `scale`, then kept within [-`clip`, `clip`]; `decay = #snn.weight_decay<l2>` adds h[2] p to it,
    `#snn.weight_decay<decoupled>` (AdamW) multiplies p by h[2]. Then `m' = beta1 m + (1 - beta1) g`,
    `v' = beta2 v + ((1 - beta2) g) g`, `p' = p - h[0] * (m' / (sqrt(v') * h[1] + eps))` (Kingma and Ba 2015, as in
    PyTorch).

    Example: `%p1, %m1, %v1 = snn.adam %p, %g, %m, %v, %h : tensor<10x784xf32>, tensor<4xf32>`
  }];
  let arguments = (ins SNN_Tensor:$parameter, SNN_Tensor:$gradient, SNN_Tensor:$first, SNN_Tensor:$second,
      Optional<SNN_Tensor>:$scale, SNN_Tensor:$hyper,
      DefaultValuedAttr<F32Attr, "0.9f">:$beta1, DefaultValuedAttr<F32Attr, "0.999f">:$beta2,
      DefaultValuedAttr<F32Attr, "1e-8f">:$epsilon, OptionalAttr<F32Attr>:$clip,
      DefaultValuedAttr<SNN_WeightDecayAttr, "::spikeloom::snn::WeightDecay::none">:$decay);
  let results = (outs SNN_Tensor:$result, SNN_Tensor:$nextFirst, SNN_Tensor:$nextSecond);
  let assemblyFormat = [{
    $parameter `,` $gradient `,` $first `,` $second `,` $hyper (`scale` `(` $scale^ `:` type($scale) `)`)?
    attr-dict `:` type($parameter) `,` type($hyper)
  }];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::Value> getStates() { return {getFirst(), getSecond()}; }
    ::llvm::SmallVector<::mlir::Value> getNextStates() { return {getNextFirst(), getNextSecond()}; }
  }];
}

#endif
