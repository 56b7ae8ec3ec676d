// What the verifiers refuse: attributes, scans, synapses, neurons.
// RUN: snn-opt %s -verify-diagnostics -split-input-file

// expected-error @+1 {{attribute 'capacity' must be at least 1, found 0}}
func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 0>>) { return }

// -----

// expected-error @+1 {{attribute 'capacity' is 9, more than the 8 units of a row}}
func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 9>>) { return }

// -----

// expected-error @+1 {{an event tensor has rows: rank at least 2, found 1}}
func.func @f(%x: tensor<8xf32, #snn.events<capacity = 3>>) { return }

// -----

// expected-error @+1 {{an event tensor holds f32, found 'i32'}}
func.func @f(%x: tensor<4x8xi32, #snn.events<capacity = 3>>) { return }

// -----

// expected-error @+1 {{parameter 'alpha' of surrogate 'atan' must be positive, found 0}}
func.func @f() attributes {s = #snn.surrogate<atan, 0.0>} { return }

// -----

func.func @f() {
  // expected-error @+1 {{'snn.scan' op without a sequence needs the attribute 'steps'}}
  snn.scan -> (), () { snn.yield }
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'snn.scan' op must run for at least 1 step, found 0}}
  snn.scan -> (), () attributes {steps = 0 : i64} { snn.yield }
  return
}

// -----

func.func @f(%a: tensor<5x4x8xf32>, %b: tensor<6x4x8xf32>) {
  // expected-error @+1 {{'snn.scan' op sequence 1 has 6 steps where the first has 5}}
  snn.scan over(%x = %a : tensor<5x4x8xf32>, %y = %b : tensor<6x4x8xf32>) -> (), () { snn.yield }
  return
}

// -----

func.func @f(%a: tensor<5x4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.scan' op has 1 states but 0 final values}}
  snn.scan over(%x = %a : tensor<5x4x8xf32>) state(%s = %v : tensor<4x8xf32>) -> (), () { snn.yield state(%s : tensor<4x8xf32>) }
  return
}

// -----

func.func @f(%a: tensor<f32>) {
  // expected-error @+1 {{a sequence must be a ranked tensor with time as its first dimension, found 'tensor<f32>'}}
  snn.scan over(%x = %a : tensor<f32>) -> (), () { snn.yield }
  return
}

// -----

func.func @f(%a: tensor<5x4x8xf32>) {
  snn.scan over(%x = %a : tensor<5x4x8xf32>) -> (tensor<5x4x8xf32>), () {
    // expected-error @+1 {{'snn.yield' op gives 0 step values and 0 states; the scan has 1 stacked results and 0 states}}
    snn.yield
  }
  return
}

// -----

func.func @f(%a: tensor<5x4x8xf32>) {
  snn.scan over(%x = %a : tensor<5x4x8xf32>) -> (tensor<5x4x9xf32>), () {
    // expected-error @+1 {{'snn.yield' op step value 'tensor<4x8xf32>' stacks over 5 steps to another type than 'tensor<5x4x9xf32>'}}
    snn.yield step(%x : tensor<4x8xf32>)
  }
  return
}

// -----

func.func @f(%a: tensor<5x4x8xf32>, %v: tensor<4x9xf32>) {
  // expected-error @+1 {{'snn.scan' op a state must keep its type: starts as 'tensor<4x9xf32>', body argument 'tensor<4x9xf32>', yielded 'tensor<4x8xf32>', result 'tensor<4x9xf32>'}}
  snn.scan over(%x = %a : tensor<5x4x8xf32>) state(%s = %v : tensor<4x9xf32>) -> (), (tensor<4x9xf32>) {
    snn.yield state(%x : tensor<4x8xf32>)
  }
  return
}

// -----

func.func @f(%a: tensor<5x4x8xf32>) {
  // expected-error @+1 {{'snn.scan' op body has 0 arguments for 1 sequences and 0 states}}
  "snn.scan"(%a) <{operandSegmentSizes = array<i32: 1, 0>, resultSegmentSizes = array<i32: 0, 0>}> ({
    snn.yield
  }) : (tensor<5x4x8xf32>) -> ()
  return
}

// -----

func.func @f(%a: tensor<5x4x8xf32>) {
  // expected-error @+1 {{'snn.scan' op body argument 0 is 'tensor<8xf32>', not one step of 'tensor<5x4x8xf32>'}}
  "snn.scan"(%a) <{operandSegmentSizes = array<i32: 1, 0>, resultSegmentSizes = array<i32: 0, 0>}> ({
  ^bb0(%x: tensor<8xf32>):
    snn.yield
  }) : (tensor<5x4x8xf32>) -> ()
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'snn.yield' op expects parent op 'snn.scan'}}
  snn.yield
}

