// Operations on rows have tiles of their own, each with some samples and lines; the matrix of a convolution is made on
// the tiles of its outputs, before the first step.
// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile)' | FileCheck %s

// CHECK: tile.family "units1.slice" tiles(2)
// CHECK: tile.family "conv" tiles(4) first(0) units(16)
// CHECK: tile.buffer "conv.matrix" {{.*}}layout = #tile.layout<blocked>{{.*}} : memref<36x16xf32>
// CHECK: tile.buffer "units1.slice.2" {{.*}}slice = #tile.slice<divisor = 1, outer = 8, inner = 4, extents = [2, 4]>{{.*}} : memref<5x4x4xf32>
// CHECK: tile.phase "pass" steps(1)
// CHECK-NEXT: tile.compute @conv_forward
// CHECK: tile.phase "forward" steps(5)
// CHECK: tile.compute @conv_forward_1
// CHECK: tile.compute @units1_slice on {{.*}}#tile.arg<slice, read, steps = true, slice = <divisor = 1, outer = 32, inner = 0, extents = [2, 16]>>

// The kernel is read as a whole; a unit's row of the matrix is cleared, then gets what its kernel positions say.
// CHECK: func.func @conv_forward(%[[M:.*]]: memref<36x4xf32> {{{.*}}"own"}, %[[K:.*]]: memref<1x9xf32> {{{.*}}"broadcast"}
// CHECK: memref.store %{{.*}}, %[[M]]
// CHECK: scf.if
// CHECK: memref.load %[[K]]
// CHECK: memref.store %{{.*}}, %[[M]]
func.func @main(%x: tensor<5x4x36xf32> {snn.kind = #snn.kind<input>, snn.name = "x"},
                %k: tensor<1x9xf32> {snn.kind = #snn.kind<parameter>, snn.name = "conv.weight"}) -> (tensor<5x4x4xf32> {snn.name = "y"}) {
  %m = snn.conv_matrix %k {input = [1, 6, 6], kernel = [3, 3]} : tensor<1x9xf32> -> tensor<16x36xf32>
  %y = snn.scan over(%xt = %x : tensor<5x4x36xf32>) -> (tensor<5x4x4xf32>), () {
    %i = snn.linear %xt, %m : (tensor<4x36xf32>, tensor<16x36xf32>) -> tensor<4x16xf32>
    %a = snn.slice %i {shape = [4, 4], offsets = [0, 1], sizes = [2, 2], strides = [2, 2]} : tensor<4x16xf32> -> tensor<4x4xf32>
    %n = arith.negf %a : tensor<4x4xf32>
    snn.yield step(%n : tensor<4x4xf32>)
  }
  return %y : tensor<5x4x4xf32>
}
