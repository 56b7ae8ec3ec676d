// RUN: snn-opt %s -split-input-file -verify-diagnostics -tile-count-cycles=print=true | FileCheck %s
// RUN: snn-opt %s -split-input-file -tile-count-cycles="quality=compiled" | FileCheck %s --check-prefix=COMPILED

// Slots by hand from the published issue rules: one main and one aux instruction a slot in hardware loops, one
// instruction a slot elsewhere; six workers, a launch of 11 cycles, 15 slots to enter and leave a worker.

// Gather and add, two units: a delta load fetches the pair of weights and the next id (main 1), one f32v2add (aux 1).
// Per worker: setup 1 + fill 1 + n, load of n 1, pair of stores 1; entry 15.
// CHECK-LABEL: func.func @gather(
// CHECK-SAME: memref<2312x2xf32> {tile.view = "own"}
// CHECK-SAME: memref<?x6xi32> {tile.decides_cycles, tile.view = "broadcast"}
// CHECK-SAME: tile.codelet, tile.cycles_uniform, tile.lanes
// CHECK-LABEL: func.func @gather.cycles(
// 6 * 15 for the entry of the workers, 11 for the launch, rounded up from tenths; 4 slots and 1 an entry.
// CHECK-DAG: arith.constant 1019 : i64
// CHECK-DAG: arith.constant 40 : i64
// CHECK-DAG: arith.constant 10 : i64
// CHECK: scf.for
// CHECK: memref.load %{{.+}} : memref<?x6xi32>
// CHECK-NOT: f32
// CHECK: memref.store
func.func @gather(%w: memref<2312x2xf32> {tile.view = "own"}, %ids: memref<?x6x32xi16> {tile.view = "broadcast"},
    %n: memref<?x6xi32> {tile.view = "broadcast"}, %out: memref<?x6x2xf32> {tile.view = "own"},
    %len: index, %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  scf.for %t = %c0 to %len step %c1 {
    tile.workers %b of 6 {
      %n32 = memref.load %n[%t, %b] : memref<?x6xi32>
      %count = arith.index_cast %n32 : i32 to index
      // expected-remark @below {{hardware loop: main 1, aux 1, pairs 2, gathers 1: 1 slots an iteration}}
      %sum:2 = scf.for %j = %c0 to %count step %c1 iter_args(%x = %zero, %y = %zero) -> (f32, f32) {
        %id16 = memref.load %ids[%t, %b, %j] : memref<?x6x32xi16>
        %id = arith.index_castui %id16 : i16 to index
        %r0 = memref.load %w[%id, %c0] : memref<2312x2xf32>
        %r1 = memref.load %w[%id, %c1] : memref<2312x2xf32>
        %x1 = arith.addf %x, %r0 : f32
        %y1 = arith.addf %y, %r1 : f32
        scf.yield %x1, %y1 : f32, f32
      }
      memref.store %sum#0, %out[%t, %b, %c0] : memref<?x6x2xf32>
      memref.store %sum#1, %out[%t, %b, %c1] : memref<?x6x2xf32>
    }
  }
  return
}

// -----

