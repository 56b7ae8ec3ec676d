// RUN: snn-opt %s --snn-partition=machine=tiny | FileCheck %s --check-prefix=TINY
// RUN: snn-opt %s --snn-partition=machine=bow --remarks-filter=placement --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: not snn-opt %s --snn-partition=machine=%S/Inputs/four-workers.json 2>&1 | FileCheck %s --check-prefix=WORKERS

// WORKERS: machine 'four' has 4 workers a tile; codelets are dealt out to 6: set "workers" to that

// Every class of units gets [per_tile, group, first, tiles]. Sums over tiles get their order from the same decision.
// TINY: func.func @main
// TINY-SAME: snn.placement = {chips = 1 : i64, end_tile = 8 : i64, first_free = {{[0-9]+}} : i64, first_tile = 0 : i64, load = {{[0-9]+}} : i64, machine = "tiny", units = [array<i64: [[P1:[0-9]+]], [[G1:[0-9]+]], {{[0-9]+}}, {{[0-9]+}}>, array<i64: [[P2:[0-9]+]], [[G2:[0-9]+]], {{[0-9]+}}, {{[0-9]+}}>]
// TINY: snn.linear_input_grad {{.*}} {placement = array<i64: [[G2]], [[P2]]>}

// REMARK: remark: {{.*}}placed 2 layers on {{[0-9]+}} tiles; the busiest tile is {{[0-9]+}} % above the lower bound
func.func @main(
    %x: tensor<4x10xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w1: tensor<64x10xf32> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>},
    %w2: tensor<30x64xf32> {snn.name = "fc2.weight", snn.kind = #snn.kind<parameter>}) -> (tensor<4x64xf32> {snn.name = "g"}) {
  %i1 = snn.linear %x, %w1 : (tensor<4x10xf32>, tensor<64x10xf32>) -> tensor<4x64xf32>
  %i2 = snn.linear %i1, %w2 : (tensor<4x64xf32>, tensor<30x64xf32>) -> tensor<4x30xf32>
  %g = snn.linear_input_grad %i2, %w2 : (tensor<4x30xf32>, tensor<30x64xf32>) -> tensor<4x64xf32>
  return %g : tensor<4x64xf32>
}
