// Order of accumulation, scans, loss, optimisers. 2^24 + 1 = 2^24 in float32 tells one order from another.
// RUN: snn-interpret --check %s | FileCheck %s

// CHECK: ok linear_ascending
func.func @linear_ascending() {
  %x = arith.constant dense<[[1.0, 1.0, 1.0, 1.0]]> : tensor<1x4xf32>
  %w = arith.constant dense<[[1.0, 1.0, 16777216.0, -16777216.0], [16777216.0, 1.0, 1.0, -16777216.0]]> : tensor<2x4xf32>
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = snn.linear %x, %w bias(%b : tensor<2xf32>) : (tensor<1x4xf32>, tensor<2x4xf32>) -> tensor<1x2xf32>
  %y_ = arith.constant dense<[[3.0, 2.0]]> : tensor<1x2xf32>
  snn.check_equal %y, %y_ : tensor<1x2xf32>
  return
}

// Units 0 to 3, two tiles of a group, two units each: tile 0 holds units 0 and 2, tile 1 holds 1 and 3.
// CHECK: ok input_grad_placement
func.func @input_grad_placement() {
  %g = arith.constant dense<[[16777216.0, 1.0, -16777216.0, 1.0]]> : tensor<1x4xf32>
  %w = arith.constant dense<1.0> : tensor<4x1xf32>
  %one = snn.linear_input_grad %g, %w : (tensor<1x4xf32>, tensor<4x1xf32>) -> tensor<1x1xf32>
  %one_ = arith.constant dense<1.0> : tensor<1x1xf32>
  snn.check_equal %one, %one_ : tensor<1x1xf32>
  %two = snn.linear_input_grad %g, %w {placement = array<i64: 2, 2>} : (tensor<1x4xf32>, tensor<4x1xf32>) -> tensor<1x1xf32>
  %two_ = arith.constant dense<2.0> : tensor<1x1xf32>
  snn.check_equal %two, %two_ : tensor<1x1xf32>
  // Two groups of one tile with two units each: (2^24 + 1) + (-2^24 + 1).
  %three = snn.linear_input_grad %g, %w {placement = array<i64: 1, 2>} : (tensor<1x4xf32>, tensor<4x1xf32>) -> tensor<1x1xf32>
  snn.check_equal %three, %one_ : tensor<1x1xf32>
  return
}

// Four lanes with one unit each: the tree adds lanes 0 and 2 first.
// CHECK: ok input_grad_tree
func.func @input_grad_tree() {
  %g = arith.constant dense<[[16777216.0, 1.0, -16777216.0, 1.0]]> : tensor<1x4xf32>
  %w = arith.constant dense<1.0> : tensor<4x1xf32>
  %y = snn.linear_input_grad %g, %w {placement = array<i64: 4, 1>} : (tensor<1x4xf32>, tensor<4x1xf32>) -> tensor<1x1xf32>
  %y_ = arith.constant dense<2.0> : tensor<1x1xf32>
  snn.check_equal %y, %y_ : tensor<1x1xf32>
  return
}

// Steps from the last, then samples ascending, onto the accumulator.
// CHECK: ok reverse_scan
func.func @reverse_scan() {
  %g = arith.constant dense<[[[1.0]], [[-16777216.0]], [[16777216.0]]]> : tensor<3x1x1xf32>
  %x = arith.constant dense<1.0> : tensor<3x1x1xf32>
  %zero = arith.constant dense<0.0> : tensor<1x1xf32>
  %y, %dw = snn.scan reverse over(%gt = %g : tensor<3x1x1xf32>, %xt = %x : tensor<3x1x1xf32>) state(%acc = %zero : tensor<1x1xf32>) -> (tensor<3x1x1xf32>), (tensor<1x1xf32>) {
    %next = snn.linear_weight_grad %gt, %xt into %acc : (tensor<1x1xf32>, tensor<1x1xf32>) -> tensor<1x1xf32>
    snn.yield step(%next : tensor<1x1xf32>) state(%next : tensor<1x1xf32>)
  }
  %y_ = arith.constant dense<[[[1.0]], [[0.0]], [[16777216.0]]]> : tensor<3x1x1xf32>
  %dw_ = arith.constant dense<1.0> : tensor<1x1xf32>
  snn.check_equal %y, %y_ : tensor<3x1x1xf32>
  snn.check_equal %dw, %dw_ : tensor<1x1xf32>
  return
}

