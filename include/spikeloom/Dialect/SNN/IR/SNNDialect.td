// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The snn dialect: WHAT a sparse recurrent model computes.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNDIALECT
#define SPIKELOOM_DIALECT_SNN_IR_SNNDIALECT

include "mlir/IR/OpBase.td"

def SNN_Dialect : Dialect {
  let name = "snn";
  let cppNamespace = "::spikeloom::snn";
  let summary = "Spiking and recurrent models: neurons, synapses, sparse events, one scan over time";
  let description = [{
    The dialect says what a model computes, on plain tensors, and nothing of how anything is stored or where it runs.

    A step works on rows: `tensor<BxN>` holds N units of B samples, `tensor<TxBxN>` is such a tensor for each of T
    steps. `snn.scan` is the one construct for time. A tensor with the encoding `#snn.events<capacity = S>` is an
    *event tensor*: it has the shape and meaning of the dense tensor and also carries, per row, a list of at most S
    ids, its *support*. The first n0 ids, ascending, are true spikes; the ids from n0 to n1, ascending, are listed
    because they are near the threshold. Values off the support are zero. Making an event tensor (`snn.compress`, or
    a neuron whose result type asks for it) is the only lossy thing in the dialect: what does not fit is dropped,
    first come in ascending order, spikes first, and the state of a dropped spike is reset all the same.

    A model is one function `@main`. Its arguments carry `snn.name` (the user's name), `snn.kind` (what they are),
    for parameters `snn.trainable` and `snn.value`, for states `snn.initial`; its results carry `snn.name` and, when
    they are the last value of a state, `snn.state`. Where the user's array does not lie as `[T, B, N]` or `[B, N]`,
    `snn.axes` of the argument or result tells the host its dimensions: `"B,T,20"` is batch-major, `"(T,B),2,34,34"`
    are images with steps and samples in one dimension.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 0;
  let hasConstantMaterializer = 0;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

#endif
