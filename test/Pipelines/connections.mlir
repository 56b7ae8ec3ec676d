// The value of a sparse weight is zero wherever there is no connection.
// RUN: not snn-compile %s --machine=tiny -o %t.loom 2>&1 | FileCheck %s
// RUN: snn-compile %s --machine=tiny --stop-after=events | FileCheck %s --check-prefix=TEXT

// CHECK: error: the value of 'fc1.weight' is 7.500000e-01 at [1, 2], where it has no connection; make it 0 or add the connection
// What is printed can be read again: the connections are there, once.
// TEXT-COUNT-1: #snn.connections<dense<{{.*}}> : tensor<3x2xi32>>
// TEXT-NOT: #snn.connections<dense<
#few = #snn.connections<dense<[[0, 3], [1, -1], [2, 3]]> : tensor<3x2xi32>>
func.func @main(
    %x: tensor<5x4x4xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w: tensor<3x4xf32, #few> {snn.name = "fc1.weight", snn.kind = #snn.kind<parameter>,
        snn.value = dense<[[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.75, 0.0], [0.0, 0.0, 1.0, 1.0]]> : tensor<3x4xf32>})
    -> (tensor<5x4x3xf32> {snn.name = "y"}) {
  %y = snn.scan over(%xt = %x : tensor<5x4x4xf32>) -> (tensor<5x4x3xf32>), () {
    %i = snn.linear %xt, %w : (tensor<4x4xf32>, tensor<3x4xf32, #few>) -> tensor<4x3xf32>
    snn.yield step(%i : tensor<4x3xf32>)
  }
  return %y : tensor<5x4x3xf32>
}
