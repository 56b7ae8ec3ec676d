// RUN: snn-opt %plugin %s --split-input-file --verify-diagnostics

func.func @events(%x: tensor<4x20xf32, #snn.events<capacity = 5>>) {
  // expected-error @+1 {{'filter.lowpass' op works on every unit; expand event tensors with snn.expand}}
  %y = filter.lowpass %x, %x {decay = 0.5 : f32} : tensor<4x20xf32, #snn.events<capacity = 5>>
  return
}

// -----

func.func @decay(%x: tensor<4x20xf32>) {
  // expected-error @+1 {{attribute 'decay' must lie in [0, 1), found 1.5}}
  %y = filter.lowpass %x, %x {decay = 1.5 : f32} : tensor<4x20xf32>
  return
}
