// RUN: snn-opt %s | snn-opt | FileCheck %s

// CHECK-LABEL: func.func @losses
func.func @losses(%c: tensor<4x10xf32>, %m: tensor<5x4x10xf32>, %y: tensor<4xi32>, %w: tensor<4xf32>) {
  // CHECK: snn.cross_entropy %{{.*}}, %{{.*}}, %{{.*}} : tensor<5x4x10xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<f32>, tensor<5x4x10xf32>, tensor<f32>
  %l, %d, %ok = snn.cross_entropy %m, %y, %w : tensor<5x4x10xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<f32>, tensor<5x4x10xf32>, tensor<f32>
  // CHECK: snn.squared_error %{{.*}}, %{{.*}}, %{{.*}} {on = 5.000000e+00 : f32, scale = 2.000000e-01 : f64} : tensor<4x10xf32>
  %k, %e, %right = snn.squared_error %c, %y, %w {on = 5.0 : f32, scale = 0.2 : f64} : tensor<4x10xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<f32>, tensor<4x10xf32>, tensor<f32>
  return
}

// CHECK-LABEL: func.func @steps
func.func @steps(%p: tensor<8x12xf32>, %g: tensor<8x12xf32>, %b: tensor<8xf32>, %h: tensor<4xf32>) {
  // CHECK: snn.clip_by_norm %{{.*}}, %{{.*}} {limit = 1.000000e+00 : f32} : tensor<8x12xf32>, tensor<8xf32> -> tensor<f32>, tensor<f32>
  %norm, %factor = snn.clip_by_norm %g, %b {limit = 1.0 : f32} : tensor<8x12xf32>, tensor<8xf32> -> tensor<f32>, tensor<f32>
  // CHECK: snn.sgd %{{.*}}, %{{.*}}, %{{.*}} momentum(%{{.*}} : tensor<8x12xf32>) scale(%{{.*}} : tensor<f32>) {nesterov} : tensor<8x12xf32>, tensor<4xf32> -> tensor<8x12xf32>
  %p1, %m1 = snn.sgd %p, %g, %h momentum(%g : tensor<8x12xf32>) scale(%factor : tensor<f32>) {nesterov} : tensor<8x12xf32>, tensor<4xf32> -> tensor<8x12xf32>
  // CHECK: snn.adam %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} scale(%{{.*}} : tensor<f32>) {clip = 5.000000e-01 : f32, decay = #snn.weight_decay<decoupled>} : tensor<8x12xf32>, tensor<4xf32>
  %p2, %m2, %v2 = snn.adam %p1, %g, %g, %g, %h scale(%factor : tensor<f32>) {clip = 0.5 : f32, decay = #snn.weight_decay<decoupled>} : tensor<8x12xf32>, tensor<4xf32>
  return
}

// CHECK-LABEL: func.func @neurons
func.func @neurons(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>, %w: tensor<4xf32>) {
  // CHECK: snn.neuron %{{.*}}, %{{.*}} weights(%{{.*}} : tensor<4xf32>) {penalties = array<f32: 1.000000e+00, 2.000000e+00>, rotate, surrogate = #snn.surrogate<straight_through>}
  // CHECK-SAME: compared(tensor<4x8xf32, #snn.events<capacity = 2>>) unreset(tensor<4x8xf32>)
  %s, %n, %p, %m = snn.neuron %x, %v weights(%w : tensor<4xf32>) {penalties = array<f32: 1.0, 2.0>, rotate, surrogate = #snn.surrogate<straight_through>}
      : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 2>>, tensor<4x8xf32> compared(tensor<4x8xf32, #snn.events<capacity = 2>>) unreset(tensor<4x8xf32>)
  // CHECK: snn.neuron_adjoint next(%{{.*}}) compared(%{{.*}}) fired(%{{.*}}) update(%{{.*}}) unreset(%{{.*}}) weights(%{{.*}}) {{.*}} -> tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  %gx, %gv, %gt = snn.neuron_adjoint next(%x : tensor<4x8xf32>) compared(%p : tensor<4x8xf32, #snn.events<capacity = 2>>) fired(%n : tensor<4x8xf32>)
      update(%n : tensor<4x8xf32>) unreset(%m : tensor<4x8xf32>) weights(%w : tensor<4xf32>) {penalties = array<f32: 1.0, 2.0>, surrogate = #snn.surrogate<leaky, 0.5, 2.0>}
      -> tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  // CHECK: snn.spike %{{.*}} {max_spikes = 3 : i64} : tensor<4x8xf32>
  %k = snn.spike %gx {max_spikes = 3 : i64} : tensor<4x8xf32>
  // CHECK: snn.detach_every %{{.*}} {steps = 4 : i64} : tensor<4x8xf32>
  %d = snn.detach_every %k {steps = 4 : i64} : tensor<4x8xf32>
  // CHECK: snn.zero_every %{{.*}} {steps = 4 : i64} : tensor<4x8xf32>
  %z = snn.zero_every %d {steps = 4 : i64} : tensor<4x8xf32>
  // CHECK: snn.compress %{{.*}} {rotate} : tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 2>>
  %e = snn.compress %z {rotate} : tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 2>>
  return
}
