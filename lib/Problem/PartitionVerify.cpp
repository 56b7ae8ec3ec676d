// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks a partition unit by unit with the mapping that compiler and runtime agreed on, and nothing of the
// solver.
#include "PartitionShapes.h"
#include <algorithm>
#include <cmath>

using namespace spikeloom;
using runtime::Family;

namespace {

class Checker {
public:
  Checker(const PartitionProblem &problem, const Partition &partition)
      : problem(problem), partition(partition), total(problem.chips * problem.tilesPerChip), load(total),
        bytes(total), residents(total), alone(total) {}

  std::optional<std::string> run() {
    if (partition.unitFamilies.size() != problem.unitFamilies.size() ||
        partition.indexFamilies.size() != problem.indexFamilies.size())
      return "there are " + std::to_string(partition.unitFamilies.size()) + " + " +
             std::to_string(partition.indexFamilies.size()) + " families, asked for " +
             std::to_string(problem.unitFamilies.size()) + " + " +
             std::to_string(problem.indexFamilies.size());
    for (size_t i = 0; i < problem.unitFamilies.size(); ++i)
      if (!units(problem.unitFamilies[i], partition.unitFamilies[i]))
        return wrong;
    for (size_t i = 0; i < problem.indexFamilies.size(); ++i)
      if (!tasks(problem.indexFamilies[i], partition.indexFamilies[i]))
        return wrong;
    for (int64_t tile = 0; tile < total; ++tile)
      if (alone[tile] && residents[tile] > 1)
        return "tile " + std::to_string(tile) + " is shared by a family that may not share";
    totals();
    return wrong;
  }

private:
  bool fail(const std::string &message) {
    wrong = message;
    return false;
  }

  /// Tile 0 of a chip is only for families that go from an earlier chip on to this one.
  bool resident(const std::string &name, int64_t tile, int64_t firstTile) {
    if (tile < 0 || tile >= total)
      return fail("'" + name + "' lies on tile " + std::to_string(tile) + ", there are " +
                  std::to_string(total));
    if (problem.reserveFirstTile && tile % problem.tilesPerChip == 0 && firstTile >= tile)
      return fail("'" + name + "' lies on tile " + std::to_string(tile) + ", which is reserved");
    ++residents[tile];
    return true;
  }

  /// Only families that are larger than a chip may cross its border.
  bool chips(const std::string &name, int64_t first, int64_t count) {
    int64_t usable = problem.tilesPerChip - (problem.reserveFirstTile ? 1 : 0);
    bool crosses = first / problem.tilesPerChip != (first + count - 1) / problem.tilesPerChip;
    return !crosses || count > usable ||
           fail("'" + name + "' lies on two chips although one has tiles enough");
  }

  bool units(const UnitFamilyRequest &request, const Family &family) {
    if (family.name != request.name || family.units != request.units)
      return fail("'" + family.name + "' with " + std::to_string(family.units) + " units stands for '" +
                  request.name + "' with " + std::to_string(request.units));
    if (family.perTile < 1 || family.group < 1 || family.tiles < 1 || family.firstTile < 0 ||
        family.tiles > total || family.firstTile > total - family.tiles || family.perTile > family.units ||
        family.group > family.units + 16)
      return fail("'" + family.name + "' has no valid tiles, units a tile and group");
    std::vector<int64_t> held(family.tiles);
    for (int64_t unit = 0; unit < family.units; ++unit) {
      int64_t group = unit / (family.perTile * family.group), rest = unit % (family.perTile * family.group);
      int64_t tile = group * family.group + rest % family.group;
      if (tile >= family.tiles)
        return fail("unit " + std::to_string(unit) + " of '" + family.name + "' lies on its tile " +
                    std::to_string(tile) + " of " + std::to_string(family.tiles));
      ++held[tile];
    }
    if (!chips(family.name, family.firstTile, family.tiles))
      return false;
    for (int64_t t = 0; t < family.tiles; ++t) {
      if (held[t] == 0 || held[t] > family.perTile)
        return fail("tile " + std::to_string(t) + " of '" + family.name + "' holds " +
                    std::to_string(held[t]) + " units, allowed: 1 to " + std::to_string(family.perTile));
      int64_t tile = family.firstTile + t;
      if (!resident(family.name, tile, family.firstTile))
        return false;
      double vectors = std::ceil(double(held[t]) / double(request.unitsPerVector));
      load[tile] += request.cyclesFixed + request.cyclesPerUnit * vectors * double(request.unitsPerVector);
      for (const MemoryItem &item : request.memory)
        bytes[tile] += item.perTile + item.perUnit * held[t];
    }
    return true;
  }

