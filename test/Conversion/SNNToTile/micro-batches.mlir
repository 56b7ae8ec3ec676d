// RUN: snn-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(snn-training-step{optimizer=sgd readout=output},snn-partition{machine=tiny},convert-snn-to-tile{micro-batches=3},canonicalize)' | FileCheck %s

// Three micro-batches: arithmetic on the parameter before the loop; inputs, labels and weights have three times the rows,
// and every trip moves on by its own; what the run clears is cleared in every trip, but for the gradient, which grows. The
// gradient of the parameter behind the arithmetic and the update come behind the loop.

// CHECK-DAG: %[[X:.*]] = tile.buffer "x" {{.*}}steps} : memref<15x4x9xf32>
// CHECK-DAG: %[[S:.*]] = tile.buffer "s" {{.*}}steps} : memref<3x4x12xf32>
// CHECK-DAG: %[[LABELS:.*]] = tile.buffer "labels" {{.*}}steps} : memref<3x4xi32>
// CHECK-DAG: %[[STATE:.*]] = tile.buffer "fc.state" on %{{.*}} {clear, {{.*}} : memref<4x12xf32>
// CHECK-DAG: %[[COTANGENT:.*]] = tile.buffer "fc.state.2" on %{{.*}} {clear, {{.*}} : memref<4x12xf32>
// CHECK-DAG: %[[GROWS:.*]] = tile.buffer "fc.gradient.2" on %{{.*}} {clear, {{.*}} : memref<9x12xf32>
// CHECK: tile.port "x" role("input") = %[[X]] {shape = array<i64: 3, 5, 4, 9>}
// CHECK: tile.phase "pass" steps(1) {
// CHECK-NEXT: tile.compute @fc_forward
// CHECK-NOT: tile.phase
// CHECK: tile.loop "micro_batches" trips(3) sums clear(%[[STATE]], %[[COTANGENT]] : memref<4x12xf32>, memref<4x12xf32>) {
// CHECK-NEXT: tile.phase "forward" steps(5) {
// CHECK-NEXT: tile.compute @fc_forward_1 on %{{.*}}%[[X]], {{.*}}%[[S]], {{.*}}#tile.arg<broadcast, read, steps = true, advance = [5]>{{.*}}#tile.arg<own, read, advance = [1]>
// CHECK: tile.phase "loss" steps(1) {
// CHECK-NEXT: tile.compute @loss_samples on %{{.*}}(%{{.*}}, %[[LABELS]], {{.*}}, #tile.arg<slice, read, slice = {{.*}}, advance = [1]>
// CHECK: tile.phase "backward" reverse steps(5) {
// CHECK-NEXT: tile.compute @fc_backward {{.*}}%[[GROWS]]
// CHECK: tile.phase "pass" steps(1) {
// CHECK-NEXT: tile.compute @fc_forward_
// CHECK: tile.phase "update" steps(1) {
func.func @main(%x: tensor<5x4x9xf32> {snn.kind = #snn.kind<input>, snn.name = "x"},
                %s: tensor<4x12xf32> {snn.kind = #snn.kind<input>, snn.name = "s"},
                %w: tensor<12x9xf32> {snn.kind = #snn.kind<parameter>, snn.name = "fc.weight", snn.trainable},
                %d: tensor<12xf32> {snn.kind = #snn.kind<parameter>, snn.name = "fc.decay", snn.trainable}) -> (tensor<4x12xf32> {snn.name = "y"}) {
  %zero = arith.constant dense<0.0> : tensor<4x12xf32>
  %decay = math.exp %d : tensor<12xf32>
  %last = snn.scan over(%xt = %x : tensor<5x4x9xf32>) state(%h = %zero : tensor<4x12xf32>) -> (), (tensor<4x12xf32>) {
    %i = snn.linear %xt, %w : (tensor<4x9xf32>, tensor<12x9xf32>) -> tensor<4x12xf32>
    %b = snn.broadcast %decay : tensor<12xf32> -> tensor<4x12xf32>
    %k = arith.mulf %h, %b : tensor<4x12xf32>
    %m = arith.mulf %i, %s : tensor<4x12xf32>
    %n = arith.addf %k, %m : tensor<4x12xf32>
    snn.yield state(%n : tensor<4x12xf32>)
  }
  return %last : tensor<4x12xf32>
}
