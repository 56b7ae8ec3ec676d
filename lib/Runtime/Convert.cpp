// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Users' arrays to buffers and back: shapes and values are checked here, so that engines need not.
#include "Connections.h"
#include "SessionState.h"
#include <cmath>
#include <cstring>

namespace spikeloom::runtime {

static const char *roleName(Role role) {
  switch (role) {
  case Role::input:
    return "input";
  case Role::output:
    return "output";
  case Role::parameter:
    return "parameter";
  case Role::state:
    return "state";
  case Role::gradient:
    return "gradient";
  case Role::optimizer:
    return "optimizer state";
  case Role::label:
    return "labels";
  case Role::weight:
    return "sample weights";
  case Role::hyper:
    return "hyper-parameters";
  case Role::loss:
    return "loss";
  case Role::correct:
    return "count of correct samples";
  case Role::random:
    return "random keys";
  }
  return "port";
}

std::string describe(const Port &port) { return std::string(roleName(port.role)) + " '" + port.name + "'"; }

/// "element [2, 7]", for messages.
static std::string position(const std::vector<int64_t> &shape, int64_t element) {
  std::vector<int64_t> index(shape.size());
  for (size_t d = shape.size(); d-- > 0; element /= shape[d])
    index[d] = element % shape[d];
  return "element " + shapeText(index);
}

template <typename T> static const T *data(const ArrayView &array) {
  return static_cast<const T *>(array.data);
}

static Status floats(const Port &port, const ArrayView &array, int64_t count, float *to) {
  if (array.type == DataType::f32) {
    std::memcpy(to, array.data, size_t(count) * 4);
    if (port.role == Role::input)
      return success();
    for (int64_t i = 0; i < count; ++i)
      if (!std::isfinite(to[i]))
        return Error{describe(port) + ": " + position(array.shape, i) + " is " + std::to_string(to[i]) +
                     ", all values must be finite"};
    return success();
  }
  if (array.type != DataType::u8 && array.type != DataType::boolean)
    return Error{describe(port) + ": element type " + nameOf(array.type) +
                 ", allowed: float32, uint8, bool (convert with x.astype(np.float32))"};
  const uint8_t *from = data<uint8_t>(array);
  for (int64_t i = 0; i < count; ++i)
    to[i] = float(from[i]);
  return success();
}

static Status integers(const Port &port, ElementType type, const ArrayView &array, int64_t count,
                       uint8_t *to) {
  if (array.type == DataType::f32 || array.type == DataType::boolean)
    return Error{describe(port) + ": element type " + nameOf(array.type) + ", allowed: uint8, int32, int64"};
  int64_t least = type == ElementType::i16 ? 0 : INT32_MIN,
          most = type == ElementType::i16 ? UINT16_MAX : INT32_MAX;
  if (port.classes > 0) {
    least = 0;
    most = port.classes - 1;
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t value = array.type == DataType::u8    ? int64_t(data<uint8_t>(array)[i])
                          : array.type == DataType::i32 ? int64_t(data<int32_t>(array)[i])
                                                        : data<int64_t>(array)[i];
    if (value < least || value > most)
      return Error{describe(port) + ": " + position(array.shape, i) + " is " + std::to_string(value) +
                   ", allowed: " + std::to_string(least) + " to " + std::to_string(most)};
    const int32_t wide = int32_t(value);
    const uint16_t narrow = uint16_t(value);
    if (type == ElementType::i16)
      std::memcpy(to + i * 2, &narrow, 2);
    else
      std::memcpy(to + i * 4, &wide, 4);
  }
  return success();
}

/// Element (r, c) of rows x columns goes to (c, r).
static Bytes transpose(const Bytes &from, int64_t rows, int64_t columns) {
  Bytes to(from.size());
  const uint32_t *source = reinterpret_cast<const uint32_t *>(from.data());
  uint32_t *target = reinterpret_cast<uint32_t *>(to.data());
  constexpr int64_t block = 16; // both sides stay in the cache
  for (int64_t r0 = 0; r0 < rows; r0 += block)
    for (int64_t c = 0; c < columns; ++c)
      for (int64_t r = r0; r < std::min(rows, r0 + block); ++r)
        target[c * rows + r] = source[r * columns + c];
  return to;
}

/// All elements of a buffer, row-major in its global shape.
static Bytes gathered(const Program &program, int64_t buffer) {
  const Buffer &b = program.manifest.buffers[buffer];
  Bytes compact(size_t(elementsOf(b.shape) * elementBytes(b.type)));
  program.buffers.gather(buffer, compact.data());
  return compact;
}

static Result<Bytes> atConnections(const Program &program, const Port &port, const Bytes &dense) {
  Bytes values(size_t(elementsOf(program.manifest.buffers[port.buffer].shape)) * sizeof(float));
  const float *from = reinterpret_cast<const float *>(dense.data());
  std::optional<int64_t> outside = toConnections(port, gathered(program, port.connections), from,
                                                 reinterpret_cast<float *>(values.data()));
  if (outside)
    return Error{describe(port) + ": " + position(port.shape, *outside) + " is " +
                 std::to_string(from[*outside]) +
                 ", but the program has no connection there: which weights there are was fixed when it was "
                 "compiled (compile the model with these weights, or keep its weights dense)"};
  return values;
}

Result<Bytes> toBuffer(const Program &program, const Port &port, const ArrayView &array) {
  const Buffer &buffer = program.manifest.buffers[port.buffer];
  if (array.shape != port.shape)
    return Error{describe(port) + ": expected shape " + shapeText(port.shape) + ", found " +
                 shapeText(array.shape)};
  const int64_t count = elementsOf(port.shape);
  Bytes bytes(size_t(count * elementBytes(buffer.type)));
  Status done = buffer.type == ElementType::f32
                    ? floats(port, array, count, reinterpret_cast<float *>(bytes.data()))
                    : integers(port, buffer.type, array, count, bytes.data());
  if (!done)
    return Error{done.error()};
  if (port.connections != -1)
    return atConnections(program, port, bytes);
  return port.transposed ? transpose(bytes, port.shape[0], port.shape[1]) : bytes;
}

Array fromBuffer(const Program &program, const Port &port, const Bytes &compact) {
  const Buffer &buffer = program.manifest.buffers[port.buffer];
  Array array(buffer.type == ElementType::f32 ? DataType::f32 : DataType::i32, port.shape);
  if (buffer.type == ElementType::i16) { // ids, without sign
    for (size_t i = 0; i < compact.size() / 2; ++i) {
      uint16_t value;
      std::memcpy(&value, &compact[i * 2], 2);
      array.as<int32_t>()[i] = value;
    }
    return array;
  }
  if (port.connections != -1) {
    fromConnections(port, gathered(program, port.connections),
                    reinterpret_cast<const float *>(compact.data()), array.as<float>());
    return array;
  }
  array.bytes = port.transposed ? transpose(compact, port.shape[1], port.shape[0]) : compact;
  return array;
}

} // namespace spikeloom::runtime
