// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile,canonicalize)' | FileCheck %s

// A layer that reads lists, one that makes them, and a readout that stays dense.

// CHECK: tile.program @program machine("tiny") chips(1)
// Families of units are placed; helpers of one task a tile make the lists.
// CHECK-DAG: %[[FC1:.*]] = tile.family "fc1" tiles({{[0-9]+}}) first({{[0-9]+}}) units(12)
// CHECK-DAG: %[[FC2:.*]] = tile.family "fc2" tiles({{[0-9]+}}) first({{[0-9]+}}) units(3)
// CHECK-DAG: %[[LISTS:.*]] = tile.family "fc1.lists" tiles(4)
// CHECK-DAG: %[[SEGMENTS:.*]] = tile.family "fc1.segments" tiles(4)

// Parameters lie transposed with the units last; states are filled before every run; lists have 16 bit ids.
// CHECK-DAG: %[[W1:.*]] = tile.buffer "fc1.weight" on %[[FC1]] {{{.*}}home = #tile.home<own>, layout = #tile.layout<blocked>, persistent{{.*}}} : memref<10x12xf32>
// CHECK-DAG: %[[V1:.*]] = tile.buffer "mem1" on %[[FC1]] {clear, fill = -5.000000e-01 : f32{{.*}}} : memref<4x12xf32>
// CHECK-DAG: %[[P1:.*]] = tile.buffer "fc1.compared" on %[[FC1]] {{.*}}steps} : memref<5x4x12xf32>
// CHECK-DAG: %[[IDS:.*]] = tile.buffer "fc1.ids" on %[[LISTS]] {{{.*}}slice = #tile.slice<divisor = 1, outer = 6, inner = 0, extents = [1, 6]>, spare = 16 : i64, steps} : memref<5x4x6xi16>
// CHECK-DAG: %[[INFO:.*]] = tile.buffer "fc1.info" on %[[LISTS]] {{.*}} : memref<5x4x10xi32>

// CHECK-DAG: tile.port "fc1.weight" role("parameter") = %[[W1]] {shape = array<i64: 12, 10>, trainable, transposed}
// CHECK-DAG: tile.events "fc1" units(12) capacity(6) = %[[INFO]]

// CHECK: tile.phase "forward" steps(5) {
// CHECK-DAG: tile.compute @fc1_forward on %[[FC1]](%[[W1]], {{.*}}kind = "forward", layer = "fc1", views = [#tile.arg<own, read>,
// CHECK-DAG: tile.compute @fc2_forward on %[[FC2]](%{{[0-9]+}}, %[[IDS]], %[[INFO]],
// CHECK-DAG: tile.compute @fc1_segments on %[[SEGMENTS]](%[[P1]],
// CHECK-DAG: tile.compute @fc1_lists on %[[LISTS]](
// CHECK: }
// CHECK: tile.port "spk" role("output")

// The codelet of one tile: its units of the samples of one worker, sums in registers, in the order of the list.
// CHECK-LABEL: func.func @fc2_forward(
// CHECK-SAME: memref<12x[[P:[0-9]+]]xf32> {tile.layout = "blocked", tile.view = "own"}
// CHECK-SAME: memref<?x4x6xi16> {tile.pitch = 6 : i64, tile.view = "broadcast"}
// CHECK-SAME: attributes {tile.codelet, tile.lanes = {{[0-9]+}} : i64, tile.per_tile = [[P]] : i64, tile.units = 3 : i64}
// CHECK: scf.for
// CHECK: tile.workers %{{.*}} of 6
// CHECK: scf.for %[[B:.*]] =
// CHECK: %[[N:.*]] = arith.index_castui
// CHECK: scf.for %[[J:.*]] = %{{.*}} to %[[N]] step %{{.*}} iter_args(
// CHECK-NEXT: memref.load %{{.*}}[%{{.*}}, %[[B]], %[[J]]] : memref<?x4x6xi16>
// CHECK-NEXT: arith.index_castui
// CHECK-NEXT: memref.load %{{.*}} : memref<12x[[P]]xf32>
// CHECK-NEXT: arith.addf
func.func @main(
    %x: tensor<5x4x10xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w1: tensor<12x10xf32> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>, snn.trainable},
    %w2: tensor<3x12xf32> {snn.name = "fc2.weight", snn.kind = #snn.kind<parameter>, snn.trainable},
    %u1: tensor<4x12xf32> {snn.name = "mem1", snn.kind = #snn.kind<state>, snn.initial = -0.5 : f32},
    %u2: tensor<4x3xf32> {snn.name = "mem2", snn.kind = #snn.kind<state>})
    -> (tensor<5x4x3xf32> {snn.name = "spk"}) {
  %spk, %f1, %f2 = snn.scan over(%xt = %x : tensor<5x4x10xf32>) state(%v1 = %u1 : tensor<4x12xf32>, %v2 = %u2 : tensor<4x3xf32>)
      -> (tensor<5x4x3xf32>), (tensor<4x12xf32>, tensor<4x3xf32>) {
    %i1 = snn.linear %xt, %w1 : (tensor<4x10xf32>, tensor<12x10xf32>) -> tensor<4x12xf32>
    %s1, %n1 = snn.neuron %i1, %v1 {decay = 0.9 : f32} : tensor<4x12xf32>, tensor<4x12xf32> -> tensor<4x12xf32, #snn.events<capacity = 6, binary = true>>, tensor<4x12xf32>
    %i2 = snn.linear %s1, %w2 : (tensor<4x12xf32, #snn.events<capacity = 6, binary = true>>, tensor<3x12xf32>) -> tensor<4x3xf32>
    %s2, %n2 = snn.neuron %i2, %v2 {decay = 0.9 : f32} : tensor<4x3xf32>, tensor<4x3xf32> -> tensor<4x3xf32>, tensor<4x3xf32>
    snn.yield step(%s2 : tensor<4x3xf32>) state(%n1, %n2 : tensor<4x12xf32>, tensor<4x3xf32>)
  }
  return %spk : tensor<5x4x3xf32>
}
