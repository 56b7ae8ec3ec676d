// The training step of a 12-8-6-4 network with events: what the conversion to the tile dialect gets.
// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{max-activity=0.5 second-threshold=0.9 input-capacity=x:6}),snn-training-step{surrogate=fast_sigmoid:25},func.func(snn-fuse-time-sums),canonicalize,cse,snn-verify-encoding)' | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[LABELS:[a-z0-9]+]]: tensor<4xi32> {snn.kind = #snn.kind<label>, snn.name = "labels"}
// CHECK-SAME: %[[WEIGHTS:[a-z0-9]+]]: tensor<4xf32> {snn.kind = #snn.kind<weight>, snn.name = "sample_weights"}
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<4xf32> {snn.kind = #snn.kind<hyper>, snn.name = "hyper"}
// CHECK-SAME: tensor<8x12xf32> {snn.initial = 0.000000e+00 : f32, snn.kind = #snn.kind<optimizer>, snn.name = "fc1.weight.m", snn.of = "fc1.weight"}
// CHECK-SAME: -> (tensor<f32> {snn.name = "loss", snn.role = "loss"}, tensor<f32> {snn.name = "correct", snn.role = "correct"}, tensor<8x12xf32> {snn.name = "fc1.weight", snn.update = "fc1.weight"}
// CHECK-SAME: tensor<8x12xf32> {snn.name = "fc1.weight.m", snn.update = "fc1.weight.m"}
// CHECK-SAME: tensor<4x8xf32> {snn.name = "mem1_out", snn.state = "mem1"}
// CHECK-SAME: tensor<8x12xf32> {snn.name = "fc1.weight.grad", snn.of = "fc1.weight", snn.role = "gradient"}

// Forward: the count of output spikes is a state, the tape holds lists and what was compared at listed ids.
// CHECK: %[[TAPE:.*]]:6, %[[FINALS:.*]]:4 = snn.scan over
// CHECK-SAME: -> (tensor<5x4x4xf32>, tensor<5x4x6xf32, #snn.events<capacity = 2, binary = true>>, tensor<5x4x6xf32, #snn.events<capacity = 2>>, tensor<5x4x8xf32, #snn.events<capacity = 4, binary = true>>, tensor<5x4x8xf32, #snn.events<capacity = 4>>, tensor<5x4x12xf32, #snn.events<capacity = 6>>)
// CHECK: snn.compress %{{.*}} {snn.layer = "x"} : tensor<4x12xf32> -> tensor<4x12xf32, #snn.events<capacity = 6>>
// CHECK: snn.neuron
// CHECK-SAME: near = 0.899999976 : f32, reset_time = #snn.reset_time<delayed>, snn.layer = "fc1", surrogate = #snn.surrogate<fast_sigmoid, 2.500000e+01>
// CHECK: snn.neuron
// CHECK-SAME: snn.layer = "fc2"
// CHECK: %[[S2:.*]], %{{.*}}, %{{.*}} = snn.neuron
// CHECK-NOT: near
// CHECK-SAME: snn.layer = "fc3"
// CHECK-SAME: compared(tensor<4x4xf32>)
// CHECK: arith.addf %{{.*}}, %[[S2]]

// CHECK: %{{.*}}, %[[DCOUNT:.*]], %{{.*}} = snn.cross_entropy %[[FINALS]]#3, %[[LABELS]], %[[WEIGHTS]]

// Backward: nothing is stacked, gradients are states, no cotangent of the input.
// CHECK: %[[G:.*]]:7 = snn.scan reverse over
// CHECK-SAME: -> (),
// CHECK-NEXT: %[[GX2:.*]], %{{.*}} = snn.neuron_adjoint spikes(%[[DCOUNT]] : tensor<4x4xf32>) next(
// CHECK-NEXT: snn.linear_weight_grad %[[GX2]], %[[E1:.*]] into
// CHECK-NEXT: %[[GS1:.*]] = snn.linear_input_grad %[[GX2]], %{{.*}} support(%[[E1]] :
// CHECK-NEXT: %[[GX1:.*]], %{{.*}} = snn.neuron_adjoint spikes(%[[GS1]] : tensor<4x6xf32, #snn.events<capacity = 2>>)
// CHECK-NEXT: snn.linear_weight_grad %[[GX1]]
// CHECK-NEXT: %[[GS0:.*]] = snn.linear_input_grad %[[GX1]]
// CHECK-NEXT: %[[GX0:.*]], %{{.*}} = snn.neuron_adjoint spikes(%[[GS0]] :
// CHECK-NEXT: snn.linear_weight_grad %[[GX0]], %{{.*}} into %{{.*}} : (tensor<4x8xf32>, tensor<4x12xf32, #snn.events<capacity = 6>>) -> tensor<8x12xf32>
// CHECK-NEXT: snn.batch_sum %[[GX0]] into
// CHECK-NEXT: snn.yield state(
// CHECK: snn.adam %{{.*}}, %[[G]]#5, %{{.*}}, %{{.*}}, %[[HYPER]] : tensor<8x12xf32>, tensor<4xf32>
// CHECK-COUNT-3: snn.adam
module attributes {snn.model = "lif"} {
  func.func @main(
      %x: tensor<5x4x12xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
      %w0: tensor<8x12xf32> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>, snn.trainable},
      %b0: tensor<8xf32> {snn.name = "fc1.bias", snn.kind = #snn.kind<parameter>, snn.trainable},
      %w1: tensor<6x8xf32> {snn.name = "fc2.weight", snn.kind = #snn.kind<parameter>, snn.trainable},
      %w2: tensor<4x6xf32> {snn.name = "fc3.weight", snn.kind = #snn.kind<parameter>, snn.trainable},
      %u0: tensor<4x8xf32> {snn.name = "mem1", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32},
      %u1: tensor<4x6xf32> {snn.name = "mem2", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32},
      %u2: tensor<4x4xf32> {snn.name = "mem3", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32})
      -> (tensor<5x4x4xf32> {snn.name = "spk"}, tensor<4x8xf32> {snn.name = "mem1_out", snn.state = "mem1"},
          tensor<4x6xf32> {snn.name = "mem2_out", snn.state = "mem2"}, tensor<4x4xf32> {snn.name = "mem3_out", snn.state = "mem3"}) {
    %spk, %f0, %f1, %f2 = snn.scan over(%xt = %x : tensor<5x4x12xf32>)
        state(%v0 = %u0 : tensor<4x8xf32>, %v1 = %u1 : tensor<4x6xf32>, %v2 = %u2 : tensor<4x4xf32>)
        -> (tensor<5x4x4xf32>), (tensor<4x8xf32>, tensor<4x6xf32>, tensor<4x4xf32>) {
      %i0 = snn.linear %xt, %w0 bias(%b0 : tensor<8xf32>) : (tensor<4x12xf32>, tensor<8x12xf32>) -> tensor<4x8xf32>
      %s0, %n0 = snn.neuron %i0, %v0 {decay = 0.95 : f32, reset_time = #snn.reset_time<delayed>} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
      %i1 = snn.linear %s0, %w1 : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
      %s1, %n1 = snn.neuron %i1, %v1 {decay = 0.95 : f32, reset_time = #snn.reset_time<delayed>} : tensor<4x6xf32>, tensor<4x6xf32> -> tensor<4x6xf32>, tensor<4x6xf32>
      %i2 = snn.linear %s1, %w2 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x4xf32>
      %s2, %n2 = snn.neuron %i2, %v2 {decay = 0.95 : f32, reset_time = #snn.reset_time<delayed>} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>, tensor<4x4xf32>
      snn.yield step(%s2 : tensor<4x4xf32>) state(%n0, %n1, %n2 : tensor<4x8xf32>, tensor<4x6xf32>, tensor<4x4xf32>)
    }
    return %spk, %f0, %f1, %f2 : tensor<5x4x4xf32>, tensor<4x8xf32>, tensor<4x6xf32>, tensor<4x4xf32>
  }
}
