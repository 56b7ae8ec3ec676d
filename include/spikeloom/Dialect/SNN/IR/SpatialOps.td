// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations on rows that are viewed as features [C, H, W]: parts, convolutions, per-channel parameters, softmax.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SPATIALOPS
#define SPIKELOOM_DIALECT_SNN_IR_SPATIALOPS

include "spikeloom/Dialect/SNN/IR/SNNOpBase.td"

class SNN_WindowOp<string mnemonic, list<Trait> traits = []> : SNN_Op<mnemonic, [Pure, SNN_Differentiable] # traits> {
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{ ::spikeloom::snn::Window getWindow(); }];
}

def SNN_SliceOp : SNN_WindowOp<"slice"> {
  let summary = "a strided window of a row";
  let description = [{
    The row `[.., N]` is viewed as `shape` (row-major), the result as `sizes`; element i of the result is the row's element
    `offsets + strides * i`. Positions outside of `shape` read `fill`, so that negative offsets pad.

    Max pooling is `arith.maximumf` over the slices under each position of the window, from the last position to the
    first with the earlier one as second operand: of equal values the first then gets the gradient, as in PyTorch.

    One gate of an LSTM, and one of the four inputs of a 2x2 maximum:

    ```mlir
    %f = snn.slice %gates {shape = [128], offsets = [32], sizes = [32], strides = [1]} : tensor<48x128xf32> -> tensor<48x32xf32>
    %a = snn.slice %x {shape = [8, 28, 28], offsets = [0, 0, 1], sizes = [8, 14, 14], strides = [1, 2, 2]}
        : tensor<48x6272xf32> -> tensor<48x1568xf32>
    ```
  }];
  let arguments = (ins SNN_Tensor:$input, I64ArrayAttr:$shape, I64ArrayAttr:$offsets, I64ArrayAttr:$sizes,
                       I64ArrayAttr:$strides, DefaultValuedAttr<F32Attr, "0.0f">:$fill);
}

