// RUN: snn-opt %plugin %s --pass-pipeline='builtin.module(lower-filters)' | FileCheck %s
// RUN: filter-opt %s --lower-filters | FileCheck %s
// What comes out trains and runs.
// RUN: snn-opt %plugin %s --pass-pipeline='builtin.module(lower-filters)' | snn-compile - --machine=tiny --train -o %t.loom

// CHECK-LABEL: func.func @main
// CHECK: snn.scan over
// CHECK: %[[I:.*]] = snn.linear
// CHECK: %[[KEPT:.*]] = arith.mulf %{{.*}}, %[[DECAY:.*]] : tensor<4x20xf32>
// CHECK: %[[C:.*]] = arith.addf %[[KEPT]], %[[I]]
// CHECK-NOT: filter.lowpass
// CHECK: snn.neuron %[[C]]
func.func @main(%x: tensor<6x4x12xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
                %w: tensor<20x12xf32> {snn.name = "fc.weight", snn.kind = #snn.kind<parameter>, snn.trainable},
                %c0: tensor<4x20xf32> {snn.name = "current", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32},
                %v0: tensor<4x20xf32> {snn.name = "mem", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32})
    -> (tensor<6x4x20xf32> {snn.name = "spk"}) {
  %y, %f:2 = snn.scan over(%xt = %x : tensor<6x4x12xf32>) state(%c = %c0 : tensor<4x20xf32>, %v = %v0 : tensor<4x20xf32>)
      -> (tensor<6x4x20xf32>), (tensor<4x20xf32>, tensor<4x20xf32>) {
    %i = snn.linear %xt, %w : (tensor<4x12xf32>, tensor<20x12xf32>) -> tensor<4x20xf32>
    %c1 = filter.lowpass %i, %c {decay = 0.8 : f32} : tensor<4x20xf32>
    %s, %v1 = snn.neuron %c1, %v {decay = 0.9 : f32} : tensor<4x20xf32>, tensor<4x20xf32> -> tensor<4x20xf32>, tensor<4x20xf32>
    snn.yield step(%s : tensor<4x20xf32>) state(%c1, %v1 : tensor<4x20xf32>, tensor<4x20xf32>)
  }
  return %y : tensor<6x4x20xf32>
}
