// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Places families on tiles: bisection over the maximum load, then the least loaded windows for what must
// share.
#include "spikeloom/Problem/Partition.h"
#include "PartitionBoard.h"
#include <algorithm>

using namespace spikeloom;
using namespace spikeloom::detail;
using runtime::Family;

PartitionProblem spikeloom::partitionProblemFor(const Machine &machine) {
  PartitionProblem problem;
  problem.chips = machine.chips;
  problem.tilesPerChip = machine.tiles;
  problem.reserveFirstTile = machine.reservesFirstTile();
  problem.tileBytes = machine.usableTileBytes();
  return problem;
}

int64_t spikeloom::tileOfTask(const PartitionProblem &problem, const Family &family, int64_t task) {
  int64_t reserved = problem.reserveFirstTile ? 1 : 0, usable = problem.tilesPerChip - reserved;
  if (family.firstTile + family.tiles <= problem.chips * problem.tilesPerChip)
    return family.firstTile + task;
  task %= usable * problem.chips;
  return task / usable * problem.tilesPerChip + reserved + task % usable;
}

namespace {

/// Every unit family on tiles of its own with at most `load` cycles; `spare` tiles stay free. None if
/// impossible.
std::optional<Board> placeSeparately(const PartitionProblem &problem, double load, int64_t spare) {
  for (Fit fit : {Fit::host, Fit::fewTiles, Fit::anyGroup}) {
    Board board(problem);
    bool fits = true;
    for (size_t i = 0; i < problem.unitFamilies.size() && fits; ++i) {
      const UnitFamilyRequest &family = problem.unitFamilies[i];
      int64_t perTile = std::min(unitsByLoad(family, load), unitsByMemory(family, problem.tileBytes));
      if (perTile < 1)
        return std::nullopt;
      Shape shape = chooseShape(family, perTile, fit);
      int64_t first = board.takeFree(shape.tiles);
      fits = first >= 0;
      if (fits)
        board.placeUnits(i, shape, first);
    }
    if (fits && board.freeTiles() >= spare)
      return board;
  }
  return std::nullopt;
}

/// Bisection over the load, then the index families.
std::optional<Partition> searchSeparately(const PartitionProblem &problem, int64_t spare) {
  double low = 0, high = 0;
  for (const UnitFamilyRequest &family : problem.unitFamilies) {
    low = std::max(low, loadOf(family, 1));
    high = std::max(high, loadOf(family, family.units));
  }
  if (placeSeparately(problem, low, spare))
    high = low;
  if (!placeSeparately(problem, high, spare))
    return std::nullopt;
  for (int round = 0; round < 40 && high - low > 1e-6 * high; ++round) {
    double middle = (low + high) / 2;
    (placeSeparately(problem, middle, spare) ? high : low) = middle;
  }
  std::optional<Board> board = placeSeparately(problem, high, spare);
  if (!board || !board->placeIndexFamilies())
    return std::nullopt;
  return board->finish();
}

/// Unit families on top of each other, each over all tiles of a chip if it has units enough: balanced
/// whatever their number, at the price of every family's fixed memory on every tile.
std::optional<Partition> placeShared(const PartitionProblem &problem) {
  Board board(problem);
  int64_t reserved = problem.reserveFirstTile ? 1 : 0;
  int64_t perChip = problem.tilesPerChip - reserved, all = problem.chips * problem.tilesPerChip - reserved;
  for (size_t i = 0; i < problem.unitFamilies.size(); ++i) {
    const UnitFamilyRequest &family = problem.unitFamilies[i];
    bool giant = unitsByMemory(family, problem.tileBytes) * perChip < family.units && problem.chips > 1;
    int64_t tiles = giant ? all : perChip;
    int64_t perTile = ceilDiv(family.units, tiles);
    Shape shape = chooseShape(family, perTile, Fit::fewTiles);
    while (shape.tiles > tiles)
      shape = chooseShape(family, ++perTile, Fit::fewTiles);
    board.placeUnits(
        i, shape,
        shape.tiles > perChip
            ? reserved
            : board.bestWindow(shape.tiles, bytesPerTile(family) + shape.perTile * bytesPerUnit(family)));
  }
  if (!board.placeIndexFamilies())
    return std::nullopt;
  return board.finish();
}

} // namespace

