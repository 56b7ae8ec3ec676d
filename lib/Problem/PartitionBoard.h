// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The state of one attempt to place families: which tiles are free, how much each has to do and to hold.
#ifndef SPIKELOOM_LIB_PROBLEM_PARTITIONBOARD_H
#define SPIKELOOM_LIB_PROBLEM_PARTITIONBOARD_H

#include "PartitionShapes.h"
#include <algorithm>
#include <deque>
#include <numeric>
#include <tuple>

namespace spikeloom::detail {

/// One attempt: tiles with their loads and bytes, and the families placed so far.
class Board {
public:
  explicit Board(const PartitionProblem &problem)
      : problem(problem), reserved(problem.reserveFirstTile ? 1 : 0),
        load(problem.chips * problem.tilesPerChip), bytes(load.size()), alone(load.size()),
        free(problem.chips, reserved) {
    result.unitFamilies.resize(problem.unitFamilies.size());
    result.indexFamilies.resize(problem.indexFamilies.size());
  }

  /// A range of `count` tiles that nobody uses, first fit over the chips; -1 if there is none.
  int64_t takeFree(int64_t count) {
    int64_t perChip = problem.tilesPerChip;
    for (int64_t chip = 0; chip < problem.chips; ++chip)
      if (count <= perChip - free[chip]) {
        free[chip] += count;
        return chip * perChip + free[chip] - count;
      }
    if (count <= perChip - reserved)
      return -1;
    // Larger than a chip: whole untouched chips in a row.
    for (int64_t chip = 0; chip < problem.chips; ++chip) {
      int64_t last = chip + (reserved + count - 1) / perChip;
      if (last >= problem.chips)
        return -1;
      if (std::all_of(free.begin() + chip, free.begin() + last + 1,
                      [&](int64_t f) { return f == reserved; })) {
        for (int64_t c = chip; c < last; ++c)
          free[c] = perChip;
        free[last] = reserved + count - (last - chip) * perChip;
        return chip * perChip + reserved;
      }
    }
    return -1;
  }

  int64_t freeTiles() const {
    int64_t sum = 0;
    for (int64_t used : free)
      sum += problem.tilesPerChip - used;
    return sum;
  }

  /// The window of `count` tiles within a chip that overflows memory least, then has the least maximum load,
  /// then the least sum of loads. -1 if every window meets a family that does not share.
  int64_t bestWindow(int64_t count, int64_t extraBytes) const {
    int64_t best = -1;
    std::tuple<int64_t, double, double> bestRank;
    for (int64_t chip = 0; chip < problem.chips; ++chip) {
      std::deque<int64_t> loads, sizes; // sliding maxima: tiles of falling load, of falling bytes
      int64_t begin = chip * problem.tilesPerChip + reserved, end = (chip + 1) * problem.tilesPerChip;
      int64_t lastAlone = begin - 1;
      double sum = 0;
      for (int64_t tile = begin; tile < end; ++tile) {
        slide(loads, load, tile, tile - count);
        slide(sizes, bytes, tile, tile - count);
        sum += load[tile] - (tile - count >= begin ? load[tile - count] : 0);
        if (alone[tile])
          lastAlone = tile;
        if (tile - begin + 1 < count || lastAlone > tile - count)
          continue;
        int64_t over = std::max<int64_t>(0, bytes[sizes.front()] + extraBytes - problem.tileBytes);
        auto rank = std::make_tuple(over, load[loads.front()], sum);
        if (best < 0 || rank < bestRank) {
          best = tile - count + 1;
          bestRank = rank;
        }
      }
    }
    return best;
  }

  /// Tiles that hold something are free no longer, however they were chosen.
  void markUsed(int64_t first, int64_t count) {
    for (int64_t chip = first / problem.tilesPerChip; chip * problem.tilesPerChip < first + count; ++chip)
      free[chip] =
          std::max(free[chip], std::min(problem.tilesPerChip, first + count - chip * problem.tilesPerChip));
  }

