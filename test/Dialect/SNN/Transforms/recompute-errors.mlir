// RUN: snn-opt %s -verify-diagnostics --pass-pipeline='builtin.module(func.func(snn-recompute{every=4}))'

func.func @remainder(%x: tensor<10x2x3xf32>, %d0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // expected-error @below {{cannot be recomputed every 4 steps, which do not divide its 10 steps; take one of 1, 2, 5}}
  %a = snn.scan over(%xt = %x : tensor<10x2x3xf32>) -> (tensor<10x2x3xf32>), () {
    %e = math.exp %xt : tensor<2x3xf32>
    snn.yield step(%e : tensor<2x3xf32>)
  }
  %d = snn.scan reverse over(%at = %a : tensor<10x2x3xf32>) state(%g = %d0 : tensor<2x3xf32>) -> (), (tensor<2x3xf32>) {
    %m = arith.mulf %g, %at : tensor<2x3xf32>
    snn.yield state(%m : tensor<2x3xf32>)
  }
  return %d : tensor<2x3xf32>
}
