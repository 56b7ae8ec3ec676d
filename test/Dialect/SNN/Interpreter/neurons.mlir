// The conventions of neurons, one step or a few, with values worked out by hand.
// RUN: snn-interpret --check %s | FileCheck %s

// CHECK: ok same_step_subtract
func.func @same_step_subtract() {
  %x = arith.constant dense<[[0.75, 0.25, 2.0]]> : tensor<1x3xf32>
  %v = arith.constant dense<[[0.5, 0.5, 0.0]]> : tensor<1x3xf32>
  %s, %n, %p = snn.neuron %x, %v {decay = 0.5 : f32} : tensor<1x3xf32>, tensor<1x3xf32> -> tensor<1x3xf32>, tensor<1x3xf32> compared(tensor<1x3xf32>)
  // 0.5 * 0.5 + 0.75 is exactly the threshold: gt does not fire.
  %s_ = arith.constant dense<[[0.0, 0.0, 1.0]]> : tensor<1x3xf32>
  %n_ = arith.constant dense<[[1.0, 0.5, 1.0]]> : tensor<1x3xf32>
  %p_ = arith.constant dense<[[1.0, 0.5, 2.0]]> : tensor<1x3xf32>
  snn.check_equal %s, %s_ : tensor<1x3xf32>
  snn.check_equal %n, %n_ : tensor<1x3xf32>
  snn.check_equal %p, %p_ : tensor<1x3xf32>
  return
}

