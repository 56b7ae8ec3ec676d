// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The header of a `.npy` file is a Python dictionary; NumPy always writes the same three keys, which are all
// we take.
#include "spikeloom/Runtime/Npy.h"
#include <cstring>

namespace spikeloom::runtime {

const char *nameOf(DataType type) {
  switch (type) {
  case DataType::f32:
    return "float32";
  case DataType::u8:
    return "uint8";
  case DataType::boolean:
    return "bool";
  case DataType::i32:
    return "int32";
  case DataType::i64:
    return "int64";
  }
  return "?";
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t size : shape)
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

int64_t elementsOf(const std::vector<int64_t> &shape) {
  int64_t product = 1;
  for (int64_t size : shape)
    product *= size;
  return product;
}

static const char *descriptor(DataType type) {
  switch (type) {
  case DataType::f32:
    return "<f4";
  case DataType::u8:
    return "|u1";
  case DataType::boolean:
    return "|b1";
  case DataType::i32:
    return "<i4";
  case DataType::i64:
    return "<i8";
  }
  return "";
}

/// The text after 'key': up to the next delimiter, without blanks; empty when the key is missing.
static std::string valueOf(const std::string &header, const std::string &key, const char *end) {
  size_t at = header.find("'" + key + "'");
  if (at != std::string::npos)
    at = header.find(':', at);
  if (at == std::string::npos)
    return "";
  at = header.find_first_not_of(' ', at + 1);
  size_t stop = at == std::string::npos ? at : header.find_first_of(end, at + 1);
  return stop == std::string::npos ? "" : header.substr(at, stop - at);
}

static bool parseShape(const std::string &text, std::vector<int64_t> &shape) {
  if (text.empty() || text.front() != '(')
    return false;
  int64_t number = -1, product = 1;
  for (size_t i = 1; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    if (c >= '0' && c <= '9') {
      number = (number < 0 ? 0 : number) * 10 + (c - '0');
      if (number > int64_t(1) << 40)
        return false;
    } else if (c == ',') {
      if (number >= 0) {
        shape.push_back(number);
        if (__builtin_mul_overflow(product, number, &product) || product > int64_t(1) << 40)
          return false;
      }
      number = -1;
    } else if (c != ' ') {
      return false;
    }
  }
  return true;
}

Result<Array> parseNpy(const Bytes &bytes, const std::string &name) {
  if (bytes.size() < 10 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0)
    return Error{name + ": not a .npy file (for a .npz archive, save its arrays one by one with np.save)"};
  const int major = bytes[6];
  if (major < 1 || major > 3)
    return Error{name + ": .npy version " + std::to_string(major) + ", known: 1 to 3"};
  const size_t prefix = major == 1 ? 10 : 12;
  size_t length = size_t(bytes[8]) | size_t(bytes[9]) << 8;
  if (major > 1 && bytes.size() >= prefix)
    length |= size_t(bytes[10]) << 16 | size_t(bytes[11]) << 24;
  if (bytes.size() < prefix || length > bytes.size() - prefix)
    return Error{name + ": truncated in its header"};
  const std::string header(bytes.begin() + prefix, bytes.begin() + prefix + length);

  const std::string type = valueOf(header, "descr", ",}"), order = valueOf(header, "fortran_order", ",}");
  Array array;
  if (type.find('O') != std::string::npos)
    return Error{name +
                 ": holds pickled Python objects, which are not read because they could run any code; save a "
                 "plain array (np.save(path, np.asarray(x, dtype=np.float32)))"};
  bool known = false;
  for (DataType candidate : {DataType::f32, DataType::u8, DataType::boolean, DataType::i32, DataType::i64})
    if (type == std::string("'") + descriptor(candidate) + "'") {
      array.type = candidate;
      known = true;
    }
  if (!known)
    return Error{name + ": element type " + (type.empty() ? "is missing" : type) +
                 ", known: float32, uint8, bool, int32, int64 (convert with x.astype(np.float32))"};
  if (order == "True")
    return Error{name + ": stored in Fortran order; save np.ascontiguousarray(x)"};
  if (order != "False" || !parseShape(valueOf(header, "shape", ")"), array.shape))
    return Error{name + ": the header cannot be understood: " + header.substr(0, 120)};
  const size_t wanted = size_t(elementsOf(array.shape) * bytesOf(array.type)),
               found = bytes.size() - prefix - length;
  if (found != wanted)
    return Error{name + ": " + (found < wanted ? "truncated" : "longer than its header says") + ": shape " +
                 shapeText(array.shape) + " takes " + std::to_string(wanted) + " bytes, found " +
                 std::to_string(found)};
  array.bytes.assign(bytes.begin() + prefix + length, bytes.end());
  return array;
}

Result<Array> readNpy(const std::string &path) {
  Result<Bytes> bytes = readFile(path);
  if (!bytes)
    return Error{bytes.error()};
  return parseNpy(*bytes, path);
}

Status writeNpy(const std::string &path, const ArrayView &array) {
  std::string shape;
  for (int64_t size : array.shape)
    shape += std::to_string(size) + (array.shape.size() == 1 ? "," : ", ");
  if (array.shape.size() > 1)
    shape.resize(shape.size() - 2);
  std::string header = std::string("{'descr': '") + descriptor(array.type) +
                       "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  Bytes file{0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, uint8_t(header.size()), uint8_t(header.size() >> 8)};
  file.insert(file.end(), header.begin(), header.end());
  const uint8_t *data = static_cast<const uint8_t *>(array.data);
  file.insert(file.end(), data, data + elementsOf(array.shape) * bytesOf(array.type));
  return writeFileAtomically(path, file.data(), file.size());
}

} // namespace spikeloom::runtime
