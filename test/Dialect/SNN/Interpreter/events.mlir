// Lists: ascending, spikes first, near entries after them, first come where they do not fit.
// RUN: snn-interpret --check %s | FileCheck %s

// CHECK: ok overflow
func.func @overflow() {
  %x = arith.constant dense<[[2.0, 0.0, 3.0, 0.95, 2.0, 0.5], [0.0, 0.0, 0.92, 0.95, 0.5, 2.0]]> : tensor<2x6xf32>
  %v = arith.constant dense<0.0> : tensor<2x6xf32>
  %s, %n, %p = snn.neuron %x, %v {near = 0.9 : f32} : tensor<2x6xf32>, tensor<2x6xf32> -> tensor<2x6xf32, #snn.events<capacity = 2, binary = true>>, tensor<2x6xf32> compared(tensor<2x6xf32, #snn.events<capacity = 2>>)
  // Row 0: three neurons fire, the third is dropped, nothing is left for the near one. Row 1: one of two near ones fits.
  snn.check_events %s {spikes = [array<i64: 0, 2>, array<i64: 5>], near = [array<i64>, array<i64: 2>], fired = array<i64: 3, 1>} : tensor<2x6xf32, #snn.events<capacity = 2, binary = true>>
  %d = snn.expand %s : tensor<2x6xf32, #snn.events<capacity = 2, binary = true>> -> tensor<2x6xf32>
  %d_ = arith.constant dense<[[1.0, 0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]> : tensor<2x6xf32>
  snn.check_equal %d, %d_ : tensor<2x6xf32>
  // The payload is the compared membrane at listed ids.
  %q = snn.expand %p : tensor<2x6xf32, #snn.events<capacity = 2>> -> tensor<2x6xf32>
  %q_ = arith.constant dense<[[2.0, 0.0, 3.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.92, 0.0, 0.0, 2.0]]> : tensor<2x6xf32>
  snn.check_equal %q, %q_ : tensor<2x6xf32>
  // A dropped spike is reset all the same.
  %n_ = arith.constant dense<[[1.0, 0.0, 2.0, 0.95, 1.0, 0.5], [0.0, 0.0, 0.92, 0.95, 0.5, 1.0]]> : tensor<2x6xf32>
  snn.check_equal %n, %n_ : tensor<2x6xf32>
  return
}

// With 6 units the order starts at unit 3 t + 3 b mod 6, and what is kept is ascending.
// CHECK: ok rotate
func.func @rotate() {
  %x = arith.constant dense<[[2.0, 2.0, 2.0, 2.0, 2.0, 2.0], [2.0, 2.0, 0.0, 2.0, 2.0, 0.0], [2.0, 0.0, 0.0, 0.0, 0.95, 0.5]]> : tensor<3x6xf32>
  %v = arith.constant dense<0.0> : tensor<3x6xf32>
  %s, %n = snn.neuron %x, %v {near = 0.4 : f32, rotate} : tensor<3x6xf32>, tensor<3x6xf32> -> tensor<3x6xf32, #snn.events<capacity = 2, binary = true>>, tensor<3x6xf32>
  snn.check_events %s {spikes = [array<i64: 0, 1>, array<i64: 3, 4>, array<i64: 0>], near = [array<i64>, array<i64>, array<i64: 4>], fired = array<i64: 6, 4, 1>} : tensor<3x6xf32, #snn.events<capacity = 2, binary = true>>
  %e = snn.compress %x {rotate} : tensor<3x6xf32> -> tensor<3x6xf32, #snn.events<capacity = 3>>
  snn.check_events %e {spikes = [array<i64: 0, 1, 2>, array<i64: 0, 3, 4>, array<i64: 0, 4, 5>]} : tensor<3x6xf32, #snn.events<capacity = 3>>
  return
}

// CHECK: ok everything_near
func.func @everything_near() {
  %x = arith.constant dense<[[2.0, -1.0, 3.0, 0.0]]> : tensor<1x4xf32>
  %v = arith.constant dense<0.0> : tensor<1x4xf32>
  %s, %n = snn.neuron %x, %v {near = 0xFF800000 : f32} : tensor<1x4xf32>, tensor<1x4xf32> -> tensor<1x4xf32, #snn.events<capacity = 4, binary = true>>, tensor<1x4xf32>
  snn.check_events %s {spikes = [array<i64: 0, 2>], near = [array<i64: 1, 3>]} : tensor<1x4xf32, #snn.events<capacity = 4, binary = true>>
  return
}

// CHECK: ok compress
func.func @compress() {
  %x = arith.constant dense<[[0.0, -2.0, 0.5, 4.0], [0.0, 0.0, 0.0, 0.0]]> : tensor<2x4xf32>
  %e = snn.compress %x : tensor<2x4xf32> -> tensor<2x4xf32, #snn.events<capacity = 2>>
  snn.check_events %e {spikes = [array<i64: 1, 2>, array<i64>], near = [array<i64>, array<i64>], fired = array<i64: 3, 0>} : tensor<2x4xf32, #snn.events<capacity = 2>>
  %w = arith.constant dense<[[1.0, 2.0, 4.0, 8.0]]> : tensor<1x4xf32>
  %y = snn.linear %e, %w : (tensor<2x4xf32, #snn.events<capacity = 2>>, tensor<1x4xf32>) -> tensor<2x1xf32>
  %y_ = arith.constant dense<[[-2.0], [0.0]]> : tensor<2x1xf32>
  snn.check_equal %y, %y_ : tensor<2x1xf32>
  %b = snn.compress %x : tensor<2x4xf32> -> tensor<2x4xf32, #snn.events<capacity = 4, binary = true>>
  %z = snn.linear %b, %w : (tensor<2x4xf32, #snn.events<capacity = 4, binary = true>>, tensor<1x4xf32>) -> tensor<2x1xf32>
  %z_ = arith.constant dense<[[14.0], [0.0]]> : tensor<2x1xf32>
  snn.check_equal %z, %z_ : tensor<2x1xf32>
  return
}

// Near entries are read by the input gradient, not by the synapses nor by the weight gradient.
// CHECK: ok near_in_adjoints
func.func @near_in_adjoints() {
  %x = arith.constant dense<[[2.0, 0.95, 0.0]]> : tensor<1x3xf32>
  %v = arith.constant dense<0.0> : tensor<1x3xf32>
  %s, %n = snn.neuron %x, %v {near = 0.9 : f32} : tensor<1x3xf32>, tensor<1x3xf32> -> tensor<1x3xf32, #snn.events<capacity = 3, binary = true>>, tensor<1x3xf32>
  %w = arith.constant dense<[[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]> : tensor<2x3xf32>
  %g = arith.constant dense<[[1.0, 0.5]]> : tensor<1x2xf32>
  %y = snn.linear %s, %w : (tensor<1x3xf32, #snn.events<capacity = 3, binary = true>>, tensor<2x3xf32>) -> tensor<1x2xf32>
  %y_ = arith.constant dense<[[1.0, 8.0]]> : tensor<1x2xf32>
  snn.check_equal %y, %y_ : tensor<1x2xf32>
  %dw = snn.linear_weight_grad %g, %s into %w : (tensor<1x2xf32>, tensor<1x3xf32, #snn.events<capacity = 3, binary = true>>) -> tensor<2x3xf32>
  %dw_ = arith.constant dense<[[2.0, 2.0, 4.0], [8.5, 16.0, 32.0]]> : tensor<2x3xf32>
  snn.check_equal %dw, %dw_ : tensor<2x3xf32>
  %gs = snn.linear_input_grad %g, %w support(%s : tensor<1x3xf32, #snn.events<capacity = 3, binary = true>>) : (tensor<1x2xf32>, tensor<2x3xf32>) -> tensor<1x3xf32, #snn.events<capacity = 3>>
  %two = snn.accumulate %gs, %gs : tensor<1x3xf32, #snn.events<capacity = 3>>
  %d = snn.expand %two : tensor<1x3xf32, #snn.events<capacity = 3>> -> tensor<1x3xf32>
  %d_ = arith.constant dense<[[10.0, 20.0, 0.0]]> : tensor<1x3xf32>
  snn.check_equal %d, %d_ : tensor<1x3xf32>
  return
}
