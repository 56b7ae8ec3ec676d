// RUN: snn-opt %s -tile-strict | FileCheck %s

// CHECK: module attributes {tile.locations = ["fc1/MatMul", "strict.mlir:7:3", "{{.+}}strict.mlir:53:5", "{{.+}}strict.mlir:55:7"]}
// CHECK-LABEL: func.func @f.strict(
// CHECK-SAME: %[[W:[a-z0-9]+]]: memref<4x2xf32>
// CHECK-SAME: %[[V:[a-z0-9]+]]: memref<2xf32>
// CHECK-SAME: %[[CONTEXT:[a-z0-9]+]]: !llvm.ptr, %[[CHECK:[a-z0-9]+]]: !llvm.ptr)
// CHECK-SAME: tile.entry = "strict"
// The workers are a loop; every load and store is checked first: address, bytes, whether it is a store, location.
// CHECK: scf.for
// CHECK: scf.for %[[WORKER:[a-z0-9]+]] =
// CHECK: %[[BASE:.+]] = memref.extract_aligned_pointer_as_index %[[W]]
// CHECK: %[[ROW:.+]] = arith.muli %[[WORKER]], %c8
// CHECK: arith.addi %[[BASE]], %[[ROW]]
// CHECK: llvm.call %[[CHECK]](%[[CONTEXT]], %{{.+}}, %c4_i32{{.*}}, %c0_i32{{.*}}, %c0_i32{{.*}}) : !llvm.ptr, (!llvm.ptr, i64, i32, i32, i32) -> ()
// CHECK: memref.load %[[W]][%[[WORKER]],
// CHECK: llvm.call %[[CHECK]](%[[CONTEXT]], %{{.+}}, %c4_i32{{.*}}, %c1_i32{{.*}}, %c1_i32{{.*}})
// CHECK: memref.store %{{.+}}, %[[V]]
func.func @f(%w: memref<4x2xf32> {tile.view = "own"}, %v: memref<2xf32> {tile.view = "own"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %private = memref.alloca() : memref<1xf32>
  scf.for %t = %c0 to %len step %c1 {
    tile.workers %worker of 4 {
      %x = memref.load %w[%worker, %c1] : memref<4x2xf32> loc("fc1/MatMul")
      memref.store %x, %private[%c0] : memref<1xf32>
      memref.store %x, %v[%c0] : memref<2xf32> loc("strict.mlir":7:3)
    }
  }
  return
}

// The entries of a list are found by looking at all: the owner of an id is group * lanes + lane.
// CHECK-LABEL: func.func @entries.strict(
// CHECK: scf.for %[[J:[a-z0-9]+]] =
// CHECK: llvm.call
// CHECK: %[[ID:.+]] = arith.index_castui
// CHECK: %[[REST:.+]] = arith.remui %[[ID]], %c32
// CHECK: %[[LANE:.+]] = arith.remui %[[REST]], %c16
// CHECK: %[[GROUP:.+]] = arith.divui %[[ID]], %c32
// CHECK: %[[FIRST:.+]] = arith.muli %[[GROUP]], %c16
// CHECK: %[[OWNER:.+]] = arith.addi %[[FIRST]], %[[LANE]]
// CHECK: arith.cmpi eq, %[[OWNER]], %{{.+}}
// CHECK: scf.if
func.func @entries(%ids: memref<20xi16> {tile.view = "broadcast"}, %g: memref<2xf32> {tile.view = "own"}, %len: index,
    %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  %one = arith.constant 1.0 : f32
  scf.for %t = %c0 to %len step %c1 {
    tile.own_entries %ids[] from %c1, %c20 on %task {group = 16 : i64, per_tile = 2 : i64} : memref<20xi16> {
    ^bb0(%j: index, %c: index):
      memref.store %one, %g[%c] : memref<2xf32>
    }
  }
  return
}
