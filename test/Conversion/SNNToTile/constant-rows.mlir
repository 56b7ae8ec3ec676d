// RUN: snn-opt %s --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile,canonicalize)' | FileCheck %s

// The list of a spike state that starts at zero is made of a constant, and so is a product with one: both read a buffer
// that is filled before every run.
// CHECK-DAG: %[[ZERO:.*]] = tile.buffer "constant{{[^"]*}}" {clear{{.*}} : memref<4x6xf32>
// CHECK-DAG: %[[ONE:.*]] = tile.buffer "constant{{[^"]*}}" {clear, fill = 1.0{{.*}} : memref<4x3xf32>
// CHECK: tile.compute @input_segments on %{{.*}}(%[[ZERO]],
#binary = #snn.events<capacity = 6, binary = true>
func.func @main(
    %x: tensor<5x4x6xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w: tensor<6x6xf32> {snn.name = "fc.weight", snn.kind = #snn.kind<parameter>},
    %u: tensor<6x3xf32> {snn.name = "start.weight", snn.kind = #snn.kind<parameter>})
    -> (tensor<4x6xf32> {snn.name = "y"}) {
  %zero = arith.constant dense<0.0> : tensor<4x6xf32>
  %one = arith.constant dense<1.0> : tensor<4x3xf32>
  %v0 = snn.linear %one, %u : (tensor<4x3xf32>, tensor<6x3xf32>) -> tensor<4x6xf32>
  %start = snn.compress %zero : tensor<4x6xf32> -> tensor<4x6xf32, #binary>
  %z1, %v1 = snn.scan over(%xt = %x : tensor<5x4x6xf32>) state(%z = %start : tensor<4x6xf32, #binary>, %v = %v0 : tensor<4x6xf32>)
      -> (), (tensor<4x6xf32, #binary>, tensor<4x6xf32>) {
    %r = snn.linear %z, %w : (tensor<4x6xf32, #binary>, tensor<6x6xf32>) -> tensor<4x6xf32>
    %i = arith.addf %r, %xt : tensor<4x6xf32>
    %s, %n = snn.neuron %i, %v {decay = 0.9 : f32} : tensor<4x6xf32>, tensor<4x6xf32> -> tensor<4x6xf32, #binary>, tensor<4x6xf32>
    snn.yield state(%s, %n : tensor<4x6xf32, #binary>, tensor<4x6xf32>)
  }
  %last = snn.expand %z1 : tensor<4x6xf32, #binary> -> tensor<4x6xf32>
  return %last : tensor<4x6xf32>
}
