// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-fuse-time-sums))' -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @sum
// CHECK: %[[Z:.*]] = arith.constant dense<0.000000e+00> : tensor<4x8xf32>
// CHECK: %[[F:.*]] = snn.scan over(%[[X:.*]] = %{{.*}} : tensor<5x4x8xf32>) state(%[[S:.*]] = %[[Z]] : tensor<4x8xf32>) -> (), (tensor<4x8xf32>)
// CHECK: %[[E:.*]] = math.exp %[[X]]
// CHECK: %[[N:.*]] = arith.addf %[[S]], %[[E]]
// CHECK: snn.yield state(%[[N]] : tensor<4x8xf32>)
// CHECK: return %[[F]]
func.func @sum(%x: tensor<5x4x8xf32>) -> tensor<4x8xf32> {
  %y = snn.scan over(%xt = %x : tensor<5x4x8xf32>) -> (tensor<5x4x8xf32>), () {
    %e = math.exp %xt : tensor<4x8xf32>
    snn.yield step(%e : tensor<4x8xf32>)
  }
  %s = snn.sum_time %y : tensor<5x4x8xf32> -> tensor<4x8xf32>
  return %s : tensor<4x8xf32>
}

// -----

// A backward scan meets the steps in the other order, so its sum stays outside.
// CHECK-LABEL: func.func @backward
// CHECK: snn.scan reverse
// CHECK: snn.sum_time
func.func @backward(%x: tensor<5x4x8xf32>) -> tensor<4x8xf32> {
  %y = snn.scan reverse over(%xt = %x : tensor<5x4x8xf32>) -> (tensor<5x4x8xf32>), () {
    %e = math.exp %xt : tensor<4x8xf32>
    snn.yield step(%e : tensor<4x8xf32>)
  }
  %s = snn.sum_time %y : tensor<5x4x8xf32> -> tensor<4x8xf32>
  return %s : tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func.func @repeat
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<4x8xf32>
// CHECK-NEXT: snn.scan state(%[[S:.*]] = %{{.*}} : tensor<4x8xf32>) -> (), (tensor<4x8xf32>) attributes {steps = 5 : i64}
// CHECK-NEXT: arith.addf %[[S]], %[[G]]
func.func @repeat(%g: tensor<4x8xf32>, %v: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %r = snn.repeat_time %g : tensor<4x8xf32> -> tensor<5x4x8xf32>
  %f = snn.scan over(%gt = %r : tensor<5x4x8xf32>) state(%s = %v : tensor<4x8xf32>) -> (), (tensor<4x8xf32>) {
    %n = arith.addf %s, %gt : tensor<4x8xf32>
    snn.yield state(%n : tensor<4x8xf32>)
  }
  return %f : tensor<4x8xf32>
}
