// RUN: snn-opt %s --snn-partition=machine=tiny | FileCheck %s

// A comparison and a spread parameter are computed beside each reader; what a scan only passes on gets a stage.
// CHECK: snn.scan
// CHECK: %[[BEFORE:.*]] = arith.cmpf ogt, %[[V:.*]], %{{.*}}
// CHECK-NEXT: %[[A:.*]] = arith.select %[[BEFORE]]
// CHECK: %[[LATER:.*]] = arith.cmpf ogt, %[[V]], %{{.*}}
// CHECK-NEXT: arith.select %[[LATER]]
// CHECK: %[[MINUS:.*]] = arith.constant dense<-0.000000e+00> : tensor<4x6xf32>
// CHECK-NEXT: %[[COPY:.*]] = arith.addf %[[V]], %[[MINUS]]
// CHECK: snn.yield step(%{{.*}}) state(%{{.*}}, %[[COPY]] :
func.func @main(
    %x: tensor<5x4x6xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
    %w: tensor<6x6xf32> {snn.name = "fc.weight", snn.kind = #snn.kind<parameter>},
    %v0: tensor<4x6xf32> {snn.name = "v", snn.kind = #snn.kind<state>},
    %d0: tensor<4x6xf32> {snn.name = "delayed", snn.kind = #snn.kind<state>})
    -> (tensor<5x4x6xf32> {snn.name = "y"}) {
  %y, %v1, %d1 = snn.scan over(%xt = %x : tensor<5x4x6xf32>) state(%v = %v0 : tensor<4x6xf32>, %d = %d0 : tensor<4x6xf32>)
      -> (tensor<5x4x6xf32>), (tensor<4x6xf32>, tensor<4x6xf32>) {
    %zero = arith.constant dense<0.0> : tensor<4x6xf32>
    %above = arith.cmpf ogt, %v, %zero : tensor<4x6xf32>
    %a = arith.select %above, %d, %zero : tensor<4x6xi1>, tensor<4x6xf32>
    %i = snn.linear %a, %w : (tensor<4x6xf32>, tensor<6x6xf32>) -> tensor<4x6xf32>
    %b = arith.select %above, %i, %xt : tensor<4x6xi1>, tensor<4x6xf32>
    snn.yield step(%b : tensor<4x6xf32>) state(%b, %v : tensor<4x6xf32>, tensor<4x6xf32>)
  }
  return %y : tensor<5x4x6xf32>
}