// CHECK: ok sums
func.func @sums() {
  %x = arith.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>
  %s = snn.sum_time %x : tensor<2x1x2xf32> -> tensor<1x2xf32>
  %s_ = arith.constant dense<[[4.0, 6.0]]> : tensor<1x2xf32>
  snn.check_equal %s, %s_ : tensor<1x2xf32>
  %r = snn.repeat_time %s : tensor<1x2xf32> -> tensor<2x1x2xf32>
  %r_ = arith.constant dense<[[[4.0, 6.0]], [[4.0, 6.0]]]> : tensor<2x1x2xf32>
  snn.check_equal %r, %r_ : tensor<2x1x2xf32>
  %v = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %a = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %b = snn.batch_sum %v into %a : tensor<2x2xf32> -> tensor<2xf32>
  %b_ = arith.constant dense<[14.0, 26.0]> : tensor<2xf32>
  snn.check_equal %b, %b_ : tensor<2xf32>
  %zero = arith.constant dense<1.0> : tensor<f32>
  %all = snn.batch_sum %v into %zero : tensor<2x2xf32> -> tensor<f32>
  %all_ = arith.constant dense<11.0> : tensor<f32>
  snn.check_equal %all, %all_ : tensor<f32>
  %units = snn.batch_sum %a into %zero : tensor<2xf32> -> tensor<f32>
  %units_ = arith.constant dense<31.0> : tensor<f32>
  snn.check_equal %units, %units_ : tensor<f32>
  %spread = snn.broadcast %a : tensor<2xf32> -> tensor<2x2xf32>
  %spread_ = arith.constant dense<[[10.0, 20.0], [10.0, 20.0]]> : tensor<2x2xf32>
  snn.check_equal %spread, %spread_ : tensor<2x2xf32>
  return
}

// The first of equal maxima counts; padding (weight 0) does not.
// CHECK: ok loss
func.func @loss() {
  %l = arith.constant dense<[[1.0, 1.0], [0.0, 0.0], [0.0, 2.0]]> : tensor<3x2xf32>
  %y = arith.constant dense<[0, 1, 1]> : tensor<3xi32>
  %w = arith.constant dense<[0.5, 0.5, 0.0]> : tensor<3xf32>
  %loss, %g, %c = snn.cross_entropy %l, %y, %w : tensor<3x2xf32>, tensor<3xi32>, tensor<3xf32> -> tensor<f32>, tensor<3x2xf32>, tensor<f32>
  %loss_ = arith.constant dense<0.693147181> : tensor<f32>
  %g_ = arith.constant dense<[[-0.25, 0.25], [0.25, -0.25], [0.0, 0.0]]> : tensor<3x2xf32>
  %c_ = arith.constant dense<1.0> : tensor<f32>
  snn.check_close %loss, %loss_ {tolerance = 1.0e-7 : f32} : tensor<f32>
  snn.check_equal %g, %g_ : tensor<3x2xf32>
  snn.check_equal %c, %c_ : tensor<f32>
  return
}

// CHECK: ok optimizers
func.func @optimizers() {
  %p = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %g = arith.constant dense<[0.5, -4.0]> : tensor<2xf32>
  %z = arith.constant dense<0.0> : tensor<2xf32>
  %h = arith.constant dense<[0.25, 1.0, 0.0, 0.0]> : tensor<4xf32>
  %q = snn.sgd %p, %g, %h : tensor<2xf32>, tensor<4xf32>
  %q_ = arith.constant dense<[0.875, 3.0]> : tensor<2xf32>
  snn.check_equal %q, %q_ : tensor<2xf32>
  // With beta1 = 0, beta2 = 0.75 and no correction: p - 0.25 g / (sqrt(g g / 4) + 0).
  %a, %m, %v = snn.adam %p, %g, %z, %z, %h {beta1 = 0.0 : f32, beta2 = 0.75 : f32, epsilon = 0.0 : f32} : tensor<2xf32>, tensor<4xf32>
  %a_ = arith.constant dense<[0.5, 2.5]> : tensor<2xf32>
  snn.check_equal %a, %a_ : tensor<2xf32>
  snn.check_equal %m, %g : tensor<2xf32>
  return
}
