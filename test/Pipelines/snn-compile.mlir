// RUN: snn-compile %s --machine=tiny --stop-after=events | FileCheck %s --check-prefix=EVENTS
// RUN: snn-compile %s --machine=tiny --stop-after=memory | FileCheck %s --check-prefix=MEMORY
// RUN: rm -rf %t && mkdir %t
// RUN: snn-compile %s --machine=tiny -o %t/a.loom --dump-phases=%t/phases && ls %t/phases | FileCheck %s --check-prefix=PHASES
// RUN: snn-compile %s --machine=tiny -o %t/b.loom && cmp %t/a.loom %t/b.loom
// RUN: not snn-compile %s --stop-after=lunch 2>&1 | FileCheck %s --check-prefix=LUNCH
// RUN: not snn-compile %s 2>&1 | FileCheck %s --check-prefix=NOOUT
// RUN: not snn-compile %s --machine=mars -o %t/c.loom 2>&1 | FileCheck %s --check-prefix=MARS
// RUN: not snn-compile %s --machine=tiny -o %t/none/c.loom 2>&1 | FileCheck %s --check-prefix=WRITE

// EVENTS: snn.compress
// MEMORY: tile.buffer "fc1.weight" {{.*}}address = {{[0-9]+}}
// PHASES: 1-events.mlir
// PHASES: 2-training.mlir
// PHASES: 3-placement.mlir
// PHASES: 4-tile.mlir
// PHASES: 5-schedule.mlir
// PHASES: 6-memory.mlir
// PHASES: 7-codelets.mlir
// LUNCH: --stop-after=lunch is no phase; the phases are events, training, placement, tile, schedule, memory, codelets
// NOOUT: name the executable with -o net.loom, or stop before with --stop-after=<phase>
// MARS: mars
// MARS: bow
// WRITE: none/c.loom
func.func @main(
    %x: tensor<5x4x10xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w: tensor<12x10xf32> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>, snn.value = dense<0.5> : tensor<12x10xf32>},
    %u: tensor<4x12xf32> {snn.name = "mem", snn.kind = #snn.kind<state>})
    -> (tensor<5x4x12xf32> {snn.name = "spk"}) {
  %spk, %f = snn.scan over(%xt = %x : tensor<5x4x10xf32>) state(%v = %u : tensor<4x12xf32>) -> (tensor<5x4x12xf32>), (tensor<4x12xf32>) {
    %i = snn.linear %xt, %w : (tensor<4x10xf32>, tensor<12x10xf32>) -> tensor<4x12xf32>
    %s, %n = snn.neuron %i, %v {decay = 0.9 : f32} : tensor<4x12xf32>, tensor<4x12xf32> -> tensor<4x12xf32>, tensor<4x12xf32>
    snn.yield step(%s : tensor<4x12xf32>) state(%n : tensor<4x12xf32>)
  }
  return %spk : tensor<5x4x12xf32>
}