def SNN_PlaceOp : SNN_WindowOp<"place"> {
  let summary = "a row of zeros with a window filled: adjoint of snn.slice";
  let description = [{
    The result is viewed as `shape`, the input as `sizes`; element `offsets + strides * i` of the result is element i of the
    input, all others are +0. Elements that would lie outside of `shape` are left out.

    Example: `%g = snn.place %d {shape = [128], offsets = [32], sizes = [32], strides = [1]} : tensor<48x32xf32> -> tensor<48x128xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, I64ArrayAttr:$shape, I64ArrayAttr:$offsets, I64ArrayAttr:$sizes,
                       I64ArrayAttr:$strides);
}

def SNN_ConcatOp : SNN_Op<"concat", [Pure, SNN_Differentiable]> {
  let summary = "rows side by side";
  let description = [{
    The rows of the operands one after another: concatenation along the first axis of the feature view.

    Example: `%y = snn.concat %a, %b : (tensor<48x32xf32>, tensor<48x10xf32>) -> tensor<48x42xf32>`
  }];
  let arguments = (ins Variadic<SNN_Tensor>:$inputs);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$inputs attr-dict `:` functional-type($inputs, $result)";
  let hasVerifier = 1;
}

class SNN_ConvOp<string mnemonic, list<Trait> traits = []> : SNN_Op<mnemonic, [Pure] # traits> {
  dag geometry = (ins I64ArrayAttr:$input, I64ArrayAttr:$kernel, OptionalAttr<I64ArrayAttr>:$strides,
      OptionalAttr<I64ArrayAttr>:$padding, OptionalAttr<I64ArrayAttr>:$dilations, DefaultValuedAttr<I64Attr, "1">:$groups);
  let hasVerifier = 1;
  let extraClassDeclaration = [{ ::spikeloom::snn::ConvGeometry getGeometry(); }];
}

def SNN_ConvMatrixOp : SNN_ConvOp<"conv_matrix", [SNN_Differentiable]> {
  let summary = "the weight matrix of a convolution";
  let description = [{
    From a kernel `[Cout, Cin/groups * kh * kw]` the matrix `[Out, In]` with which `snn.linear` computes the convolution of
    a row viewed as `input` = [Cin, H, W] (or [Cin, L]); its result is viewed as [Cout, Ho, Wo]. `padding` lists what is
    added before each axis, then after; `strides`, `dilations` default to 1, `padding` to 0. Entry (o, i) is the value of
    the kernel with which input i enters output o, +0 where there is none.

    Average and sum pooling are the matrix of a constant kernel with `groups` = Cin.

    Example: `%m = snn.conv_matrix %w {input = [1, 28, 28], kernel = [5, 5], padding = [2, 2, 2, 2]} : tensor<8x25xf32> -> tensor<6272x784xf32>`
  }];
  let arguments = !con((ins SNN_Tensor:$weight), geometry);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `->` type($result)";
}

def SNN_ConvKernelGradOp : SNN_ConvOp<"conv_kernel_grad"> {
  let summary = "adjoint of snn.conv_matrix: sums over the entries of a matrix that share a kernel value";
  let description = [{
    `result[c, k]` is the sum of the entries (o, i) of the gradient `[Out, In]` over the outputs o of channel c whose
    input under kernel position k exists. The optional `placement` orders the sum over o as in
    `snn.linear_input_grad`; outputs that do not take part count +0.

    Example: `%dw = snn.conv_kernel_grad %dm {input = [1, 28, 28], kernel = [5, 5], padding = [2, 2, 2, 2]} : tensor<6272x784xf32> -> tensor<8x25xf32>`
  }];
  let arguments = !con((ins SNN_Tensor:$gradient), geometry, (ins OptionalAttr<DenseI64ArrayAttr>:$placement));
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$gradient attr-dict `:` type($gradient) `->` type($result)";
}

def SNN_SpreadOp : SNN_Op<"spread", [Pure, SNN_Differentiable]> {
  let summary = "each value of a row several times";
  let description = [{
    `result[.., c * inner + j] = input[.., c]` for j in [0, inner): a parameter of each channel for each unit, such as the
    bias of a convolution.

    Example: `%b = snn.spread %bias {inner = 784} : tensor<8xf32> -> tensor<6272xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, I64Attr:$inner);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def SNN_FoldOp : SNN_Op<"fold", [Pure, SNN_Differentiable]> {
  let summary = "sums of neighbours in a row: adjoint of snn.spread";
  let description = [{
    `result[.., c] = sum over j in [0, inner) of input[.., c * inner + j]`, ascending from +0.

    Example: `%db = snn.fold %g {inner = 784} : tensor<6272xf32> -> tensor<8xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, I64Attr:$inner);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def SNN_SoftmaxOp : SNN_Op<"softmax", [Pure, SNN_Differentiable, SameOperandsAndResultType]> {
  let summary = "softmax over a row, or its logarithm";
  let description = [{
    With m the maximum of the row x and S the sum of `exp(x_i - m)` in ascending order: `exp(x_i - m) / S`, or with `log`
    `(x_i - m) - log(S)`.

    Example: `%y = snn.softmax %x {log} : tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, UnitAttr:$log);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def SNN_SoftmaxAdjointOp : SNN_Op<"softmax_adjoint", [Pure, SameOperandsAndResultType]> {
  let summary = "adjoint of snn.softmax";
  let description = [{
    With y the result of the softmax and g its cotangent: `y_i * (g_i - S)`, S the sum of `g_j * y_j`; with `log`
    `g_i - exp(y_i) * S`, S the sum of `g_j`. Sums ascending from +0.

    Example: `%gx = snn.softmax_adjoint %g, %y : tensor<48x10xf32>`
  }];
  let arguments = (ins SNN_Tensor:$gradient, SNN_Tensor:$output, UnitAttr:$log);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$gradient `,` $output attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def SNN_BatchNormOp : SNN_Op<"batch_norm", [
    Pure, AllTypesMatch<["input", "result"]>, AllTypesMatch<["mean", "variance", "scale", "shift"]>]> {
  let summary = "normalisation of every channel by its mean and variance";
  let description = [{
    A row is viewed as C channels of `inner` units. With the running statistics: `f_c = scale_c / sqrt(variance_c +
    epsilon)`, `y = (x - mean_c) * f_c + shift_c`. That is what inference computes.

    A training step takes the mean and the variance over the batch and the units of the channel, in every step
    of time, and moves the running statistics, which must be parameters of `@main`: `mean' = mean * (1 - momentum) +
    batch mean * momentum`, the variance likewise, times n / (n - 1) for n values (as in PyTorch).
    `snn-prepare-layers` writes either as arithmetic.

    Example: `%y = snn.batch_norm %x mean(%m) variance(%v) scale(%g) shift(%b) {inner = 196} : tensor<48x1568xf32>, tensor<8xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, SNN_Tensor:$mean, SNN_Tensor:$variance, SNN_Tensor:$scale, SNN_Tensor:$shift,
      DefaultValuedAttr<I64Attr, "1">:$inner, DefaultValuedAttr<F32Attr, "1e-5f">:$epsilon,
      DefaultValuedAttr<F32Attr, "0.1f">:$momentum);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = [{
    $input `mean` `(` $mean `)` `variance` `(` $variance `)` `scale` `(` $scale `)` `shift` `(` $shift `)` attr-dict
    `:` type($input) `,` type($mean)
  }];
  let extraClassDeclaration = [{
    /// Values of a channel in a batch.
    int64_t getCount() { return getInput().getType().getDimSize(0) * int64_t(getInner()); }
  }];
  let hasVerifier = 1;
}

def SNN_DropoutOp : SNN_Op<"dropout", [Pure, SNN_Differentiable, AllTypesMatch<["input", "result"]>]> {
  let summary = "sets random units to zero in training";
  let description = [{
    Without a key it is its operand: inference. With a key (`[B, 1]`, whole numbers below 2^24 that the host draws
    anew for every training step, and unless `hold` for every step of time) unit n of sample b is kept where
    `draw >= round(rate * 2^24)`, and is then multiplied by 1 / (1 - rate); else it is +0. With `mix` the
    32-bit hash of Support/Random.h: `draw = mix(mix(key_b ^ salt) ^ n) >> 8`.

    `snn-prepare-layers` gives keys and salts in a training step and removes the operation otherwise.

    Example: `%y = snn.dropout %x key(%k : tensor<48x1xf32>) {rate = 0.5 : f32, salt = 3} : tensor<48x128xf32>`
  }];
  let arguments = (ins SNN_Tensor:$input, Optional<SNN_Tensor>:$key, F32Attr:$rate, DefaultValuedAttr<I64Attr, "0">:$salt,
                       UnitAttr:$hold);
  let results = (outs SNN_Tensor:$result);
  let assemblyFormat = "$input (`key` `(` $key^ `:` type($key) `)`)? attr-dict `:` type($input)";
  let extraClassDeclaration = [{
    /// Draws below this number drop the unit.
    int64_t getThreshold();
    /// What the units that are kept are multiplied with.
    float getFactor();
  }];
  let hasVerifier = 1;
}

#endif
