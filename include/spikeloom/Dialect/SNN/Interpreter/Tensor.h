// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The values of the reference interpreter.
#ifndef SPIKELOOM_DIALECT_SNN_INTERPRETER_TENSOR_H
#define SPIKELOOM_DIALECT_SNN_INTERPRETER_TENSOR_H

#include <cstdint>
#include <memory>
#include <vector>

namespace spikeloom::snn {

/// The list of one row of an event tensor: `ids[0, spikes)` are the true spikes, ascending, the others the
/// near entries, ascending. `fired` counts the spikes before the list was cut.
struct EventRow {
  std::vector<int32_t> ids;
  int32_t spikes = 0;
  int32_t fired = 0;
};

/// A tensor in row-major order. Predicates are 0 and 1. An event tensor has the dense values (zero off the
/// support) and one list for each row.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<float> data;
  std::vector<EventRow> rows;

  Tensor() = default;
  explicit Tensor(std::vector<int64_t> dims, float value = 0.0f) : shape(std::move(dims)) {
    data.assign(size_t(elements()), value);
  }

  int64_t elements() const {
    int64_t count = 1;
    for (int64_t dim : shape)
      count *= dim;
    return count;
  }
  /// The length of a row, and the number of rows.
  int64_t units() const { return shape.empty() ? 1 : shape.back(); }
  int64_t numRows() const { return units() == 0 ? 0 : elements() / units(); }
  bool isEvents() const { return !rows.empty(); }
  float *row(int64_t index) { return data.data() + index * units(); }
  const float *row(int64_t index) const { return data.data() + index * units(); }
};

using TensorPtr = std::shared_ptr<const Tensor>;

} // namespace spikeloom::snn
#endif
