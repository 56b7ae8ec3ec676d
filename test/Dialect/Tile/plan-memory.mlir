// RUN: snn-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(tile-schedule,tile-plan-memory)' | FileCheck %s

// CHECK-LABEL: tile.program @plan
// CHECK-SAME: tile.memory = {max = [[MAX:[0-9]+]] : i64
// Weights and state of one tile: 16 x 2 and 4 x 2 floats at different addresses; what the host streams has none.
// CHECK: tile.buffer "x" {pitch = 16 : i64, steps} : memref<9x4x16xf32>
// CHECK: tile.buffer "w" on %{{.*}} {address = [[W:[0-9]+]] : i64
// CHECK: tile.buffer "v" on %{{.*}} {address = {{[0-9]+}} : i64
// The broadcast input needs a staging copy of one step; what is at home does not.
// CHECK: tile.compute @a {{.*}}offset = 0 : i64, views = [#tile.arg<own, read>, #tile.arg<broadcast, read, steps = true, address = {{[0-9]+}}>, #tile.arg<own, update>, #tile.arg<own, write, steps = true>]
tile.program @plan machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4) first(0) units(8) per_tile(2) group(4)
  %g = tile.family "g" tiles(4) first(4) units(8) per_tile(2) group(4)
  %x = tile.buffer "x" {steps, pitch = 16 : i64} : memref<9x4x16xf32>
  %w = tile.buffer "w" on %f {home = #tile.home<own>, layout = #tile.layout<blocked>, persistent} : memref<16x8xf32>
  %v = tile.buffer "v" on %f {clear, home = #tile.home<own>, layout = #tile.layout<blocked>} : memref<4x8xf32>
  %m = tile.buffer "m" on %f {home = #tile.home<own>, steps, pitch = 8 : i64} : memref<9x4x8xf32>
  %y = tile.buffer "y" on %g {home = #tile.home<own>, steps, pitch = 8 : i64} : memref<9x4x8xf32>
  tile.phase "forward" steps(9) {
    tile.compute @a on %f(%w, %x, %v, %m) {layer = "a", kind = "forward", views = [#tile.arg<own, read>, #tile.arg<broadcast, read, steps = true>, #tile.arg<own, update>, #tile.arg<own, write, steps = true>]} : memref<16x8xf32>, memref<9x4x16xf32>, memref<4x8xf32>, memref<9x4x8xf32>
    tile.compute @b on %g(%m, %y) {layer = "b", kind = "forward", views = [#tile.arg<broadcast, read, steps = true>, #tile.arg<own, write, steps = true>]} : memref<9x4x8xf32>, memref<9x4x8xf32>
  }
}

// -----

// expected-error @+1 {{the network does not fit the machine 'tiny'}}
tile.program @large machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4) first(0) units(8) per_tile(2) group(4)
  %w = tile.buffer "w" on %f {home = #tile.home<own>, layout = #tile.layout<blocked>, persistent} : memref<100000x8xf32>
}
