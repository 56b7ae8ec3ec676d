// RUN: snn-opt %s --pass-pipeline='builtin.module(tile-schedule,tile-plan-memory,tile-plan-exchange{verify=true})' | FileCheck %s

// What comes from the host costs no exchange between tiles.
// CHECK: tile.compute @a
// CHECK-NOT: exchange_bytes
// The second step reads 4 x 8 floats of the first: 128 bytes, a broadcast that neighbours share, in 4 pieces a sender.
// CHECK: tile.compute @b {{.*}}exchange_bytes = 128 : i64, exchange_cycles = {{[1-9][0-9]+}} : i64
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
