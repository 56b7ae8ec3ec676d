// RUN: snn-opt %s | snn-opt | FileCheck %s
// RUN: snn-opt %s --mlir-print-op-generic | snn-opt | FileCheck %s

// CHECK-LABEL: tile.program @step machine("bow") chips(1) {
tile.program @step machine("bow") chips(1) {
  // CHECK: %[[F:.*]] = tile.family "fc1" tiles(762) first(1) units(1466) per_tile(2) group(64)
  %f = tile.family "fc1" tiles(762) first(1) units(1466) per_tile(2) group(64)
  // CHECK: %[[L:.*]] = tile.family "fc1.lists" tiles(48) first(763)
  %l = tile.family "fc1.lists" tiles(48) first(763)
  // CHECK: tile.buffer "x" {pitch = 2312 : i64, steps} : memref<100x48x2312xf32>
  %x = tile.buffer "x" {steps, pitch = 2312 : i64} : memref<100x48x2312xf32>
  // CHECK: tile.buffer "fc1.weight" on %[[F]] {home = #tile.home<own>, layout = #tile.layout<blocked>, persistent} : memref<2312x1466xf32>
  %w = tile.buffer "fc1.weight" on %f {home = #tile.home<own>, layout = #tile.layout<blocked>, persistent} : memref<2312x1466xf32>
  // CHECK: tile.buffer "ids" on %[[L]] {home = #tile.home<slice>, slice = #tile.slice<divisor = 1, outer = 72, inner = 0, extents = [1, 72]>, spare = 16 : i64, steps} : memref<100x48x72xi16>
  %i = tile.buffer "ids" on %l {home = #tile.home<slice>, slice = #tile.slice<divisor = 1, outer = 72, inner = 0, extents = [1, 72]>, spare = 16 : i64, steps} : memref<100x48x72xi16>
  // CHECK: tile.port "fc1.weight" role("parameter") = %{{.*}} {shape = array<i64: 1466, 2312>, trainable, transposed} : memref<2312x1466xf32>
  tile.port "fc1.weight" role("parameter") = %w {shape = array<i64: 1466, 2312>, transposed, trainable} : memref<2312x1466xf32>
  // CHECK: tile.phase "backward" reverse steps(100) interval(2) {
  tile.phase "backward" reverse steps(100) interval(2) {
    // CHECK: tile.compute @c on %[[F]](%{{.*}}, %{{.*}}) {kind = "backward", layer = "fc1", views = [#tile.arg<own, update>, #tile.arg<broadcast, read, steps = true, shift = 1>]} : memref<2312x1466xf32>, memref<100x48x72xi16>
    tile.compute @c on %f(%w, %i) {layer = "fc1", kind = "backward", views = [#tile.arg<own, update>, #tile.arg<broadcast, read, steps = true, shift = 1>]} : memref<2312x1466xf32>, memref<100x48x72xi16>
  }
}

// CHECK-LABEL: tile.program @loops machine("tiny") chips(1) {
tile.program @loops machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4)
  %x = tile.buffer "x" {steps} : memref<60x4x8xf32>
  %y = tile.buffer "y" {clear} : memref<4x8xf32>
  // CHECK: tile.loop "micro_batches" trips(3) sums clear(%{{.*}} : memref<4x8xf32>) {
  tile.loop "micro_batches" trips(3) sums clear(%y : memref<4x8xf32>) {
    // CHECK-NEXT: tile.loop "segments" trips(4) {
    tile.loop "segments" trips(4) {
      // CHECK-NEXT: tile.phase "forward" steps(5) {
      tile.phase "forward" steps(5) {
        // CHECK-NEXT: tile.compute @c on %{{.*}} {kind = "forward", layer = "f", views = [#tile.arg<slice, read, steps = true, shift = 15, advance = [20, -5]>]}
        tile.compute @c on %f(%x) {layer = "f", kind = "forward", views = [#tile.arg<slice, read, steps = true, shift = 15, advance = [20, -5]>]} : memref<60x4x8xf32>
      }
    }
  }
}

// CHECK-LABEL: func.func @codelet
func.func @codelet(%ids: memref<?x48x72xi16>, %g: memref<2xf32>, %n: index, %task: index) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  // CHECK: tile.workers %[[W:.*]] of 6 {
  tile.workers %w of 6 {
    // CHECK: tile.own_entries %{{.*}}[%{{.*}}, %[[W]]] from %{{.*}}, %{{.*}} on %{{.*}} {group = 64 : i64, per_tile = 2 : i64} : memref<?x48x72xi16>
    tile.own_entries %ids[%c0, %w] from %n, %n on %task {group = 64 : i64, per_tile = 2 : i64} : memref<?x48x72xi16> {
    ^bb0(%j: index, %c: index):
      memref.store %zero, %g[%c] : memref<2xf32>
    }
  }
  return
}
