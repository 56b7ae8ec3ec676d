// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A length, a JSON header, the data: checked so that no header can make us read outside the file.
#include "spikeloom/Runtime/Safetensors.h"
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace spikeloom::runtime {

static const char *typeName(DataType type) {
  switch (type) {
  case DataType::f32:
    return "F32";
  case DataType::u8:
    return "U8";
  case DataType::boolean:
    return "BOOL";
  case DataType::i32:
    return "I32";
  case DataType::i64:
    return "I64";
  }
  return "";
}

static Result<Array> readTensor(const json &entry, const uint8_t *data, uint64_t size) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !entry["shape"].is_array() || !entry.contains("data_offsets") ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
    return Error{"needs dtype, shape and data_offsets"};
  Array array;
  const std::string type = entry["dtype"].get<std::string>();
  bool known = false;
  for (DataType candidate : {DataType::f32, DataType::u8, DataType::boolean, DataType::i32, DataType::i64})
    if (type == typeName(candidate)) {
      array.type = candidate;
      known = true;
    }
  if (!known)
    return Error{"has dtype " + type + ", known: F32, U8, BOOL, I32, I64"};
  int64_t elements = 1;
  for (const json &extent : entry["shape"]) {
    if (!extent.is_number_unsigned() || __builtin_mul_overflow(elements, extent.get<uint64_t>(), &elements) ||
        elements > int64_t(1) << 40)
      return Error{"has an impossible shape " + entry["shape"].dump()};
    array.shape.push_back(extent.get<int64_t>());
  }
  const json &begin = entry["data_offsets"][0], &end = entry["data_offsets"][1];
  if (!begin.is_number_unsigned() || !end.is_number_unsigned() || begin.get<uint64_t>() > end.get<uint64_t>())
    return Error{"has impossible data_offsets " + entry["data_offsets"].dump()};
  if (end.get<uint64_t>() > size)
    return Error{"ends at byte " + end.dump() + " of the data, but there are only " + std::to_string(size) +
                 " (truncated?)"};
  const uint64_t wanted = uint64_t(elements * bytesOf(array.type)),
                 found = end.get<uint64_t>() - begin.get<uint64_t>();
  if (wanted != found)
    return Error{"of shape " + shapeText(array.shape) + " takes " + std::to_string(wanted) +
                 " bytes, found " + std::to_string(found)};
  array.bytes.assign(data + begin.get<uint64_t>(), data + end.get<uint64_t>());
  return array;
}

Result<Safetensors> parseSafetensors(const Bytes &bytes, const std::string &name) {
  if (bytes.size() < 8)
    return Error{name + ": not a safetensors file: " + std::to_string(bytes.size()) + " bytes"};
  uint64_t length = 0;
  for (int i = 0; i < 8; ++i)
    length |= uint64_t(bytes[i]) << (8 * i);
  if (length > bytes.size() - 8)
    return Error{name + ": not a safetensors file, or truncated in its header"};
  const uint8_t *begin = bytes.data() + 8, *data = begin + length;
  json header = json::parse(begin, data, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object())
    return Error{name + ": not a safetensors file: the header is no JSON object"};
  Safetensors file;
  for (const auto &[key, entry] : header.items()) {
    if (key == "__metadata__") {
      for (const auto &[field, text] : entry.items())
        if (text.is_string())
          file.metadata[field] = text.get<std::string>();
      continue;
    }
    Result<Array> array = readTensor(entry, data, bytes.size() - 8 - length);
    if (!array)
      return Error{name + ": tensor '" + key + "' " + array.error()};
    file.tensors.emplace(key, std::move(*array));
  }
  return file;
}

Result<Safetensors> readSafetensors(const std::string &path) {
  Result<Bytes> bytes = readFile(path);
  if (!bytes)
    return Error{bytes.error()};
  return parseSafetensors(*bytes, path);
}

Status writeSafetensors(const std::string &path, const Safetensors &file) {
  json header = json::object();
  if (!file.metadata.empty())
    header["__metadata__"] = file.metadata;
  uint64_t offset = 0;
  for (const auto &[name, array] : file.tensors) {
    header[name] = {{"dtype", typeName(array.type)},
                    {"shape", array.shape},
                    {"data_offsets", {offset, offset + array.bytes.size()}}};
    offset += array.bytes.size();
  }
  // Names come from the user's file and need not be valid UTF-8.
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' '); // the data begins aligned
  Bytes bytes(8);
  for (int i = 0; i < 8; ++i)
    bytes[i] = uint8_t(uint64_t(text.size()) >> (8 * i));
  bytes.insert(bytes.end(), text.begin(), text.end());
  for (const auto &[name, array] : file.tensors)
    bytes.insert(bytes.end(), array.bytes.begin(), array.bytes.end());
  return writeFileAtomically(path, bytes.data(), bytes.size());
}

} // namespace spikeloom::runtime