// -----

func.func @f(%x: tensor<12xf32>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.linear' op input must have two dimensions, found 'tensor<12xf32>'}}
  snn.linear %x, %w : (tensor<12xf32>, tensor<8x12xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>, %w: tensor<8x13xf32>) {
  // expected-error @+1 {{'snn.linear' op weight must have shape [8, 12], found 'tensor<8x13xf32>'}}
  snn.linear %x, %w : (tensor<4x12xf32>, tensor<8x13xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.linear' op result must have shape [4, 8], found 'tensor<4x9xf32>'}}
  snn.linear %x, %w : (tensor<4x12xf32>, tensor<8x12xf32>) -> tensor<4x9xf32>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.linear' op result must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.linear %x, %w : (tensor<4x12xf32>, tensor<8x12xf32>) -> tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x12xf32>, %w: tensor<8x12xf32>, %b: tensor<7xf32>) {
  // expected-error @+1 {{'snn.linear' op bias must have shape [8], found 'tensor<7xf32>'}}
  snn.linear %x, %w bias(%b : tensor<7xf32>) : (tensor<4x12xf32>, tensor<8x12xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32, #snn.events<capacity = 3>>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.linear_input_grad' op gradient must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.linear_input_grad %g, %w : (tensor<4x8xf32, #snn.events<capacity = 3>>, tensor<8x12xf32>) -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %w: tensor<9x12xf32>) {
  // expected-error @+1 {{'snn.linear_input_grad' op weight must have shape [8, 12], found 'tensor<9x12xf32>'}}
  snn.linear_input_grad %g, %w : (tensor<4x8xf32>, tensor<9x12xf32>) -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.linear_input_grad' op attribute 'placement' must be [group, perTile], both at least 1}}
  snn.linear_input_grad %g, %w {placement = array<i64: 4>} : (tensor<4x8xf32>, tensor<8x12xf32>) -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %w: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.linear_input_grad' op result without a support must be dense, found 'tensor<4x12xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.linear_input_grad %g, %w : (tensor<4x8xf32>, tensor<8x12xf32>) -> tensor<4x12xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %w: tensor<8x12xf32>, %e: tensor<4x12xf32>) {
  // expected-error @+1 {{'snn.linear_input_grad' op support must be an event tensor, found 'tensor<4x12xf32>'}}
  snn.linear_input_grad %g, %w support(%e : tensor<4x12xf32>) : (tensor<4x8xf32>, tensor<8x12xf32>) -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %w: tensor<8x12xf32>, %e: tensor<4x12xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'snn.linear_input_grad' op result must have the support of 'tensor<4x12xf32, #snn.events<capacity = 3>>', found 'tensor<4x12xf32>'}}
  snn.linear_input_grad %g, %w support(%e : tensor<4x12xf32, #snn.events<capacity = 3>>) : (tensor<4x8xf32>, tensor<8x12xf32>) -> tensor<4x12xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %x: tensor<5x12xf32>, %a: tensor<8x12xf32>) {
  // expected-error @+1 {{'snn.linear_weight_grad' op gradient and input must have the same batch, found 'tensor<4x8xf32>' and 'tensor<5x12xf32>'}}
  snn.linear_weight_grad %g, %x into %a : (tensor<4x8xf32>, tensor<5x12xf32>) -> tensor<8x12xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %x: tensor<4x12xf32>, %a: tensor<8x8xf32>) {
  // expected-error @+1 {{'snn.linear_weight_grad' op accumulator must have shape [8, 12], found 'tensor<8x8xf32>'}}
  snn.linear_weight_grad %g, %x into %a : (tensor<4x8xf32>, tensor<4x12xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %a: tensor<7xf32>) {
  // expected-error @+1 {{'snn.batch_sum' op accumulator must have shape [8], found 'tensor<7xf32>'}}
  snn.batch_sum %g into %a : tensor<4x8xf32> -> tensor<7xf32>
  return
}

// -----

func.func @f(%g: tensor<8xf32>, %a: tensor<8xf32>) {
  // expected-error @+1 {{'snn.batch_sum' op accumulator must have shape [], found 'tensor<8xf32>'}}
  snn.batch_sum %g into %a : tensor<8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32, #snn.events<capacity = 3>>, %a: tensor<8xf32>) {
  // expected-error @+1 {{'snn.batch_sum' op value must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.batch_sum %g into %a : tensor<4x8xf32, #snn.events<capacity = 3>> -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32, #snn.events<capacity = 3>>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op input must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.neuron %x, %v {} : tensor<4x8xf32, #snn.events<capacity = 3>>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x9xf32>) {
  // expected-error @+1 {{'snn.neuron' op membrane must have shape [4, 8], found 'tensor<4x9xf32>'}}
  snn.neuron %x, %v {} : tensor<4x8xf32>, tensor<4x9xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op spikes must have shape [4, 8], found 'tensor<4x9xf32>'}}
  snn.neuron %x, %v {} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x9xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op new membrane must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.neuron %x, %v {} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>, %d: tensor<7xf32>) {
  // expected-error @+1 {{'snn.neuron' op decay must have shape [8] or [], found 'tensor<7xf32>'}}
  snn.neuron %x, %v decay(%d : tensor<7xf32>) {} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>, %d: tensor<7xf32>) {
  // expected-error @+1 {{'snn.neuron' op threshold must have shape [8] or [], found 'tensor<7xf32>'}}
  snn.neuron %x, %v threshold(%d : tensor<7xf32>) {} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op compared membrane must have the support of 'tensor<4x8xf32, #snn.events<capacity = 3>>', found 'tensor<4x8xf32>'}}
  snn.neuron %x, %v {} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 3>>, tensor<4x8xf32> compared(tensor<4x8xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op fired must be dense, found 'tensor<4x8xf32, #snn.events<capacity = 3>>'; use snn.expand}}
  snn.neuron %x, %v {} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32> fired(tensor<4x8xf32, #snn.events<capacity = 3>>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op attribute 'near' needs spikes that are an event tensor}}
  snn.neuron %x, %v {near = 0.9 : f32} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op attribute 'graded' is 5.000000e-01, so the events are not binary}}
  snn.neuron %x, %v {graded = 0.5 : f32} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32, #snn.events<capacity = 3, binary = true>>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op attribute 'reset_scope' = whole_update is defined only for a delayed reset to a value (reset_kind = value, reset_time = delayed)}}
  snn.neuron %x, %v {reset_scope = #snn.reset_scope<whole_update>} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron' op attribute 'reset_time' = delayed has no meaning with order = fire_integrate, which fires from the old membrane}}
  snn.neuron %x, %v {order = #snn.order<fire_integrate>, reset_time = #snn.reset_time<delayed>} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%p: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op needs the cotangent of the spikes or of the new membrane}}
  snn.neuron_adjoint compared(%p : tensor<4x8xf32>) {surrogate = #snn.surrogate<atan, 2.0>} -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x9xf32>, %p: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op cotangent of the new membrane must have shape [4, 8], found 'tensor<4x9xf32>'}}
  snn.neuron_adjoint next(%g : tensor<4x9xf32>) compared(%p : tensor<4x8xf32>) {surrogate = #snn.surrogate<atan, 2.0>} -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %p: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op input cotangent must have shape [4, 8], found 'tensor<4x9xf32>'}}
  snn.neuron_adjoint next(%g : tensor<4x8xf32>) compared(%p : tensor<4x8xf32>) {surrogate = #snn.surrogate<atan, 2.0>} -> tensor<4x9xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32, #snn.events<capacity = 3>>, %p: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op cotangent of the spikes must have the support of 'tensor<4x8xf32>', found 'tensor<4x8xf32, #snn.events<capacity = 3>>'}}
  snn.neuron_adjoint spikes(%g : tensor<4x8xf32, #snn.events<capacity = 3>>) compared(%p : tensor<4x8xf32>) {surrogate = #snn.surrogate<atan, 2.0>} -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %p: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op attribute 'reset_kind' = value needs the operand 'fired': the reset stops the gradient where the neuron fired}}
  snn.neuron_adjoint next(%g : tensor<4x8xf32>) compared(%p : tensor<4x8xf32>) {surrogate = #snn.surrogate<atan, 2.0>, reset_kind = #snn.reset_kind<value>} -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %p: tensor<4x8xf32>) {
  // expected-error @+1 {{'snn.neuron_adjoint' op attribute 'detach_reset' = false with a delayed reset needs the operand 'previous': the reset was decided by the old membrane}}
  snn.neuron_adjoint next(%g : tensor<4x8xf32>) compared(%p : tensor<4x8xf32>) {surrogate = #snn.surrogate<atan, 2.0>, reset_time = #snn.reset_time<delayed>, detach_reset = false} -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<6x4x8xf32>) {
  // expected-error @+1 {{'snn.split_time' op 'tensor<2x4x4x8xf32>' is not 'tensor<6x4x8xf32>' in segments of equal length}}
  snn.split_time %x : tensor<6x4x8xf32> -> tensor<2x4x4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3x4x8xf32>) {
  // expected-error @+1 {{'snn.merge_time' op 'tensor<2x3x4x8xf32>' is not 'tensor<6x4x8xf32, #snn.events<capacity = 3>>' in segments of equal length}}
  snn.merge_time %x : tensor<2x3x4x8xf32> -> tensor<6x4x8xf32, #snn.events<capacity = 3>>
  return
}