// Gather and add, four units: the row is two pairs, so that the id costs a load and its scaling: main 1 + 1 + 2, aux 2.
func.func @gather_four(%w: memref<2312x4xf32> {tile.view = "own"}, %ids: memref<?x32xi16> {tile.view = "broadcast"},
    %out: memref<4xf32> {tile.view = "own"}, %len: index, %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c20 = arith.constant 20 : index
  %zero = arith.constant 0.0 : f32
  // Static: hardware loop 1 + 2 + 20 * 4 = 83, two pairs of stores 2, times 6; supervisor slots around: none.
  // CHECK-LABEL: func.func @gather_four.cycles(
  // CHECK: arith.constant 510 : i64
  scf.for %t = %c0 to %len step %c1 {
    // expected-remark @below {{hardware loop: main 4, aux 2, pairs 4: 4 slots an iteration}}
    %s:4 = scf.for %j = %c0 to %c20 step %c1 iter_args(%a = %zero, %b = %zero, %c = %zero, %d = %zero) -> (f32, f32, f32, f32) {
      %id16 = memref.load %ids[%t, %j] : memref<?x32xi16>
      %id = arith.index_castui %id16 : i16 to index
      %r0 = memref.load %w[%id, %c0] : memref<2312x4xf32>
      %r1 = memref.load %w[%id, %c1] : memref<2312x4xf32>
      %r2 = memref.load %w[%id, %c2] : memref<2312x4xf32>
      %r3 = memref.load %w[%id, %c3] : memref<2312x4xf32>
      %a1 = arith.addf %a, %r0 : f32
      %b1 = arith.addf %b, %r1 : f32
      %e1 = arith.addf %c, %r2 : f32
      %d1 = arith.addf %d, %r3 : f32
      scf.yield %a1, %b1, %e1, %d1 : f32, f32, f32, f32
    }
    memref.store %s#0, %out[%c0] : memref<4xf32>
    memref.store %s#1, %out[%c1] : memref<4xf32>
    memref.store %s#2, %out[%c2] : memref<4xf32>
    memref.store %s#3, %out[%c3] : memref<4xf32>
  }
  return
}

// -----

// Gradient of the weights: the row is read and written, so that the address is made: main 1 (id), 1 (scaling), 1, 1;
// aux 1. What is added stays in registers.
func.func @update(%dw: memref<2312x2xf32> {tile.view = "own"}, %g: memref<2xf32> {tile.view = "own"},
    %ids: memref<?x32xi16> {tile.view = "broadcast"}, %len: index, %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  // Static: pair of loads 1, hardware loop 1 + 1 + 20 * 4 = 82; 83 * 6.
  // CHECK-LABEL: func.func @update.cycles(
  // CHECK: arith.constant 498 : i64
  scf.for %t = %c0 to %len step %c1 {
    %g0 = memref.load %g[%c0] : memref<2xf32>
    %g1 = memref.load %g[%c1] : memref<2xf32>
    // expected-remark @below {{hardware loop: main 4, aux 1}}
    scf.for %j = %c0 to %c20 step %c1 {
      %id16 = memref.load %ids[%t, %j] : memref<?x32xi16>
      %id = arith.index_castui %id16 : i16 to index
      %r0 = memref.load %dw[%id, %c0] : memref<2312x2xf32>
      %s0 = arith.addf %r0, %g0 : f32
      memref.store %s0, %dw[%id, %c0] : memref<2312x2xf32>
      %r1 = memref.load %dw[%id, %c1] : memref<2312x2xf32>
      %s1 = arith.addf %r1, %g1 : f32
      memref.store %s1, %dw[%id, %c1] : memref<2312x2xf32>
    }
  }
  return
}

// -----

// A table of 80,000 bytes is beyond the reach of an offset: main 1 (id), 1 (address), 1 (pair), aux 1.
func.func @far(%w: memref<10000x2xf32> {tile.view = "own"}, %ids: memref<?x32xi16> {tile.view = "broadcast"},
    %out: memref<2xf32> {tile.view = "own"}, %len: index, %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  %zero = arith.constant 0.0 : f32
  // Static: 1 + 1 + 20 * 3 + 1 = 63, times 6.
  // CHECK-LABEL: func.func @far.cycles(
  // CHECK: arith.constant 378 : i64
  scf.for %t = %c0 to %len step %c1 {
    // expected-remark @below {{hardware loop: main 3, aux 1}}
    %sum:2 = scf.for %j = %c0 to %c20 step %c1 iter_args(%x = %zero, %y = %zero) -> (f32, f32) {
      %id16 = memref.load %ids[%t, %j] : memref<?x32xi16>
      %id = arith.index_castui %id16 : i16 to index
      %r0 = memref.load %w[%id, %c0] : memref<10000x2xf32>
      %r1 = memref.load %w[%id, %c1] : memref<10000x2xf32>
      %x1 = arith.addf %x, %r0 : f32
      %y1 = arith.addf %y, %r1 : f32
      scf.yield %x1, %y1 : f32, f32
    }
    memref.store %sum#0, %out[%c0] : memref<2xf32>
    memref.store %sum#1, %out[%c1] : memref<2xf32>
  }
  return
}

