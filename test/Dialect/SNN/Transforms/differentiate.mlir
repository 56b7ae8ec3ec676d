// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-differentiate,canonicalize,cse))' -split-input-file | FileCheck %s

// Elementwise operations outside of a scan.
// CHECK-LABEL: func.func @elementwise
// CHECK-SAME: %[[A:[a-z0-9]+]]: tensor<4xf32>, %[[B:[a-z0-9]+]]: tensor<4xf32>, %[[G:[a-z0-9]+]]: tensor<4xf32>
// CHECK: %[[E:.*]] = math.exp %[[A]]
// CHECK: %[[GE:.*]] = arith.mulf %[[G]], %[[B]]
// CHECK: %[[GB:.*]] = arith.mulf %[[G]], %[[E]]
// CHECK: %[[GA:.*]] = arith.mulf %[[GE]], %[[E]]
// CHECK: return %[[GA]], %[[GB]]
func.func @elementwise(%a: tensor<4xf32>, %b: tensor<4xf32>, %g: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = math.exp %a : tensor<4xf32>
  %p = arith.mulf %e, %b : tensor<4xf32>
  %da, %db = snn.gradient of(%p : tensor<4xf32>) seeds(%g : tensor<4xf32>) wrt(%a, %b : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>, tensor<4xf32>
  return %da, %db : tensor<4xf32>, tensor<4xf32>
}

// -----

// A value that does not depend on the variable gives zero, and nothing is computed for it.
// CHECK-LABEL: func.func @independent
// CHECK-NEXT: %[[Z:.*]] = arith.constant dense<0.000000e+00> : tensor<8x12xf32>
// CHECK-NEXT: return %[[Z]]
func.func @independent(%x: tensor<4x12xf32>, %w: tensor<8x12xf32>, %v: tensor<8x12xf32>, %g: tensor<4x8xf32>) -> tensor<8x12xf32> {
  %y = snn.linear %x, %w : (tensor<4x12xf32>, tensor<8x12xf32>) -> tensor<4x8xf32>
  %d = snn.gradient of(%y : tensor<4x8xf32>) seeds(%g : tensor<4x8xf32>) wrt(%v : tensor<8x12xf32>) -> tensor<8x12xf32>
  return %d : tensor<8x12xf32>
}

// -----

// The tape holds what adjoints read: here the product's factors. The old state is asked for, so it is stacked; the
// sequence itself is not stacked again; the constant is not on the tape.
// CHECK-LABEL: func.func @tape
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<5x4x8xf32>, %[[B:[a-z0-9]+]]: tensor<8xf32>, %[[V:[a-z0-9]+]]: tensor<4x8xf32>, %[[G:[a-z0-9]+]]: tensor<4x8xf32>
// CHECK: %[[TAPE:.*]], %{{.*}} = snn.scan over(%{{.*}} = %[[X]] : tensor<5x4x8xf32>) state(%[[OLD:.*]] = %[[V]] : tensor<4x8xf32>) -> (tensor<5x4x8xf32>), (tensor<4x8xf32>)
// CHECK: snn.yield step(%[[OLD]] : tensor<4x8xf32>)
// CHECK: %[[F:.*]]:2 = snn.scan reverse over(%[[T:.*]] = %[[TAPE]] : tensor<5x4x8xf32>) state(%[[GV:[a-z0-9]+]] = %[[G]] : tensor<4x8xf32>, %[[DB:[a-z0-9]+]] = %{{.*}} : tensor<8xf32>) -> (), (tensor<4x8xf32>, tensor<8xf32>)
// CHECK-DAG: %[[D:.*]] = snn.broadcast %[[B]] : tensor<8xf32> -> tensor<4x8xf32>
// CHECK-DAG: %[[GO:.*]] = arith.mulf %[[GV]], %[[D]]
// CHECK-DAG: %[[GD:.*]] = arith.mulf %[[GV]], %[[T]]
// CHECK-DAG: %[[SUM:.*]] = snn.batch_sum %[[GD]] into %[[DB]]
// CHECK: snn.yield state(%[[GO]], %[[SUM]]
// CHECK: return %[[F]]#1
func.func @tape(%x: tensor<5x4x8xf32>, %beta: tensor<8xf32>, %v0: tensor<4x8xf32>, %g: tensor<4x8xf32>) -> tensor<8xf32> {
  %last = snn.scan over(%xt = %x : tensor<5x4x8xf32>) state(%v = %v0 : tensor<4x8xf32>) -> (), (tensor<4x8xf32>) {
    %d = snn.broadcast %beta : tensor<8xf32> -> tensor<4x8xf32>
    %k = arith.mulf %v, %d : tensor<4x8xf32>
    %n = arith.addf %k, %xt : tensor<4x8xf32>
    snn.yield state(%n : tensor<4x8xf32>)
  }
  %db = snn.gradient of(%last : tensor<4x8xf32>) seeds(%g : tensor<4x8xf32>) wrt(%beta : tensor<8xf32>) -> tensor<8xf32>
  return %db : tensor<8xf32>
}

// -----

// The adjoint of a backward scan runs forward; weights used twice have one gradient.
// CHECK-LABEL: func.func @backward_shared
// CHECK: snn.scan reverse over
// CHECK: %{{.*}} = snn.scan over
// CHECK: %[[A:.*]] = snn.linear_weight_grad %{{.*}}, %{{.*}} into %[[ACC:.*]] :
// CHECK: %[[B:.*]] = snn.linear_weight_grad %{{.*}}, %{{.*}} into %[[A]] :
// CHECK: snn.yield state(%{{.*}}, %[[B]] :
func.func @backward_shared(%x: tensor<5x4x8xf32>, %w: tensor<8x8xf32>, %v0: tensor<4x8xf32>, %g: tensor<4x8xf32>) -> tensor<8x8xf32> {
  %last = snn.scan reverse over(%xt = %x : tensor<5x4x8xf32>) state(%v = %v0 : tensor<4x8xf32>) -> (), (tensor<4x8xf32>) {
    %a = snn.linear %xt, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    %b = snn.linear %v, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    %n = arith.addf %a, %b : tensor<4x8xf32>
    snn.yield state(%n : tensor<4x8xf32>)
  }
  %dw = snn.gradient of(%last : tensor<4x8xf32>) seeds(%g : tensor<4x8xf32>) wrt(%w : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %dw : tensor<8x8xf32>
}

// -----

// A reset to a value stops gradients where the neuron fired, so that is on the tape; a delayed reset that is not
// detached reads the old membrane.
// CHECK-LABEL: func.func @resets
// CHECK: snn.neuron {{.*}} compared(tensor<4x8xf32>) fired(tensor<4x8xf32>)
// CHECK: snn.neuron_adjoint {{.*}} fired(%{{.*}} : tensor<4x8xf32>) previous(%{{.*}} : tensor<4x8xf32>)
func.func @resets(%x: tensor<5x4x8xf32>, %w: tensor<8x8xf32>, %v0: tensor<4x8xf32>, %g: tensor<5x4x8xf32>) -> tensor<8x8xf32> {
  %y, %last = snn.scan over(%xt = %x : tensor<5x4x8xf32>) state(%v = %v0 : tensor<4x8xf32>) -> (tensor<5x4x8xf32>), (tensor<4x8xf32>) {
    %a = snn.linear %xt, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    %s, %n = snn.neuron %a, %v {reset_kind = #snn.reset_kind<value>, reset_time = #snn.reset_time<delayed>, detach_reset = false} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
    snn.yield step(%s : tensor<4x8xf32>) state(%n : tensor<4x8xf32>)
  }
  %dw = snn.gradient of(%y : tensor<5x4x8xf32>) seeds(%g : tensor<5x4x8xf32>) wrt(%w : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %dw : tensor<8x8xf32>
}
