// RUN: snn-opt %s -split-input-file -tile-widen="ahead=6" | FileCheck %s
// RUN: snn-opt %s -split-input-file -tile-widen="ahead=0" | FileCheck %s --check-prefix=NEAR
// NEAR-NOT: memref.prefetch

// Ids and counts stay scalar, what is loaded from the tile's own arrays has one lane per tile, rows of coming entries
// are fetched early.
// CHECK-LABEL: func.func @gather.host(
// CHECK-SAME: %[[W:.+]]: memref<100x2x32xf32> {
// CHECK-SAME: %[[IDS:.+]]: memref<?x8xi16> {
// CHECK-SAME: %[[OUT:.+]]: memref<?x2x32xf32, strided<[128, 32, 1]>> {
// CHECK-SAME: tile.entry = "host"
// CHECK: %[[SUM:.+]] = scf.for %[[J:[a-z0-9]+]] = {{.+}} iter_args(%[[OLD:.+]] = %{{.+}}) -> (vector<32xf32>) {
// CHECK: %[[ID16:.+]] = memref.load %[[IDS]][%{{.+}}, %[[J]]]
// CHECK: %[[ID:.+]] = arith.index_castui %[[ID16]]
// CHECK: %[[NEXT:.+]] = arith.addi %[[J]], %c6
// CHECK: memref.load %[[IDS]][%{{.+}}, %[[NEXT]]]
// CHECK-COUNT-2: memref.prefetch %[[W]]
// CHECK: %[[ROW:.+]] = vector.load %[[W]][%[[ID]], %{{.+}}, %{{.+}}] : memref<100x2x32xf32>, vector<32xf32>
// CHECK: %[[ADDED:.+]] = arith.addf %[[OLD]], %[[ROW]] : vector<32xf32>
// CHECK: scf.yield %[[ADDED]]
// CHECK: vector.store %[[SUM]], %[[OUT]]
func.func @gather(%w: memref<100x2xf32> {tile.view = "own", tile.layout = "blocked"},
    %ids: memref<?x8xi16> {tile.view = "broadcast"},
    %out: memref<?x2xf32> {tile.view = "own", tile.layout = "rows", tile.pitch = 128 : i64}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 32 : i64, tile.units = 128 : i64, tile.per_tile = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  scf.for %t = %c0 to %len step %c1 {
    %sum = scf.for %j = %c0 to %c8 step %c1 iter_args(%old = %zero) -> (f32) {
      %id16 = memref.load %ids[%t, %j] : memref<?x8xi16>
      %id = arith.index_castui %id16 : i16 to index
      %row = memref.load %w[%id, %c1] : memref<100x2xf32>
      %added = arith.addf %old, %row : f32
      scf.yield %added : f32
    }
    memref.store %sum, %out[%t, %c0] : memref<?x2xf32>
  }
  return
}

// -----

