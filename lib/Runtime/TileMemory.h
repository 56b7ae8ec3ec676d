// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The memory of one tile, and which of it somebody has written.
#ifndef SPIKELOOM_LIB_RUNTIME_TILEMEMORY_H
#define SPIKELOOM_LIB_RUNTIME_TILEMEMORY_H

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace spikeloom::runtime {

/// The shadow has one bit for two bytes, the smallest element.
class TileMemory {
public:
  void resize(int64_t bytes) {
    data.assign(size_t((bytes + 7) / 8), 0); // as 64-bit words, for the alignment of all elements
    shadow.assign(size_t(bytes / 128 + 2), 0);
  }
  void forget() { std::fill(shadow.begin(), shadow.end(), 0); }

  uint8_t *at(int64_t address) { return reinterpret_cast<uint8_t *>(data.data()) + address; }
  const uint8_t *at(int64_t address) const {
    return reinterpret_cast<const uint8_t *>(data.data()) + address;
  }

  bool isWritten(int64_t address, int64_t bytes) const {
    for (int64_t bit = address / 2, end = (address + bytes) / 2; bit < end; ++bit)
      if (!(shadow[size_t(bit / 64)] >> (bit % 64) & 1))
        return false;
    return true;
  }
  /// The same for one aligned element, whose bits share a word.
  bool isElementWritten(int64_t address, int64_t bytes) const {
    const uint64_t mask = ((uint64_t(1) << (bytes / 2)) - 1) << (address / 2 % 64);
    return (shadow[size_t(address / 128)] & mask) == mask;
  }
  void setElementWritten(int64_t address, int64_t bytes) {
    shadow[size_t(address / 128)] |= ((uint64_t(1) << (bytes / 2)) - 1) << (address / 2 % 64);
  }
  void setWritten(int64_t address, int64_t bytes, bool written) {
    int64_t bit = address / 2;
    const int64_t end = (address + bytes) / 2;
    while (bit < end) {
      const int64_t count = std::min<int64_t>(64 - bit % 64, end - bit);
      const uint64_t mask = (count == 64 ? ~uint64_t(0) : (uint64_t(1) << count) - 1) << (bit % 64);
      uint64_t &word = shadow[size_t(bit / 64)];
      word = written ? word | mask : word & ~mask;
      bit += count;
    }
  }

private:
  std::vector<uint64_t> data, shadow;
};

} // namespace spikeloom::runtime
#endif
