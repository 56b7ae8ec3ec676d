// RUN: snn-opt %s -split-input-file -verify-diagnostics --tile-schedule | FileCheck %s
// RUN: snn-opt %s -split-input-file -verify-diagnostics --tile-schedule=chunk=3 | FileCheck %s --check-prefix=CHUNK

// Chunks of three steps: a chunk is on its way. What moves in a superstep moves before its place is written again. Feedback goes step by step all the same.
// CHUNK-LABEL: tile.program @chain
// CHUNK: tile.buffer "between" {{.*}}window = 3 : i64}
// CHUNK: tile.phase "forward" steps(9) chunk(3)
// CHUNK-LABEL: tile.program @feedback
// CHUNK: tile.phase "forward" steps(9) interval(2)

// A chain: each compute step reads what the one before made, one superstep earlier. The buffer between them needs to
// keep only the steps that are on their way.
// CHECK-LABEL: tile.program @chain
// CHECK: tile.buffer "between" {{.*}}window = 1 : i64} : memref<9x4x4xf32>
// CHECK: tile.phase "forward" steps(9)
// CHECK-SAME: tile.host_order = [{feedback = false, stages = array<i64: 0>}, {feedback = false, stages = array<i64: 1>}]
// CHECK: tile.compute @a {{.*}}offset = 0 : i64
// CHECK: tile.compute @b {{.*}}offset = 1 : i64
tile.program @chain machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4) first(0) units(4)
  %g = tile.family "g" tiles(4) first(4) units(4)
  %x = tile.buffer "x" {steps, pitch = 4 : i64} : memref<9x4x4xf32>
  %m = tile.buffer "between" on %f {home = #tile.home<own>, steps, pitch = 4 : i64} : memref<9x4x4xf32>
  %y = tile.buffer "y" on %g {home = #tile.home<own>, steps, pitch = 4 : i64} : memref<9x4x4xf32>
  tile.port "y" role("output") = %y {shape = array<i64: 9, 4, 4>} : memref<9x4x4xf32>
  tile.phase "forward" steps(9) {
    tile.compute @a on %f(%x, %m) {layer = "a", kind = "forward", views = [#tile.arg<broadcast, read, steps = true>, #tile.arg<own, write, steps = true>]} : memref<9x4x4xf32>, memref<9x4x4xf32>
    tile.compute @b on %g(%m, %y) {layer = "b", kind = "forward", views = [#tile.arg<broadcast, read, steps = true>, #tile.arg<own, write, steps = true>]} : memref<9x4x4xf32>, memref<9x4x4xf32>
  }
}

// -----

// Feedback: a reads what b made a step earlier, so a new step begins every second superstep, and the host runs the two
// together, step by step.
// CHECK-LABEL: tile.program @feedback
// CHECK: tile.phase "forward" steps(9) interval(2)
// CHECK-SAME: tile.host_order = [{feedback = true, stages = array<i64: 0, 1>}]
tile.program @feedback machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4) first(0) units(4)
  %g = tile.family "g" tiles(4) first(4) units(4)
  %m = tile.buffer "m" on %f {home = #tile.home<own>, steps, pitch = 4 : i64} : memref<9x4x4xf32>
  %h = tile.buffer "h" on %g {clear, home = #tile.home<own>, steps, pitch = 4 : i64} : memref<10x4x4xf32>
  tile.phase "forward" steps(9) {
    tile.compute @a on %f(%h, %m) {layer = "a", kind = "forward", views = [#tile.arg<broadcast, read, steps = true>, #tile.arg<own, write, steps = true>]} : memref<10x4x4xf32>, memref<9x4x4xf32>
    tile.compute @b on %g(%m, %h) {layer = "b", kind = "forward", views = [#tile.arg<broadcast, read, steps = true>, #tile.arg<own, write, steps = true, shift = 1>]} : memref<9x4x4xf32>, memref<10x4x4xf32>
  }
}

// -----

tile.program @early machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4) first(0) units(4)
  %g = tile.family "g" tiles(4) first(4) units(4)
  %h = tile.buffer "h" on %g {clear, home = #tile.home<own>, steps, pitch = 4 : i64} : memref<10x4x4xf32>
  %m = tile.buffer "m" on %f {home = #tile.home<own>, steps, pitch = 4 : i64} : memref<9x4x4xf32>
  tile.phase "forward" steps(9) {
    // expected-error @+1 {{reads a row of 'h' 1 steps before it is written}}
    tile.compute @a on %f(%h, %m) {layer = "a", kind = "forward", views = [#tile.arg<broadcast, read, steps = true, shift = 1>, #tile.arg<own, write, steps = true>]} : memref<10x4x4xf32>, memref<9x4x4xf32>
    tile.compute @b on %g(%h) {layer = "b", kind = "forward", views = [#tile.arg<own, write, steps = true>]} : memref<10x4x4xf32>
  }
}
