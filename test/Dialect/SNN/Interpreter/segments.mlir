// RUN: snn-interpret --check %s | FileCheck %s

// A scan over segments is the scan over the steps, and its steps count on: the rotating list starts at the same unit.
// CHECK: ok segments
func.func @segments() {
  %x = arith.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]], [[7.0, 8.0]]]> : tensor<4x1x2xf32>
  %zero = arith.constant dense<0.0> : tensor<1x2xf32>
  %y, %last = snn.scan over(%xt = %x : tensor<4x1x2xf32>) state(%s = %zero : tensor<1x2xf32>) -> (tensor<4x1x2xf32>), (tensor<1x2xf32>) {
    %l = snn.compress %xt {rotate} : tensor<1x2xf32> -> tensor<1x2xf32, #snn.events<capacity = 1>>
    %e = snn.expand %l : tensor<1x2xf32, #snn.events<capacity = 1>> -> tensor<1x2xf32>
    %n = arith.addf %s, %e : tensor<1x2xf32>
    snn.yield step(%e : tensor<1x2xf32>) state(%n : tensor<1x2xf32>)
  }
  %xs = snn.split_time %x : tensor<4x1x2xf32> -> tensor<2x2x1x2xf32>
  %ys, %end = snn.scan over(%xk = %xs : tensor<2x2x1x2xf32>) state(%v = %zero : tensor<1x2xf32>) -> (tensor<2x2x1x2xf32>), (tensor<1x2xf32>) {
    %yk, %after = snn.scan over(%xt = %xk : tensor<2x1x2xf32>) state(%s = %v : tensor<1x2xf32>) -> (tensor<2x1x2xf32>), (tensor<1x2xf32>) {
      %l = snn.compress %xt {rotate} : tensor<1x2xf32> -> tensor<1x2xf32, #snn.events<capacity = 1>>
      %e = snn.expand %l : tensor<1x2xf32, #snn.events<capacity = 1>> -> tensor<1x2xf32>
      %n = arith.addf %s, %e : tensor<1x2xf32>
      snn.yield step(%e : tensor<1x2xf32>) state(%n : tensor<1x2xf32>)
    }
    snn.yield step(%yk : tensor<2x1x2xf32>) state(%after : tensor<1x2xf32>)
  }
  %merged = snn.merge_time %ys : tensor<2x2x1x2xf32> -> tensor<4x1x2xf32>
  snn.check_equal %merged, %y : tensor<4x1x2xf32>
  snn.check_equal %end, %last : tensor<1x2xf32>
  return
}
