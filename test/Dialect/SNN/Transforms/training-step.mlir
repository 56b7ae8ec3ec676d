// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events),snn-training-step{optimizer=sgd readout=membrane_mean surrogate=atan:2 detach-reset=false lr=0.5},canonicalize)' | FileCheck %s
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=spike_rate},canonicalize)' | FileCheck %s --check-prefix=RATE
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=membrane_last},canonicalize)' | FileCheck %s --check-prefix=LAST
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{loss=hinge})' 2>&1 | FileCheck %s --check-prefix=LOSS
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{optimizer=lion})' 2>&1 | FileCheck %s --check-prefix=OPTIMIZER
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=first})' 2>&1 | FileCheck %s --check-prefix=READOUT
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=output})' 2>&1 | FileCheck %s --check-prefix=OUTPUT
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{surrogate=relu})' 2>&1 | FileCheck %s --check-prefix=SURROGATE

// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{loss=mse})' 2>&1 | FileCheck %s --check-prefix=FIT
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{loss=mse_count readout=membrane_max})' 2>&1 | FileCheck %s --check-prefix=FIT-COUNT
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{targets=1})' 2>&1 | FileCheck %s --check-prefix=TARGETS
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{momentum=0.5})' 2>&1 | FileCheck %s --check-prefix=MOMENTUM
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{optimizer=sgd nesterov=true})' 2>&1 | FileCheck %s --check-prefix=NESTEROV
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{beta2=1})' 2>&1 | FileCheck %s --check-prefix=BETA
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{weight-decay=-1})' 2>&1 | FileCheck %s --check-prefix=DECAY
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{clip-gradients=norm:0})' 2>&1 | FileCheck %s --check-prefix=CLIP
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{optimizer=sgd momentum=0.9 nesterov=true weight-decay=0.1 clip-gradients=value:2 loss=mse_count targets=0.75,0.25},canonicalize)' | FileCheck %s --check-prefix=SGD
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{optimizer=adamw weight-decay=0.1 clip-gradients=norm:2 loss=mse readout=membrane_each targets=2,-1},canonicalize)' | FileCheck %s --check-prefix=ADAMW
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=membrane_max},canonicalize)' | FileCheck %s --check-prefix=MAX

// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{surrogate=leaky:1:x})' 2>&1 | FileCheck %s --check-prefix=PARAMETER
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{surrogate=atan:0})' 2>&1 | FileCheck %s --check-prefix=POSITIVE
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{truncate=-1})' 2>&1 | FileCheck %s --check-prefix=TRUNCATE
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{rate-penalty=1})' 2>&1 | FileCheck %s --check-prefix=RATE-PENALTY
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{overflow-penalty=-1})' 2>&1 | FileCheck %s --check-prefix=OVERFLOW
// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{capacity=fc1:10 rotate=true}),snn-training-step{truncate=3 rate-penalty=2:0.1 overflow-penalty=100},canonicalize)' | FileCheck %s --check-prefix=PENALTIES

// PARAMETER: error: option 'surrogate' takes KIND or KIND:PARAMETER..., found 'leaky:1:x': 'x' is no number
// POSITIVE: error: option 'surrogate' is 'atan:0': parameter 'alpha' of surrogate 'atan' must be positive, found 0
// TRUNCATE: error: option 'truncate' is -1; a number of steps, or 0 for not, is wanted
// RATE-PENALTY: error: option 'rate-penalty' takes WEIGHT:RATE with a positive WEIGHT and the RATE in [0, 1] above which firing costs, found '1'
// OVERFLOW: error: option 'overflow-penalty' is -1.000000e+00; a weight of at least 0 is wanted

// 2 * 2 / (7 * 20 * 20) above 0.1 * 20 spikes, 2 * 100 / (7 * 20 * 20) above 0.9 * 10.
// PENALTIES: snn.neuron {{.*}} weights({{.*}} : tensor<4xf32>) {{.*}}penalties = array<f32: 0.00142857141, 2.000000e+00, 0.0714285746, 9.000000e+00>, rotate
// PENALTIES-NOT: snn.detach_every
// PENALTIES: snn.neuron_adjoint {{.*}} unreset({{.*}}) weights({{.*}})
// PENALTIES: snn.zero_every {{.*}} {steps = 3 : i64}

// FIT: error: loss 'mse' does not fit the readout 'spike_count'; it fits: spike_rate, membrane_mean, membrane_max, membrane_last, membrane_each, output (for counts there is the loss mse_count)
// FIT-COUNT: error: loss 'mse_count' does not fit the readout 'membrane_max'; it fits: spike_count
// TARGETS: error: option 'targets' takes ON,OFF: what mse wants of the labelled unit and of the others, such as 1,0; found '1'
// MOMENTUM: error: options 'momentum' and 'nesterov' belong to the optimiser sgd, found 'adam'
// NESTEROV: error: option 'nesterov' needs a momentum above 0
// BETA: error: option 'beta2' is 1.000000e+00; a number in [0, 1) is wanted
// DECAY: error: option 'weight-decay' is -1.000000e+00; a number of at least 0 is wanted
// CLIP: error: option 'clip-gradients' takes norm:LIMIT (of all gradients together) or value:LIMIT (of each element) with a positive LIMIT, found 'norm:0'

