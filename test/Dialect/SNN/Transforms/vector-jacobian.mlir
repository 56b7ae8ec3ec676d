// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{dense-inputs=true}),snn-vector-jacobian{surrogate=atan:2 detach-reset=false},canonicalize)' | FileCheck %s
// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{dense-inputs=true}),snn-vector-jacobian{states=true},canonicalize)' | FileCheck %s --check-prefix=STATES
// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{dense-inputs=true input-capacity=x:3}),snn-vector-jacobian)' | FileCheck %s --check-prefix=LISTED
// RUN: not snn-opt %s --pass-pipeline='builtin.module(snn-vector-jacobian{surrogate=step:1})' 2>&1 | FileCheck %s --check-prefix=SURROGATE
// RUN: snn-compile %s --machine=tiny --gradients --stop-after=tile | FileCheck %s --check-prefix=TILE
// RUN: snn-compile %s --machine=tiny --state-gradients -o %t.loom
// RUN: not snn-compile %s --machine=tiny --gradients --train -o %t.loom 2>&1 | FileCheck %s --check-prefix=BOTH

// SURROGATE: error: option 'surrogate' takes KIND or KIND:PARAMETER..., found
// BOTH: snn-compile: --train and --gradients exclude each other

// The input stays dense, so that all of it has a gradient; what is not trainable has none; nor has an input that
// acts on nothing.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[DY:arg[0-9]+]]: tensor<7x4x5xf32> {snn.kind = #snn.kind<input>, snn.name = "y.cotangent"})
// CHECK-SAME: -> (tensor<7x4x5xf32> {snn.name = "y"}, tensor<4x20xf32> {snn.state = "mem"}, tensor<4x20xf32> {snn.state = "spk"},
// CHECK-SAME: tensor<7x4x12xf32> {snn.name = "x.grad", snn.of = "x", snn.role = "gradient"},
// CHECK-SAME: tensor<20x12xf32> {snn.name = "fc1.weight.grad", snn.of = "fc1.weight", snn.role = "gradient"})
// CHECK: snn.scan over
// CHECK: snn.neuron {{.*}}{detach_reset = false, near = 0xFF800000 : f32, snn.layer = "fc1", surrogate = #snn.surrogate<atan, 2.000000e+00>}
// CHECK: snn.scan reverse over(%{{.*}} = %[[DY]] : tensor<7x4x5xf32>
// CHECK: snn.linear_input_grad

// The membrane is differentiated; the spikes are carried as lists.
// STATES: snn.name = "y.cotangent"}
// STATES-SAME: %[[DM:arg[0-9]+]]: tensor<4x20xf32> {snn.initial = 0.000000e+00 : f32, snn.kind = #snn.kind<state>, snn.name = "mem.cotangent"})
// STATES-SAME: {snn.name = "x.grad", snn.of = "x", snn.role = "gradient"}
// STATES-SAME: {snn.name = "fc1.weight.grad",
// STATES-SAME: tensor<4x20xf32> {snn.name = "mem.grad", snn.of = "mem", snn.role = "gradient"})
// STATES: snn.scan reverse {{.*}} = %[[DM]] : tensor<4x20xf32>

// LISTED: snn.compress {{.*}} -> tensor<4x12xf32, #snn.events<capacity = 3>>

// TILE-DAG: tile.port {{.*}}"x.grad"
// TILE-DAG: tile.port {{.*}}"fc1.weight.grad"
func.func @main(%x: tensor<7x4x12xf32> {snn.name = "x", snn.kind = #snn.kind<input>}, %unused: tensor<7x4x3xf32> {snn.name = "z", snn.kind = #snn.kind<input>}, %w: tensor<20x12xf32> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>, snn.trainable}, %r: tensor<20x20xf32> {snn.name = "rec.weight", snn.kind = #snn.kind<parameter>}, %w2: tensor<5x20xf32> {snn.name = "fc2.weight", snn.kind = #snn.kind<parameter>}, %u: tensor<4x20xf32> {snn.name = "mem", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32}, %p: tensor<4x20xf32> {snn.name = "spk", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32}) -> (tensor<7x4x5xf32> {snn.name = "y"}, tensor<4x20xf32> {snn.state = "mem"}, tensor<4x20xf32> {snn.state = "spk"}) {
  %y, %f:2 = snn.scan over(%xt = %x : tensor<7x4x12xf32>) state(%m = %u : tensor<4x20xf32>, %o = %p : tensor<4x20xf32>) -> (tensor<7x4x5xf32>), (tensor<4x20xf32>, tensor<4x20xf32>) {
    %i = snn.linear %xt, %w : (tensor<4x12xf32>, tensor<20x12xf32>) -> tensor<4x20xf32>
    %k = snn.linear %o, %r : (tensor<4x20xf32>, tensor<20x20xf32>) -> tensor<4x20xf32>
    %j = arith.addf %i, %k : tensor<4x20xf32>
    %s, %n = snn.neuron %j, %m {} : tensor<4x20xf32>, tensor<4x20xf32> -> tensor<4x20xf32>, tensor<4x20xf32>
    %l = snn.linear %s, %w2 : (tensor<4x20xf32>, tensor<5x20xf32>) -> tensor<4x5xf32>
    snn.yield step(%l : tensor<4x5xf32>) state(%n, %s : tensor<4x20xf32>, tensor<4x20xf32>)
  }
  return %y, %f#0, %f#1 : tensor<7x4x5xf32>, tensor<4x20xf32>, tensor<4x20xf32>
}
