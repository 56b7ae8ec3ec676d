// Windows, convolutions, per-channel parameters, softmax.
// RUN: snn-interpret --check %s | FileCheck %s

// CHECK: ok windows
func.func @windows() {
  %x = arith.constant dense<[[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]]> : tensor<2x6xf32>
  %part = snn.slice %x {shape = [6], offsets = [2], sizes = [3], strides = [1]} : tensor<2x6xf32> -> tensor<2x3xf32>
  %part_ = arith.constant dense<[[2.0, 3.0, 4.0], [12.0, 13.0, 14.0]]> : tensor<2x3xf32>
  snn.check_equal %part, %part_ : tensor<2x3xf32>
  // Rows [2, 3]: every second column from the one before the first.
  %pad = snn.slice %x {shape = [2, 3], offsets = [0, -1], sizes = [2, 3], strides = [1, 2], fill = -1.0 : f32} : tensor<2x6xf32> -> tensor<2x6xf32>
  %pad_ = arith.constant dense<[[-1.0, 1.0, -1.0, -1.0, 4.0, -1.0], [-1.0, 11.0, -1.0, -1.0, 14.0, -1.0]]> : tensor<2x6xf32>
  snn.check_equal %pad, %pad_ : tensor<2x6xf32>
  %back = snn.place %pad {shape = [2, 3], offsets = [0, -1], sizes = [2, 3], strides = [1, 2]} : tensor<2x6xf32> -> tensor<2x6xf32>
  %back_ = arith.constant dense<[[0.0, 1.0, 0.0, 0.0, 4.0, 0.0], [0.0, 11.0, 0.0, 0.0, 14.0, 0.0]]> : tensor<2x6xf32>
  snn.check_equal %back, %back_ : tensor<2x6xf32>
  %all = snn.concat %part, %part : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
  %all_ = arith.constant dense<[[2.0, 3.0, 4.0, 2.0, 3.0, 4.0], [12.0, 13.0, 14.0, 12.0, 13.0, 14.0]]> : tensor<2x6xf32>
  snn.check_equal %all, %all_ : tensor<2x6xf32>
  return
}

