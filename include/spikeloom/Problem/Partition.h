// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which tiles does every family of a program get, and how many units a tile?
//
// A unit family owns the units of a layer; runtime::Family says how units map to tiles. An index family has
// one task a tile. The load of a tile is the sum of the cycles per time step of all families on it:
//
//     unit family:  cyclesFixed + cyclesPerUnit * (units on the tile, rounded up to whole vectors)
//     index family: cyclesPerTask * (tasks on the tile)
//
// Sought: small maximum load, since every superstep waits for the slowest tile, under the tile's memory.
// Families lie within a chip unless they are larger than one. Greedy and deterministic; reports a lower bound
// of the maximum load that holds for every placement, sharing of tiles included.
#ifndef SPIKELOOM_PROBLEM_PARTITION_H
#define SPIKELOOM_PROBLEM_PARTITION_H

#include "spikeloom/Machine/Machine.h"
#include "spikeloom/Problem/TooLarge.h"
#include "spikeloom/Runtime/Manifest.h"
#include "spikeloom/Support/Result.h"
#include <optional>

namespace spikeloom {

/// Bytes of one kind that a family keeps on each of its tiles.
struct MemoryItem {
  std::string kind;    // "weights", "optimizer state", "event tape", "staging", ...
  int64_t perUnit = 0; // bytes for each unit of the tile (unit families)
  int64_t perTile = 0; // bytes whatever the units; for index families: bytes of a task
  bool growsWithBatch = false, growsWithActivity = false; // which options would shrink it
};

struct UnitFamilyRequest {
  std::string name;
  int64_t units = 0;
  std::vector<MemoryItem> memory;
  double cyclesFixed = 0, cyclesPerUnit = 0; // per time step
  int64_t unitsPerVector = 1;                // 2: a tile computes units in pairs
  int64_t preferredBlock = 128; // units of a group (perTile * group) that suit the host's SIMD and caches
};

struct IndexFamilyRequest {
  std::string name;
  int64_t tasks = 0;
  std::vector<MemoryItem> memory;
  double cyclesPerTask = 0;
  bool mayShareTiles = true; // with other families
};

struct PartitionProblem {
  int64_t chips = 1, tilesPerChip = 0;
  bool reserveFirstTile = false; // keep tile 0 of every chip free
  int64_t tileBytes = 0;         // for the families on a tile
  std::vector<UnitFamilyRequest> unitFamilies;
  std::vector<IndexFamilyRequest> indexFamilies;
};

/// A problem without families for this machine.
PartitionProblem partitionProblemFor(const Machine &machine);

struct Partition {
  std::vector<runtime::Family> unitFamilies, indexFamilies; // in the order of the problem
  double maxLoad = 0;                                       // cycles per time step of the busiest tile
  double lowerBound = 0;                                    // no placement is below
  int64_t tilesUsed = 0;
  int64_t memoryMax = 0;            // bytes on the fullest tile, everything added up
  int64_t fullestTile = 0;          // the first of them, counted over all chips
  double memoryMean = 0;            // over the tiles used
  std::optional<TooLarge> tooLarge; // set if the placement does not fit; it is then the best that was found

  /// 0.1 = ten percent above the bound.
  double distance() const { return lowerBound > 0 ? maxLoad / lowerBound - 1 : 0; }
};

/// Tiles that hold at least one unit when `units` are dealt to groups of `group` tiles, `perTile` a tile.
int64_t tilesOfUnits(int64_t units, int64_t perTile, int64_t group);

/// The tile (counted over all chips) of a task of an index family: firstTile + task, except that families
/// with more tasks than there are tiles wrap around, several tasks a tile.
int64_t tileOfTask(const PartitionProblem &problem, const runtime::Family &family, int64_t task);

/// Fails on meaningless input and if families that may not share leave too few tiles.
Result<Partition> solvePartition(const PartitionProblem &problem);

/// Recomputes everything from the formula that maps each unit to its tile. Says what is wrong first.
std::optional<std::string> verifyPartition(const PartitionProblem &problem, const Partition &partition);

Result<PartitionProblem> partitionProblemFromJson(const nlohmann::json &json, const std::string &where);
nlohmann::json toJson(const PartitionProblem &problem);
Result<Partition> partitionFromJson(const nlohmann::json &json, const std::string &where);
nlohmann::json toJson(const Partition &partition);

} // namespace spikeloom
#endif
