// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Allocation and conversion of the host's buffers.
#include "HostBuffers.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace spikeloom::runtime {

void HostBuffers::Free::operator()(uint8_t *memory) const { std::free(memory); }

Result<HostBuffers> HostBuffers::allocate(const Manifest &manifest) {
  // Rows of weights are visited in random order: large pages save most of the misses in the page tables.
  constexpr size_t line = 64, hugePage = size_t(2) << 20;
  HostBuffers buffers;
  buffers.geometries = geometriesOf(manifest);
  for (size_t i = 0; i < manifest.buffers.size(); ++i) {
    const size_t wanted = buffers.bytes(int64_t(i));
    const size_t unit = wanted >= hugePage ? hugePage : line;
    const size_t size = std::max(unit, (wanted + unit - 1) / unit * unit);
    void *memory = nullptr;
    if (posix_memalign(&memory, unit, size) != 0)
      return Error{"not enough memory on this computer: buffer '" + manifest.buffers[i].name + "' takes " +
                   std::to_string(size) + " bytes"};
    buffers.memory.emplace_back(static_cast<uint8_t *>(memory));
    if (unit == hugePage)
      (void)madvise(memory, size, MADV_HUGEPAGE); // advice only: slower without, not wrong
    std::memset(memory, 0, size);
  }
  return buffers;
}

void HostBuffers::fill(int64_t buffer, ElementType type, double value) const {
  uint8_t *to = data(buffer);
  const size_t count = size_t(geometry(buffer).hostElements);
  if (value == 0)
    std::memset(to, 0, bytes(buffer));
  else if (type == ElementType::f32)
    std::fill_n(reinterpret_cast<float *>(to), count, float(value));
  else if (type == ElementType::i32)
    std::fill_n(reinterpret_cast<int32_t *>(to), count, int32_t(value));
  else
    std::fill_n(reinterpret_cast<int16_t *>(to), count, int16_t(int64_t(value)));
}

void HostBuffers::clear(const Manifest &manifest, ThreadPool &pool) const {
  std::vector<int64_t> wanted;
  for (size_t i = 0; i < manifest.buffers.size(); ++i)
    if (manifest.buffers[i].clear)
      wanted.push_back(int64_t(i));
  pool.run(int64_t(wanted.size()), [&](int64_t i) {
    const Buffer &buffer = manifest.buffers[wanted[i]];
    fill(wanted[i], buffer.type, buffer.fill);
  });
}

/// Calls f(compact element, host element, count) for every piece that is contiguous in both orders.
template <typename F> static void forEachPiece(const Geometry &g, F f) {
  int64_t compact = 0;
  for (int64_t step = 0; step < g.steps; ++step)
    for (int64_t row = 0; row < g.rows; ++row)
      for (int64_t column = 0; column < g.width;) {
        int64_t count = std::min(g.run(column), g.width - column);
        f(compact, g.host(step, row, column), count);
        column += count;
        compact += count;
      }
}

void HostBuffers::scatter(int64_t buffer, const void *compact) const {
  const Geometry &g = geometry(buffer);
  uint8_t *to = data(buffer);
  const uint8_t *from = static_cast<const uint8_t *>(compact);
  forEachPiece(g, [&](int64_t at, int64_t host, int64_t count) {
    std::memcpy(to + host * g.bytes, from + at * g.bytes, size_t(count * g.bytes));
  });
}

void HostBuffers::gather(int64_t buffer, void *compact) const {
  const Geometry &g = geometry(buffer);
  const uint8_t *from = data(buffer);
  uint8_t *to = static_cast<uint8_t *>(compact);
  forEachPiece(g, [&](int64_t at, int64_t host, int64_t count) {
    std::memcpy(to + at * g.bytes, from + host * g.bytes, size_t(count * g.bytes));
  });
}

} // namespace spikeloom::runtime
