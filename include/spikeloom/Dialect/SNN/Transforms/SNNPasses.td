// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes on the snn dialect.
#ifndef SPIKELOOM_DIALECT_SNN_TRANSFORMS_SNNPASSES
#define SPIKELOOM_DIALECT_SNN_TRANSFORMS_SNNPASSES

include "mlir/Pass/PassBase.td"

def SNNPrepareLayers : Pass<"snn-prepare-layers", "::mlir::func::FuncOp"> {
  let summary = "write layers that differ between training and inference as what they do there";
  let description = [{
    Inference: `snn.batch_norm` becomes arithmetic with the running statistics, `snn.dropout` its operand.

    Training: `snn.batch_norm` takes the statistics of the batch; the running ones become states of its scan that
    start from the parameters, and results of the function that replace them (`snn.update`). `snn.dropout` gets keys:
    arguments of the function (`#snn.kind<random>`) that the host draws for every training step.
  }];
  let options = [Option<"train", "train", "bool", "false", "Whether a training step follows">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def SNNChooseEvents : Pass<"snn-choose-events", "::mlir::func::FuncOp"> {
  let summary = "turn spikes that feed synapses into event tensors of a chosen capacity";
  let description = [{
    Spikes of a neuron that reach a `snn.linear` (also through a state or from one scan to the next) become event
    tensors, and an input of the model that feeds a `snn.linear` is compressed. Whoever else reads such a value gets
    it back through `snn.expand`. Neurons that feed no synapse, such as the readout, stay dense.

    The capacity of a layer of N neurons is N, so that nothing is dropped, unless `max-activity` F (or `layer-activity` LAYER:F)
    is given: then it is max(2, 2 floor(F N / 2)). Neurons whose spikes are also an output of the model, and inputs, keep N unless
    `capacity` or `input-capacity` names them. A layer is called after the attribute `snn.layer` of its neuron, else
    after the weights that feed it (`fc1` for `fc1.weight`), else `layer<k>` with k counting neurons from 0; the pass
    writes the name to `snn.layer`.
  }];
  let options = [
    Option<"maxActivity", "max-activity", "double", "0.0",
           "Share of a hidden layer's neurons that may spike in one step of one sample, in (0, 1]; 0: any number">,
    Option<"secondThreshold", "second-threshold", "double", "0.0",
           "List neurons that do not fire but exceed this share of their threshold, so that they get a gradient; "
           "0: do not set">,
    ListOption<"inputCapacity", "input-capacity", "std::string",
               "NAME:N, the most entries of input NAME that are read in one step of one sample (repeatable)">,
    ListOption<"layerActivity", "layer-activity", "std::string",
               "LAYER:F, max-activity of layer LAYER alone; goes before max-activity (repeatable)">,
    ListOption<"capacity", "capacity", "std::string",
               "LAYER:N, the most spikes of layer LAYER in one step of one sample; goes before both (repeatable)">,
    Option<"rotate", "rotate", "bool", "false",
           "Let the first-come order of lists that may overflow start at another unit in every step and sample">,
    ListOption<"binaryInputs", "binary-inputs", "std::string",
               "Inputs whose values are only 0 and 1, so that their events need no payload; 'all' for every input">,
    Option<"denseInputs", "dense-inputs", "bool", "false",
           "Compress only the inputs that `input-capacity` names: what a list does not hold gets no gradient">,
  ];
}

def SNNTrainingStep : Pass<"snn-training-step", "::mlir::ModuleOp"> {
  let summary = "make one training step of an inference function";
  let description = [{
    Replaces `@main`, an inference function, by one step of training: forward pass, readout, loss, gradients by
    `snn-differentiate`, optimiser. New arguments: the labels (`#snn.kind<label>`), the weights of the samples
    (`#snn.kind<weight>`), the optimiser's factors of this step (`#snn.kind<hyper>`) and its states
    (`#snn.kind<optimizer>`, called `<parameter>.m` and `<parameter>.v` or `<parameter>.momentum`). Results, in this order: the loss and the number of correct
    samples (`snn.role`), the new parameters and optimiser states (`snn.update`), the last value of every state
    (`snn.state`), the gradients (`snn.role = "gradient"`, `snn.of`).

    The reported loss is that of the readout, without penalties.

    Every neuron that makes event tensors and has no second threshold lists all its neurons as near (as far as its
    capacity goes), because what is not listed gets no gradient.
  }];
  let options = [
    Option<"loss", "loss", "std::string", "\"cross_entropy\"",
           "The loss: cross_entropy, mse (of values) or mse_count (of spike counts)">,
    Option<"readout", "readout", "std::string", "\"spike_count\"",
           "What the loss reads: spike_count or spike_rate (first output, summed or averaged over the steps); "
           "membrane_mean, membrane_max, membrane_last or membrane_each (membrane of the neuron that makes the first "
           "output: its mean, largest or last value, or the mean of the losses of all steps); or output (the first "
           "output itself, for a model that sums over time by itself)">,
    Option<"targets", "targets", "std::string", "\"1,0\"",
           "ON,OFF: what mse wants of the labelled unit and of the others; for mse_count as shares of the steps">,
    Option<"optimizer", "optimizer", "std::string", "\"adam\"", "The optimiser: adam, adamw or sgd">,
    Option<"lr", "lr", "double", "1e-3", "Learning rate, written to the function for the host">,
    Option<"momentum", "momentum", "double", "0.0", "Momentum of sgd">,
    Option<"nesterov", "nesterov", "bool", "false", "Nesterov momentum">,
    Option<"weightDecay", "weight-decay", "double", "0.0",
           "Weight decay: added to the gradient (sgd, adam) or taken from the parameter (adamw)">,
    Option<"beta1", "beta1", "double", "0.9", "Decay of Adam's first moment">,
    Option<"beta2", "beta2", "double", "0.999", "Decay of Adam's second moment">,
    Option<"epsilon", "epsilon", "double", "1e-8", "What Adam adds to the root of the second moment">,
    Option<"clipGradients", "clip-gradients", "std::string", "\"\"",
           "norm:LIMIT (of all gradients together) or value:LIMIT (of each element); empty: not">,
    Option<"ratePenalty", "rate-penalty", "std::string", "\"\"",
           "WEIGHT:RATE: adds WEIGHT * max(0, share - RATE)^2 to the loss, share being the part of a hidden layer that "
           "fires in a step of a sample, before its list is cut; the mean over steps and samples; empty: not">,
    Option<"overflowPenalty", "overflow-penalty", "double", "0.0",
           "WEIGHT: the same above 0.9 of the capacity of each list, so that layers learn not to overflow; 0: not">,
    Option<"truncate", "truncate", "int64_t", "0",
           "Detach the states before every so many steps: truncated backpropagation through time; 0: not">,
    Option<"detachReset", "detach-reset", "std::string", "\"\"",
           "true or false: whether gradients stop at the reset of every neuron; empty: what each neuron says">,
    Option<"surrogate", "surrogate", "std::string", "\"fast_sigmoid:25\"",
           "KIND or KIND:PARAMETER... for neurons that name no surrogate: see #snn.surrogate">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def SNNVectorJacobian : Pass<"snn-vector-jacobian", "::mlir::ModuleOp"> {
  let summary = "make the gradients of an inference function for cotangents that the caller gives";
  let description = [{
    Adds the reverse pass to `@main`, an inference function, so that it can be a layer of a model that somebody else
    differentiates. New arguments: for every output the cotangent `<output>.cotangent`, an input of the same type. New
    results, behind those of the function: the gradients `<name>.grad` (`snn.role = "gradient"`, `snn.of = "<name>"`) of
    its inputs and trainable parameters, as far as they act on an output. With `states` the last values of states have
    cotangents, too (states of kind `#snn.kind<state>`, zero unless they are set), and the first values have gradients; but not states that carry spikes as lists.

    Neurons are treated as by `snn-training-step`.
  }];
  let options = [
    Option<"states", "states", "bool", "false", "Also differentiate last states with respect to first states">,
    Option<"detachReset", "detach-reset", "std::string", "\"\"",
           "true or false: whether gradients stop at the reset of every neuron; empty: what each neuron says">,
    Option<"surrogate", "surrogate", "std::string", "\"fast_sigmoid:25\"",
           "KIND or KIND:PARAMETER... for neurons that name no surrogate: see #snn.surrogate">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def SNNDifferentiate : Pass<"snn-differentiate", "::mlir::func::FuncOp"> {
  let summary = "replace snn.gradient by the adjoint computation";
  let description = [{
    Reverse-mode differentiation through `snn.scan`. The forward scan gets stacked results for exactly those values that
    adjoints read, the tape; the adjoint is a scan in the other direction over them. Gradients of captured parameters
    are states of it. Nothing is computed for values that do not depend on the variables.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def SNNFuseTimeSums : Pass<"snn-fuse-time-sums", "::mlir::func::FuncOp"> {
  let summary = "bring what is done with stacked values into scans";
  let description = [{
    A `snn.sum_time` of a stacked result becomes a state of the scan that is added to in each step (the same order, so
    the same bits), and a `snn.repeat_time` that a scan runs over becomes a captured value. Neither stacks a history.
    Arithmetic on stacked values outside scans (cotangents of what two scans read, for example) becomes part of the
    scans that run over its result; where others read it, and for sums of what a backward scan stacks, it becomes a scan
    of its own. Afterwards stacked values are made and read by scans only.

    ```mlir
    %s = arith.addf %a, %b : tensor<5x4x8xf32>
    %f = snn.scan over(%st = %s : tensor<5x4x8xf32>) state(%v = %v0 : tensor<4x8xf32>) -> (), (tensor<4x8xf32>) {...}
    // becomes
    %f = snn.scan over(%at = %a : tensor<5x4x8xf32>, %bt = %b : tensor<5x4x8xf32>) state(...) ... {
      %st = arith.addf %at, %bt : tensor<4x8xf32>
      ...
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::spikeloom::snn::SNNDialect"];
}

def SNNRecompute : Pass<"snn-recompute", "::mlir::func::FuncOp"> {
  let summary = "keep the states of every k-th step only, and compute the steps between again in the backward pass";
  let description = [{
    What a scan stacks for its adjoint, the tape, grows with the steps. This pass (after `snn-differentiate`) lets the
    forward scan run over segments of `every` steps and stack only the states that each of them starts from; the
    adjoint runs over the segments, too, and its body computes the steps of a segment again before it goes through
    them backwards. Tapes then hold `every` steps; the forward pass is computed twice; results keep their bits.

    ```mlir
    %tape, %last = snn.scan over(%xt = %x : tensor<100x48x784xf32>) state(%v = %v0 : ...) -> (...), (...) { ... }
    %dv = snn.scan reverse over(%tt = %tape : tensor<100x48x10xf32>) state(%d = %dv1 : ...) -> (), (...) { ... }
    // with every=25 becomes
    %xs = snn.split_time %x : tensor<100x48x784xf32> -> tensor<4x25x48x784xf32>
    %starts, %last = snn.scan over(%xk = %xs : tensor<4x25x48x784xf32>) state(%v = %v0 : ...) -> (...), (...) {
      %end = snn.scan over(%xt = %xk : tensor<25x48x784xf32>) state(%w = %v : ...) -> (), (...) { ... }
      snn.yield step(%v : tensor<48x10xf32>) state(%end : tensor<48x10xf32>)
    }
    %dv = snn.scan reverse over(%xk = %xs : ..., %start = %starts : tensor<4x48x10xf32>) state(%d = %dv1 : ...) -> (), (...) {
      %tape, %end = snn.scan over(%xt = %xk : tensor<25x48x784xf32>) state(%w = %start : ...) -> (...), (...) { ... }
      %dk = snn.scan reverse over(%tt = %tape : tensor<25x48x10xf32>) state(%e = %d : ...) -> (), (...) { ... }
      snn.yield state(%dk : tensor<48x10xf32>)
    }
    ```

    A stacked value that others than the one adjoint read is no tape: it is kept for all steps. Scans of at most `every`
    steps stay; otherwise `every` must divide the steps of the scan.
  }];
  let options = [Option<"every", "every", "int64_t", "0", "Steps of a segment; 0: keep all tapes">];
}

def SNNVerifyEncoding : Pass<"snn-verify-encoding"> {
  let summary = "refuse event tensors and sparse weights on operations that do not know them";
  let description = [{
    Upstream operations and passes ignore or erase encodings that they do not know. This pass fails on any operation
    outside the snn dialect that takes or gives a tensor with `#snn.events`, naming it; functions, calls and returns may.
    A weight with `#snn.connections` is for synapses, their adjoints, optimisers and constants only.
  }];
}

#endif
