// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arrays as users have them: row-major, any of the element types of the files that we read.
#ifndef SPIKELOOM_RUNTIME_ARRAY_H
#define SPIKELOOM_RUNTIME_ARRAY_H

#include "spikeloom/Runtime/Files.h"

namespace spikeloom::runtime {

enum class DataType { f32, u8, boolean, i32, i64 };

inline int64_t bytesOf(DataType type) {
  return type == DataType::i64 ? 8 : type == DataType::f32 || type == DataType::i32 ? 4 : 1;
}
const char *nameOf(DataType type);
/// "[100, 48, 10]".
std::string shapeText(const std::vector<int64_t> &shape);
int64_t elementsOf(const std::vector<int64_t> &shape);

/// Somebody else's array, C order.
struct ArrayView {
  DataType type = DataType::f32;
  std::vector<int64_t> shape;
  const void *data = nullptr;
};

struct Array {
  DataType type = DataType::f32;
  std::vector<int64_t> shape;
  Bytes bytes;

  Array() = default;
  Array(DataType type, std::vector<int64_t> dims)
      : type(type), shape(std::move(dims)), bytes(size_t(elementsOf(shape) * bytesOf(type))) {}
  template <typename T> T *as() { return reinterpret_cast<T *>(bytes.data()); }
  template <typename T> const T *as() const { return reinterpret_cast<const T *>(bytes.data()); }
  ArrayView view() const { return {type, shape, bytes.data()}; }
};

} // namespace spikeloom::runtime
#endif
