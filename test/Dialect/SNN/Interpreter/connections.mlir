// A weight with connections has the values of a dense one with zeros; its gradient is zero where there is none.
// RUN: snn-interpret --check %s | FileCheck %s

#few = #snn.connections<dense<[[0, 3], [1, -1], [-1, -1]]> : tensor<3x2xi32>>

// CHECK: ok as_dense
func.func @as_dense() {
  %x = arith.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>
  %w = arith.constant dense<[[0.5, 0.0, 0.0, 2.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]> : tensor<3x4xf32, #few>
  %d = arith.constant dense<[[0.5, 0.0, 0.0, 2.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]> : tensor<3x4xf32>
  %b = arith.constant dense<[1.0, -1.0, 0.5]> : tensor<3xf32>
  %y = snn.linear %x, %w bias(%b : tensor<3xf32>) : (tensor<2x4xf32>, tensor<3x4xf32, #few>) -> tensor<2x3xf32>
  %y_ = snn.linear %x, %d bias(%b : tensor<3xf32>) : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  snn.check_equal %y, %y_ : tensor<2x3xf32>
  // Of a list the true spikes are read.
  %e = snn.compress %x : tensor<2x4xf32> -> tensor<2x4xf32, #snn.events<capacity = 3>>
  %z = snn.linear %e, %w : (tensor<2x4xf32, #snn.events<capacity = 3>>, tensor<3x4xf32, #few>) -> tensor<2x3xf32>
  %z_ = arith.constant dense<[[0.5, 6.0, 0.0], [2.5, 18.0, 0.0]]> : tensor<2x3xf32>
  snn.check_equal %z, %z_ : tensor<2x3xf32>
  %g = arith.constant dense<[[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]> : tensor<2x3xf32>
  %dx = snn.linear_input_grad %g, %w {placement = array<i64: 2, 1>} : (tensor<2x3xf32>, tensor<3x4xf32, #few>) -> tensor<2x4xf32>
  %dx_ = snn.linear_input_grad %g, %d {placement = array<i64: 2, 1>} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  snn.check_equal %dx, %dx_ : tensor<2x4xf32>
  return
}

// CHECK: ok gradient
func.func @gradient() {
  %x = arith.constant dense<[[1.0, 2.0, 3.0, 4.0]]> : tensor<1x4xf32>
  %g = arith.constant dense<[[1.0, 2.0, 4.0]]> : tensor<1x3xf32>
  %zero = arith.constant dense<0.0> : tensor<3x4xf32, #few>
  %dw = snn.linear_weight_grad %g, %x into %zero : (tensor<1x3xf32>, tensor<1x4xf32>) -> tensor<3x4xf32, #few>
  %dw_ = arith.constant dense<[[1.0, 0.0, 0.0, 4.0], [0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]> : tensor<3x4xf32, #few>
  snn.check_equal %dw, %dw_ : tensor<3x4xf32, #few>
  return
}
