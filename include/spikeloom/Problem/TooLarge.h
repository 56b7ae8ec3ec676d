// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a user is told whose network does not fit into the machine.
#ifndef SPIKELOOM_PROBLEM_TOOLARGE_H
#define SPIKELOOM_PROBLEM_TOOLARGE_H

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace spikeloom {

/// Bytes of one kind on one tile.
struct MemoryShare {
  std::string family; // "fc1"
  std::string kind;   // "weights", "optimizer state", "event tape", ...
  int64_t bytes = 0;
};

struct TooLarge {
  int64_t tile = 0;                  // the fullest one
  int64_t needed = 0;                // bytes
  int64_t capacity = 0;              // bytes
  std::vector<MemoryShare> largest;  // on that tile, at most five, largest first
  std::vector<std::string> remedies; // at least three, each naming an option of the command line

  int64_t over() const { return needed - capacity; }
  /// A few lines for the user.
  std::string message() const;
};

/// The five largest of `shares` after adding up those of one family and kind.
std::vector<MemoryShare> largestShares(std::vector<MemoryShare> shares);

nlohmann::json toJson(const TooLarge &tooLarge);

} // namespace spikeloom
#endif
