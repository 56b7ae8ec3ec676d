// RUN: snn-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(snn-recompute{every=4}),canonicalize,cse)' | FileCheck %s
// RUN: snn-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(snn-recompute))' | FileCheck %s --check-prefix=OFF

// The tape %a is gone, the states before each of the three segments stay; %y, which is returned, too, stays for all steps.
// CHECK-LABEL: func.func @tape
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<12x2x3xf32>, %[[V0:[a-z0-9]+]]: tensor<2x3xf32>
// CHECK: %[[XS:.*]] = snn.split_time %[[X]] : tensor<12x2x3xf32> -> tensor<3x4x2x3xf32>
// CHECK: %[[FORWARD:.*]]:2, %{{.*}} = snn.scan over(%[[XK:.*]] = %[[XS]] : tensor<3x4x2x3xf32>) state(%[[V:.*]] = %[[V0]] : tensor<2x3xf32>) -> (tensor<3x4x2x3xf32>, tensor<3x2x3xf32>), (tensor<2x3xf32>)
// CHECK-NEXT: %[[SEGMENT:.*]], %[[END:.*]] = snn.scan over(%{{.*}} = %[[XK]] : tensor<4x2x3xf32>) state(%{{.*}} = %[[V]] : tensor<2x3xf32>) -> (tensor<4x2x3xf32>), (tensor<2x3xf32>)
// CHECK: snn.yield step(%[[SEGMENT]], %[[V]] : tensor<4x2x3xf32>, tensor<2x3xf32>) state(%[[END]] : tensor<2x3xf32>)
// CHECK: %[[Y:.*]] = snn.merge_time %[[FORWARD]]#0 : tensor<3x4x2x3xf32> -> tensor<12x2x3xf32>
// CHECK: %[[GS:.*]] = snn.split_time %[[Y]]
// CHECK: snn.scan reverse over(%[[XK:.*]] = %[[XS]] : tensor<3x4x2x3xf32>, %[[START:.*]] = %[[FORWARD]]#1 : tensor<3x2x3xf32>, %[[GK:.*]] = %[[GS]] : tensor<3x4x2x3xf32>) state(%[[D:.*]] = %{{.*}} : tensor<2x3xf32>)
// CHECK-NEXT: %[[TAPE:.*]], %{{.*}} = snn.scan over(%{{.*}} = %[[XK]] : tensor<4x2x3xf32>) state(%{{.*}} = %[[START]] : tensor<2x3xf32>) -> (tensor<4x2x3xf32>), (tensor<2x3xf32>)
// CHECK: %[[DK:.*]] = snn.scan reverse over(%{{.*}} = %[[TAPE]] : tensor<4x2x3xf32>, %{{.*}} = %[[GK]] : tensor<4x2x3xf32>) state(%{{.*}} = %[[D]] : tensor<2x3xf32>)
// CHECK: snn.yield state(%[[DK]] : tensor<2x3xf32>)

// OFF-LABEL: func.func @tape
// OFF-NOT: snn.split_time
func.func @tape(%x: tensor<12x2x3xf32>, %v0: tensor<2x3xf32>, %d0: tensor<2x3xf32>) -> (tensor<12x2x3xf32>, tensor<2x3xf32>) {
  %y, %a, %last = snn.scan over(%xt = %x : tensor<12x2x3xf32>) state(%v = %v0 : tensor<2x3xf32>) -> (tensor<12x2x3xf32>, tensor<12x2x3xf32>), (tensor<2x3xf32>) {
    %e = math.exp %v : tensor<2x3xf32>
    %n = arith.addf %e, %xt : tensor<2x3xf32>
    snn.yield step(%n, %e : tensor<2x3xf32>, tensor<2x3xf32>) state(%n : tensor<2x3xf32>)
  }
  %d = snn.scan reverse over(%at = %a : tensor<12x2x3xf32>, %gt = %y : tensor<12x2x3xf32>) state(%g = %d0 : tensor<2x3xf32>) -> (), (tensor<2x3xf32>) {
    %s = arith.addf %g, %gt : tensor<2x3xf32>
    %m = arith.mulf %s, %at : tensor<2x3xf32>
    snn.yield state(%m : tensor<2x3xf32>)
  }
  return %y, %d : tensor<12x2x3xf32>, tensor<2x3xf32>
}

// -----

// Scans of so few steps stay, and so does what no adjoint reads.
// CHECK-LABEL: func.func @short
// CHECK-NOT: snn.split_time
func.func @short(%x: tensor<4x2x3xf32>, %z: tensor<5x2x3xf32>, %d0: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<5x2x3xf32>) {
  %a = snn.scan over(%xt = %x : tensor<4x2x3xf32>) -> (tensor<4x2x3xf32>), () {
    %e = math.exp %xt : tensor<2x3xf32>
    snn.yield step(%e : tensor<2x3xf32>)
  }
  %d = snn.scan reverse over(%at = %a : tensor<4x2x3xf32>) state(%g = %d0 : tensor<2x3xf32>) -> (), (tensor<2x3xf32>) {
    %m = arith.mulf %g, %at : tensor<2x3xf32>
    snn.yield state(%m : tensor<2x3xf32>)
  }
  %b = snn.scan over(%zt = %z : tensor<5x2x3xf32>) -> (tensor<5x2x3xf32>), () {
    %e = math.exp %zt : tensor<2x3xf32>
    snn.yield step(%e : tensor<2x3xf32>)
  }
  return %d, %b : tensor<2x3xf32>, tensor<5x2x3xf32>
}