  void placeUnits(size_t index, const Shape &shape, int64_t first) {
    const UnitFamilyRequest &request = problem.unitFamilies[index];
    result.unitFamilies[index] = {request.name,  first,         shape.tiles,
                                  request.units, shape.perTile, shape.group};
    markUsed(first, shape.tiles);
    for (int64_t t = 0; t < shape.tiles; ++t) {
      int64_t units = unitsOnTile(result.unitFamilies[index], t);
      load[first + t] += loadOf(request, units);
      bytes[first + t] += bytesPerTile(request) + units * bytesPerUnit(request);
    }
  }

  void placeTasks(size_t index, int64_t first) {
    const IndexFamilyRequest &request = problem.indexFamilies[index];
    runtime::Family family{request.name, first, request.tasks, 0, 1, 1};
    result.indexFamilies[index] = family;
    for (int64_t task = 0; task < request.tasks; ++task) {
      int64_t tile = tileOfTask(problem, family, task);
      markUsed(tile, 1);
      alone[tile] = alone[tile] || !request.mayShareTiles;
      load[tile] += request.cyclesPerTask;
      bytes[tile] += bytesPerTask(request);
    }
  }

  /// Index families on the least loaded windows, which are free tiles as long as there are any. False if one
  /// that may not share finds none.
  bool placeIndexFamilies() {
    std::vector<size_t> order(problem.indexFamilies.size());
    std::iota(order.begin(), order.end(), 0);
    // Families that may not share choose first, then the dearest.
    auto key = [&](size_t i) {
      return std::make_tuple(problem.indexFamilies[i].mayShareTiles, -problem.indexFamilies[i].cyclesPerTask,
                             i);
    };
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
    for (size_t index : order) {
      const IndexFamilyRequest &family = problem.indexFamilies[index];
      int64_t first = takeFree(family.tasks);
      if (first < 0 && !family.mayShareTiles)
        return false;
      if (first < 0)
        first = bestWindow(family.tasks, bytesPerTask(family));
      if (first < 0 && family.tasks > problem.tilesPerChip - reserved &&
          std::find(alone.begin(), alone.end(), true) == alone.end())
        first = reserved; // in a row over the chips, or around and around
      if (first < 0)
        return false;
      placeTasks(index, first);
    }
    return true;
  }

  /// Totals of the finished placement.
  Partition finish() {
    double memory = 0;
    for (size_t tile = 0; tile < load.size(); ++tile) {
      result.maxLoad = std::max(result.maxLoad, load[tile]);
      if (bytes[tile] > result.memoryMax) {
        result.memoryMax = bytes[tile];
        result.fullestTile = int64_t(tile);
      }
      memory += double(bytes[tile]);
    }
    std::vector<bool> used(load.size());
    for (const runtime::Family &family : result.unitFamilies)
      std::fill(used.begin() + family.firstTile, used.begin() + family.firstTile + family.tiles, true);
    for (const runtime::Family &family : result.indexFamilies)
      for (int64_t task = 0; task < family.tiles; ++task)
        used[tileOfTask(problem, family, task)] = true;
    result.tilesUsed = std::count(used.begin(), used.end(), true);
    result.memoryMean = result.tilesUsed ? memory / double(result.tilesUsed) : 0;
    return result;
  }

private:
  template <typename Value>
  static void slide(std::deque<int64_t> &window, const std::vector<Value> &values, int64_t tile,
                    int64_t expired) {
    while (!window.empty() && values[window.back()] <= values[tile])
      window.pop_back();
    window.push_back(tile);
    if (window.front() <= expired)
      window.pop_front();
  }

  const PartitionProblem &problem;
  int64_t reserved;
  std::vector<double> load;
  std::vector<int64_t> bytes;
  std::vector<bool> alone;   // held by a family that does not share
  std::vector<int64_t> free; // next free tile of each chip
  Partition result;
};

} // namespace spikeloom::detail
#endif
