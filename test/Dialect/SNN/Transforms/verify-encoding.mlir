// RUN: snn-opt %s -snn-verify-encoding -verify-diagnostics -split-input-file

func.func @known(%e: tensor<4x8xf32, #snn.events<capacity = 3>>) -> tensor<4x8xf32, #snn.events<capacity = 3>> {
  %a = snn.accumulate %e, %e : tensor<4x8xf32, #snn.events<capacity = 3>>
  %b = func.call @known(%a) : (tensor<4x8xf32, #snn.events<capacity = 3>>) -> tensor<4x8xf32, #snn.events<capacity = 3>>
  return %b : tensor<4x8xf32, #snn.events<capacity = 3>>
}

// -----

func.func @operand(%e: tensor<4x8xf32, #snn.events<capacity = 3>>) {
  // expected-error @+1 {{'arith.addf' op operand 0 is the event tensor 'tensor<4x8xf32, #snn.events<capacity = 3>>', whose list this operation does not know; make it dense with snn.expand}}
  %a = arith.addf %e, %e : tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}

// -----

func.func @result() {
  // expected-error @+1 {{'arith.constant' op result 0 is the event tensor 'tensor<4x8xf32, #snn.events<capacity = 3>>', whose list this operation does not know; make it dense with snn.expand}}
  %a = arith.constant dense<0.0> : tensor<4x8xf32, #snn.events<capacity = 3>>
  return
}
