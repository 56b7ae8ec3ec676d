// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Strides and sizes of buffers from their description in the manifest.
#include "Geometry.h"
#include <algorithm>

namespace spikeloom::runtime {

int64_t elementBytes(ElementType type) { return type == ElementType::i16 ? 2 : 4; }

const char *elementName(ElementType type) {
  switch (type) {
  case ElementType::f32:
    return "f32";
  case ElementType::i16:
    return "i16";
  case ElementType::i32:
    return "i32";
  }
  return "?";
}

int64_t tilesOf(const Family &family) {
  int64_t groupUnits = family.perTile * family.group;
  int64_t rest = family.units % groupUnits;
  return family.units / groupUnits * family.group + std::min(family.group, rest);
}

Chunk chunkOf(const Phase &phase, int64_t k) {
  if (phase.reverse) {
    int64_t end = phase.steps - k * phase.chunk;
    int64_t first = std::max<int64_t>(0, end - phase.chunk);
    return {first, end - first};
  }
  int64_t first = k * phase.chunk;
  return {first, std::min(phase.chunk, phase.steps - first)};
}

static int64_t product(const std::vector<int64_t> &values) {
  int64_t result = 1;
  for (int64_t value : values)
    result *= value;
  return result;
}

int64_t Window::elements() const { return product(extents); }

Geometry geometryOf(const Manifest &manifest, const Buffer &buffer, bool partials) {
  Geometry g;
  g.partials = partials;
  g.bytes = elementBytes(buffer.type);
  g.dims = buffer.shape;
  if (buffer.steps) {
    g.steps = g.dims.front();
    g.dims.erase(g.dims.begin());
  }
  g.width = g.dims.empty() ? 1 : g.dims.back();
  g.rows = product(g.dims) / std::max<int64_t>(g.width, 1);
  g.slots = buffer.window > 0 ? buffer.window : g.steps;
  g.pitch = std::max(buffer.pitch, g.width);
  g.stepStride = g.rows * g.pitch;
  g.hostElements = g.steps * g.stepStride + buffer.spare;
  g.tileStep = g.stepElements();
  if (buffer.home == Home::slice)
    g.tileStep = product(buffer.slice->extents);
  if (buffer.home != Home::own)
    return g;

  const Family &family = manifest.families[buffer.family];
  const int64_t groups = groupsOf(family);
  if (partials) {
    g.grouped = true;
    g.pitch = g.width;
    g.stepStride = g.stepElements();
    g.groupStride = g.steps * g.stepStride;
    g.hostElements = groups * g.groupStride + buffer.spare;
    return g;
  }
  g.groupWidth = family.perTile * family.group;
  g.tileStep = g.rows * family.perTile;
  if (buffer.layout == Layout::blocked) {
    g.grouped = true;
    g.pitch = g.groupWidth;
    g.stepStride = g.rows * g.groupWidth;
    g.groupStride = g.steps * g.stepStride;
    g.hostElements = groups * g.groupStride + buffer.spare;
  } else {
    g.groupStride = g.groupWidth;
  }
  return g;
}

std::vector<bool> partialsOf(const Manifest &manifest) {
  std::vector<bool> partials(manifest.buffers.size(), false);
  for (const Phase &phase : manifest.phases)
    for (const Stage &stage : phase.stages)
      for (const Argument &argument : stage.arguments)
        if (argument.view == View::partials && argument.buffer >= 0 &&
            argument.buffer < int64_t(partials.size()))
          partials[argument.buffer] = true;
  return partials;
}

std::vector<Geometry> geometriesOf(const Manifest &manifest) {
  std::vector<bool> partials = partialsOf(manifest);
  std::vector<Geometry> geometries;
  geometries.reserve(manifest.buffers.size());
  for (size_t i = 0; i < manifest.buffers.size(); ++i)
    geometries.push_back(geometryOf(manifest, manifest.buffers[i], partials[i]));
  return geometries;
}

std::vector<int64_t> clipped(const Geometry &geometry, const Window &window) {
  std::vector<int64_t> inside = window.extents;
  int64_t rest = window.start;
  for (size_t d = geometry.dims.size(); d-- > 0;) {
    inside[d] = std::min(inside[d], geometry.dims[d] - rest % geometry.dims[d]);
    rest /= geometry.dims[d];
  }
  return inside;
}

} // namespace spikeloom::runtime
