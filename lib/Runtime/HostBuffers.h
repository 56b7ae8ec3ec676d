// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The buffers of a program in the layout of the host engine, which also is where users' arrays come from and
// go to.
#ifndef SPIKELOOM_LIB_RUNTIME_HOSTBUFFERS_H
#define SPIKELOOM_LIB_RUNTIME_HOSTBUFFERS_H

#include "Geometry.h"
#include "ThreadPool.h"
#include "spikeloom/Support/Result.h"
#include <memory>

namespace spikeloom::runtime {

class HostBuffers {
public:
  /// Zeroed memory for every buffer; an error when there is not enough.
  static Result<HostBuffers> allocate(const Manifest &manifest);

  uint8_t *data(int64_t buffer) const { return memory[buffer].get(); }
  const Geometry &geometry(int64_t buffer) const { return geometries[buffer]; }
  size_t bytes(int64_t buffer) const {
    return size_t(geometries[buffer].hostElements * geometries[buffer].bytes);
  }

  /// All elements, padding included.
  void fill(int64_t buffer, ElementType type, double value) const;
  /// The start of a run: buffers that say so get their `fill`.
  void clear(const Manifest &manifest, ThreadPool &pool) const;

  /// Between the host layout and compact row-major order of the global shape.
  void scatter(int64_t buffer, const void *compact) const;
  void gather(int64_t buffer, void *compact) const;

private:
  struct Free {
    void operator()(uint8_t *memory) const;
  };
  std::vector<std::unique_ptr<uint8_t[], Free>> memory;
  std::vector<Geometry> geometries;
};

} // namespace spikeloom::runtime
#endif
