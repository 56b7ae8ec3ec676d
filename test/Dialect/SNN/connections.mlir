// RUN: snn-opt %s | snn-opt | FileCheck %s
// RUN: snn-opt %s --mlir-print-op-generic | snn-opt | FileCheck %s

// CHECK: #[[FEW:.*]] = #snn.connections<dense<{{\[\[}}0, 3], [1, -1], [-1, -1]]> : tensor<3x2xi32>>
#few = #snn.connections<dense<[[0, 3], [1, -1], [-1, -1]]> : tensor<3x2xi32>>

// CHECK-LABEL: func.func @synapses
func.func @synapses(%x: tensor<2x4xf32>, %w: tensor<3x4xf32, #few>, %g: tensor<2x3xf32>, %hyper: tensor<4xf32>) {
  // CHECK: snn.linear %{{.*}}, %{{.*}} : (tensor<2x4xf32>, tensor<3x4xf32, #[[FEW]]>) -> tensor<2x3xf32>
  %y = snn.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32, #few>) -> tensor<2x3xf32>
  // CHECK: arith.constant dense<0.000000e+00> : tensor<3x4xf32, #[[FEW]]>
  %zero = arith.constant dense<0.0> : tensor<3x4xf32, #few>
  %dw = snn.linear_weight_grad %g, %x into %zero : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<3x4xf32, #few>
  %dx = snn.linear_input_grad %g, %w : (tensor<2x3xf32>, tensor<3x4xf32, #few>) -> tensor<2x4xf32>
  %norm, %factor = snn.clip_by_norm %dw {limit = 1.0 : f32} : tensor<3x4xf32, #few> -> tensor<f32>, tensor<f32>
  // CHECK: snn.sgd %{{.*}} : tensor<3x4xf32, #[[FEW]]>
  %next = snn.sgd %w, %dw, %hyper : tensor<3x4xf32, #few>, tensor<4xf32>
  return
}
