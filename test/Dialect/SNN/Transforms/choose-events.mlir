// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events))' -split-input-file | FileCheck %s --check-prefixes=CHECK,FULL
// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{max-activity=0.3 second-threshold=0.5 binary-inputs=all}))' -split-input-file | FileCheck %s --check-prefixes=CHECK,SPARSE

// The hidden layer makes events, the last one stays dense; its spikes are an output and feed no synapse.
// CHECK-LABEL: func.func @feed_forward
// FULL: snn.compress %{{.*}} {snn.layer = "x"} : tensor<4x12xf32> -> tensor<4x12xf32, #snn.events<capacity = 12>>
// SPARSE: snn.compress %{{.*}} {snn.layer = "x"} : tensor<4x12xf32> -> tensor<4x12xf32, #snn.events<capacity = 12, binary = true>>
// FULL: snn.neuron %{{.*}} {snn.layer = "fc1"} : {{.*}} -> tensor<4x20xf32, #snn.events<capacity = 20, binary = true>>, tensor<4x20xf32>
// SPARSE: snn.neuron %{{.*}} {near = 5.000000e-01 : f32, snn.layer = "fc1"} : {{.*}} -> tensor<4x20xf32, #snn.events<capacity = 6, binary = true>>, tensor<4x20xf32>
// CHECK: snn.neuron %{{.*}} {graded = 5.000000e-01 : f32, snn.layer = "out"} : {{.*}} -> tensor<4x5xf32>, tensor<4x5xf32>
// CHECK: return
func.func @feed_forward(%x: tensor<7x4x12xf32> {snn.name = "x", snn.kind = #snn.kind<input>}, %w: tensor<20x12xf32> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>}, %w2: tensor<5x20xf32> {snn.name = "fc2.weight"}, %u: tensor<4x20xf32>, %v: tensor<4x5xf32>) -> tensor<7x4x5xf32> {
  %y, %f:2 = snn.scan over(%xt = %x : tensor<7x4x12xf32>) state(%m = %u : tensor<4x20xf32>, %k = %v : tensor<4x5xf32>) -> (tensor<7x4x5xf32>), (tensor<4x20xf32>, tensor<4x5xf32>) {
    %i = snn.linear %xt, %w : (tensor<4x12xf32>, tensor<20x12xf32>) -> tensor<4x20xf32>
    %s, %n = snn.neuron %i, %m {} : tensor<4x20xf32>, tensor<4x20xf32> -> tensor<4x20xf32>, tensor<4x20xf32>
    %j = snn.linear %s, %w2 : (tensor<4x20xf32>, tensor<5x20xf32>) -> tensor<4x5xf32>
    %o, %l = snn.neuron %j, %k {graded = 0.5 : f32, snn.layer = "out"} : tensor<4x5xf32>, tensor<4x5xf32> -> tensor<4x5xf32>, tensor<4x5xf32>
    snn.yield step(%o : tensor<4x5xf32>) state(%n, %l : tensor<4x20xf32>, tensor<4x5xf32>)
  }
  return %y : tensor<7x4x5xf32>
}

// -----

// Recurrent spikes are a state that starts as a list; the last value is expanded for the output, and the readout that
// feeds itself keeps room for all its neurons.
// CHECK-LABEL: func.func @recurrent
// CHECK: %[[Z:.*]] = snn.compress %{{.*}} : tensor<4x20xf32> -> tensor<4x20xf32, #snn.events<capacity = 20, binary = true>>
// CHECK: %[[Y:.*]], %[[F:.*]]:2 = snn.scan {{.*}}state({{.*}}%[[P:[a-z0-9]+]] = %[[Z]] : tensor<4x20xf32, #snn.events<capacity = 20, binary = true>>) -> (tensor<7x4x20xf32>), (tensor<4x20xf32>, tensor<4x20xf32, #snn.events<capacity = 20, binary = true>>)
// CHECK: snn.linear %[[P]], %{{.*}} : (tensor<4x20xf32, #snn.events<capacity = 20, binary = true>>
// CHECK: %[[S:.*]], %{{.*}} = snn.neuron
// CHECK: %[[D:.*]] = snn.expand %[[S]]
// CHECK: snn.yield step(%[[D]] : tensor<4x20xf32>) state(%{{.*}}, %[[S]] : tensor<4x20xf32>, tensor<4x20xf32, #snn.events<capacity = 20, binary = true>>)
// CHECK: %[[L:.*]] = snn.expand %[[F]]#1
// CHECK: return %[[Y]], %[[L]]
func.func @recurrent(%x: tensor<7x4x20xf32>, %w: tensor<20x20xf32>, %u: tensor<4x20xf32>, %z: tensor<4x20xf32>) -> (tensor<7x4x20xf32>, tensor<4x20xf32> {snn.state = "spk"}) {
  %y, %f:2 = snn.scan over(%xt = %x : tensor<7x4x20xf32>) state(%m = %u : tensor<4x20xf32>, %p = %z : tensor<4x20xf32>) -> (tensor<7x4x20xf32>), (tensor<4x20xf32>, tensor<4x20xf32>) {
    %r = snn.linear %p, %w : (tensor<4x20xf32>, tensor<20x20xf32>) -> tensor<4x20xf32>
    %i = arith.addf %xt, %r : tensor<4x20xf32>
    %s, %n = snn.neuron %i, %m {} : tensor<4x20xf32>, tensor<4x20xf32> -> tensor<4x20xf32>, tensor<4x20xf32>
    snn.yield step(%s : tensor<4x20xf32>) state(%n, %s : tensor<4x20xf32>, tensor<4x20xf32>)
  }
  return %y, %f#1 : tensor<7x4x20xf32>, tensor<4x20xf32>
}

// -----

// From one scan to the next the lists are stacked.
// CHECK-LABEL: func.func @two_scans
// FULL: %[[Y:.*]], %{{.*}} = snn.scan {{.*}} -> (tensor<7x4x20xf32, #snn.events<capacity = 20, binary = true>>), (tensor<4x20xf32>)
// SPARSE: %[[Y:.*]], %{{.*}} = snn.scan {{.*}} -> (tensor<7x4x20xf32, #snn.events<capacity = 6, binary = true>>), (tensor<4x20xf32>)
// CHECK: snn.layer = "layer0"
// FULL: snn.scan over(%{{.*}} = %[[Y]] : tensor<7x4x20xf32, #snn.events<capacity = 20, binary = true>>)
func.func @two_scans(%x: tensor<7x4x20xf32>, %w: tensor<5x20xf32>, %u: tensor<4x20xf32>) -> tensor<7x4x5xf32> {
  %y, %f = snn.scan over(%xt = %x : tensor<7x4x20xf32>) state(%m = %u : tensor<4x20xf32>) -> (tensor<7x4x20xf32>), (tensor<4x20xf32>) {
    %s, %n = snn.neuron %xt, %m {} : tensor<4x20xf32>, tensor<4x20xf32> -> tensor<4x20xf32>, tensor<4x20xf32>
    snn.yield step(%s : tensor<4x20xf32>) state(%n : tensor<4x20xf32>)
  }
  %o = snn.scan over(%yt = %y : tensor<7x4x20xf32>) -> (tensor<7x4x5xf32>), () {
    %j = snn.linear %yt, %w : (tensor<4x20xf32>, tensor<5x20xf32>) -> tensor<4x5xf32>
    snn.yield step(%j : tensor<4x5xf32>)
  }
  return %o : tensor<7x4x5xf32>
}
