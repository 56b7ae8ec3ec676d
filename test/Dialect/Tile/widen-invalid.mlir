// RUN: snn-opt %s -split-input-file -verify-diagnostics -tile-widen

// expected-error @below {{is a codelet and must end its arguments in (%len: index, %task: index), without results}}
func.func @signature(%v: memref<2xf32> {tile.view = "own"}, %len: index) attributes {tile.codelet} {
  return
}

// -----

// expected-error @below {{argument 0 needs attribute 'tile.view': own, broadcast, slice or partials}}
func.func @view(%v: memref<2xf32>, %len: index, %task: index) attributes {tile.codelet} {
  return
}

// -----

// expected-error @below {{argument 0 has attribute 'tile.pitch' 6, less than its row of 8}}
func.func @pitch(%v: memref<4x8xf32> {tile.view = "broadcast", tile.pitch = 6 : i64}, %len: index, %task: index)
    attributes {tile.codelet} {
  return
}

// -----

// expected-error @below {{attribute 'tile.lanes' must be an integer of at least 1, found 0 : i64}}
func.func @lanes(%len: index, %task: index) attributes {tile.codelet, tile.lanes = 0 : i64} {
  return
}

// -----

// expected-error @below {{argument 0 is a 'slice', which differs between the tiles of a group}}
func.func @slice(%v: memref<4xf32> {tile.view = "slice"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  return
}

// -----

func.func @shared(%v: memref<2xf32> {tile.view = "own"}, %x: memref<4xf32> {tile.view = "broadcast"}, %len: index,
    %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %y = memref.load %v[%c0] : memref<2xf32>
  // expected-error @below {{to an array that all tiles share depends on the tile}}
  memref.store %y, %x[%c0] : memref<4xf32>
  return
}

// -----

func.func @foreign(%v: memref<2xf32> {tile.view = "own"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  // expected-error @below {{cannot be widened: codelets consist of scf.for, scf.if, memref.load}}
  %a = memref.alloc() : memref<2xf32>
  return
}

// -----

func.func @group(%ids: memref<32xi16> {tile.view = "broadcast"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c1 = arith.constant 1 : index
  // expected-error @below {{has groups of 8 tiles, but attribute 'tile.lanes' of its codelet is 16}}
  tile.own_entries %ids[] from %c1, %c1 on %task {group = 8 : i64, per_tile = 2 : i64} : memref<32xi16> {
  ^bb0(%j: index, %c: index):
  }
  return
}
