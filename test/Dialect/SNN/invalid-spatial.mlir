// What the verifiers of operations on features refuse.
// RUN: snn-opt %s -verify-diagnostics -split-input-file

func.func @f(%x: tensor<4x48xf32, #snn.events<capacity = 8>>) {
  // expected-error @+1 {{'snn.slice' op input must be dense, found 'tensor<4x48xf32, #snn.events<capacity = 8>>'; use snn.expand}}
  %a = snn.slice %x {shape = [48], offsets = [0], sizes = [12], strides = [1]} : tensor<4x48xf32, #snn.events<capacity = 8>> -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<5x4x48xf32>) {
  // expected-error @+1 {{'snn.slice' op input must have shape [N] or [B, N], found 'tensor<5x4x48xf32>'}}
  %a = snn.slice %x {shape = [48], offsets = [0], sizes = [12], strides = [1]} : tensor<5x4x48xf32> -> tensor<5x4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x48xf32>) {
  // expected-error @+1 {{attribute 'offsets' must have 1 numbers, found 2}}
  %a = snn.slice %x {shape = [48], offsets = [0, 1], sizes = [12], strides = [1]} : tensor<4x48xf32> -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x48xf32>) {
  // expected-error @+1 {{attribute 'strides' must be at least 1, found 0}}
  %a = snn.slice %x {shape = [48], offsets = [0], sizes = [12], strides = [0]} : tensor<4x48xf32> -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x48xf32>) {
  // expected-error @+1 {{attribute 'shape' has 40 elements, the rows of the input have 48}}
  %a = snn.slice %x {shape = [40], offsets = [0], sizes = [12], strides = [1]} : tensor<4x48xf32> -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x48xf32>) {
  // expected-error @+1 {{attribute 'sizes' has 11 elements, the rows of the result have 12}}
  %a = snn.slice %x {shape = [48], offsets = [0], sizes = [11], strides = [1]} : tensor<4x48xf32> -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x48xf32>) {
  // expected-error @+1 {{result must have shape [4, 12], found 'tensor<3x12xf32>'}}
  %a = snn.slice %x {shape = [48], offsets = [0], sizes = [12], strides = [1]} : tensor<4x48xf32> -> tensor<3x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x48xf32>) {
  // expected-error @+1 {{'snn.place' op attribute 'sizes' has 12 elements, the rows of the input have 48}}
  %a = snn.place %x {shape = [48], offsets = [0], sizes = [12], strides = [1]} : tensor<4x48xf32> -> tensor<4x48xf32>
  return
}

// -----

func.func @f(%x: tensor<4x48xf32>, %y: tensor<3x2xf32>) {
  // expected-error @+1 {{operands must have the same rows, found 'tensor<4x48xf32>' and 'tensor<3x2xf32>'}}
  %a = snn.concat %x, %y : (tensor<4x48xf32>, tensor<3x2xf32>) -> tensor<4x50xf32>
  return
}

// -----

func.func @f(%x: tensor<4x48xf32>) {
  // expected-error @+1 {{result must have shape [4, 96], found 'tensor<4x95xf32>'}}
  %a = snn.concat %x, %x : (tensor<4x48xf32>, tensor<4x48xf32>) -> tensor<4x95xf32>
  return
}

// -----

func.func @f(%w: tensor<8x9xf32>) {
  // expected-error @+1 {{attribute 'input' must be [C, L] or [C, H, W], found 4 numbers}}
  %m = snn.conv_matrix %w {input = [2, 6, 6, 6], kernel = [3, 3, 3]} : tensor<8x9xf32> -> tensor<96x72xf32>
  return
}

// -----

func.func @f(%w: tensor<8x9xf32>) {
  // expected-error @+1 {{attribute 'padding' must have 4 numbers, found 2}}
  %m = snn.conv_matrix %w {input = [2, 6, 6], kernel = [3, 3], padding = [1, 1]} : tensor<8x9xf32> -> tensor<96x72xf32>
  return
}

