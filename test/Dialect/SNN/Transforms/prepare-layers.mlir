// RUN: snn-opt %s --snn-prepare-layers | FileCheck %s --check-prefix=INFER
// RUN: snn-opt %s --snn-prepare-layers=train | FileCheck %s --check-prefix=TRAIN

// INFER-LABEL: func.func @main
// INFER: snn.scan
// INFER-NOT: snn.dropout
// INFER: [[M:%[a-z0-9_]+]] = snn.spread %arg1 {inner = 2 : i64}
// INFER: [[MR:%[a-z0-9_]+]] = snn.broadcast [[M]]
// INFER: [[D:%[a-z0-9_]+]] = arith.subf %{{.*}}, [[MR]]
// INFER: arith.addf %arg2
// INFER: math.sqrt
// INFER: arith.divf %arg3
// INFER: arith.mulf [[D]]

// The statistics are states, and results; keys come step by step, or once.
// TRAIN-LABEL: func.func @main
// TRAIN-SAME: [[K:%[a-z0-9_]+]]: tensor<5x4x1xf32> {snn.kind = #snn.kind<random>, snn.name = "dropout.keys"}
// TRAIN-SAME: [[H:%[a-z0-9_]+]]: tensor<4x1xf32> {snn.kind = #snn.kind<random>, snn.name = "dropout.held"}
// TRAIN-SAME: tensor<3xf32> {snn.name = "mean", snn.update = "mean"}, tensor<3xf32> {snn.name = "var", snn.update = "var"}
// TRAIN: snn.scan over(%{{.*}}, [[KT:%[a-z0-9_]+]] = [[K]] : tensor<5x4x1xf32>) state([[M:%[a-z0-9_]+]] = %arg1 : tensor<3xf32>, [[V:%[a-z0-9_]+]] = %arg2 : tensor<3xf32>)
// TRAIN: snn.dropout %{{.*}} key([[KT]] : tensor<4x1xf32>) {rate = 5.000000e-01 : f32, salt = 1 : i64}
// TRAIN: [[S:%[a-z0-9_]+]] = snn.batch_sum
// TRAIN: snn.fold [[S]] {inner = 2 : i64}
// TRAIN: arith.mulf [[M]]
// TRAIN: arith.mulf [[V]]
// TRAIN: snn.dropout %{{.*}} key([[H]] : tensor<4x1xf32>) {hold, rate = 2.500000e-01 : f32, salt = 2 : i64}
func.func @main(%x: tensor<5x4x6xf32> {snn.name = "x", snn.kind = #snn.kind<input>},
                %m: tensor<3xf32> {snn.name = "mean", snn.kind = #snn.kind<parameter>},
                %v: tensor<3xf32> {snn.name = "var", snn.kind = #snn.kind<parameter>},
                %g: tensor<3xf32> {snn.name = "scale", snn.kind = #snn.kind<parameter>, snn.trainable},
                %b: tensor<3xf32> {snn.name = "shift", snn.kind = #snn.kind<parameter>, snn.trainable}) -> (tensor<5x4x6xf32> {snn.name = "y"}) {
  %y = snn.scan over(%xt = %x : tensor<5x4x6xf32>) -> (tensor<5x4x6xf32>), () {
    %d = snn.dropout %xt {rate = 0.5 : f32} : tensor<4x6xf32>
    %n = snn.batch_norm %d mean(%m) variance(%v) scale(%g) shift(%b) {inner = 2} : tensor<4x6xf32>, tensor<3xf32>
    %h = snn.dropout %n {rate = 0.25 : f32, hold} : tensor<4x6xf32>
    snn.yield step(%h : tensor<4x6xf32>)
  }
  return %y : tensor<5x4x6xf32>
}
