// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sparse weights: what a manifest may say of their connections, and dense arrays of people to values at
// connections and back.
#include "Connections.h"
#include "Checks.h"
#include "spikeloom/Runtime/Validate.h"
#include <cstring>

namespace spikeloom::runtime {

//===----------------------------------------------------------------------===//
// Validation
//===----------------------------------------------------------------------===//

static std::string checkContent(const std::string &where, const Buffer &b, uint64_t constantBytes) {
  if (b.home != Home::own || !b.persistent || b.steps || b.clear)
    return where + ": has content, so it must be at home on its family ('own'), persistent, not cleared and "
                   "without steps";
  const uint64_t bytes = uint64_t(elementsOf(b.shape)) * elementBytes(b.type);
  if (b.content < -1 || uint64_t(b.content) > constantBytes || bytes > constantBytes - uint64_t(b.content))
    return where + ": its content, " + std::to_string(bytes) + " bytes at " + std::to_string(b.content) +
           ", is outside the " + std::to_string(constantBytes) + " bytes of constants";
  return "";
}

static std::string checkPort(const Manifest &manifest, const std::string &where, const Port &p) {
  if (p.connections < -1 || p.connections >= int64_t(manifest.buffers.size()))
    return where + ": connections is " + std::to_string(p.connections) + ", but there are only " +
           std::to_string(manifest.buffers.size()) + " buffers";
  const Buffer &values = manifest.buffers[p.buffer], &inputs = manifest.buffers[p.connections];
  if (inputs.type != ElementType::i16 || inputs.content == -1)
    return where + ": connections are a 16-bit buffer with content, '" + inputs.name + "' is not";
  if (values.type != ElementType::f32 || values.steps || values.shape.size() != 2 ||
      values.shape != inputs.shape)
    return where + ": buffer '" + values.name + "' must be f32 with the shape of its connections, " +
           shapeText(inputs.shape) + ", found " + shapeText(values.shape);
  if (p.transposed || p.shape.size() != 2 || p.shape[0] != values.shape[1] || p.shape[1] >= noConnection + 1)
    return where + ": shape " + shapeText(p.shape) + " with connections must be [" +
           std::to_string(values.shape[1]) + ", in] with in at most " + std::to_string(noConnection);
  return "";
}

std::string checkConnections(const Manifest &manifest, uint64_t constantBytes) {
  for (size_t i = 0; i < manifest.buffers.size(); ++i)
    if (const Buffer &b = manifest.buffers[i]; b.content != -1)
      CHECK(checkContent(entry("buffer", int64_t(i), b.name), b, constantBytes));
  for (size_t i = 0; i < manifest.ports.size(); ++i) {
    const Port &p = manifest.ports[i];
    const std::string where = entry("port", int64_t(i), p.name);
    if (manifest.buffers[p.buffer].content != -1)
      return where + ": its buffer has content, which nobody may write";
    if (p.connections == -1)
      continue;
    CHECK(checkPort(manifest, where, p));
  }
  for (const Phase &phase : manifest.phases)
    for (const Stage &stage : phase.stages)
      for (const Argument &a : stage.arguments)
        if (manifest.buffers[a.buffer].content != -1 && a.access != Access::read)
          return "stage '" + stage.name + "' writes buffer '" + manifest.buffers[a.buffer].name +
                 "', whose content stays";
  return "";
}

Status validateConnections(const Manifest &manifest, const Bytes &constants) {
  for (const Port &port : manifest.ports) {
    if (port.connections == -1)
      continue;
    const Buffer &buffer = manifest.buffers[port.connections];
    const int64_t most = buffer.shape[0], outputs = buffer.shape[1];
    auto inputOf = [&](int64_t j, int64_t o) {
      uint16_t input;
      std::memcpy(&input, constants.data() + buffer.content + (j * outputs + o) * 2, 2);
      return input;
    };
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t j = 0; j < most; ++j) {
        const uint16_t input = inputOf(j, o), last = j > 0 ? inputOf(j - 1, o) : 0;
        const bool ends = input == noConnection;
        if (!ends && (int64_t(input) >= port.shape[1] || (j > 0 && input <= last)))
          return Error{"invalid manifest: port '" + port.name + "': connection " + std::to_string(j) +
                       " of output " + std::to_string(o) + " is input " + std::to_string(input) +
                       "; inputs must ascend and lie below " + std::to_string(port.shape[1])};
      }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

std::optional<int64_t> toConnections(const Port &port, const Bytes &inputs, const float *dense,
                                     float *values) {
  const int64_t outputs = port.shape[0], width = port.shape[1], places = int64_t(inputs.size() / 2);
  const uint16_t *input = reinterpret_cast<const uint16_t *>(inputs.data());
  std::vector<bool> connected(size_t(outputs * width), false);
  for (int64_t k = 0; k < places; ++k) {
    values[k] = 0;
    if (input[k] == noConnection)
      continue;
    const int64_t element = k % outputs * width + input[k];
    values[k] = dense[element];
    connected[size_t(element)] = true;
  }
  for (int64_t element = 0; element < outputs * width; ++element)
    if (dense[element] != 0 && !connected[size_t(element)])
      return element;
  return std::nullopt;
}

void fromConnections(const Port &port, const Bytes &inputs, const float *values, float *dense) {
  const int64_t outputs = port.shape[0], width = port.shape[1], places = int64_t(inputs.size() / 2);
  const uint16_t *input = reinterpret_cast<const uint16_t *>(inputs.data());
  std::memset(dense, 0, size_t(outputs * width) * sizeof(float));
  for (int64_t k = 0; k < places; ++k)
    if (input[k] != noConnection)
      dense[k % outputs * width + input[k]] = values[k];
}

} // namespace spikeloom::runtime