// CHECK: ok convolution
func.func @convolution() {
  %k = arith.constant dense<[[1.0, 2.0, 3.0]]> : tensor<1x3xf32>
  %m = snn.conv_matrix %k {input = [1, 4], kernel = [3], padding = [1, 0], strides = [1]} : tensor<1x3xf32> -> tensor<3x4xf32>
  %m_ = arith.constant dense<[[2.0, 3.0, 0.0, 0.0], [1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 3.0]]> : tensor<3x4xf32>
  snn.check_equal %m, %m_ : tensor<3x4xf32>
  // The first position is padding for the first output.
  %dk = snn.conv_kernel_grad %m {input = [1, 4], kernel = [3], padding = [1, 0]} : tensor<3x4xf32> -> tensor<1x3xf32>
  %dk_ = arith.constant dense<[[2.0, 6.0, 9.0]]> : tensor<1x3xf32>
  snn.check_equal %dk, %dk_ : tensor<1x3xf32>
  // Two groups; strides and dilation in one axis each.
  %g = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %n = snn.conv_matrix %g {input = [2, 2, 3], kernel = [1, 2], strides = [2, 1], dilations = [1, 2], groups = 2} : tensor<2x2xf32> -> tensor<2x12xf32>
  %n_ = arith.constant dense<[[1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                              [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 4.0, 0.0, 0.0, 0.0]]> : tensor<2x12xf32>
  snn.check_equal %n, %n_ : tensor<2x12xf32>
  return
}

// The sum over the outputs of a channel in the order of their tiles: see input_grad_placement in sums.mlir.
// CHECK: ok kernel_grad_placement
func.func @kernel_grad_placement() {
  %m = arith.constant dense<[[16777216.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, -16777216.0, 0.0], [0.0, 0.0, 0.0, 1.0]]> : tensor<4x4xf32>
  %one = snn.conv_kernel_grad %m {input = [1, 4], kernel = [1]} : tensor<4x4xf32> -> tensor<1x1xf32>
  %one_ = arith.constant dense<1.0> : tensor<1x1xf32>
  snn.check_equal %one, %one_ : tensor<1x1xf32>
  %two = snn.conv_kernel_grad %m {input = [1, 4], kernel = [1], placement = array<i64: 2, 2>} : tensor<4x4xf32> -> tensor<1x1xf32>
  %two_ = arith.constant dense<2.0> : tensor<1x1xf32>
  snn.check_equal %two, %two_ : tensor<1x1xf32>
  return
}

// CHECK: ok channels
func.func @channels() {
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %s = snn.spread %b {inner = 3} : tensor<2xf32> -> tensor<6xf32>
  %s_ = arith.constant dense<[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]> : tensor<6xf32>
  snn.check_equal %s, %s_ : tensor<6xf32>
  %f = snn.fold %s {inner = 3} : tensor<6xf32> -> tensor<2xf32>
  %f_ = arith.constant dense<[3.0, 6.0]> : tensor<2xf32>
  snn.check_equal %f, %f_ : tensor<2xf32>
  return
}

// CHECK: ok softmax
func.func @softmax() {
  %x = arith.constant dense<[[0.0, 0.6931472, 0.0], [-100.0, 0.0, 0.0]]> : tensor<2x3xf32>
  %y = snn.softmax %x : tensor<2x3xf32>
  %y_ = arith.constant dense<[[0.25, 0.5, 0.25], [0.0, 0.5, 0.5]]> : tensor<2x3xf32>
  snn.check_close %y, %y_ {tolerance = 1.0e-7 : f32} : tensor<2x3xf32>
  %l = snn.softmax %x {log} : tensor<2x3xf32>
  %l_ = arith.constant dense<[[-1.3862944, -0.6931472, -1.3862944], [-100.6931472, -0.6931472, -0.6931472]]> : tensor<2x3xf32>
  snn.check_close %l, %l_ {tolerance = 1.0e-6 : f32} : tensor<2x3xf32>
  %g = arith.constant dense<[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]> : tensor<2x3xf32>
  %gx = snn.softmax_adjoint %g, %y : tensor<2x3xf32>
  %gx_ = arith.constant dense<[[0.1875, -0.125, -0.0625], [0.0, 0.25, -0.25]]> : tensor<2x3xf32>
  snn.check_close %gx, %gx_ {tolerance = 1.0e-7 : f32} : tensor<2x3xf32>
  %gl = snn.softmax_adjoint %g, %l {log} : tensor<2x3xf32>
  %gl_ = arith.constant dense<[[0.75, -0.5, -0.25], [0.0, 0.5, -0.5]]> : tensor<2x3xf32>
  snn.check_close %gl, %gl_ {tolerance = 1.0e-6 : f32} : tensor<2x3xf32>
  return
}

// CHECK: ok layers
func.func @layers() {
  %x = arith.constant dense<[[1.0, 2.0, 3.0, 4.0]]> : tensor<1x4xf32>
  %m = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %v = arith.constant dense<[3.0, 15.0]> : tensor<2xf32>
  %y = snn.batch_norm %x mean(%m) variance(%v) scale(%m) shift(%m) {inner = 2, epsilon = 1.0 : f32} : tensor<1x4xf32>, tensor<2xf32>
  %y_ = arith.constant dense<[[1.0, 1.5, 2.5, 3.0]]> : tensor<1x4xf32>
  snn.check_equal %y, %y_ : tensor<1x4xf32>
  %same = snn.dropout %x {rate = 0.5 : f32} : tensor<1x4xf32>
  snn.check_equal %same, %x : tensor<1x4xf32>
  // The draws of key 7, salt 1: 0x0661e4, 0x663a98, 0x9250b6, 0x2f862f.
  %key = arith.constant dense<7.0> : tensor<1x1xf32>
  %d = snn.dropout %x key(%key : tensor<1x1xf32>) {rate = 0.5 : f32, salt = 1} : tensor<1x4xf32>
  %d_ = arith.constant dense<[[0.0, 0.0, 6.0, 0.0]]> : tensor<1x4xf32>
  snn.check_equal %d, %d_ : tensor<1x4xf32>
  return
}
