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
