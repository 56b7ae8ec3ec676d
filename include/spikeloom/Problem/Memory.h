// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// At which addresses of their tiles do buffers lie?
//
// A request is a block of bytes on every tile of a range during a range of time (positions in the order of
// phases and stages). Two requests may share addresses if they are never on the same tile at the same time,
// so that one problem covers a whole program: families that share tiles get disjoint addresses, others
// overlap freely. Addresses are bytes from the beginning of a tile's memory. Solved by first fit at the
// lowest address, in the best of several orders.
#ifndef SPIKELOOM_PROBLEM_MEMORY_H
#define SPIKELOOM_PROBLEM_MEMORY_H

#include "spikeloom/Machine/Machine.h"
#include "spikeloom/Problem/TooLarge.h"
#include "spikeloom/Support/Result.h"
#include <optional>

namespace spikeloom {

enum class MemoryRegion {
  any,
  interleaved,    // 128-bit accesses
  nonInterleaved, // code
};

struct MemoryRequest {
  std::string name;
  std::string family, kind; // for diagnoses
  int64_t bytes = 0;
  int64_t align = 8;
  int64_t firstTime = 0, lastTime = 0; // live range, both inclusive
  int64_t firstTile = 0, tiles = 1;
  MemoryRegion region = MemoryRegion::any;
  /// Requests (by position) that the same instruction accesses: they must not touch a common memory element.
  std::vector<int64_t> apart;
};

struct MemoryProblem {
  int64_t base = 0;     // first address that may be used
  int64_t capacity = 0; // end of the memory
  int64_t interleavedStart = 0;
  int64_t elementBytes = 16384; // twice that in the interleaved region
  std::vector<MemoryRequest> requests;
};

/// A problem without requests for this machine.
MemoryProblem memoryProblemFor(const Machine &machine);

/// A run of tiles with the same contents.
struct TileTotal {
  int64_t firstTile = 0, tiles = 0;
  int64_t end = 0;       // highest address in use, exclusive, at least the base
  int64_t liveBytes = 0; // most bytes alive at once: no plan ends below base + liveBytes
};

struct MemoryPlan {
  std::vector<int64_t> offsets; // by request
  int64_t peak = 0;             // highest end address on any tile
  int64_t lowerBound = 0;       // no plan has a lower peak
  std::vector<TileTotal> tiles; // ascending, only tiles with requests
  /// Set if the plan passes the end of the memory (then it still says how long memory would have to be).
  std::optional<TooLarge> tooLarge;

  /// Mean end address over the tiles in use.
  double meanEnd() const;
};

/// Fails on meaningless requests, and on those that no memory of this shape can hold.
Result<MemoryPlan> solveMemory(const MemoryProblem &problem);

/// Sweeps over all pairs of requests. Says what is wrong first.
std::optional<std::string> verifyMemory(const MemoryProblem &problem, const MemoryPlan &plan);

Result<MemoryProblem> memoryProblemFromJson(const nlohmann::json &json, const std::string &where);
nlohmann::json toJson(const MemoryProblem &problem);
Result<MemoryPlan> memoryPlanFromJson(const nlohmann::json &json, const std::string &where);
nlohmann::json toJson(const MemoryPlan &plan);

} // namespace spikeloom
#endif
