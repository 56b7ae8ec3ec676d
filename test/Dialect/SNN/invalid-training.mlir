// RUN: snn-opt %s --split-input-file --verify-diagnostics

func.func @f(%l: tensor<4xf32>, %y: tensor<4xi32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'snn.cross_entropy' op logits must have two dimensions, found 'tensor<4xf32>'}}
  snn.cross_entropy %l, %y, %w : tensor<4xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<f32>, tensor<4xf32>, tensor<f32>
  return
}

// -----

func.func @f(%l: tensor<5x4x8xf32>, %y: tensor<5xi32>, %w: tensor<5xf32>) {
  // expected-error @+1 {{'snn.cross_entropy' op labels must have shape [4], found 'tensor<5xi32>'}}
  snn.cross_entropy %l, %y, %w : tensor<5x4x8xf32>, tensor<5xi32>, tensor<5xf32> -> tensor<f32>, tensor<5x4x8xf32>, tensor<f32>
  return
}

// -----

func.func @f(%l: tensor<4x8xf32>, %y: tensor<4xi32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'snn.squared_error' op attribute 'scale' must be positive, found 0}}
  snn.squared_error %l, %y, %w {scale = 0.0 : f64} : tensor<4x8xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<f32>, tensor<4x8xf32>, tensor<f32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.clip_by_norm' op attribute 'limit' must be positive, found 0}}
  snn.clip_by_norm %g {limit = 0.0 : f32} : tensor<4x8xf32> -> tensor<f32>, tensor<f32>
  return
}

// -----

func.func @f(%g: tensor<2x4x8xf32>) {
  // expected-error @+1 {{'snn.clip_by_norm' op takes gradients [N, I], [N] or [], found 'tensor<2x4x8xf32>'}}
  snn.clip_by_norm %g {limit = 1.0 : f32} : tensor<2x4x8xf32> -> tensor<f32>, tensor<f32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %h: tensor<4xf32>) {
  // expected-error @+1 {{'snn.sgd' op has a velocity only before or only after the step: give both types or none}}
  snn.sgd %p, %p, %h momentum(%p : tensor<8xf32>) : tensor<8xf32>, tensor<4xf32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %m: tensor<9xf32>, %h: tensor<4xf32>) {
  // expected-error @+1 {{'snn.sgd' op the velocity must have the type of the parameter, 'tensor<8xf32>', found 'tensor<9xf32>'}}
  snn.sgd %p, %p, %h momentum(%m : tensor<9xf32>) : tensor<8xf32>, tensor<4xf32> -> tensor<9xf32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %h: tensor<4xf32>) {
  // expected-error @+1 {{'snn.sgd' op attribute 'nesterov' needs a velocity: give momentum(...)}}
  snn.sgd %p, %p, %h {nesterov} : tensor<8xf32>, tensor<4xf32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %h: tensor<4xf32>) {
  // expected-error @+1 {{'snn.sgd' op attribute 'decay' = decoupled is known to snn.adam only; use l2}}
  snn.sgd %p, %p, %h {decay = #snn.weight_decay<decoupled>} : tensor<8xf32>, tensor<4xf32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %s: tensor<1xf32>, %h: tensor<4xf32>) {
  // expected-error @+1 {{'snn.adam' op scale must have shape [], found 'tensor<1xf32>'}}
  snn.adam %p, %p, %p, %p, %h scale(%s : tensor<1xf32>) : tensor<8xf32>, tensor<4xf32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %h: tensor<4xf32>) {
  // expected-error @+1 {{'snn.adam' op attribute 'clip' must be positive, found -1}}
  snn.adam %p, %p, %p, %p, %h {clip = -1.0 : f32} : tensor<8xf32>, tensor<4xf32>
  return
}

// -----

// expected-error @+1 {{surrogate 'straight_through' takes 0 parameters, found 1}}
func.func private @f() attributes {s = #snn.surrogate<straight_through, 1.0>}

// -----

// expected-error @+1 {{surrogate 'leaky' takes 2 parameters (l, k), found 3}}
func.func private @f() attributes {s = #snn.surrogate<leaky, 1.0, 2.0, 3.0>}

// -----

// expected-error @+1 {{parameter 'alpha' of surrogate 'q_pseudo_spike' must be above 1, found 1}}
func.func private @f() attributes {s = #snn.surrogate<q_pseudo_spike, 1.0>}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op attribute 'rotate' needs spikes that are an event tensor}}
  snn.neuron %x, %v {rotate} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'snn.neuron' op attribute 'penalties' needs event tensors: their lists count what fires}}
  snn.neuron %x, %v weights(%w : tensor<4xf32>) {penalties = array<f32: 1.0, 2.0>} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op attribute 'penalties' needs the weights of the samples: weights(...)}}
  snn.neuron %x, %v {penalties = array<f32: 1.0, 2.0>} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 2>>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'snn.neuron' op attribute 'penalties' must hold pairs of a factor and a limit, found 1 numbers}}
  snn.neuron %x, %v weights(%w : tensor<4xf32>) {penalties = array<f32: 1.0>} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 2>>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>, %w: tensor<5xf32>) {
  // expected-error @+1 {{'snn.neuron' op weights must have shape [4], found 'tensor<5xf32>'}}
  snn.neuron %x, %v weights(%w : tensor<5xf32>) : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %p: tensor<4x8xf32, #snn.events<capacity = 2>>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op attribute 'penalties' needs the operand 'unreset', the membranes of all neurons}}
  snn.neuron_adjoint next(%g : tensor<4x8xf32>) compared(%p : tensor<4x8xf32, #snn.events<capacity = 2>>) weights(%w : tensor<4xf32>) {penalties = array<f32: 1.0, 2.0>, surrogate = #snn.surrogate<atan, 2.0>} -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op the cotangent of the threshold needs the operand 'fired' where the reset subtracts it}}
  snn.neuron_adjoint next(%g : tensor<4x8xf32>) compared(%g : tensor<4x8xf32>) {surrogate = #snn.surrogate<atan, 2.0>} -> tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op attribute 'detach_reset' = false with 'reset_scope' = whole_update needs the operand 'update', what the reset replaced}}
  snn.neuron_adjoint next(%g : tensor<4x8xf32>) compared(%g : tensor<4x8xf32>) fired(%g : tensor<4x8xf32>) {detach_reset = false, reset_kind = #snn.reset_kind<value>, reset_scope = #snn.reset_scope<whole_update>, reset_time = #snn.reset_time<delayed>, surrogate = #snn.surrogate<atan, 2.0>} -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.spike' op attribute 'max_spikes' must be at least 1, or 0 for any number, found -1}}
  snn.spike %v {max_spikes = -1 : i64} : tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32, #snn.events<capacity = 2>>) {
  // expected-error @+1 {{'snn.zero_every' op value must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 2>>'; use snn.expand}}
  snn.zero_every %g {steps = 2 : i64} : tensor<4x8xf32, #snn.events<capacity = 2>>
  return
}
