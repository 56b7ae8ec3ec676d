// What the verifiers refuse: integrators, events, shapes, training, checks.
// RUN: snn-opt %s -verify-diagnostics -split-input-file

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x9xf32>) {
  // expected-error @+1 {{'snn.integrator' op state must have shape [4, 8], found 'tensor<4x9xf32>'}}
  snn.integrator %x, %v {} : tensor<4x8xf32>, tensor<4x9xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>, %d: tensor<7xf32>) {
  // expected-error @+1 {{'snn.integrator' op decay must have shape [8] or [], found 'tensor<7xf32>'}}
  snn.integrator %x, %v decay(%d : tensor<7xf32>) {} : tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.spike' op value must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.spike %x : tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %t: tensor<7xf32>) {
  // expected-error @+1 {{'snn.spike' op threshold must have shape [8] or [], found 'tensor<7xf32>'}}
  snn.spike %x threshold(%t : tensor<7xf32>) : tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.compress' op input must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.compress %x : tensor<4x8xf32, #snn.events<capacity = 3>> -> tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.compress' op result must be an event tensor, found 'tensor<4x8xf32>'}}
  snn.compress %x : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.compress' op result must have shape [4, 8], found 'tensor<4x12xf32, #snn.events<capacity = 3>>'}}
  snn.compress %x : tensor<4x8xf32> -> tensor<4x12xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.expand' op operand must be an event tensor, found 'tensor<4x8xf32>'}}
  snn.expand %x : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.expand' op result must have shape [4, 8], found 'tensor<4x12xf32>'}}
  snn.expand %x : tensor<4x8xf32, #snn.events<capacity = 3>> -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %e: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.restrict' op 'like' must be an event tensor, found 'tensor<4x8xf32>'}}
  snn.restrict %x like %e : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %e: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.restrict' op result must have the support of 'tensor<4x8xf32, #snn.events<capacity = 3>>', found 'tensor<4x8xf32>'}}
  snn.restrict %x like %e : tensor<4x8xf32>, tensor<4x8xf32, #snn.events<capacity = 3>> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.accumulate' op adds event cotangents; use arith.addf for 'tensor<4x8xf32>'}}
  snn.accumulate %x, %x : tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<7xf32>) {
  // expected-error @+1 {{'snn.broadcast' op spreads [N], [] or [B, 1] to [B, N], found 'tensor<7xf32>' to 'tensor<4x8xf32>'}}
  snn.broadcast %x : tensor<7xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'snn.sum_time' op needs a stacked value, found 'tensor<8xf32>'}}
  snn.sum_time %x : tensor<8xf32> -> tensor<f32>
  return
}

// -----

func.func @f(%x: tensor<5x4x8xf32>) {
  // expected-error @+1 {{'snn.sum_time' op result must have shape [4, 8], found 'tensor<4x12xf32>'}}
  snn.sum_time %x : tensor<5x4x8xf32> -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.repeat_time' op input must have shape [4, 9], found 'tensor<4x8xf32>'}}
  snn.repeat_time %x : tensor<4x8xf32> -> tensor<5x4x9xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>) {
  // expected-error @+1 {{'snn.repeat_time' op needs a stacked result, found 'tensor<5xf32>'}}
  snn.repeat_time %x : tensor<f32> -> tensor<5xf32>
  return
}

// -----

func.func @f(%l: tensor<4x8xf32>, %y: tensor<5xi32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'snn.cross_entropy' op labels must have shape [4], found 'tensor<5xi32>'}}
  snn.cross_entropy %l, %y, %w : tensor<4x8xf32>, tensor<5xi32>, tensor<4xf32> -> tensor<f32>, tensor<4x8xf32>, tensor<f32>
  return
}

// -----

func.func @f(%l: tensor<4x8xf32>, %y: tensor<4xi32>, %w: tensor<5xf32>) {
  // expected-error @+1 {{'snn.cross_entropy' op weights must have shape [4], found 'tensor<5xf32>'}}
  snn.cross_entropy %l, %y, %w : tensor<4x8xf32>, tensor<4xi32>, tensor<5xf32> -> tensor<f32>, tensor<4x8xf32>, tensor<f32>
  return
}

// -----

func.func @f(%l: tensor<4x8xf32>, %y: tensor<4xi32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'snn.cross_entropy' op gradient must have shape [4, 8], found 'tensor<4x12xf32>'}}
  snn.cross_entropy %l, %y, %w : tensor<4x8xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<f32>, tensor<4x12xf32>, tensor<f32>
  return
}

// -----

func.func @f(%l: tensor<4x8xf32>, %y: tensor<4xi32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'snn.cross_entropy' op loss must have shape [], found 'tensor<1xf32>'}}
  snn.cross_entropy %l, %y, %w : tensor<4x8xf32>, tensor<4xi32>, tensor<4xf32> -> tensor<1xf32>, tensor<4x8xf32>, tensor<f32>
  return
}

// -----

func.func @f(%y: tensor<4x8xf32>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.gradient' op a seed must have the type 'tensor<4x8xf32>', found 'tensor<8x12xf32>'}}
  snn.gradient of(%y : tensor<4x8xf32>) seeds(%w : tensor<8x12xf32>) wrt(%w : tensor<8x12xf32>) -> tensor<8x12xf32>
  return
}

// -----

func.func @f(%y: tensor<4x8xf32>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.gradient' op has 2 values but 1 seeds}}
  snn.gradient of(%y, %y : tensor<4x8xf32>, tensor<4x8xf32>) seeds(%y : tensor<4x8xf32>) wrt(%w : tensor<8x12xf32>) -> tensor<8x12xf32>
  return
}

// -----

func.func @f(%y: tensor<4x8xf32>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.gradient' op the gradients must have the types of the variables}}
  snn.gradient of(%y : tensor<4x8xf32>) seeds(%y : tensor<4x8xf32>) wrt(%w : tensor<8x12xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%p: tensor<8x12xf32>, %h: tensor<3xf32>) {
  // expected-error @+1 {{'snn.sgd' op hyper must have shape [4], found 'tensor<3xf32>'}}
  snn.sgd %p, %p, %h : tensor<8x12xf32>, tensor<3xf32>
  return
}

// -----

func.func @f(%p: tensor<8x12xf32>, %h: tensor<3xf32>) {
  // expected-error @+1 {{'snn.adam' op hyper must have shape [4], found 'tensor<3xf32>'}}
  snn.adam %p, %p, %p, %p, %h : tensor<8x12xf32>, tensor<3xf32>
  return
}

// -----

func.func @f(%p: tensor<8x12xf32>, %h: tensor<4xf32>) {
  // expected-error @+1 {{'snn.adam' op attribute 'beta1' must lie in [0, 1), found 1}}
  snn.adam %p, %p, %p, %p, %h {beta1 = 1.0 : f32} : tensor<8x12xf32>, tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.check_equal' op a compared value must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.check_equal %x, %x : tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.check_close' op attribute 'tolerance' must not be negative, found -1}}
  snn.check_close %x, %x {tolerance = -1.0 : f32} : tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.check_events' op operand must be an event tensor, found 'tensor<4x8xf32>'}}
  snn.check_events %x : tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.check_events' op attribute 'spikes' must have one list for each of 4 rows, found 1}}
  snn.check_events %x {spikes = [array<i64: 1>]} : tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.check_events' op attribute 'near' must hold lists such as array<i64: 0, 3>}}
  snn.check_events %x {near = [1, 2, 3, 4]} : tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.check_events' op attribute 'fired' must have one number for each of 4 rows, found 1}}
  snn.check_events %x {fired = array<i64: 1>} : tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}
