// RUN: snn-opt %s -split-input-file --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile,canonicalize)' | FileCheck %s

// Rows outside scans are phases of one step. A list that such a phase makes is read by every step of a scan; a state
// that it computes is copied to where the scan changes it.

// CHECK-DAG: %[[IDS:.*]] = tile.buffer "input.ids" on %{{.*}} steps} : memref<1x4x9xi16>
// CHECK-DAG: %[[START:.*]] = tile.buffer "wi.value" on %{{.*}} : memref<4x12xf32>
// CHECK-DAG: %[[STATE:.*]] = tile.buffer "wi.history" on %{{.*}} {clear, {{.*}}steps} : memref<6x4x12xf32>
// CHECK: tile.phase "pass" steps(1) {
// CHECK: tile.compute @input_lists on %{{.*}}(%{{.*}}, %[[IDS]], {{.*}}#tile.arg<slice, write, steps = true
// CHECK: tile.phase "start" steps(1) {
// CHECK-NEXT: tile.compute @wi_start on %{{.*}}(%[[START]], %[[STATE]])
// CHECK: tile.phase "forward" steps(5) {
// CHECK: tile.compute @wi_forward_1 on %{{.*}}%[[IDS]]{{.*}}#tile.arg<broadcast, read>
// CHECK: tile.phase "pass" steps(1) {
// CHECK: func.func @wi_forward_1({{.*}}memref<4x9xi16> {tile.pitch = 9 : i64, tile.view = "broadcast"}
func.func @main(%s: tensor<4x9xf32> {snn.kind = #snn.kind<input>, snn.name = "s"},
                %wi: tensor<12x9xf32> {snn.kind = #snn.kind<parameter>, snn.name = "wi.weight"},
                %u: tensor<12x12xf32> {snn.kind = #snn.kind<parameter>, snn.name = "u.weight"}) -> (tensor<4x12xf32> {snn.name = "y"}) {
  %e = snn.compress %s : tensor<4x9xf32> -> tensor<4x9xf32, #snn.events<capacity = 9>>
  %start = snn.linear %e, %wi : (tensor<4x9xf32, #snn.events<capacity = 9>>, tensor<12x9xf32>) -> tensor<4x12xf32>
  %last = snn.scan state(%h = %start : tensor<4x12xf32>) -> (), (tensor<4x12xf32>) attributes {steps = 5 : i64} {
    %i = snn.linear %e, %wi : (tensor<4x9xf32, #snn.events<capacity = 9>>, tensor<12x9xf32>) -> tensor<4x12xf32>
    %r = snn.linear %h, %u : (tensor<4x12xf32>, tensor<12x12xf32>) -> tensor<4x12xf32>
    %n = arith.addf %i, %r : tensor<4x12xf32>
    snn.yield state(%n : tensor<4x12xf32>)
  }
  %y = math.exp %last : tensor<4x12xf32>
  return %y : tensor<4x12xf32>
}

// -----

// A scalar is a unit of its own: one tile computes it, all read it. A sum over samples and units becomes the units' sums
// and their sum on that tile.

// CHECK-DAG: %[[SCALAR:.*]] = tile.family "w" tiles(1) first({{[0-9]+}}) units(1)
// CHECK-DAG: %[[W:.*]] = tile.buffer "w.2" on %[[SCALAR]] {{.*}}persistent{{.*}} : memref<1xf32>
// CHECK-DAG: %[[D:.*]] = tile.buffer "w.value" on %[[SCALAR]] {{.*}} : memref<1xf32>
// CHECK-DAG: %[[PARTS:.*]] = tile.buffer "units{{[0-9]*}}.exchanged" on %{{.*}} : memref<12xf32>
// CHECK-DAG: %[[SUM:.*]] = tile.buffer "w.gradient" on %[[SCALAR]] {clear{{.*}} : memref<1xf32>
// CHECK: tile.phase "pass" steps(1) {
// CHECK-NEXT: tile.compute @w_forward on %[[SCALAR]](%[[W]], %[[D]]) {{.*}}views = [#tile.arg<own, read>, #tile.arg<own, write>]
// CHECK-NEXT: tile.compute @units0_backward on %{{.*}}(%[[D]], %{{.*}}, %[[PARTS]]) {{.*}}views = [#tile.arg<broadcast, read>,
// CHECK-NEXT: tile.compute @w_backward on %[[SCALAR]](%[[PARTS]], %[[SUM]]) {{.*}}views = [#tile.arg<broadcast, read>, #tile.arg<own, update>]
// CHECK: tile.phase "update"
func.func @main(%x: tensor<4x12xf32> {snn.kind = #snn.kind<input>, snn.name = "x"},
                %w: tensor<f32> {snn.kind = #snn.kind<parameter>, snn.name = "w", snn.trainable},
                %h: tensor<4xf32> {snn.kind = #snn.kind<hyper>, snn.name = "hyper"})
    -> (tensor<4x12xf32> {snn.name = "y"}, tensor<f32> {snn.name = "w", snn.update = "w"}, tensor<f32> {snn.name = "decay"}) {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %d = math.exp %w : tensor<f32>
  %b = snn.broadcast %d : tensor<f32> -> tensor<4x12xf32>
  %y = arith.mulf %x, %b : tensor<4x12xf32>
  %g = snn.batch_sum %y into %zero : tensor<4x12xf32> -> tensor<f32>
  %w1 = snn.sgd %w, %g, %h : tensor<f32>, tensor<4xf32>
  return %y, %w1, %d : tensor<4x12xf32>, tensor<f32>, tensor<f32>
}
