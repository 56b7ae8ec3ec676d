// RUN: snn-opt %s --pass-pipeline='builtin.module(func.func(snn-differentiate))' -verify-diagnostics -split-input-file

func.func @no_adjoint(%a: tensor<4xf32>, %g: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'math.cos' op has no adjoint, but a trainable parameter acts through it; exclude the parameter from the trainable ones or write the model without this operation}}
  %e = math.cos %a : tensor<4xf32>
  %d = snn.gradient of(%e : tensor<4xf32>) seeds(%g : tensor<4xf32>) wrt(%a : tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// -----

func.func @per_sample(%a: tensor<4x1xf32>, %g: tensor<4x8xf32>) -> tensor<4x1xf32> {
  // expected-error @+1 {{'snn.broadcast' op has no adjoint for an input of shape [B, 1]}}
  %e = snn.broadcast %a : tensor<4x1xf32> -> tensor<4x8xf32>
  %d = snn.gradient of(%e : tensor<4x8xf32>) seeds(%g : tensor<4x8xf32>) wrt(%a : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %d : tensor<4x1xf32>
}

// -----

// The parameter is named although the operation is inside a scan, and although another parameter trains.
func.func @named(%x: tensor<3x4x8xf32>, %w: tensor<5x8xf32> {snn.name = "fc1.weight"}, %a: tensor<4x5xf32> {snn.name = "phase"}, %g: tensor<3x4x5xf32>) -> (tensor<5x8xf32>, tensor<4x5xf32>) {
  %y = snn.scan over(%xt = %x : tensor<3x4x8xf32>) -> (tensor<3x4x5xf32>), () {
    %i = snn.linear %xt, %w : (tensor<4x8xf32>, tensor<5x8xf32>) -> tensor<4x5xf32>
    // expected-error @+1 {{'math.cos' op has no adjoint, but trainable parameter 'phase' acts through it; exclude the parameter from the trainable ones}}
    %e = math.cos %a : tensor<4x5xf32>
    %s = arith.addf %i, %e : tensor<4x5xf32>
    snn.yield step(%s : tensor<4x5xf32>)
  }
  %d:2 = snn.gradient of(%y : tensor<3x4x5xf32>) seeds(%g : tensor<3x4x5xf32>) wrt(%w, %a : tensor<5x8xf32>, tensor<4x5xf32>) -> tensor<5x8xf32>, tensor<4x5xf32>
  return %d#0, %d#1 : tensor<5x8xf32>, tensor<4x5xf32>
}
