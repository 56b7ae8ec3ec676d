// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Costs, groups and the lower bound of the partition problem.
#include "PartitionShapes.h"
#include <algorithm>
#include <cmath>

using namespace spikeloom;
using namespace spikeloom::detail;

int64_t spikeloom::tilesOfUnits(int64_t units, int64_t perTile, int64_t group) {
  int64_t block = perTile * group;
  return units / block * group + std::min(group, units % block);
}

int64_t detail::bytesPerUnit(const UnitFamilyRequest &family) {
  int64_t bytes = 0;
  for (const MemoryItem &item : family.memory)
    bytes += item.perUnit;
  return bytes;
}

int64_t detail::bytesPerTile(const UnitFamilyRequest &family) {
  int64_t bytes = 0;
  for (const MemoryItem &item : family.memory)
    bytes += item.perTile;
  return bytes;
}

int64_t detail::bytesPerTask(const IndexFamilyRequest &family) {
  int64_t bytes = 0;
  for (const MemoryItem &item : family.memory)
    bytes += item.perTile;
  return bytes;
}

double detail::loadOf(const UnitFamilyRequest &family, int64_t perTile) {
  int64_t whole = ceilDiv(perTile, family.unitsPerVector) * family.unitsPerVector;
  return family.cyclesFixed + family.cyclesPerUnit * double(whole);
}

int64_t detail::unitsByMemory(const UnitFamilyRequest &family, int64_t tileBytes) {
  int64_t left = tileBytes - bytesPerTile(family);
  if (left < 0)
    return 0;
  int64_t each = bytesPerUnit(family);
  return each == 0 ? family.units : std::min(family.units, left / each);
}

int64_t detail::unitsByLoad(const UnitFamilyRequest &family, double load) {
  if (family.cyclesPerUnit == 0)
    return load >= family.cyclesFixed ? family.units : 0;
  double vectors =
      std::floor((load - family.cyclesFixed) / (family.cyclesPerUnit * double(family.unitsPerVector)) + 1e-9);
  if (vectors < 1)
    return 0;
  return int64_t(std::min(double(family.units), vectors * double(family.unitsPerVector)));
}

Shape detail::chooseShape(const UnitFamilyRequest &family, int64_t perTile, Fit fit) {
  int64_t need = ceilDiv(family.units, perTile);
  int64_t even = ceilDiv(ceilDiv(family.units, need), family.unitsPerVector) * family.unitsPerVector;
  perTile = std::min(perTile, even);
  need = ceilDiv(family.units, perTile);
  if (need <= 16)
    return {perTile, need, tilesOfUnits(family.units, perTile, need)};

  int64_t largest = std::max<int64_t>(16, 2 * family.preferredBlock / perTile);
  std::vector<int64_t> groups;
  if (fit == Fit::anyGroup) {
    // Few tiles are wasted by groups that divide the tiles into nearly equal parts.
    for (int64_t parts = ceilDiv(need, largest); int64_t(groups.size()) < 256 && parts <= need; ++parts)
      groups.push_back(ceilDiv(need, parts));
  } else {
    largest = std::min(ceilDiv(need, 16) * 16, largest / 16 * 16);
    for (int64_t group = 16; group <= largest; group += 16)
      groups.push_back(group);
  }
  Shape best;
  double bestScore = 0;
  for (int64_t group : groups) {
    int64_t tiles = tilesOfUnits(family.units, perTile, group), block = perTile * group;
    double padding = double(ceilDiv(family.units, block) * block) / double(family.units) - 1;
    double extraTiles = double(tiles) / double(need) - 1;
    double score = padding + 0.5 * extraTiles +
                   0.25 * std::abs(std::log2(double(block) / double(family.preferredBlock)));
    bool better = fit == Fit::host || tiles == best.tiles ? score < bestScore : tiles < best.tiles;
    if (group == groups.front() || better) {
      best = {perTile, group, tiles};
      bestScore = score;
    }
  }
  return best;
}

int64_t detail::unitsOnTile(const runtime::Family &family, int64_t tile) {
  int64_t block = family.perTile * family.group;
  int64_t inGroup = std::min(block, family.units - tile / family.group * block);
  return inGroup / family.group + (tile % family.group < inGroup % family.group ? 1 : 0);
}

