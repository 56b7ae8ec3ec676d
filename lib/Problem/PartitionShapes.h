// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Costs of a family by units per tile, the choice of its group, and the bound: what the search of
// Partition.cpp uses.
#ifndef SPIKELOOM_LIB_PROBLEM_PARTITIONSHAPES_H
#define SPIKELOOM_LIB_PROBLEM_PARTITIONSHAPES_H

#include "spikeloom/Problem/Partition.h"

namespace spikeloom::detail {

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// What is meaningless in a problem, if anything.
std::optional<std::string> checkPartitionInput(const PartitionProblem &problem);

int64_t bytesPerUnit(const UnitFamilyRequest &family);
int64_t bytesPerTile(const UnitFamilyRequest &family);
int64_t bytesPerTask(const IndexFamilyRequest &family);

/// Load of a tile with `perTile` units.
double loadOf(const UnitFamilyRequest &family, int64_t perTile);

/// Most units that fit into a tile's memory, at least 0, at most all.
int64_t unitsByMemory(const UnitFamilyRequest &family, int64_t tileBytes);

/// Most units of a tile whose load stays within `load`.
int64_t unitsByLoad(const UnitFamilyRequest &family, double load);

struct Shape {
  int64_t perTile = 1, group = 1, tiles = 1;
};

/// What a group is chosen for. More than 16 tiles form groups of a multiple of 16, except under `anyGroup`.
enum class Fit {
  host,     // blocks of about `preferredBlock` units, little padding
  fewTiles, // as few tiles as groups of a multiple of 16 allow
  anyGroup, // as few tiles as any group within twice the preferred block allows
};

/// The group for a family with at most `perTile` units a tile; the units are dealt evenly to the tiles.
Shape chooseShape(const UnitFamilyRequest &family, int64_t perTile, Fit fit);

/// Units on a tile of a placed family, `tile` counted from the family's first: lane tile % group of group
/// tile / group holds the units c * group + lane that exist.
int64_t unitsOnTile(const runtime::Family &family, int64_t tile);

/// No placement has a smaller maximum load.
double loadLowerBound(const PartitionProblem &problem);

} // namespace spikeloom::detail
#endif