// -----

func.func @f(%w: tensor<8x9xf32>) {
  // expected-error @+1 {{attribute 'groups' must divide the 3 input and 8 output channels, found 2}}
  %m = snn.conv_matrix %w {input = [3, 6, 6], kernel = [3, 3], groups = 2} : tensor<8x9xf32> -> tensor<96x72xf32>
  return
}

// -----

func.func @f(%w: tensor<8x9xf32>) {
  // expected-error @+1 {{the kernel is larger than the padded input: no output is left}}
  %m = snn.conv_matrix %w {input = [1, 2, 6], kernel = [3, 3]} : tensor<8x9xf32> -> tensor<96x72xf32>
  return
}

// -----

func.func @f(%w: tensor<8x9xf32>) {
  // expected-error @+1 {{kernel must have shape [8, 18], found 'tensor<8x9xf32>'}}
  %m = snn.conv_matrix %w {input = [2, 6, 6], kernel = [3, 3]} : tensor<8x9xf32> -> tensor<128x72xf32>
  return
}

// -----

func.func @f(%w: tensor<8x9xf32>) {
  // expected-error @+1 {{result must have shape [128, 36], found 'tensor<128x72xf32>'}}
  %m = snn.conv_matrix %w {input = [1, 6, 6], kernel = [3, 3]} : tensor<8x9xf32> -> tensor<128x72xf32>
  return
}

// -----

func.func @f(%m: tensor<128x36xf32>) {
  // expected-error @+1 {{attribute 'placement' must be [group, perTile], both at least 1}}
  %w = snn.conv_kernel_grad %m {input = [1, 6, 6], kernel = [3, 3], placement = array<i64: 4>} : tensor<128x36xf32> -> tensor<8x9xf32>
  return
}

// -----

func.func @f(%b: tensor<8xf32>) {
  // expected-error @+1 {{attribute 'inner' must be at least 1, found 0}}
  %s = snn.spread %b {inner = 0} : tensor<8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @f(%b: tensor<8xf32>) {
  // expected-error @+1 {{attribute 'inner' must divide the 8 elements of a row, found 3}}
  %s = snn.fold %b {inner = 3} : tensor<8xf32> -> tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<5x4x48xf32>) {
  // expected-error @+1 {{'snn.softmax' op input must have shape [N] or [B, N], found 'tensor<5x4x48xf32>'}}
  %a = snn.softmax %x : tensor<5x4x48xf32>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>, %c: tensor<3xf32>) {
  // expected-error @+1 {{attribute 'inner' must divide the 12 elements of a row, found 5}}
  %y = snn.batch_norm %x mean(%c) variance(%c) scale(%c) shift(%c) {inner = 5} : tensor<4x12xf32>, tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>, %c: tensor<3xf32>) {
  // expected-error @+1 {{mean must have shape [12], found 'tensor<3xf32>'}}
  %y = snn.batch_norm %x mean(%c) variance(%c) scale(%c) shift(%c) : tensor<4x12xf32>, tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>, %c: tensor<12xf32>) {
  // expected-error @+1 {{attribute 'momentum' must lie in [0, 1], found 2.0}}
  %y = snn.batch_norm %x mean(%c) variance(%c) scale(%c) shift(%c) {momentum = 2.0 : f32} : tensor<4x12xf32>, tensor<12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>) {
  // expected-error @+1 {{attribute 'rate' must lie in [0, 1), found 1.0}}
  %y = snn.dropout %x {rate = 1.0 : f32} : tensor<4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>, %k: tensor<3x1xf32>) {
  // expected-error @+1 {{key must have shape [4, 1], found 'tensor<3x1xf32>'}}
  %y = snn.dropout %x key(%k : tensor<3x1xf32>) {rate = 0.5 : f32} : tensor<4x12xf32>
  return
}
