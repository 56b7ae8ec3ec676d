// RUN: snn-opt %s -split-input-file -verify-diagnostics

tile.program @p machine("tiny") chips(1) {
  // expected-error @+1 {{1466 units, 2 a tile in groups of 64 tiles, take 762 tiles, found 733}}
  %f = tile.family "fc1" tiles(733) first(-1) units(1466) per_tile(2) group(64)
}

// -----

tile.program @p machine("tiny") chips(1) {
  // expected-error @+1 {{needs at least 1 tile, found 0}}
  %f = tile.family "fc1" tiles(0)
}

// -----

tile.program @p machine("tiny") chips(1) {
  // expected-error @+1 {{sharded over tiles needs its family ('on')}}
  %b = tile.buffer "w" {home = #tile.home<own>} : memref<4x8xf32>
}

// -----

tile.program @p machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4)
  // expected-error @+1 {{at home by slice needs the attribute 'slice'}}
  %b = tile.buffer "ids" on %f {home = #tile.home<slice>} : memref<4x8xi16>
}

// -----

tile.program @p machine("tiny") chips(1) {
  // expected-error @+1 {{attribute 'pitch' is 4, less than the row of 8}}
  %b = tile.buffer "x" {pitch = 4 : i64} : memref<4x8xf32>
}

// -----

tile.program @p machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4)
  %b = tile.buffer "x" : memref<4x8xf32>
  tile.phase "forward" steps(1) {
    // expected-error @+1 {{has 1 arguments but 0 views}}
    tile.compute @a on %f(%b) {layer = "a", kind = "forward", views = []} : memref<4x8xf32>
  }
}

// -----

tile.program @p machine("tiny") chips(1) {
  // expected-error @+1 {{makes at least 1 trip, found 0}}
  tile.loop "l" trips(0) {
    tile.phase "forward" steps(1) {
    }
  }
}

// -----

tile.program @p machine("tiny") chips(1) {
  %b = tile.buffer "x" : memref<4x8xf32>
  // expected-error @+1 {{fills 'x' before every trip, which is not marked 'clear'}}
  tile.loop "l" trips(2) clear(%b : memref<4x8xf32>) {
    tile.phase "forward" steps(1) {
    }
  }
}

// -----

tile.program @p machine("tiny") chips(1) {
  tile.loop "l" trips(2) {
    // expected-error @+1 {{cannot be part of a loop: there are phases and loops}}
    %c = arith.constant 0 : index
  }
}

// -----

tile.program @p machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4)
  %b = tile.buffer "x" {steps} : memref<8x4x8xf32>
  tile.phase "forward" steps(4) {
    // expected-error @+1 {{argument 0 advances in 1 loops, but the step lies in 0}}
    tile.compute @a on %f(%b) {layer = "a", kind = "forward", views = [#tile.arg<slice, read, steps = true, advance = [4]>]} : memref<8x4x8xf32>
  }
}

// -----

tile.program @p machine("tiny") chips(1) {
  %f = tile.family "f" tiles(4)
  %b = tile.buffer "x" : memref<4x8xf32>
  tile.loop "l" trips(2) {
    tile.phase "forward" steps(4) {
      // expected-error @+1 {{argument 0 advances in 'x', which has no steps}}
      tile.compute @a on %f(%b) {layer = "a", kind = "forward", views = [#tile.arg<slice, read, advance = [4]>]} : memref<4x8xf32>
    }
  }
}

// -----

func.func @nested() {
  tile.workers %w of 6 {
    // expected-error @+1 {{cannot be nested: a worker starts no workers}}
    tile.workers %v of 6 {
    }
  }
  return
}

// -----

func.func @none() {
  // expected-error @+1 {{must start at least 1 worker, found 0}}
  tile.workers %w of 0 {
  }
  return
}

// -----

func.func @entries(%ids: memref<?x48x72xi16>, %t: index) {
  // expected-error @+1 {{ids of rank 3 need 2 row indices, found 1}}
  tile.own_entries %ids[%t] from %t, %t on %t {group = 64 : i64, per_tile = 2 : i64} : memref<?x48x72xi16> {
  ^bb0(%j: index, %c: index):
    tile.end
  }
  return
}