// -----

// A stream of 32, k * a + b: unrolled by two, the neighbours make pairs: main 2 loads + 1 store, aux multiply and add.
func.func @stream(%a: memref<32xf32> {tile.view = "own"}, %b: memref<32xf32> {tile.view = "own"},
    %out: memref<32xf32> {tile.view = "own"}, %len: index, %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %k = arith.constant 0.5 : f32
  // Static: 1 + 2 + 16 * 3 = 51, times 6.
  // CHECK-LABEL: func.func @stream.cycles(
  // CHECK: arith.constant 306 : i64
  scf.for %t = %c0 to %len step %c1 {
    // expected-remark @below {{hardware loop: main 3, aux 2, pairs 5: 3 slots an iteration}}
    scf.for %i = %c0 to %c32 step %c1 {
      %x = memref.load %a[%i] : memref<32xf32>
      %y = memref.load %b[%i] : memref<32xf32>
      %p = arith.mulf %x, %k : f32
      %s = arith.addf %p, %y : f32
      memref.store %s, %out[%i] : memref<32xf32>
    }
  }
  return
}

// -----

// Adam on rows of two units. Main: four pairs read, three written. Aux: 3 for the first moment, 4 for the second,
// 2 roots at 5, correction and epsilon 2, 2 divisions at 5, rate 1, difference 1: 31.
func.func @adam(%p: memref<100x2xf32> {tile.view = "own"}, %g: memref<100x2xf32> {tile.view = "own"},
    %m: memref<100x2xf32> {tile.view = "own"}, %v: memref<100x2xf32> {tile.view = "own"},
    %hyper: memref<4xf32> {tile.view = "broadcast"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c50 = arith.constant 50 : index
  %b1 = arith.constant 0.9 : f32
  %d1 = arith.constant 0.1 : f32
  %b2 = arith.constant 0.99 : f32
  %d2 = arith.constant 0.01 : f32
  %eps = arith.constant 1.0e-8 : f32
  // Static: 1 + 7 + 50 * 31 = 1558, times 6; the pair that the supervisor loads is 6 more.
  // CHECK-LABEL: func.func @adam.cycles(
  // CHECK: arith.constant 9354 : i64
  scf.for %t = %c0 to %len step %c1 {
    %rate = memref.load %hyper[%c0] : memref<4xf32>
    %correction = memref.load %hyper[%c1] : memref<4xf32>
    // expected-remark @below {{hardware loop: main 7, aux 31, pairs 20: 31 slots an iteration}}
    scf.for %i = %c0 to %c50 step %c1 {
      scf.for %c = %c0 to %c2 step %c1 {
        %gi = memref.load %g[%i, %c] : memref<100x2xf32>
        %mi = memref.load %m[%i, %c] : memref<100x2xf32>
        %vi = memref.load %v[%i, %c] : memref<100x2xf32>
        %pi = memref.load %p[%i, %c] : memref<100x2xf32>
        %m1 = arith.mulf %b1, %mi : f32
        %m2 = arith.mulf %d1, %gi : f32
        %m3 = arith.addf %m1, %m2 : f32
        memref.store %m3, %m[%i, %c] : memref<100x2xf32>
        %v1 = arith.mulf %b2, %vi : f32
        %v2 = arith.mulf %d2, %gi : f32
        %v3 = arith.mulf %v2, %gi : f32
        %v4 = arith.addf %v1, %v3 : f32
        memref.store %v4, %v[%i, %c] : memref<100x2xf32>
        %root = math.sqrt %v4 : f32
        %scaled = arith.mulf %root, %correction : f32
        %below = arith.addf %scaled, %eps : f32
        %ratio = arith.divf %m3, %below : f32
        %step = arith.mulf %rate, %ratio : f32
        %p1 = arith.subf %pi, %step : f32
        memref.store %p1, %p[%i, %c] : memref<100x2xf32>
      }
    }
  }
  return
}

// -----

// List making: compare (aux 1); id: addition 1, a store of 16 bit reads, inserts and writes 3; payload: store 1; load 1;
// the end moves by what a mask selects: the mask changes the pipe 1, selection 1, addition 1.
func.func @append(%v: memref<30xf32> {tile.view = "slice"}, %ids: memref<30xi16> {tile.view = "slice"},
    %values: memref<30xf32> {tile.view = "slice"}, %count: memref<1xi32> {tile.view = "slice"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c30 = arith.constant 30 : index
  %one = arith.constant 1.0 : f32
  // First unit of the task: multiplication 1 (a supervisor's). Then 1 + 1 + 30 * 9 and the store of the count 1.
  // CHECK-LABEL: func.func @append.cycles(
  // CHECK: arith.constant 1644 : i64
  scf.for %t = %c0 to %len step %c1 {
    %first = arith.muli %task, %c30 : index
    // expected-remark @below {{hardware loop: main 9, aux 1: 9 slots an iteration}}
    %end = scf.for %i = %c0 to %c30 step %c1 iter_args(%at = %c0) -> (index) {
      %x = memref.load %v[%i] : memref<30xf32>
      %fire = arith.cmpf ogt, %x, %one : f32
      %id = arith.addi %first, %i : index
      %id16 = arith.index_castui %id : index to i16
      memref.store %id16, %ids[%at] : memref<30xi16>
      memref.store %x, %values[%at] : memref<30xf32>
      %more = arith.select %fire, %c1, %c0 : index
      %next = arith.addi %at, %more : index
      scf.yield %next : index
    }
    %n = arith.index_cast %end : index to i32
    memref.store %n, %count[%c0] : memref<1xi32>
  }
  return
}

// -----

// A branch on data counts its dearer side, 2 multiplications, plus branch 1 and the mask's way 1; around it load 1,
// comparison 1, selection none, store 1, step of the loop 1. No hardware loop.
func.func @branch(%v: memref<30x1xf32> {tile.view = "own"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c30 = arith.constant 30 : index
  %one = arith.constant 1.0 : f32
  // Static: 1 + 30 * (4 + 4) = 241, times 6.
  // CHECK-LABEL: func.func @branch.cycles(
  // CHECK: arith.constant 1446 : i64
  scf.for %t = %c0 to %len step %c1 {
    // expected-remark @below {{loop: main 2, aux 1: 4 slots an iteration and what is nested}}
    scf.for %i = %c0 to %c30 step %c1 {
      %x = memref.load %v[%i, %c0] : memref<30x1xf32>
      %above = arith.cmpf ogt, %x, %one : f32
      %y = scf.if %above -> (f32) {
        %a = arith.mulf %x, %x : f32
        %b = arith.mulf %a, %x : f32
        scf.yield %b : f32
      } else {
        %a = arith.addf %x, %one : f32
        scf.yield %a : f32
      }
      memref.store %y, %v[%i, %c0] : memref<30x1xf32>
    }
  }
  return
}

// -----

// A division by an unknown number is a routine of 45 slots: no hardware loop. Load 1, store 1, step 1.
func.func @divide(%v: memref<30xi32> {tile.view = "broadcast"}, %out: memref<30xi32> {tile.view = "slice"},
    %len: index, %task: index) attributes {tile.codelet, tile.lanes = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c30 = arith.constant 30 : index
  // Static: 1 + 30 * 48 = 1441 and the divisor's load 1, times 6: 8652.
  // CHECK-LABEL: func.func @divide.cycles(
  // CHECK: arith.constant 8652 : i64
  scf.for %t = %c0 to %len step %c1 {
    %by = memref.load %v[%c0] : memref<30xi32>
    // expected-remark @below {{loop: main 47, aux 0: 48 slots an iteration}}
    scf.for %i = %c0 to %c30 step %c1 {
      %x = memref.load %v[%i] : memref<30xi32>
      %q = arith.divsi %x, %by : i32
      memref.store %q, %out[%i] : memref<30xi32>
    }
  }
  return
}

// -----

// The entries of a list. Testing each of 20: 1 load, 2 integers, 1 comparison, 1 branch, 100 slots. Searching: a round is
// 2 integers, 1 load, 1 comparison, 2 selections and the step of the loop, 7; the near run of 20 takes 5 rounds, the empty
// run of spikes none; beside the rounds 2 integers, load, comparison and branch in each run, 10: 45 for a unit, 90 for two.
// The body, load 1 and store 1, for as many entries as the tile has units.
func.func @entries(%ids: memref<32xi16> {tile.view = "broadcast"}, %p: memref<32xf32> {tile.view = "broadcast"},
    %g: memref<2xf32> {tile.view = "own"}, %len: index, %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  // Static: (90 + 2 * 2) * 6.
  // CHECK-LABEL: func.func @entries.cycles(
  // CHECK: arith.constant 564 : i64
  scf.for %t = %c0 to %len step %c1 {
    // expected-remark @below {{entries: the cheaper of 5 slots an entry and, for each of 2 units, 10 and 7 a round of search}}
    tile.own_entries %ids[] from %c0, %c20 on %task {group = 16 : i64, per_tile = 2 : i64} : memref<32xi16> {
    ^bb0(%j: index, %c: index):
      %x = memref.load %p[%j] : memref<32xf32>
      memref.store %x, %g[%c] : memref<2xf32>
    }
  }
  return
}

// -----

// The same gather as compiled C++ ran: no pairs, no delta load, no hardware loop. Main: id 1, scaling 1, loads 2; aux 2;
// step of the loop 1: 7 slots, more than the 6.3 that a compiled inner loop takes at least.
// COMPILED-LABEL: func.func @plain.cycles(
// COMPILED: arith.constant 858 : i64
func.func @plain(%w: memref<2312x2xf32> {tile.view = "own"}, %ids: memref<?x32xi16> {tile.view = "broadcast"},
    %out: memref<2xf32> {tile.view = "own"}, %len: index, %task: index) attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  %zero = arith.constant 0.0 : f32
  // Compiled: counter 1, 20 * 7, two stores: 143 slots, times 6 is 858. Scheduled: 1 + 1 + 20 and a pair of stores.
  // CHECK-LABEL: func.func @plain.cycles(
  // CHECK: arith.constant 138 : i64
  scf.for %t = %c0 to %len step %c1 {
    // expected-remark @below {{hardware loop: main 1, aux 1}}
    %sum:2 = scf.for %j = %c0 to %c20 step %c1 iter_args(%x = %zero, %y = %zero) -> (f32, f32) {
      %id16 = memref.load %ids[%t, %j] : memref<?x32xi16>
      %id = arith.index_castui %id16 : i16 to index
      %r0 = memref.load %w[%id, %c0] : memref<2312x2xf32>
      %r1 = memref.load %w[%id, %c1] : memref<2312x2xf32>
      %x1 = arith.addf %x, %r0 : f32
      %y1 = arith.addf %y, %r1 : f32
      scf.yield %x1, %y1 : f32, f32
    }
    memref.store %sum#0, %out[%c0] : memref<2xf32>
    memref.store %sum#1, %out[%c1] : memref<2xf32>
  }
  return
}
