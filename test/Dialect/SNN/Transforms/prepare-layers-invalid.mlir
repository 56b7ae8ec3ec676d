// RUN: snn-opt %s --snn-prepare-layers=train -split-input-file -verify-diagnostics

func.func @main(%x: tensor<4x6xf32>, %c: tensor<6xf32>) -> tensor<4x6xf32> {
  // expected-error @+1 {{'snn.batch_norm' op stands outside of a scan, where a training step cannot move its statistics}}
  %n = snn.batch_norm %x mean(%c) variance(%c) scale(%c) shift(%c) : tensor<4x6xf32>, tensor<6xf32>
  return %n : tensor<4x6xf32>
}

// -----

func.func @main(%x: tensor<5x1x6xf32>, %c: tensor<6xf32>) -> tensor<5x1x6xf32> {
  %y = snn.scan over(%xt = %x : tensor<5x1x6xf32>) -> (tensor<5x1x6xf32>), () {
    // expected-error @+1 {{needs more than one value for each channel in training; give a larger batch}}
    %n = snn.batch_norm %xt mean(%c) variance(%c) scale(%c) shift(%c) : tensor<1x6xf32>, tensor<6xf32>
    snn.yield step(%n : tensor<1x6xf32>)
  }
  return %y : tensor<5x1x6xf32>
}

// -----

func.func @main(%x: tensor<5x4x6xf32>, %c: tensor<6xf32>) -> tensor<5x4x6xf32> {
  %m = arith.constant dense<0.0> : tensor<6xf32>
  %y = snn.scan over(%xt = %x : tensor<5x4x6xf32>) -> (tensor<5x4x6xf32>), () {
    // expected-error @+1 {{has statistics that are no parameters of @main, so that training cannot move them}}
    %n = snn.batch_norm %xt mean(%m) variance(%c) scale(%c) shift(%c) : tensor<4x6xf32>, tensor<6xf32>
    snn.yield step(%n : tensor<4x6xf32>)
  }
  return %y : tensor<5x4x6xf32>
}