std::optional<std::string> detail::checkPartitionInput(const PartitionProblem &problem) {
  const int64_t limit = int64_t(1) << 24, byteLimit = int64_t(1) << 40;
  auto text = [](int64_t value) { return std::to_string(value); };
  if (problem.chips < 1 || problem.chips > limit || problem.tilesPerChip < 1 ||
      problem.tilesPerChip > limit || problem.chips * problem.tilesPerChip > limit)
    return text(problem.chips) + " chips of " + text(problem.tilesPerChip) + " tiles, allowed: 1 to " +
           text(limit) + " tiles in all";
  if (problem.tileBytes < 1 || problem.tileBytes > byteLimit)
    return "tile memory of " + text(problem.tileBytes) + " bytes, allowed: 1 to " + text(byteLimit);
  if (problem.reserveFirstTile && problem.tilesPerChip < 2)
    return "tile 0 of every chip is reserved but a chip has no other";
  auto items = [&](const std::string &name, const std::vector<MemoryItem> &memory,
                   bool units) -> std::optional<std::string> {
    for (const MemoryItem &item : memory)
      if (item.perUnit < 0 || item.perTile < 0 || item.perUnit > byteLimit || item.perTile > byteLimit ||
          (!units && item.perUnit != 0))
        return "family '" + name + "': '" + item.kind + "' takes " + text(item.perUnit) +
               " bytes a unit and " + text(item.perTile) + " a tile, allowed: 0 to " + text(byteLimit) +
               (units ? "" : ", none a unit");
    return std::nullopt;
  };
  for (const UnitFamilyRequest &family : problem.unitFamilies) {
    if (family.units < 1 || family.units > limit)
      return "family '" + family.name + "' has " + text(family.units) + " units, allowed: 1 to " +
             text(limit);
    if (!(family.cyclesFixed >= 0) || !(family.cyclesPerUnit >= 0) || family.unitsPerVector < 1 ||
        family.unitsPerVector > limit || family.preferredBlock < 1 || family.preferredBlock > limit)
      return "family '" + family.name + "': cycles must not be negative, vectors and blocks must hold 1 to " +
             text(limit) + " units";
    if (auto wrong = items(family.name, family.memory, true))
      return wrong;
  }
  for (const IndexFamilyRequest &family : problem.indexFamilies) {
    if (family.tasks < 1 || family.tasks > limit)
      return "family '" + family.name + "' has " + text(family.tasks) + " tasks, allowed: 1 to " +
             text(limit);
    if (!(family.cyclesPerTask >= 0))
      return "family '" + family.name + "': cycles must not be negative";
    if (auto wrong = items(family.name, family.memory, false))
      return wrong;
  }
  // Sums of bytes must stay far from the end of the integers.
  double bytes = 0;
  for (const UnitFamilyRequest &family : problem.unitFamilies)
    for (const MemoryItem &item : family.memory)
      bytes += double(family.units) * (double(item.perUnit) + double(item.perTile));
  for (const IndexFamilyRequest &family : problem.indexFamilies)
    for (const MemoryItem &item : family.memory)
      bytes += double(family.tasks) * double(item.perTile);
  if (bytes > double(int64_t(1) << 60))
    return "the families need more bytes than any machine could have";
  return std::nullopt;
}

double detail::loadLowerBound(const PartitionProblem &problem) {
  // One unit or task must lie somewhere.
  double low = 0, work = 0;
  for (const IndexFamilyRequest &family : problem.indexFamilies)
    if (family.tasks > 0)
      low = std::max(low, family.cyclesPerTask);
  for (const UnitFamilyRequest &family : problem.unitFamilies)
    low = std::max(low, loadOf(family, 1));
  double tiles = double(problem.chips * problem.tilesPerChip);

  // A tile that spends at most load l <= L on a family holds at most (l - fixed) / perUnit <= (l / L) * (L -
  // fixed) / perUnit of its units, so the families need at least the sum of units / ((L - fixed) / perUnit)
  // tiles, and the tasks cycles / L, whoever shares with whom.
  auto tilesNeeded = [&](double load) {
    double sum = 0;
    for (const IndexFamilyRequest &family : problem.indexFamilies)
      if (family.cyclesPerTask > 0)
        sum += double(family.tasks) * family.cyclesPerTask / load;
    for (const UnitFamilyRequest &family : problem.unitFamilies)
      if (family.cyclesPerUnit > 0)
        sum += double(family.units) * family.cyclesPerUnit / (load - family.cyclesFixed);
    return sum;
  };
  for (const IndexFamilyRequest &family : problem.indexFamilies)
    work += double(family.tasks) * family.cyclesPerTask;
  for (const UnitFamilyRequest &family : problem.unitFamilies)
    work += family.cyclesFixed + loadOf(family, family.units);
  if (low == 0 || tilesNeeded(low) <= tiles)
    return low;
  double high = low + work; // everything on one tile
  for (int round = 0; round < 60; ++round) {
    double middle = (low + high) / 2;
    (tilesNeeded(middle) <= tiles ? high : low) = middle;
  }
  return low;
}
