// What the verifiers refuse: connections that are none, and operations that do not know them.
// RUN: snn-opt %s -verify-diagnostics -split-input-file --snn-verify-encoding

// expected-error @+1 {{a weight with connections has at most 65535 inputs, found 65536; keep it dense}}
func.func @f(%w: tensor<1x65536xf32, #snn.connections<dense<[[0]]> : tensor<1x1xi32>>>) {
  return
}

// -----

// expected-error @+1 {{connections: output 1 names input 4, allowed: 0 to 3, and -1 behind the last}}
func.func @f(%w: tensor<2x4xf32, #snn.connections<dense<[[0, 3], [1, 4]]> : tensor<2x2xi32>>>) {
  return
}

// -----

// expected-error @+1 {{connections: the inputs of output 0 must ascend, and -1 stands only behind the last; found 1 at position 1}}
func.func @f(%w: tensor<2x4xf32, #snn.connections<dense<[[3, 1], [1, 2]]> : tensor<2x2xi32>>>) {
  return
}

// -----

// expected-error @+1 {{connections: the inputs of output 1 must ascend, and -1 stands only behind the last; found 2 at position 1}}
func.func @f(%w: tensor<2x4xf32, #snn.connections<dense<[[0, 1], [-1, 2]]> : tensor<2x2xi32>>>) {
  return
}

// -----

// expected-error @+1 {{the connections of 2 outputs must be a tensor<2xMxi32> with M at least 1, found 'tensor<3x1xi32>'}}
func.func @f(%w: tensor<2x4xf32, #snn.connections<dense<0> : tensor<3x1xi32>>>) {
  return
}

// -----

// expected-error @+1 {{connections are those of a weight matrix: a static shape [out, in] of f32}}
func.func @f(%w: tensor<2xf32, #snn.connections<dense<0> : tensor<2x1xi32>>>) {
  return
}

// -----

#one = #snn.connections<dense<0> : tensor<2x1xi32>>
func.func @f(%x: tensor<2x4xf32, #one>, %w: tensor<2x4xf32>) {
  // expected-error @+1 {{'snn.spike' op value must be dense, found 'tensor<2x4xf32, #snn.connections<dense<0> : tensor<2x1xi32>>>'; connections are those of weights}}
  snn.spike %x : tensor<2x4xf32, #one>
  return
}

// -----

#one = #snn.connections<dense<0> : tensor<2x1xi32>>
func.func @f(%a: tensor<2x4xf32, #one>) {
  // expected-error @+1 {{'arith.addf' op takes or makes a weight with connections, which only synapses, their adjoints and optimisers know; make the weight dense}}
  %b = arith.addf %a, %a : tensor<2x4xf32, #one>
  return
}
