// RUN: snn-opt %s -split-input-file -verify-diagnostics -tile-count-cycles
// RUN: not snn-opt %s -split-input-file -tile-count-cycles="machine=ipu9" 2>&1 | FileCheck %s --check-prefix=MACHINE
// RUN: not snn-opt %s -split-input-file -tile-count-cycles="quality=fast" 2>&1 | FileCheck %s --check-prefix=QUALITY
// MACHINE: machine 'ipu9' is neither a preset
// QUALITY: option 'quality' is 'fast', allowed: scheduled, compiled

func.func @data(%v: memref<4xf32> {tile.view = "broadcast"}, %len: index, %task: index) attributes {tile.codelet} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %t = %c0 to %len step %c1 {
    %x = memref.load %v[%c0] : memref<4xf32>
    %n32 = arith.fptosi %x : f32 to i32
    %n = arith.index_cast %n32 : i32 to index
    // expected-error @below {{runs a number of times that cannot be counted: it depends on floating-point data}}
    scf.for %i = %c0 to %n step %c1 {
      memref.store %x, %v[%i] : memref<4xf32>
    }
  }
  return
}

// -----

// expected-error @below {{has no loop over its steps: an scf.for from 0 to %len at the top}}
func.func @steps(%v: memref<4xf32> {tile.view = "broadcast"}, %len: index, %task: index) attributes {tile.codelet} {
  return
}
