// RUN: snn-opt %s -canonicalize -split-input-file | FileCheck %s

// Stacked results and states that nobody reads go, and with them sequences and captured values.
// CHECK-LABEL: func.func @unused
// CHECK: %{{.*}} = snn.scan over(%{{[a-z0-9]+}} = %{{[a-z0-9]+}} : tensor<5x4x8xf32>) state(%{{[a-z0-9]+}} = %{{[a-z0-9]+}} : tensor<4x8xf32>) -> (), (tensor<4x8xf32>)
// CHECK-NEXT: arith.addf
// CHECK-NEXT: snn.yield state(
func.func @unused(%a: tensor<5x4x8xf32>, %b: tensor<5x4x3xf32>, %u: tensor<4x8xf32>, %v: tensor<4x3xf32>) -> tensor<4x8xf32> {
  %y, %f:2 = snn.scan over(%x = %a : tensor<5x4x8xf32>, %z = %b : tensor<5x4x3xf32>) state(%s = %u : tensor<4x8xf32>, %t = %v : tensor<4x3xf32>) -> (tensor<5x4x3xf32>), (tensor<4x8xf32>, tensor<4x3xf32>) {
    %n = arith.addf %s, %x : tensor<4x8xf32>
    snn.yield step(%z : tensor<4x3xf32>) state(%n, %t : tensor<4x8xf32>, tensor<4x3xf32>)
  }
  return %f#0 : tensor<4x8xf32>
}

// -----

// A state that another one reads stays.
// CHECK-LABEL: func.func @read_by_other
// CHECK: snn.scan {{.*}} -> (), (tensor<4x8xf32>, tensor<4x8xf32>)
func.func @read_by_other(%u: tensor<4x8xf32>, %v: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %f:2 = snn.scan state(%s = %u : tensor<4x8xf32>, %t = %v : tensor<4x8xf32>) -> (), (tensor<4x8xf32>, tensor<4x8xf32>) attributes {steps = 3 : i64} {
    %n = arith.addf %s, %t : tensor<4x8xf32>
    %m = arith.mulf %t, %t : tensor<4x8xf32>
    snn.yield state(%n, %m : tensor<4x8xf32>, tensor<4x8xf32>)
  }
  return %f#0 : tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func.func @dead
// CHECK-NEXT: return
func.func @dead(%u: tensor<4x8xf32>) {
  %f = snn.scan state(%s = %u : tensor<4x8xf32>) -> (), (tensor<4x8xf32>) attributes {steps = 3 : i64} {
    snn.yield state(%s : tensor<4x8xf32>)
  }
  return
}

// -----

// compress(expand(e)) is e, unless the list may hold near entries.
// CHECK-LABEL: func.func @compress_of_expand
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<4x8xf32>, %[[E:[a-z0-9]+]]:
// CHECK: %[[C:.*]] = snn.compress %[[X]]
// CHECK: %[[D:.*]] = snn.expand %[[E]]
// CHECK: %[[F:.*]] = snn.compress %[[D]]
// CHECK: return %[[C]], %[[F]]
func.func @compress_of_expand(%x: tensor<4x8xf32>, %e: tensor<4x8xf32, #snn.events<capacity = 3>>) -> (tensor<4x8xf32, #snn.events<capacity = 3>>, tensor<4x8xf32, #snn.events<capacity = 3>>) {
  %c = snn.compress %x : tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 3>>
  %d = snn.expand %c : tensor<4x8xf32, #snn.events<capacity = 3>> -> tensor<4x8xf32>
  %again = snn.compress %d : tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 3>>
  %d2 = snn.expand %e : tensor<4x8xf32, #snn.events<capacity = 3>> -> tensor<4x8xf32>
  %again2 = snn.compress %d2 : tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 3>>
  return %again, %again2 : tensor<4x8xf32, #snn.events<capacity = 3>>, tensor<4x8xf32, #snn.events<capacity = 3>>
}

// -----

// States that act only on each other go, with what is computed for them.
// CHECK-LABEL: func.func @useless
// CHECK: snn.scan over({{.*}}) state(%[[S:[a-z0-9]+]] = %{{[a-z0-9]+}} : tensor<4x8xf32>) -> (), (tensor<4x8xf32>)
// CHECK-NEXT: %[[N:.*]] = arith.addf %[[S]]
// CHECK-NEXT: snn.yield state(%[[N]] : tensor<4x8xf32>)
func.func @useless(%a: tensor<5x4x8xf32>, %u: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %f:3 = snn.scan over(%x = %a : tensor<5x4x8xf32>) state(%s = %u : tensor<4x8xf32>, %p = %u : tensor<4x8xf32>, %q = %u : tensor<4x8xf32>) -> (), (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
    %n = arith.addf %s, %x : tensor<4x8xf32>
    %m = arith.addf %p, %q : tensor<4x8xf32>
    %k = arith.mulf %m, %n : tensor<4x8xf32>
    snn.yield state(%n, %k, %m : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
  }
  return %f#0 : tensor<4x8xf32>
}