// CHECK: ok ties_ge
func.func @ties_ge() {
  %x = arith.constant dense<[[0.75, 0.25, 2.0]]> : tensor<1x3xf32>
  %v = arith.constant dense<[[0.5, 0.5, 0.0]]> : tensor<1x3xf32>
  %s, %n = snn.neuron %x, %v {decay = 0.5 : f32, cmp = #snn.cmp<ge>, reset_kind = #snn.reset_kind<value>, v_reset = -0.5 : f32} : tensor<1x3xf32>, tensor<1x3xf32> -> tensor<1x3xf32>, tensor<1x3xf32>
  %s_ = arith.constant dense<[[1.0, 0.0, 1.0]]> : tensor<1x3xf32>
  %n_ = arith.constant dense<[[-0.5, 0.5, -0.5]]> : tensor<1x3xf32>
  snn.check_equal %s, %s_ : tensor<1x3xf32>
  snn.check_equal %n, %n_ : tensor<1x3xf32>
  return
}

// The reset is decided by the old membrane; the spike by the new one.
// CHECK: ok delayed
func.func @delayed() {
  %x = arith.constant dense<[[0.25, 2.0]]> : tensor<1x2xf32>
  %v = arith.constant dense<[[1.5, 0.5]]> : tensor<1x2xf32>
  %s, %n, %p, %f = snn.neuron %x, %v {decay = 0.5 : f32, reset_time = #snn.reset_time<delayed>} : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>, tensor<1x2xf32> compared(tensor<1x2xf32>) fired(tensor<1x2xf32>)
  %s_ = arith.constant dense<[[0.0, 1.0]]> : tensor<1x2xf32>
  %n_ = arith.constant dense<[[0.0, 2.25]]> : tensor<1x2xf32>
  %f_ = arith.constant dense<[[1.0, 0.0]]> : tensor<1x2xf32>
  snn.check_equal %s, %s_ : tensor<1x2xf32>
  snn.check_equal %n, %n_ : tensor<1x2xf32>
  snn.check_equal %p, %n_ : tensor<1x2xf32>
  snn.check_equal %f, %f_ : tensor<1x2xf32>
  // To a value: only the decayed state is replaced, or the whole update.
  %s1, %n1 = snn.neuron %x, %v {decay = 0.5 : f32, reset_time = #snn.reset_time<delayed>, reset_kind = #snn.reset_kind<value>, v_reset = 0.5 : f32} : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>, tensor<1x2xf32>
  %n1_ = arith.constant dense<[[0.5, 2.25]]> : tensor<1x2xf32>
  snn.check_equal %n1, %n1_ : tensor<1x2xf32>
  %s2, %n2 = snn.neuron %x, %v {decay = 0.5 : f32, reset_time = #snn.reset_time<delayed>, reset_kind = #snn.reset_kind<value>, reset_scope = #snn.reset_scope<whole_update>, v_reset = 0.25 : f32} : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>, tensor<1x2xf32>
  %n2_ = arith.constant dense<[[0.25, 2.25]]> : tensor<1x2xf32>
  snn.check_equal %n2, %n2_ : tensor<1x2xf32>
  return
}

// CHECK: ok fire_first_gain_leak_graded
func.func @fire_first_gain_leak_graded() {
  %x = arith.constant dense<[[0.25, 2.0]]> : tensor<1x2xf32>
  %v = arith.constant dense<[[1.5, 0.5]]> : tensor<1x2xf32>
  %s, %n, %p = snn.neuron %x, %v {decay = 0.5 : f32, gain = 2.0 : f32, leak = 0.5 : f32, graded = 3.0 : f32, order = #snn.order<fire_integrate>} : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>, tensor<1x2xf32> compared(tensor<1x2xf32>)
  %s_ = arith.constant dense<[[3.0, 0.0]]> : tensor<1x2xf32>
  // 0.5 * 1.5 + 2 * 0.25 + 0.5 * 0.5 - 1 and 0.5 * 0.5 + 2 * 2 + 0.5 * 0.5.
  %n_ = arith.constant dense<[[0.5, 4.5]]> : tensor<1x2xf32>
  snn.check_equal %s, %s_ : tensor<1x2xf32>
  snn.check_equal %n, %n_ : tensor<1x2xf32>
  snn.check_equal %p, %v : tensor<1x2xf32>
  return
}

// CHECK: ok per_neuron
func.func @per_neuron() {
  %x = arith.constant dense<[[1.0, 1.0], [2.0, 2.0]]> : tensor<2x2xf32>
  %v = arith.constant dense<1.0> : tensor<2x2xf32>
  %d = arith.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %t = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %s, %n = snn.neuron %x, %v decay(%d : tensor<2xf32>) threshold(%t : tensor<2xf32>) {} : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>, tensor<2x2xf32>
  %n_ = arith.constant dense<[[0.5, 1.25], [1.5, 0.25]]> : tensor<2x2xf32>
  snn.check_equal %n, %n_ : tensor<2x2xf32>
  %i = snn.integrator %x, %v decay(%d : tensor<2xf32>) {gain = 0.5 : f32} : tensor<2x2xf32>, tensor<2x2xf32>
  %i_ = arith.constant dense<[[1.0, 0.75], [1.5, 1.25]]> : tensor<2x2xf32>
  snn.check_equal %i, %i_ : tensor<2x2xf32>
  %k = snn.spike %x threshold(%t : tensor<2xf32>) {cmp = #snn.cmp<ge>} : tensor<2x2xf32>
  %k_ = arith.constant dense<[[1.0, 0.0], [1.0, 1.0]]> : tensor<2x2xf32>
  snn.check_equal %k, %k_ : tensor<2x2xf32>
  return
}

// CHECK: ok adjoint
func.func @adjoint() {
  %gs = arith.constant dense<[[4.0, 4.0]]> : tensor<1x2xf32>
  %gv = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %p = arith.constant dense<[[2.0, 1.0]]> : tensor<1x2xf32>
  // fast_sigmoid of slope 1 at distances 1 and 0: 1/4 and 1.
  %gx, %gm = snn.neuron_adjoint spikes(%gs : tensor<1x2xf32>) next(%gv : tensor<1x2xf32>) compared(%p : tensor<1x2xf32>) {decay = 0.5 : f32, gain = 2.0 : f32, surrogate = #snn.surrogate<fast_sigmoid, 1.0>} -> tensor<1x2xf32>, tensor<1x2xf32>
  %gx_ = arith.constant dense<[[4.0, 12.0]]> : tensor<1x2xf32>
  %gm_ = arith.constant dense<[[1.0, 3.0]]> : tensor<1x2xf32>
  snn.check_equal %gx, %gx_ : tensor<1x2xf32>
  snn.check_equal %gm, %gm_ : tensor<1x2xf32>
  // Through the reset: (1 + 4/4) - 1 * 1/4 and (2 + 4) - 2 * 1.
  %hx, %hm = snn.neuron_adjoint spikes(%gs : tensor<1x2xf32>) next(%gv : tensor<1x2xf32>) compared(%p : tensor<1x2xf32>) {detach_reset = false, surrogate = #snn.surrogate<superspike, 1.0>} -> tensor<1x2xf32>, tensor<1x2xf32>
  %hx_ = arith.constant dense<[[1.75, 4.0]]> : tensor<1x2xf32>
  snn.check_equal %hx, %hx_ : tensor<1x2xf32>
  // On the support only.
  %e = snn.compress %hx : tensor<1x2xf32> -> tensor<1x2xf32, #snn.events<capacity = 1>>
  %ps = snn.restrict %p like %e : tensor<1x2xf32>, tensor<1x2xf32, #snn.events<capacity = 1>> -> tensor<1x2xf32, #snn.events<capacity = 1>>
  %gsl = snn.restrict %gs like %e : tensor<1x2xf32>, tensor<1x2xf32, #snn.events<capacity = 1>> -> tensor<1x2xf32, #snn.events<capacity = 1>>
  %lx, %lm = snn.neuron_adjoint spikes(%gsl : tensor<1x2xf32, #snn.events<capacity = 1>>) next(%gv : tensor<1x2xf32>) compared(%ps : tensor<1x2xf32, #snn.events<capacity = 1>>) {surrogate = #snn.surrogate<fast_sigmoid, 1.0>} -> tensor<1x2xf32>, tensor<1x2xf32>
  %lx_ = arith.constant dense<[[2.0, 2.0]]> : tensor<1x2xf32>
  snn.check_equal %lx, %lx_ : tensor<1x2xf32>
  return
}
