// RUN: snn-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile)'

// expected-error @+1 {{has no function @main to place}}
module {
  func.func @other() { return }
}

// -----

func.func @main(%x: tensor<5x4x3xf32> {snn.kind = #snn.kind<input>}, %w: tensor<3x3xf32> {snn.kind = #snn.kind<parameter>})
    -> (tensor<4x3xf32> {snn.name = "count"}) {
  %x0 = arith.constant dense<0.0> : tensor<4x3xf32>
  %y, %f = snn.scan over(%xt = %x : tensor<5x4x3xf32>) state(%v = %x0 : tensor<4x3xf32>) -> (tensor<5x4x3xf32>), (tensor<4x3xf32>) {
    %i = snn.linear %xt, %w : (tensor<4x3xf32>, tensor<3x3xf32>) -> tensor<4x3xf32>
    snn.yield step(%i : tensor<4x3xf32>) state(%i : tensor<4x3xf32>)
  }
  // expected-error @+1 {{must be part of a scan; run snn-fuse-time-sums first}}
  %c = snn.sum_time %y : tensor<5x4x3xf32> -> tensor<4x3xf32>
  return %c : tensor<4x3xf32>
}

// -----

// 40 million weights: 160 MB for 5 MB of tile memory.
// expected-error @+1 {{the network does not fit the machine 'tiny'}}
func.func @main(%x: tensor<4x6400xf32> {snn.kind = #snn.kind<input>},
                %w: tensor<6400x6400xf32> {snn.kind = #snn.kind<parameter>, snn.name = "fc1.weight"}) -> (tensor<4x6400xf32> {snn.name = "y"}) {
  %i = snn.linear %x, %w : (tensor<4x6400xf32>, tensor<6400x6400xf32>) -> tensor<4x6400xf32>
  return %i : tensor<4x6400xf32>
}

// -----

func.func @main(%x: tensor<4x3xf32> {snn.kind = #snn.kind<input>}) -> (tensor<4x3xf32> {snn.name = "y"}) {
  %c = arith.constant dense<[[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]> : tensor<4x3xf32>
  // expected-error @+1 {{reads a constant that differs from unit to unit; make it a parameter of @main}}
  %y = arith.addf %x, %c : tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @main(%x: tensor<5x4x6xf32> {snn.kind = #snn.kind<input>, snn.name = "x"},
                %k: tensor<1x3xf32> {snn.kind = #snn.kind<parameter>, snn.name = "conv.weight"}) -> (tensor<5x4x4xf32> {snn.name = "y"}) {
  %y = snn.scan over(%xt = %x : tensor<5x4x6xf32>) -> (tensor<5x4x4xf32>), () {
    // expected-error @+1 {{is computed in every step from parameters that do not change; move it out of the scan}}
    %m = snn.conv_matrix %k {input = [1, 6], kernel = [3]} : tensor<1x3xf32> -> tensor<4x6xf32>
    %i = snn.linear %xt, %m : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x4xf32>
    snn.yield step(%i : tensor<4x4xf32>)
  }
  return %y : tensor<5x4x4xf32>
}

// -----

func.func @main(%x: tensor<5x4x3xf32> {snn.kind = #snn.kind<input>}, %w: tensor<4x3xf32> {snn.kind = #snn.kind<parameter>, snn.name = "start"})
    -> (tensor<4x3xf32> {snn.name = "y"}) {
  // expected-error @+1 {{state 0 starts from a parameter of rank 2, whose rows are units; make it an input or a state of @main (snn.kind)}}
  %f = snn.scan over(%xt = %x : tensor<5x4x3xf32>) state(%v = %w : tensor<4x3xf32>) -> (), (tensor<4x3xf32>) {
    %i = arith.addf %xt, %v : tensor<4x3xf32>
    snn.yield state(%i : tensor<4x3xf32>)
  }
  return %f : tensor<4x3xf32>
}
