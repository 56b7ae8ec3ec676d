// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events),snn-training-step{optimizer=sgd readout=membrane_mean surrogate=atan:2 detach-reset=false lr=0.5},canonicalize)' | FileCheck %s
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=spike_rate},canonicalize)' | FileCheck %s --check-prefix=RATE
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=membrane_last},canonicalize)' | FileCheck %s --check-prefix=LAST
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{loss=mse})' 2>&1 | FileCheck %s --check-prefix=LOSS
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{optimizer=lion})' 2>&1 | FileCheck %s --check-prefix=OPTIMIZER
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=first})' 2>&1 | FileCheck %s --check-prefix=READOUT
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{readout=output})' 2>&1 | FileCheck %s --check-prefix=OUTPUT
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-training-step{surrogate=atan})' 2>&1 | FileCheck %s --check-prefix=SURROGATE

// LOSS: error: option 'loss' is 'mse'; there is: cross_entropy
// OPTIMIZER: error: option 'optimizer' is 'lion'; there are: adam, sgd
// READOUT: error: option 'readout' is 'first'; there are: spike_count, spike_rate,
// OUTPUT: error: readout 'output' needs logits [batch, classes], found the first output 'tensor<7x4x5xf32>'
// SURROGATE: error: option 'surrogate' takes KIND:SLOPE with KIND one of fast_sigmoid, superspike, atan and a positive SLOPE, found 'atan'

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
