// RUN: not snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{max-activity=1.5}))' 2>&1 | FileCheck %s --check-prefix=SHARE
// RUN: not snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{capacity=fc1}))' 2>&1 | FileCheck %s --check-prefix=FORM
// RUN: not snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{capacity=fc7:3}))' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{capacity=fc1:21}))' 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: not snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{input-capacity=y:3}))' 2>&1 | FileCheck %s --check-prefix=INPUT
// RUN: not snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{binary-inputs=y}))' 2>&1 | FileCheck %s --check-prefix=BINARY
// RUN: not snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{layer-activity=fc1:1.5}))' 2>&1 | FileCheck %s --check-prefix=LAYER
// RUN: not snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{layer-activity=fc7:0.5}))' 2>&1 | FileCheck %s --check-prefix=NOLAYER
// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{max-activity=0.2 layer-activity=fc1:0.52}))' | FileCheck %s --check-prefix=ONE
// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-choose-events{capacity=fc1:9 input-capacity=x:3 max-activity=0.2}))' | FileCheck %s

// SHARE: error: option 'max-activity' must lie in (0, 1], found 1.5
// FORM: error: option 'capacity' takes NAME:N with N at least 1, found 'fc1'
// UNKNOWN: error: option 'capacity' names 'fc7', but no layer has that name; there are: fc1, fc2
// LARGE: error: the capacity of 'fc1' is 21, more than its 20 units; give at most 20
// INPUT: error: option 'input-capacity' names 'y', but no input that feeds synapses has that name; there are: x
// BINARY: error: option 'binary-inputs' names 'y', which feeds no synapse
// LAYER: error: option 'layer-activity' takes LAYER:F with F in (0, 1], found 'fc1:1.5'
// NOLAYER: error: option 'layer-activity' names 'fc7', but no layer has that name; there are: fc1, fc2
// ONE: snn.neuron {{.*}}snn.layer = "fc1"{{.*}}capacity = 10, binary = true

// CHECK: snn.compress {{.*}}capacity = 3>>
// CHECK: snn.neuron {{.*}}snn.layer = "fc1"{{.*}}capacity = 9, binary = true
func.func @main(%x: tensor<4x12xf32> {snn.name = "x", snn.kind = #snn.kind<input>}, %w: tensor<20x12xf32> {snn.name = "fc1.weight"}, %w2: tensor<5x20xf32> {snn.name = "fc2.weight"}, %u: tensor<4x20xf32>, %v: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %i = snn.linear %x, %w : (tensor<4x12xf32>, tensor<20x12xf32>) -> tensor<4x20xf32>
  %s, %n = snn.neuron %i, %u {} : tensor<4x20xf32>, tensor<4x20xf32> -> tensor<4x20xf32>, tensor<4x20xf32>
  %j = snn.linear %s, %w2 : (tensor<4x20xf32>, tensor<5x20xf32>) -> tensor<4x5xf32>
  %o, %l = snn.neuron %j, %v {} : tensor<4x5xf32>, tensor<4x5xf32> -> tensor<4x5xf32>, tensor<4x5xf32>
  return %o : tensor<4x5xf32>
}
