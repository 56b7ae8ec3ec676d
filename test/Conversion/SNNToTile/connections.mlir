// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile,canonicalize)' | FileCheck %s
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile)' \
// RUN:   --remark-format=emitRemark --remarks-filter-analyse=placement 2>&1 | FileCheck %s --check-prefix=WASTE

// WASTE: a weight of fc1 keeps 9 connections, at most 2 for a unit; 10 % of the places are padding
// WASTE: a weight of fc2 keeps 6 connections, at most 2 for a unit; 0 % of the places are padding

// A sparse weight: values and 16-bit inputs of its connections, [connection][unit], padded to the most inputs.

// CHECK: tile.program @program machine("tiny") chips(1)
// CHECK-DAG: %[[FC1:.*]] = tile.family "fc1" tiles({{[0-9]+}}) first({{[0-9]+}}) units(5)
// CHECK-DAG: %[[W:.*]] = tile.buffer "fc1.weight" on %[[FC1]] {{{.*}}layout = #tile.layout<blocked>, persistent{{.*}}} : memref<2x5xf32>
// CHECK-DAG: %[[IN:.*]] = tile.buffer "fc1.connections" on %[[FC1]] {content = dense<{{\[\[}}0, 1, 2, 0, 4], [7, -1, 3, 9, 5]]> : tensor<2x5xi16>, {{.*}}persistent{{.*}}} : memref<2x5xi16>
// CHECK-DAG: tile.port "fc1.weight" role("parameter") = %[[W]] connections(%[[IN]] : memref<2x5xi16>) {shape = array<i64: 5, 10>, trainable} : memref<2x5xf32>

// A list is spread out for each sample, read at connections, and its places are cleared again.
// CHECK-LABEL: func.func @fc1_forward(
// CHECK: %[[ROW:.*]] = memref.alloca() : memref<10xf32>
// CHECK: tile.workers
// CHECK: scf.for %[[S:.*]] =
// CHECK: memref.store %{{.*}}, %[[ROW]][%{{.*}}]
// CHECK: scf.for %[[J:.*]] = %c0 to %c2 step %c1 iter_args(
// CHECK-NEXT: %[[ID:.*]] = memref.load %{{.*}}[%[[J]], %{{.*}}] : memref<2x{{.*}}xi16>
// CHECK-NEXT: %[[THERE:.*]] = arith.cmpi ne, %[[ID]], %c-1_i16 : i16
// CHECK-NEXT: %[[INSIDE:.*]] = arith.select %[[THERE]], %[[ID]], %c0_i16 : i16
// CHECK-NEXT: %[[I:.*]] = arith.index_castui %[[INSIDE]] : i16 to index
// CHECK-NEXT: %[[X:.*]] = memref.load %[[ROW]][%[[I]]]
// CHECK: %[[TERM:.*]] = arith.mulf %[[X]], %{{.*}} : f32
// CHECK-NEXT: arith.select %[[THERE]], %[[TERM]], %{{.*}} : f32
// CHECK: memref.store %{{.*}}, %[[ROW]][%{{.*}}]
// CHECK: return

// Every output of the second weight has as many inputs, and its row is dense: no test, no copy.
// CHECK-LABEL: func.func @fc2_forward(
// CHECK-NOT: memref.alloca
// CHECK-NOT: arith.cmpi
// CHECK: return

#few = #snn.connections<dense<[[0, 7], [1, -1], [2, 3], [0, 9], [4, 5]]> : tensor<5x2xi32>>
#two = #snn.connections<dense<[[0, 7], [1, 4], [2, 3]]> : tensor<3x2xi32>>
func.func @main(
    %x: tensor<6x4x10xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w: tensor<5x10xf32, #few> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>, snn.trainable},
    %w2: tensor<3x10xf32, #two> {snn.name = "fc2.weight", snn.kind = #snn.kind<parameter>})
    -> (tensor<6x4x5xf32> {snn.name = "y"}, tensor<6x4x3xf32> {snn.name = "z"}) {
  %y, %z = snn.scan over(%xt = %x : tensor<6x4x10xf32>) -> (tensor<6x4x5xf32>, tensor<6x4x3xf32>), () {
    %e = snn.compress %xt : tensor<4x10xf32> -> tensor<4x10xf32, #snn.events<capacity = 6, binary = true>>
    %i = snn.linear %e, %w : (tensor<4x10xf32, #snn.events<capacity = 6, binary = true>>, tensor<5x10xf32, #few>) -> tensor<4x5xf32>
    %j = snn.linear %xt, %w2 : (tensor<4x10xf32>, tensor<3x10xf32, #two>) -> tensor<4x3xf32>
    snn.yield step(%i, %j : tensor<4x5xf32>, tensor<4x3xf32>)
  }
  return %y, %z : tensor<6x4x5xf32>, tensor<6x4x3xf32>
}
