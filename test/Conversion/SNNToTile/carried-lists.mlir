// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile,canonicalize)' | FileCheck %s

// Spikes that the next step reads: a row more than steps, row 0 for what the caller starts from. The thresholds are
// seen by the tiles that make lists, so they lie as rows.
// CHECK-DAG: %[[Z:.*]] = tile.buffer "z" {{.*}} : memref<4x6xf32>
// CHECK-DAG: %[[START:.*]] = tile.buffer "input.ids" {{.*}}steps} : memref<1x4x6xi16>
// CHECK-DAG: %[[IDS:.*]] = tile.buffer "fc.ids" {{.*}}clear{{.*}}steps} : memref<6x4x6xi16>
// CHECK-DAG: tile.buffer "fc.threshold" on %{{[0-9]+}} {home = #tile.home<own>, persistent, pitch = 6 : i64} : memref<6xf32>

// CHECK: tile.phase "pass" steps(1) {
// CHECK: tile.compute @input_segments on %{{.*}}(%[[Z]],
// CHECK: tile.phase "start" steps(1) {
// CHECK: tile.compute @fc_start on %{{.*}}(%[[START]], %{{.*}}, %[[IDS]],
// CHECK: tile.phase "forward" steps(5) {
// CHECK: tile.phase "pass" steps(1) {
// The last row holds the spikes of the last step.
// CHECK: tile.compute @fc_forward_1 {{.*}}#tile.arg<broadcast, read, steps = true, shift = 5
#binary = #snn.events<capacity = 6, binary = true>
func.func @main(
    %x: tensor<5x4x6xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w: tensor<6x6xf32> {snn.name = "fc.weight", snn.kind = #snn.kind<parameter>},
    %t: tensor<6xf32> {snn.name = "fc.threshold", snn.kind = #snn.kind<parameter>},
    %z0: tensor<4x6xf32> {snn.name = "z", snn.kind = #snn.kind<state>},
    %v0: tensor<4x6xf32> {snn.name = "v", snn.kind = #snn.kind<state>})
    -> (tensor<4x6xf32> {snn.name = "z_out", snn.state = "z"}) {
  %start = snn.compress %z0 : tensor<4x6xf32> -> tensor<4x6xf32, #binary>
  %z1, %v1 = snn.scan over(%xt = %x : tensor<5x4x6xf32>) state(%z = %start : tensor<4x6xf32, #binary>, %v = %v0 : tensor<4x6xf32>)
      -> (), (tensor<4x6xf32, #binary>, tensor<4x6xf32>) {
    %r = snn.linear %z, %w : (tensor<4x6xf32, #binary>, tensor<6x6xf32>) -> tensor<4x6xf32>
    %i = arith.addf %r, %xt : tensor<4x6xf32>
    %s, %n = snn.neuron %i, %v threshold(%t : tensor<6xf32>) {decay = 0.9 : f32} : tensor<4x6xf32>, tensor<4x6xf32> -> tensor<4x6xf32, #binary>, tensor<4x6xf32>
    snn.yield state(%s, %n : tensor<4x6xf32, #binary>, tensor<4x6xf32>)
  }
  %last = snn.expand %z1 : tensor<4x6xf32, #binary> -> tensor<4x6xf32>
  return %last : tensor<4x6xf32>
}
