// A check that fails says where and what; the tool exits with 1.
// RUN: not snn-interpret --check %s 2>&1 | FileCheck %s

// CHECK: error: check failed: element [1, 0] is 3, expected 4
func.func @unequal() {
  %a = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[[1.0, 2.0], [4.0, 4.0]]> : tensor<2x2xf32>
  snn.check_equal %a, %b : tensor<2x2xf32>
  return
}

// CHECK: error: check failed: element [0] is 1.5, expected 1
func.func @not_close() {
  %a = arith.constant dense<1.5> : tensor<1xf32>
  %b = arith.constant dense<1.0> : tensor<1xf32>
  snn.check_close %a, %b {tolerance = 0.25 : f32} : tensor<1xf32>
  return
}

// CHECK: error: check failed: spikes of row 0 are [0, 1], expected [0]
// CHECK: error: check failed: in row 0 2 neurons fired, expected 1
func.func @lists() {
  %a = arith.constant dense<1.5> : tensor<1x2xf32>
  %e = snn.compress %a : tensor<1x2xf32> -> tensor<1x2xf32, #snn.events<capacity = 2>>
  snn.check_events %e {spikes = [array<i64: 0>], fired = array<i64: 1>} : tensor<1x2xf32, #snn.events<capacity = 2>>
  return
}

// CHECK: error: 'snn.cross_entropy' op label 7 of sample 0 is not one of the 2 classes
func.func @label() {
  %l = arith.constant dense<0.0> : tensor<1x2xf32>
  %y = arith.constant dense<7> : tensor<1xi32>
  %w = arith.constant dense<1.0> : tensor<1xf32>
  %loss, %g, %c = snn.cross_entropy %l, %y, %w : tensor<1x2xf32>, tensor<1xi32>, tensor<1xf32> -> tensor<f32>, tensor<1x2xf32>, tensor<f32>
  return
}

// CHECK: FAILED unequal
// CHECK: FAILED not_close
// CHECK: FAILED lists
// CHECK: FAILED label
