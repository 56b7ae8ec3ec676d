// RUN: snn-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(snn-partition{machine=tiny},convert-snn-to-tile)'

func.func @main(%x: tensor<6x4x3xf32> {snn.kind = #snn.kind<input>}, %u: tensor<4x3xf32> {snn.kind = #snn.kind<state>, snn.name = "u"})
    -> (tensor<4x3xf32> {snn.name = "y"}) {
  %xs = snn.split_time %x : tensor<6x4x3xf32> -> tensor<2x3x4x3xf32>
  %f = snn.scan over(%xk = %xs : tensor<2x3x4x3xf32>) state(%v = %u : tensor<4x3xf32>) -> (), (tensor<4x3xf32>) {
    // expected-error @+1 {{lies beside scans in the body of a scan; a scan over segments holds scans only}}
    %e = math.exp %v : tensor<4x3xf32>
    %g = snn.scan over(%xt = %xk : tensor<3x4x3xf32>) state(%s = %e : tensor<4x3xf32>) -> (), (tensor<4x3xf32>) {
      %n = arith.addf %s, %xt : tensor<4x3xf32>
      snn.yield state(%n : tensor<4x3xf32>)
    }
    snn.yield state(%g : tensor<4x3xf32>)
  }
  return %f : tensor<4x3xf32>
}

// -----

func.func @main(%x: tensor<6x4x3xf32> {snn.kind = #snn.kind<input>}, %u: tensor<4x3xf32> {snn.kind = #snn.kind<state>, snn.name = "u"})
    -> (tensor<4x3xf32> {snn.name = "y"}) {
  %xs = snn.split_time %x : tensor<6x4x3xf32> -> tensor<2x3x4x3xf32>
  %f = snn.scan over(%xk = %xs : tensor<2x3x4x3xf32>) state(%v = %u : tensor<4x3xf32>) -> (), (tensor<4x3xf32>) {
    // expected-error @+1 {{starts every segment from a value that is neither a state of the scan over segments nor one of its sequences}}
    %g = snn.scan over(%xt = %xk : tensor<3x4x3xf32>) state(%s = %u : tensor<4x3xf32>) -> (), (tensor<4x3xf32>) {
      %n = arith.addf %s, %xt : tensor<4x3xf32>
      snn.yield state(%n : tensor<4x3xf32>)
    }
    snn.yield state(%g : tensor<4x3xf32>)
  }
  return %f : tensor<4x3xf32>
}

// -----

func.func @main(%x: tensor<6x4x3xf32> {snn.kind = #snn.kind<input>}, %u: tensor<4x3xf32> {snn.kind = #snn.kind<state>, snn.name = "u"},
                %w: tensor<4x3xf32> {snn.kind = #snn.kind<state>, snn.name = "w"}) -> (tensor<4x3xf32> {snn.name = "y"}, tensor<4x3xf32> {snn.name = "z"}) {
  %xs = snn.split_time %x : tensor<6x4x3xf32> -> tensor<2x3x4x3xf32>
  // expected-error @+1 {{state 0 must be carried on by one scan of the body, as the same state}}
  %f:2 = snn.scan over(%xk = %xs : tensor<2x3x4x3xf32>) state(%v = %u : tensor<4x3xf32>, %t = %w : tensor<4x3xf32>) -> (), (tensor<4x3xf32>, tensor<4x3xf32>) {
    %g:2 = snn.scan over(%xt = %xk : tensor<3x4x3xf32>) state(%s = %v : tensor<4x3xf32>, %r = %t : tensor<4x3xf32>) -> (), (tensor<4x3xf32>, tensor<4x3xf32>) {
      %n = arith.addf %s, %xt : tensor<4x3xf32>
      %m = arith.mulf %r, %n : tensor<4x3xf32>
      snn.yield state(%n, %m : tensor<4x3xf32>, tensor<4x3xf32>)
    }
    snn.yield state(%g#1, %g#0 : tensor<4x3xf32>, tensor<4x3xf32>)
  }
  return %f#0, %f#1 : tensor<4x3xf32>, tensor<4x3xf32>
}

// -----

func.func @main(%x: tensor<2x3x4x3xf32> {snn.kind = #snn.kind<input>}, %u: tensor<4x3xf32> {snn.kind = #snn.kind<state>, snn.name = "u"})
    -> (tensor<4x3xf32> {snn.name = "y"}) {
  // expected-error @+1 {{sequence 0 must be steps in segments (snn.split_time) or a row for each}}
  %f = snn.scan over(%xk = %x : tensor<2x3x4x3xf32>) state(%v = %u : tensor<4x3xf32>) -> (), (tensor<4x3xf32>) {
    %g = snn.scan over(%xt = %xk : tensor<3x4x3xf32>) state(%s = %v : tensor<4x3xf32>) -> (), (tensor<4x3xf32>) {
      %n = arith.addf %s, %xt : tensor<4x3xf32>
      snn.yield state(%n : tensor<4x3xf32>)
    }
    snn.yield state(%g : tensor<4x3xf32>)
  }
  return %f : tensor<4x3xf32>
}