namespace {

/// Everything that lies on a tile, by family and kind.
std::vector<MemoryShare> sharesOnTile(const PartitionProblem &problem, const Partition &partition,
                                      int64_t tile, bool &batch, bool &activity) {
  std::vector<MemoryShare> shares;
  auto add = [&](const std::string &name, const std::vector<MemoryItem> &memory, int64_t units) {
    for (const MemoryItem &item : memory) {
      shares.push_back({name, item.kind, item.perTile + units * item.perUnit});
      batch |= item.growsWithBatch;
      activity |= item.growsWithActivity;
    }
  };
  for (size_t i = 0; i < problem.unitFamilies.size(); ++i) {
    const Family &family = partition.unitFamilies[i];
    if (tile >= family.firstTile && tile < family.firstTile + family.tiles)
      add(family.name, problem.unitFamilies[i].memory, unitsOnTile(family, tile - family.firstTile));
  }
  for (size_t i = 0; i < problem.indexFamilies.size(); ++i)
    for (int64_t task = 0; task < problem.indexFamilies[i].tasks; ++task)
      if (tileOfTask(problem, partition.indexFamilies[i], task) == tile)
        add(problem.indexFamilies[i].name, problem.indexFamilies[i].memory, 0);
  return shares;
}

std::optional<Partition> place(const PartitionProblem &problem) {
  int64_t tasks = 0;
  for (const IndexFamilyRequest &family : problem.indexFamilies)
    tasks += family.tasks;
  // Tiles of their own for all index families, for half of them, for none: fewer tiles for units, less
  // sharing.
  std::optional<Partition> best;
  for (int64_t spare : {tasks, tasks / 2, int64_t(0)}) {
    std::optional<Partition> found = searchSeparately(problem, spare);
    if (!found)
      continue;
    auto rank = [&](const Partition &p) {
      return std::make_pair(p.memoryMax > problem.tileBytes, p.maxLoad);
    };
    if (!best || rank(*found) < rank(*best))
      best = found;
  }
  return best ? best : placeShared(problem);
}

TooLarge diagnose(const PartitionProblem &problem, const Partition &partition) {
  TooLarge diagnosis;
  diagnosis.tile = partition.fullestTile;
  diagnosis.needed = partition.memoryMax;
  diagnosis.capacity = problem.tileBytes;
  bool batch = false, activity = false;
  diagnosis.largest = largestShares(sharesOnTile(problem, partition, diagnosis.tile, batch, activity));
  for (int64_t chips = problem.chips * 2; chips <= 64 && diagnosis.remedies.empty(); chips *= 2) {
    PartitionProblem larger = problem;
    larger.chips = chips;
    std::optional<Partition> found = place(larger);
    if (found && found->memoryMax <= problem.tileBytes)
      diagnosis.remedies.push_back("--chips=" + std::to_string(chips) + ": the program fits on so many");
  }
  if (diagnosis.remedies.empty())
    diagnosis.remedies.push_back("--chips=auto: as many as the layers need; up to 64 are not enough alone");
  diagnosis.remedies.push_back(
      std::string("--batch=B: a smaller batch ") +
      (batch ? "shrinks parts of this tile's contents" : "shrinks states, lists and tapes"));
  diagnosis.remedies.push_back(
      std::string("--max-activity=F: shorter event lists ") +
      (activity ? "shrink parts of this tile's contents" : "shrink staging and tapes"));
  diagnosis.remedies.push_back("--machine=FILE.json: a machine whose tiles offer at least " +
                               std::to_string(partition.memoryMax) + " bytes to the program");
  return diagnosis;
}

} // namespace

Result<Partition> spikeloom::solvePartition(const PartitionProblem &problem) {
  if (std::optional<std::string> wrong = checkPartitionInput(problem))
    return Error{"partition: " + *wrong};
  std::optional<Partition> partition = place(problem);
  if (!partition)
    return Error{
        "partition: index families that may not share tiles leave none for another family; use more chips "
        "(--chips) or a machine with more tiles (--machine)"};
  partition->lowerBound = loadLowerBound(problem);
  if (partition->memoryMax > problem.tileBytes)
    partition->tooLarge = diagnose(problem, *partition);
  return *partition;
}
