// Contents and connections: what is written comes back, and what does not fit is refused.
// RUN: snn-opt %s -split-input-file -verify-diagnostics | FileCheck %s

tile.program @right machine("tiny") chips(1) {
  %f = tile.family "fc1" tiles(2) units(2)
  %w = tile.buffer "fc1.weight" on %f {home = #tile.home<own>, persistent} : memref<2x2xf32>
  // CHECK: tile.buffer "fc1.connections" on %{{.*}} {content = dense<{{\[\[}}0, 1], [3, -1]]> : tensor<2x2xi16>, home = #tile.home<own>, persistent} : memref<2x2xi16>
  %c = tile.buffer "fc1.connections" on %f {home = #tile.home<own>, persistent, content = dense<[[0, 1], [3, -1]]> : tensor<2x2xi16>} : memref<2x2xi16>
  // CHECK: tile.port "fc1.weight" role("parameter") = %{{.*}} connections(%{{.*}} : memref<2x2xi16>) {shape = array<i64: 2, 4>} : memref<2x2xf32>
  tile.port "fc1.weight" role("parameter") = %w connections(%c : memref<2x2xi16>) {shape = array<i64: 2, 4>} : memref<2x2xf32>
}

// -----

tile.program @content machine("tiny") chips(1) {
  %f = tile.family "fc1" tiles(2) units(2)
  // expected-error @+1 {{'tile.buffer' op attribute 'content' must have the shape and elements of a persistent buffer without steps, found 'tensor<2x3xi16>' for 'memref<2x2xi16>'}}
  %c = tile.buffer "fc1.connections" on %f {home = #tile.home<own>, persistent, content = dense<0> : tensor<2x3xi16>} : memref<2x2xi16>
}

// -----

tile.program @changing machine("tiny") chips(1) {
  %f = tile.family "fc1" tiles(2) units(2)
  // expected-error @+1 {{'tile.buffer' op attribute 'content' must have the shape and elements of a persistent buffer without steps, found 'tensor<2x2xi16>' for 'memref<2x2xi16>'}}
  %c = tile.buffer "fc1.connections" on %f {home = #tile.home<own>, content = dense<0> : tensor<2x2xi16>} : memref<2x2xi16>
}

// -----

tile.program @wide machine("tiny") chips(1) {
  %f = tile.family "fc1" tiles(2) units(2)
  %w = tile.buffer "fc1.weight" on %f {home = #tile.home<own>, persistent} : memref<2x2xf32>
  %c = tile.buffer "fc1.connections" on %f {home = #tile.home<own>, persistent} : memref<2x2xi32>
  // expected-error @+1 {{'tile.port' op connections must be i16 of the buffer's shape [m][out], found 'memref<2x2xi32>' for 'memref<2x2xf32>'}}
  tile.port "fc1.weight" role("parameter") = %w connections(%c : memref<2x2xi32>) {shape = array<i64: 2, 4>} : memref<2x2xf32>
}

// -----

tile.program @shape machine("tiny") chips(1) {
  %f = tile.family "fc1" tiles(2) units(2)
  %w = tile.buffer "fc1.weight" on %f {home = #tile.home<own>, persistent} : memref<2x2xf32>
  %c = tile.buffer "fc1.connections" on %f {home = #tile.home<own>, persistent} : memref<2x2xi16>
  // expected-error @+1 {{'tile.port' op with connections holds [m][out] of an [out, in] parameter, found 'memref<2x2xf32>' for shape [3, 4]}}
  tile.port "fc1.weight" role("parameter") = %w connections(%c : memref<2x2xi16>) {shape = array<i64: 3, 4>} : memref<2x2xf32>
}
