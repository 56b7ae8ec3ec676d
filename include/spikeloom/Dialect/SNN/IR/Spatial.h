// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Geometry of windows and convolutions, for verifiers, interpreter and conversion alike.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SPATIAL_H
#define SPIKELOOM_DIALECT_SNN_IR_SPATIAL_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <array>
#include <cstdint>

namespace spikeloom::snn {

/// A window of a row that is viewed as `shape`: element i of the window, viewed as `sizes`, is element
/// offsets + strides * i of the row.
struct Window {
  llvm::SmallVector<int64_t> shape, offsets, sizes, strides;

  /// Where element `index` of the window lies in the row, -1 outside.
  int64_t position(int64_t index) const;
};

/// A convolution in two spatial axes; with one spatial axis the first of them has length 1.
struct ConvGeometry {
  using Pair = std::array<int64_t, 2>;
  int64_t inChannels = 0, outChannels = 0, groups = 1;
  Pair input{1, 1}, kernel{1, 1}, strides{1, 1}, before{0, 0}, after{0, 0}, dilations{1, 1}, output{1, 1};

  int64_t inputs() const { return inChannels * input[0] * input[1]; }
  int64_t outputs() const { return outChannels * positions(); }
  /// Outputs of one channel.
  int64_t positions() const { return output[0] * output[1]; }
  /// Values of the kernel of one output channel.
  int64_t taps() const { return inChannels / groups * kernel[0] * kernel[1]; }
  /// The input under kernel position `tap` of output `unit`, -1 where that is padding.
  int64_t inputOf(int64_t unit, int64_t tap) const;
};

} // namespace spikeloom::snn
#endif