// SGD: snn.name = "fc1.weight.momentum", snn.of = "fc1.weight"
// SGD: snn.training = {loss = "mse_count", lr = 1.000000e-03 : f64, momentum = {{0.9[0-9]*|9.0*e-01}} : f64, optimizer = "sgd", readout = "spike_count", weight_decay = 1.000000e-01 : f64}
// SGD: snn.squared_error {{.*}} {off = 1.000000e+00 : f32, on = 5.000000e+00 : f32, scale = {{0.142857[0-9]*}} : f64}
// SGD: snn.sgd {{.*}} momentum({{.*}}) {clip = 2.000000e+00 : f32, decay = #snn.weight_decay<l2>, nesterov}

// ADAMW: snn.squared_error {{.*}} {off = -1.000000e+00 : f32, on = 2.000000e+00 : f32} : tensor<7x4x5xf32>, tensor<4xi32>, tensor<4xf32>
// ADAMW: %{{.*}}, %[[FACTOR:.*]] = snn.clip_by_norm %{{.*}} {limit = 2.000000e+00 : f32} : tensor<20x12xf32> -> tensor<f32>, tensor<f32>
// ADAMW: snn.adam {{.*}} scale(%[[FACTOR]] : tensor<f32>) {decay = #snn.weight_decay<decoupled>

// MAX: %[[LOWEST:.*]] = arith.constant dense<-3.40282347E+38>
// MAX: %{{.*}}, %[[F:.*]]:3 = snn.scan over
// MAX: arith.maximumf
// MAX: snn.cross_entropy %[[F]]#2

// LOSS: error: option 'loss' is 'hinge'; there are: cross_entropy, mse, mse_count
// OPTIMIZER: error: option 'optimizer' is 'lion'; there are: adam, adamw, sgd
// READOUT: error: option 'readout' is 'first'; there are: spike_count, spike_rate, membrane_mean, membrane_max, membrane_last, membrane_each, output
// OUTPUT: error: readout 'output' needs logits [batch, classes], found the first output 'tensor<7x4x5xf32>'
// SURROGATE: error: option 'surrogate' takes KIND or KIND:PARAMETER..., found 'relu'; kinds: fast_sigmoid, superspike, atan, soft_sign

// The label's name avoids the input's. What lists and does not say what is near lists all.
// CHECK-LABEL: func.func @main
// CHECK-SAME: snn.name = "labels_"
// CHECK-SAME: tensor<20x12xf32> {snn.name = "fc1.weight", snn.update = "fc1.weight"}, tensor<4x20xf32> {snn.state = "mem"}, tensor<20x12xf32> {snn.name = "fc1.weight.grad", snn.of = "fc1.weight", snn.role = "gradient"})
// CHECK-SAME: snn.training = {loss = "cross_entropy", lr = 5.000000e-01 : f64, optimizer = "sgd", readout = "membrane_mean"}
// CHECK: snn.neuron {{.*}}{detach_reset = false, near = 0xFF800000 : f32, snn.layer = "fc1", surrogate = #snn.surrogate<atan, 2.000000e+00>}
// CHECK: snn.neuron {{.*}}{detach_reset = false, graded = 5.000000e-01 : f32, snn.layer = "layer1", surrogate = #snn.surrogate<superspike, 3.000000e+00>}
// CHECK: %[[SUM:.*]] = snn.sum_time
// CHECK: %[[MEAN:.*]] = arith.mulf %[[SUM]]
// CHECK: snn.cross_entropy %[[MEAN]]
// CHECK: snn.scan reverse
// CHECK: snn.sgd

// RATE: arith.constant dense<0.142857149> : tensor<4x5xf32>
// RATE: arith.mulf

// LAST: %{{.*}}, %[[F:.*]]:2 = snn.scan over
// LAST: snn.cross_entropy %[[F]]#1
func.func @main(%x: tensor<7x4x12xf32> {snn.name = "labels", snn.kind = #snn.kind<input>}, %w: tensor<20x12xf32> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>, snn.trainable}, %w2: tensor<5x20xf32> {snn.kind = #snn.kind<parameter>}, %u: tensor<4x20xf32>, %v: tensor<4x5xf32>) -> (tensor<7x4x5xf32>, tensor<4x20xf32> {snn.state = "mem"}) {
  %y, %f:2 = snn.scan over(%xt = %x : tensor<7x4x12xf32>) state(%m = %u : tensor<4x20xf32>, %k = %v : tensor<4x5xf32>) -> (tensor<7x4x5xf32>), (tensor<4x20xf32>, tensor<4x5xf32>) {
    %i = snn.linear %xt, %w : (tensor<4x12xf32>, tensor<20x12xf32>) -> tensor<4x20xf32>
    %s, %n = snn.neuron %i, %m {} : tensor<4x20xf32>, tensor<4x20xf32> -> tensor<4x20xf32>, tensor<4x20xf32>
    %j = snn.linear %s, %w2 : (tensor<4x20xf32>, tensor<5x20xf32>) -> tensor<4x5xf32>
    %o, %l = snn.neuron %j, %k {graded = 0.5 : f32, surrogate = #snn.surrogate<superspike, 3.0>} : tensor<4x5xf32>, tensor<4x5xf32> -> tensor<4x5xf32>, tensor<4x5xf32>
    snn.yield step(%o : tensor<4x5xf32>) state(%n, %l : tensor<4x20xf32>, tensor<4x5xf32>)
  }
  return %y, %f#0 : tensor<7x4x5xf32>, tensor<4x20xf32>
}
