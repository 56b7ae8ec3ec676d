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

// A backward scan meets the steps in the other order, so its sum is another scan.
// CHECK-LABEL: func.func @backward
// CHECK: %[[Y:.*]] = snn.scan reverse
// CHECK: snn.scan over(%[[E:.*]] = %[[Y]] : tensor<5x4x8xf32>) state(%[[S:.*]] = %{{.*}} : tensor<4x8xf32>) -> (), (tensor<4x8xf32>)
// CHECK-NEXT: %[[N:.*]] = arith.addf %[[S]], %[[E]]
// CHECK-NEXT: snn.yield state(%[[N]]
// CHECK-NOT: snn.sum_time
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

// -----

// Arithmetic on stacked values is part of the scan that reads it, lists included; what repeats in time is captured.
// CHECK-LABEL: func.func @sink
// CHECK-SAME: %[[A:[a-z0-9]+]]: tensor<5x4x8xf32>, %[[B:[a-z0-9]+]]: tensor<5x4x8xf32>, %[[G:[a-z0-9]+]]: tensor<4x8xf32>
// CHECK-NOT: snn.repeat_time
// CHECK: snn.scan over(%[[BT:.*]] = %[[B]] : tensor<5x4x8xf32>, %[[AT:.*]] = %[[A]] : tensor<5x4x8xf32>) state(%[[V:.*]] = %{{.*}} : tensor<4x8xf32>)
// CHECK-DAG: %[[M:.*]] = arith.mulf %[[AT]], %{{.*}} : tensor<4x8xf32>
// CHECK-DAG: %[[S:.*]] = arith.addf %[[M]], %[[G]] : tensor<4x8xf32>
// CHECK-DAG: %[[N:.*]] = arith.addf %[[V]], %[[S]] : tensor<4x8xf32>
// CHECK: arith.mulf %[[N]], %[[BT]]
func.func @sink(%a: tensor<5x4x8xf32>, %b: tensor<5x4x8xf32>, %g: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %two = arith.constant dense<2.0> : tensor<5x4x8xf32>
  %zero = arith.constant dense<0.0> : tensor<4x8xf32>
  %r = snn.repeat_time %g : tensor<4x8xf32> -> tensor<5x4x8xf32>
  %m = arith.mulf %a, %two : tensor<5x4x8xf32>
  %s = arith.addf %m, %r : tensor<5x4x8xf32>
  %f = snn.scan over(%st = %s : tensor<5x4x8xf32>, %bt = %b : tensor<5x4x8xf32>) state(%v = %zero : tensor<4x8xf32>) -> (), (tensor<4x8xf32>) {
    %n = arith.addf %v, %st : tensor<4x8xf32>
    %p = arith.mulf %n, %bt : tensor<4x8xf32>
    snn.yield state(%p : tensor<4x8xf32>)
  }
  return %f : tensor<4x8xf32>
}

// -----

// What the caller reads is a scan of its own.
// CHECK-LABEL: func.func @wrap
// CHECK: %[[Y:.*]] = snn.scan over(%[[A:.*]] = %{{.*}} : tensor<5x4x8xf32>) -> (tensor<5x4x8xf32>), ()
// CHECK-NEXT: %[[N:.*]] = arith.addf %[[A]], %[[A]] : tensor<4x8xf32>
// CHECK-NEXT: snn.yield step(%[[N]]
// CHECK: return %[[Y]]
func.func @wrap(%a: tensor<5x4x8xf32>) -> tensor<5x4x8xf32> {
  %s = arith.addf %a, %a : tensor<5x4x8xf32>
  return %s : tensor<5x4x8xf32>
}

// -----

// CHECK-LABEL: func.func @lists
// CHECK: snn.scan over(
// CHECK: snn.accumulate {{.*}} : tensor<4x8xf32, #snn.events<capacity = 3>>
func.func @lists(%a: tensor<5x4x8xf32, #snn.events<capacity = 3>>, %b: tensor<5x4x8xf32, #snn.events<capacity = 3>>) -> tensor<4x8xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x8xf32>
  %s = snn.accumulate %a, %b : tensor<5x4x8xf32, #snn.events<capacity = 3>>
  %f = snn.scan over(%st = %s : tensor<5x4x8xf32, #snn.events<capacity = 3>>) state(%v = %zero : tensor<4x8xf32>) -> (), (tensor<4x8xf32>) {
    %d = snn.expand %st : tensor<4x8xf32, #snn.events<capacity = 3>> -> tensor<4x8xf32>
    %n = arith.addf %v, %d : tensor<4x8xf32>
    snn.yield state(%n : tensor<4x8xf32>)
  }
  return %f : tensor<4x8xf32>
}
