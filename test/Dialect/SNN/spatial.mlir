// RUN: snn-opt %s | snn-opt | FileCheck %s
// RUN: snn-opt %s --mlir-print-op-generic | snn-opt | FileCheck %s

// CHECK-LABEL: func.func @windows
func.func @windows(%x: tensor<4x48xf32>, %h: tensor<4x12xf32>) -> tensor<4x60xf32> {
  // CHECK: snn.slice %{{.*}} {offsets = [0, -1, 1], shape = [3, 4, 4], sizes = [3, 2, 2], strides = [1, 2, 2]} : tensor<4x48xf32> -> tensor<4x12xf32>
  %a = snn.slice %x {shape = [3, 4, 4], offsets = [0, -1, 1], sizes = [3, 2, 2], strides = [1, 2, 2]} : tensor<4x48xf32> -> tensor<4x12xf32>
  // CHECK: snn.slice %{{.*}} {fill = -1.000000e+00 : f32, offsets = [40], shape = [48], sizes = [12], strides = [1]}
  %b = snn.slice %x {shape = [48], offsets = [40], sizes = [12], strides = [1], fill = -1.0 : f32} : tensor<4x48xf32> -> tensor<4x12xf32>
  // CHECK: snn.place %{{.*}} {offsets = [3], shape = [48], sizes = [12], strides = [2]} : tensor<4x12xf32> -> tensor<4x48xf32>
  %c = snn.place %a {shape = [48], offsets = [3], sizes = [12], strides = [2]} : tensor<4x12xf32> -> tensor<4x48xf32>
  // CHECK: snn.concat %{{.*}}, %{{.*}} : (tensor<4x12xf32>, tensor<4x48xf32>) -> tensor<4x60xf32>
  %d = snn.concat %b, %c : (tensor<4x12xf32>, tensor<4x48xf32>) -> tensor<4x60xf32>
  return %d : tensor<4x60xf32>
}

// CHECK-LABEL: func.func @convolution
func.func @convolution(%w: tensor<8x9xf32>, %k: tensor<2x6xf32>) -> tensor<8x9xf32> {
  // CHECK: snn.conv_matrix %{{.*}} {groups = 2 : i64, input = [2, 6, 6], kernel = [3, 3], padding = [1, 1, 0, 0], strides = [2, 1]} : tensor<8x9xf32> -> tensor<120x72xf32>
  %m = snn.conv_matrix %w {input = [2, 6, 6], kernel = [3, 3], strides = [2, 1], padding = [1, 1, 0, 0], groups = 2} : tensor<8x9xf32> -> tensor<120x72xf32>
  // CHECK: snn.conv_matrix %{{.*}} {dilations = [2], input = [2, 9], kernel = [3]} : tensor<2x6xf32> -> tensor<10x18xf32>
  %n = snn.conv_matrix %k {input = [2, 9], kernel = [3], dilations = [2]} : tensor<2x6xf32> -> tensor<10x18xf32>
  // CHECK: snn.conv_kernel_grad %{{.*}} {groups = 2 : i64, input = [2, 6, 6], kernel = [3, 3], padding = [1, 1, 0, 0], placement = array<i64: 16, 2>, strides = [2, 1]} : tensor<120x72xf32> -> tensor<8x9xf32>
  %dw = snn.conv_kernel_grad %m {input = [2, 6, 6], kernel = [3, 3], strides = [2, 1], padding = [1, 1, 0, 0], groups = 2, placement = array<i64: 16, 2>}
      : tensor<120x72xf32> -> tensor<8x9xf32>
  return %dw : tensor<8x9xf32>
}

// CHECK-LABEL: func.func @channels
func.func @channels(%b: tensor<8xf32>, %x: tensor<4x10xf32>) -> tensor<4x10xf32> {
  // CHECK: snn.spread %{{.*}} {inner = 12 : i64} : tensor<8xf32> -> tensor<96xf32>
  %s = snn.spread %b {inner = 12} : tensor<8xf32> -> tensor<96xf32>
  // CHECK: snn.fold %{{.*}} {inner = 12 : i64} : tensor<96xf32> -> tensor<8xf32>
  %f = snn.fold %s {inner = 12} : tensor<96xf32> -> tensor<8xf32>
  // CHECK: snn.softmax %{{.*}} : tensor<4x10xf32>
  %y = snn.softmax %x : tensor<4x10xf32>
  // CHECK: snn.softmax %{{.*}} {log} : tensor<4x10xf32>
  %l = snn.softmax %x {log} : tensor<4x10xf32>
  // CHECK: snn.softmax_adjoint %{{.*}}, %{{.*}} {log} : tensor<4x10xf32>
  %g = snn.softmax_adjoint %y, %l {log} : tensor<4x10xf32>
  return %g : tensor<4x10xf32>
}

// CHECK-LABEL: func.func @layers
func.func @layers(%x: tensor<4x12xf32>, %c: tensor<3xf32>, %k: tensor<4x1xf32>) -> tensor<4x12xf32> {
  // CHECK: snn.batch_norm %{{.*}} mean(%{{.*}}) variance(%{{.*}}) scale(%{{.*}}) shift(%{{.*}}) {inner = 4 : i64} : tensor<4x12xf32>, tensor<3xf32>
  %y = snn.batch_norm %x mean(%c) variance(%c) scale(%c) shift(%c) {inner = 4} : tensor<4x12xf32>, tensor<3xf32>
  // CHECK: snn.dropout %{{.*}} {hold, rate = 5.000000e-01 : f32} : tensor<4x12xf32>
  %d = snn.dropout %y {rate = 0.5 : f32, hold} : tensor<4x12xf32>
  // CHECK: snn.dropout %{{.*}} key(%{{.*}} : tensor<4x1xf32>) {rate = 2.500000e-01 : f32, salt = 3 : i64} : tensor<4x12xf32>
  %e = snn.dropout %d key(%k : tensor<4x1xf32>) {rate = 0.25 : f32, salt = 3} : tensor<4x12xf32>
  return %e : tensor<4x12xf32>
}
