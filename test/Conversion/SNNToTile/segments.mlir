// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{optimizer=sgd readout=output},func.func(snn-differentiate,snn-fuse-time-sums),canonicalize,func.func(snn-recompute{every=4}),canonicalize,cse,snn-partition{machine=tiny},convert-snn-to-tile)' | FileCheck %s
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-training-step{optimizer=sgd readout=output},func.func(snn-differentiate,snn-fuse-time-sums),canonicalize,func.func(snn-recompute{every=4}),canonicalize,cse,snn-partition{machine=tiny},convert-snn-to-tile{micro-batches=2})' | FileCheck %s --check-prefix=BATCHES

// Three segments of four steps. The states before each are kept in a row of a buffer; the backward loop goes through the
// rows from the last on, computes the steps again, and has tapes of four steps. Inputs move on by four rows in a trip.

// CHECK-DAG: %[[X:.*]] = tile.buffer "x" {{.*}}steps} : memref<12x4x9xf32>
// CHECK-DAG: %[[STARTS:.*]] = tile.buffer "fc.starts" {{.*}}steps} : memref<3x4x12xf32>
// CHECK-DAG: tile.buffer "fc.{{stacked|exchanged}}{{.*}}" {{.*}}steps} : memref<4x4x12xf32>
// CHECK: tile.loop "segments" trips(3) {
// CHECK-NEXT: tile.phase "keep" steps(1) {
// CHECK-NEXT: tile.compute @fc_keep {{.*}}, %[[STARTS]]) {{.*}}#tile.arg<own, write, advance = [1]>
// CHECK: tile.phase "forward" steps(4) {
// CHECK-NEXT: tile.compute {{.*}}%[[X]]{{.*}}#tile.arg<broadcast, read, steps = true, advance = [4]>
// CHECK: tile.phase "loss" steps(1) {
// CHECK: tile.loop "segments" trips(3) {
// CHECK-NEXT: tile.phase "start" steps(1) {
// CHECK-NEXT: tile.compute {{.*}}(%[[STARTS]], {{.*}}#tile.arg<own, read, shift = 2, advance = [-1]>
// CHECK: tile.phase "recompute" steps(4) {
// CHECK-NEXT: tile.compute {{.*}}%[[X]]{{.*}}#tile.arg<broadcast, read, steps = true, shift = 8, advance = [-4]>
// CHECK: tile.phase "backward" reverse steps(4) {
// CHECK: tile.phase "update" steps(1) {

// In a loop over micro-batches, inputs move on by the twelve rows of a batch, too.
// BATCHES: tile.loop "micro_batches" trips(2) sums clear(
// BATCHES-NEXT: tile.loop "segments" trips(3) {
// BATCHES-NEXT: tile.phase "keep" steps(1) {
// BATCHES-NEXT: #tile.arg<own, write, advance = [0, 1]>
// BATCHES: #tile.arg<broadcast, read, steps = true, advance = [12, 4]>
// BATCHES: #tile.arg<broadcast, read, steps = true, shift = 8, advance = [12, -4]>
func.func @main(%x: tensor<12x4x9xf32> {snn.kind = #snn.kind<input>, snn.name = "x"},
                %w: tensor<12x9xf32> {snn.kind = #snn.kind<parameter>, snn.name = "fc.weight", snn.trainable}) -> (tensor<4x12xf32> {snn.name = "y"}) {
  %zero = arith.constant dense<0.0> : tensor<4x12xf32>
  %last = snn.scan over(%xt = %x : tensor<12x4x9xf32>) state(%h = %zero : tensor<4x12xf32>) -> (), (tensor<4x12xf32>) {
    %i = snn.linear %xt, %w : (tensor<4x9xf32>, tensor<12x9xf32>) -> tensor<4x12xf32>
    %a = arith.addf %h, %i : tensor<4x12xf32>
    %n = math.tanh %a : tensor<4x12xf32>
    snn.yield state(%n : tensor<4x12xf32>)
  }
  return %last : tensor<4x12xf32>
}