  bool tasks(const IndexFamilyRequest &request, const Family &family) {
    if (family.name != request.name || family.tiles != request.tasks || family.units != 0)
      return fail("'" + family.name + "' with " + std::to_string(family.tiles) + " tasks stands for '" +
                  request.name + "' with " + std::to_string(request.tasks));
    if (family.firstTile < 0 || family.firstTile >= total)
      return fail("'" + family.name + "' begins at tile " + std::to_string(family.firstTile) + " of " +
                  std::to_string(total));
    for (int64_t task = 0; task < request.tasks; ++task) {
      int64_t tile = tileOfTask(problem, family, task);
      if (!resident(family.name, tile, family.firstTile))
        return false;
      load[tile] += request.cyclesPerTask;
      for (const MemoryItem &item : request.memory)
        bytes[tile] += item.perTile;
      if (!request.mayShareTiles)
        alone[tile] = true;
    }
    return true;
  }

  void totals() {
    double maxLoad = *std::max_element(load.begin(), load.end());
    int64_t memory = *std::max_element(bytes.begin(), bytes.end()), used = 0;
    double sum = 0;
    for (int64_t tile = 0; tile < total; ++tile) {
      used += residents[tile] > 0;
      sum += double(bytes[tile]);
    }
    auto differs = [](double a, double b) { return std::abs(a - b) > 1e-6 * std::max(1.0, std::abs(b)); };
    if (differs(partition.maxLoad, maxLoad))
      fail("the maximum load is " + std::to_string(maxLoad) + ", not " + std::to_string(partition.maxLoad));
    else if (partition.lowerBound > maxLoad * (1 + 1e-6))
      fail("the maximum load " + std::to_string(maxLoad) + " is below the bound " +
           std::to_string(partition.lowerBound));
    else if (partition.memoryMax != memory || (memory > 0 && bytes[partition.fullestTile] != memory))
      fail("the fullest tile holds " + std::to_string(memory) + " bytes, not " +
           std::to_string(partition.memoryMax));
    else if (partition.tilesUsed != used)
      fail(std::to_string(used) + " tiles are used, not " + std::to_string(partition.tilesUsed));
    else if (differs(partition.memoryMean, used ? sum / double(used) : 0))
      fail("the mean memory is wrong");
    else if ((memory > problem.tileBytes) != partition.tooLarge.has_value())
      fail("a tile holds " + std::to_string(memory) + " bytes of " + std::to_string(problem.tileBytes) +
           ", but this is " + (partition.tooLarge ? "" : "not ") + "reported as too large");
    else if (partition.tooLarge &&
             (partition.tooLarge->needed != memory || partition.tooLarge->remedies.size() < 3 ||
              bytes[partition.tooLarge->tile] != memory))
      fail("the diagnosis does not describe the fullest tile");
  }

  const PartitionProblem &problem;
  const Partition &partition;
  int64_t total;
  std::vector<double> load;
  std::vector<int64_t> bytes, residents;
  std::vector<bool> alone;
  std::optional<std::string> wrong;
};

} // namespace

std::optional<std::string> spikeloom::verifyPartition(const PartitionProblem &problem,
                                                      const Partition &partition) {
  if (std::optional<std::string> wrong = detail::checkPartitionInput(problem))
    return wrong;
  int64_t total = problem.chips * problem.tilesPerChip;
  if (partition.fullestTile < 0 || partition.fullestTile >= total ||
      (partition.tooLarge && (partition.tooLarge->tile < 0 || partition.tooLarge->tile >= total)))
    return "the fullest tile does not exist";
  return Checker(problem, partition).run();
}