// Sums over a group: lanes without a tile count zero, sixteen strided partial sums, then halves. 20 lanes are padded
// to 32; the family has 31 tiles.
// CHECK-LABEL: func.func @sum.host(
// CHECK-DAG: %[[TILES:.+]] = arith.constant 31 : index
// CHECK: %[[PRESENT:.+]] = arith.cmpi slt, %{{.+}}, %{{.+}} : vector<20xindex>
// CHECK: %[[KEPT:.+]] = arith.select %[[PRESENT]], %{{.+}}, %[[ZEROS:.+]] : vector<20xi1>, vector<20xf32>
// CHECK: vector.shuffle %[[KEPT]], %[[ZEROS]] [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
// CHECK: vector.shuffle %[[KEPT]], %[[ZEROS]] [16, 17, 18, 19, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20]
// CHECK: arith.addf {{.+}} : vector<16xf32>
// CHECK: arith.addf {{.+}} : vector<8xf32>
// CHECK: arith.addf {{.+}} : vector<4xf32>
// CHECK: arith.addf {{.+}} : vector<2xf32>
// CHECK: %[[LAST:.+]] = arith.addf {{.+}} : vector<1xf32>
// CHECK: %[[SUM:.+]] = vector.extract %[[LAST]][0]
// CHECK: memref.store %[[SUM]], %{{.+}} : memref<?x4xf32>
func.func @sum(%g: memref<1xf32> {tile.view = "own", tile.layout = "blocked"},
    %p: memref<?x4xf32> {tile.view = "partials"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 20 : i64, tile.units = 31 : i64, tile.per_tile = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %t = %c0 to %len step %c1 {
    %x = memref.load %g[%c0] : memref<1xf32>
    memref.store %x, %p[%t, %c1] : memref<?x4xf32>
  }
  return
}

// -----

// A condition that differs between tiles: both sides, the one with effects under a mask if any tile wants it.
// CHECK-LABEL: func.func @branch.host(
// CHECK: %[[COND:.+]] = arith.cmpf ogt, %{{.+}} : vector<16xf32>
// CHECK: %[[ANY:.+]] = vector.reduction <or>, %[[COND]] : vector<16xi1> into i1
// CHECK: %[[THEN:.+]] = scf.if %[[ANY]] -> (vector<16xf32>) {
// CHECK: vector.maskedstore %{{.+}}, %[[COND]], %{{.+}}
// CHECK: %[[NOT:.+]] = arith.xori %[[COND]], %{{.+}} : vector<16xi1>
// CHECK-NOT: scf.if
// CHECK: %[[ELSE:.+]] = arith.mulf
// CHECK: arith.select %[[COND]], %[[THEN]], %[[ELSE]]
func.func @branch(%v: memref<2xf32> {tile.view = "own", tile.layout = "blocked"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  scf.for %t = %c0 to %len step %c1 {
    %x = memref.load %v[%c0] : memref<2xf32>
    %above = arith.cmpf ogt, %x, %one : f32
    %y = scf.if %above -> (f32) {
      memref.store %one, %v[%c1] : memref<2xf32>
      scf.yield %one : f32
    } else {
      %square = arith.mulf %x, %x : f32
      scf.yield %square : f32
    }
    memref.store %y, %v[%c0] : memref<2xf32>
  }
  return
}

// -----

// A trip count that differs between tiles: to the largest, under a mask of the tiles that go on.
// CHECK-LABEL: func.func @trips.host(
// CHECK: %[[COUNT:.+]] = arith.index_cast %{{.+}} : vector<16xi32> to vector<16xindex>
// CHECK: %[[TRIPS:.+]] = arith.ceildivsi
// CHECK: %[[MOST:.+]] = vector.reduction <maxsi>, %[[TRIPS]]
// CHECK: scf.for %[[K:[a-z0-9]+]] = %{{.+}} to %[[MOST]] {{.+}} iter_args(%[[OLD:.+]] = %{{.+}})
// CHECK: %[[ON:.+]] = arith.cmpi slt, %{{.+}}, %[[TRIPS]]
// CHECK: vector.load
// CHECK: %[[NEW:.+]] = arith.addf
// CHECK: %[[KEPT:.+]] = arith.select %[[ON]], %[[NEW]], %[[OLD]]
// CHECK: scf.yield %[[KEPT]]
// CHECK: vector.gather
func.func @trips(%n: memref<1xi32> {tile.view = "own", tile.layout = "blocked"},
    %w: memref<9x1xf32> {tile.view = "own", tile.layout = "blocked"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  scf.for %t = %c0 to %len step %c1 {
    %count32 = memref.load %n[%c0] : memref<1xi32>
    %count = arith.index_cast %count32 : i32 to index
    %sum = scf.for %k = %c0 to %count step %c1 iter_args(%old = %zero) -> (f32) {
      %x = memref.load %w[%k, %c0] : memref<9x1xf32>
      %new = arith.addf %old, %x : f32
      scf.yield %new : f32
    }
    %x = memref.load %w[%count, %c0] : memref<9x1xf32>
    %total = arith.addf %sum, %x : f32
    memref.store %total, %w[%c0, %c0] : memref<9x1xf32>
  }
  return
}

// -----

// The entries of a group's units are found by two binary searches in each of the two runs; one lane computes.
// CHECK-LABEL: func.func @entries.host(
// CHECK-COUNT-4: scf.while
// CHECK: scf.for
// CHECK: scf.for %[[J:[a-z0-9]+]] =
// CHECK: %[[ID:.+]] = arith.index_castui
// CHECK: %[[REST:.+]] = arith.subi %[[ID]]
// CHECK: %[[LANE:.+]] = arith.remui %[[REST]]
// CHECK: %[[UNIT:.+]] = arith.divui %[[REST]]
// CHECK: %[[X:.+]] = memref.load %{{.+}}[%[[J]]] : memref<32xf32>
// CHECK: memref.store %[[X]], %{{.+}}[%[[UNIT]], %[[LANE]]] : memref<2x16xf32>
func.func @entries(%ids: memref<32xi16> {tile.view = "broadcast"}, %p: memref<32xf32> {tile.view = "broadcast"},
    %g: memref<2xf32> {tile.view = "own", tile.layout = "blocked"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  scf.for %t = %c0 to %len step %c1 {
    tile.own_entries %ids[] from %c1, %c20 on %task {group = 16 : i64, per_tile = 2 : i64} : memref<32xi16> {
    ^bb0(%j: index, %c: index):
      %x = memref.load %p[%j] : memref<32xf32>
      memref.store %x, %g[%c] : memref<2xf32>
    }
  }
  return
}

// -----

// An index family: workers become a loop, slices lie in the rows of their buffer, what a loop reads in a coming step
// is fetched early.
// CHECK-LABEL: func.func @index.host(
// CHECK-SAME: %[[X:.+]]: memref<?x2x8xf32, strided<[384, 32, 1]>>
// CHECK-NOT: vector
// CHECK: scf.for %[[T:[a-z0-9]+]] =
// CHECK: %[[COMING:.+]] = arith.addi %[[T]], %c2
// CHECK: memref.prefetch %[[X]][%[[COMING]],
// CHECK: scf.for %[[WORKER:[a-z0-9]+]] =
// CHECK: memref.load %[[X]][%{{.+}}, %{{.+}}, %[[WORKER]]]
func.func @index(%x: memref<?x2x8xf32> {tile.view = "slice", tile.shape = array<i64: 12, 30>, tile.pitch = 32 : i64},
    %len: index, %task: index) attributes {tile.codelet} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %t = %c0 to %len step %c1 {
    tile.workers %w of 6 {
      %v = memref.load %x[%t, %c1, %w] : memref<?x2x8xf32>
      memref.store %v, %x[%t, %c0, %w] : memref<?x2x8xf32>
    }
  }
  return
}

// -----

// Making a list: 32 elements are tested at once, then the set bits are visited.
// CHECK-LABEL: func.func @append.host(
// CHECK: scf.for %[[FIRST:[a-z0-9]+]] = %{{.+}} to %{{.+}} step %{{.+}} iter_args(%[[END:.+]] = %{{.+}}) -> (index)
// CHECK: %[[MASK:.+]] = vector.create_mask
// CHECK: %[[X:.+]] = vector.maskedload %[[V:.+]][%[[FIRST]]], %[[MASK]]
// CHECK: %[[FIRE:.+]] = arith.cmpf ogt, %[[X]], %{{.+}} : vector<32xf32>
// CHECK: %[[KEEP:.+]] = arith.andi %[[FIRE]], %[[MASK]]
// CHECK: %[[PACKED:.+]] = vector.bitcast %[[KEEP]] : vector<32xi1> to vector<1xi32>
// CHECK: scf.while
// CHECK: math.cttz
// CHECK: memref.load %[[V]]
// CHECK: memref.store
func.func @append(%v: memref<30xf32> {tile.view = "slice"}, %values: memref<30xf32> {tile.view = "slice"},
    %count: memref<1xi32> {tile.view = "slice"}, %len: index, %task: index) attributes {tile.codelet} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c30 = arith.constant 30 : index
  %one = arith.constant 1.0 : f32
  scf.for %t = %c0 to %len step %c1 {
    %end = scf.for %i = %c0 to %c30 step %c1 iter_args(%at = %c0) -> (index) {
      %x = memref.load %v[%i] : memref<30xf32>
      %fire = arith.cmpf ogt, %x, %one : f32
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

// Parts of a step that find each other's results in the row of the step run one after another, each for all
// steps, and the workers' parts of a list are gone through at once.
// CHECK-LABEL: func.func @parts.host(
// CHECK-SAME: %[[G:[a-z0-9]+]]: memref<?x3x2x16xf32>
// CHECK-SAME: %[[DW:[a-z0-9]+]]: memref<9x2x16xf32>
// CHECK-SAME: %[[INFO:[a-z0-9]+]]: memref<?x3x7xi32>
// CHECK: scf.for %[[T:[a-z0-9]+]] =
// CHECK: vector.store %{{.+}}, %[[G]][%[[T]],
// CHECK: scf.for %[[T2:[a-z0-9]+]] =
// CHECK-DAG: %[[ZERO:.+]] = arith.constant 0 : index
// CHECK-DAG: %[[SIX:.+]] = arith.constant 6 : index
// CHECK: scf.for %[[S:[a-z0-9]+]] =
// CHECK: %[[LO:.+]] = memref.load %[[INFO]][%[[T2]], %[[S]], %[[ZERO]]]
// CHECK: %[[FROM:.+]] = arith.index_castui %[[LO]]
// CHECK: %[[HI:.+]] = memref.load %[[INFO]][%[[T2]], %[[S]], %[[SIX]]]
// CHECK: %[[TO:.+]] = arith.index_castui %[[HI]]
// CHECK: scf.for %{{.+}} = %[[FROM]] to %[[TO]]
// CHECK: vector.store %{{.+}}, %[[DW]]
func.func @parts(%g: memref<?x3x2xf32> {tile.view = "own", tile.layout = "blocked"},
    %dw: memref<9x2xf32> {tile.view = "own", tile.layout = "blocked"}, %info: memref<?x3x7xi32> {tile.view = "broadcast"},
    %ids: memref<?x3x4xi32> {tile.view = "broadcast"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64, tile.units = 32 : i64, tile.per_tile = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %one = arith.constant 1.0 : f32
  scf.for %t = %c0 to %len step %c1 {
    tile.workers %w of 3 {
      memref.store %one, %g[%t, %w, %c0] : memref<?x3x2xf32>
      memref.store %one, %g[%t, %w, %c1] : memref<?x3x2xf32>
    }
    tile.workers %w of 6 {
      scf.for %s = %c0 to %c3 step %c1 {
        %lo = memref.load %info[%t, %s, %w] : memref<?x3x7xi32>
        %from = arith.index_castui %lo : i32 to index
        %next = arith.addi %w, %c1 : index
        %hi = memref.load %info[%t, %s, %next] : memref<?x3x7xi32>
        %to = arith.index_castui %hi : i32 to index
        %v = memref.load %g[%t, %s, %c0] : memref<?x3x2xf32>
        scf.for %j = %from to %to step %c1 {
          %id = memref.load %ids[%t, %s, %j] : memref<?x3x4xi32>
          %row = arith.index_castui %id : i32 to index
          %old = memref.load %dw[%row, %c0] : memref<9x2xf32>
          %sum = arith.addf %old, %v : f32
          memref.store %sum, %dw[%row, %c0] : memref<9x2xf32>
        }
      }
    }
  }
  return
}

// -----

// A part that leaves something for the next step stays with the others.
// CHECK-LABEL: func.func @carried.host(
// CHECK: scf.for
// CHECK-COUNT-2: scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func @carried(%v: memref<3x2xf32> {tile.view = "own", tile.layout = "blocked"},
    %y: memref<?x3x2xf32> {tile.view = "own", tile.layout = "blocked"}, %len: index, %task: index)
    attributes {tile.codelet, tile.lanes = 16 : i64, tile.units = 32 : i64, tile.per_tile = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %t = %c0 to %len step %c1 {
    tile.workers %w of 3 {
      %old = memref.load %v[%w, %c0] : memref<3x2xf32>
      %sum = arith.addf %old, %old : f32
      memref.store %sum, %v[%w, %c0] : memref<3x2xf32>
    }
    tile.workers %w of 3 {
      %x = memref.load %v[%w, %c0] : memref<3x2xf32>
      memref.store %x, %y[%t, %w, %c0] : memref<?x3x2xf32>
    }
  }
  return
}
