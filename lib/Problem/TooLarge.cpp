// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Text and JSON of the diagnosis of a network that does not fit.
#include "spikeloom/Problem/TooLarge.h"
#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

using namespace spikeloom;

std::vector<MemoryShare> spikeloom::largestShares(std::vector<MemoryShare> shares) {
  std::vector<MemoryShare> merged;
  for (MemoryShare &share : shares) {
    auto same = std::find_if(merged.begin(), merged.end(), [&](const MemoryShare &other) {
      return other.family == share.family && other.kind == share.kind;
    });
    if (same == merged.end())
      merged.push_back(std::move(share));
    else
      same->bytes += share.bytes;
  }
  std::sort(merged.begin(), merged.end(), [](const MemoryShare &a, const MemoryShare &b) {
    return std::tie(b.bytes, a.family, a.kind) < std::tie(a.bytes, b.family, b.kind);
  });
  if (merged.size() > 5)
    merged.resize(5);
  return merged;
}

std::string TooLarge::message() const {
  std::string text = "the program does not fit: tile " + std::to_string(tile) + " needs " +
                     std::to_string(needed) + " bytes, " + std::to_string(over()) + " more than the " +
                     std::to_string(capacity) + " it has\n  largest contributors:\n";
  for (const MemoryShare &share : largest)
    text += "    " + std::to_string(share.bytes) + " bytes: " + share.kind + " of " + share.family + "\n";
  text += "  remedies:\n";
  for (const std::string &remedy : remedies)
    text += "    " + remedy + "\n";
  return text;
}

nlohmann::json spikeloom::toJson(const TooLarge &tooLarge) {
  nlohmann::json shares = nlohmann::json::array();
  for (const MemoryShare &share : tooLarge.largest)
    shares.push_back({{"family", share.family}, {"kind", share.kind}, {"bytes", share.bytes}});
  return {{"tile", tooLarge.tile},   {"needed", tooLarge.needed}, {"capacity", tooLarge.capacity},
          {"over", tooLarge.over()}, {"largest", shares},         {"remedies", tooLarge.remedies}};
}
