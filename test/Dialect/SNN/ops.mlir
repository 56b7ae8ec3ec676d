// RUN: snn-opt %s | snn-opt | FileCheck %s
// RUN: snn-opt %s --mlir-print-op-generic | snn-opt | FileCheck %s

// CHECK-LABEL: func.func @main
func.func @main(
    %x: tensor<5x4x12xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w: tensor<8x12xf32> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>, snn.trainable},
    %b: tensor<8xf32> {snn.name = "fc1.bias", snn.kind = #snn.kind<parameter>, snn.trainable},
    %v0: tensor<4x8xf32> {snn.name = "mem", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32})
    -> (tensor<5x4x8xf32> {snn.name = "spk"}, tensor<4x8xf32> {snn.name = "mem_out", snn.state = "mem"}) {
  // CHECK: %{{.*}}, %{{.*}} = snn.scan over(%{{.*}} = %{{.*}} : tensor<5x4x12xf32>) state(%{{.*}} = %{{.*}} : tensor<4x8xf32>) -> (tensor<5x4x8xf32>), (tensor<4x8xf32>)
  %spk, %v = snn.scan over(%xt = %x : tensor<5x4x12xf32>) state(%m = %v0 : tensor<4x8xf32>)
      -> (tensor<5x4x8xf32>), (tensor<4x8xf32>) {
    // CHECK: snn.compress %{{.*}} : tensor<4x12xf32> -> tensor<4x12xf32, #snn.events<capacity = 6>>
    %e = snn.compress %xt : tensor<4x12xf32> -> tensor<4x12xf32, #snn.events<capacity = 6>>
    // CHECK: snn.linear %{{.*}}, %{{.*}} bias(%{{.*}} : tensor<8xf32>) : (tensor<4x12xf32, #snn.events<capacity = 6>>, tensor<8x12xf32>) -> tensor<4x8xf32>
    %i = snn.linear %e, %w bias(%b : tensor<8xf32>) : (tensor<4x12xf32, #snn.events<capacity = 6>>, tensor<8x12xf32>) -> tensor<4x8xf32>
    // CHECK: snn.neuron %{{.*}}, %{{.*}} {decay = 0.949999988 : f32, near = 0.899999976 : f32, reset_time = #snn.reset_time<delayed>, surrogate = #snn.surrogate<fast_sigmoid, 2.500000e+01>}
    // CHECK-SAME: compared(tensor<4x8xf32, #snn.events<capacity = 4>>) fired(tensor<4x8xf32>)
    %s, %m1, %p, %f = snn.neuron %i, %m {decay = 0.95 : f32, near = 0.9 : f32, reset_time = #snn.reset_time<delayed>,
                                         surrogate = #snn.surrogate<fast_sigmoid, 25.0>}
        : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 4, binary = true>>, tensor<4x8xf32>
        compared(tensor<4x8xf32, #snn.events<capacity = 4>>) fired(tensor<4x8xf32>)
    // CHECK: snn.expand
    %d = snn.expand %s : tensor<4x8xf32, #snn.events<capacity = 4, binary = true>> -> tensor<4x8xf32>
    snn.yield step(%d : tensor<4x8xf32>) state(%m1 : tensor<4x8xf32>)
  }
  return %spk, %v : tensor<5x4x8xf32>, tensor<4x8xf32>
}

// CHECK-LABEL: func.func @adjoints
func.func @adjoints(%g: tensor<4x8xf32>, %w: tensor<8x12xf32>, %e: tensor<4x12xf32, #snn.events<capacity = 6>>,
                    %p: tensor<4x8xf32>, %h: tensor<4xf32>, %beta: tensor<8xf32>) -> tensor<8x12xf32> {
  // CHECK: snn.linear_input_grad %{{.*}}, %{{.*}} support(%{{.*}} : tensor<4x12xf32, #snn.events<capacity = 6>>) {placement = array<i64: 4, 2>}
  %dx = snn.linear_input_grad %g, %w support(%e : tensor<4x12xf32, #snn.events<capacity = 6>>) {placement = array<i64: 4, 2>}
      : (tensor<4x8xf32>, tensor<8x12xf32>) -> tensor<4x12xf32, #snn.events<capacity = 6>>
  // CHECK: snn.linear_weight_grad %{{.*}}, %{{.*}} into %{{.*}} : (tensor<4x8xf32>, tensor<4x12xf32, #snn.events<capacity = 6>>) -> tensor<8x12xf32>
  %dw = snn.linear_weight_grad %g, %e into %w : (tensor<4x8xf32>, tensor<4x12xf32, #snn.events<capacity = 6>>) -> tensor<8x12xf32>
  // CHECK: snn.neuron_adjoint spikes(%{{.*}} : tensor<4x8xf32>) compared(%{{.*}} : tensor<4x8xf32>)
  %gx, %gv = snn.neuron_adjoint spikes(%g : tensor<4x8xf32>) compared(%p : tensor<4x8xf32>)
      {surrogate = #snn.surrogate<atan, 2.0>} -> tensor<4x8xf32>, tensor<4x8xf32>
  // CHECK: snn.broadcast
  %d = snn.broadcast %beta : tensor<8xf32> -> tensor<4x8xf32>
  // CHECK: snn.integrator %{{.*}}, %{{.*}} decay(%{{.*}} : tensor<8xf32>) : tensor<4x8xf32>, tensor<4x8xf32>
  %i = snn.integrator %gx, %d decay(%beta : tensor<8xf32>) : tensor<4x8xf32>, tensor<4x8xf32>
  // CHECK: snn.batch_sum
  %db = snn.batch_sum %i into %beta : tensor<4x8xf32> -> tensor<8xf32>
  // CHECK: snn.sgd %{{.*}}, %{{.*}}, %{{.*}} : tensor<8x12xf32>, tensor<4xf32>
  %w1 = snn.sgd %w, %dw, %h : tensor<8x12xf32>, tensor<4xf32>
  // CHECK: snn.adam
  %w2, %m2, %v2 = snn.adam %w1, %dw, %w, %w, %h : tensor<8x12xf32>, tensor<4xf32>
  return %w2 : tensor<8x12xf32>
}

// CHECK-LABEL: func.func @loss
func.func @loss(%s: tensor<5x4x10xf32>, %y: tensor<4xi32>, %w: tensor<4xf32>) -> tensor<f32> {
  %c = snn.sum_time %s : tensor<5x4x10xf32> -> tensor<4x10xf32>
  // CHECK: snn.cross_entropy %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x10xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<f32>, tensor<4x10xf32>, tensor<f32>
  %l, %d, %ok = snn.cross_entropy %c, %y, %w : tensor<4x10xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<f32>, tensor<4x10xf32>, tensor<f32>
  // CHECK: snn.repeat_time
  %g = snn.repeat_time %d : tensor<4x10xf32> -> tensor<5x4x10xf32>
  return %l : tensor<f32>
}

// CHECK-LABEL: func.func @segments
func.func @segments(%x: tensor<6x4x10xf32, #snn.events<capacity = 3>>) -> tensor<6x4x10xf32, #snn.events<capacity = 3>> {
  // CHECK: snn.split_time %{{.*}} : tensor<6x4x10xf32, #snn.events<capacity = 3>> -> tensor<2x3x4x10xf32, #snn.events<capacity = 3>>
  %s = snn.split_time %x : tensor<6x4x10xf32, #snn.events<capacity = 3>> -> tensor<2x3x4x10xf32, #snn.events<capacity = 3>>
  // CHECK: snn.merge_time %{{.*}} : tensor<2x3x4x10xf32, #snn.events<capacity = 3>> -> tensor<6x4x10xf32, #snn.events<capacity = 3>>
  %m = snn.merge_time %s : tensor<2x3x4x10xf32, #snn.events<capacity = 3>> -> tensor<6x4x10xf32, #snn.events<capacity = 3>>
  return %m : tensor<6x4x10xf32, #snn.events<capacity = 3>>
}
