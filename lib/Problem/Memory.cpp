// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tile memory planning: first fit at the lowest address in several orders, the best kept.
#include "spikeloom/Problem/Memory.h"
#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

using namespace spikeloom;

namespace {

constexpr int64_t unreachable = int64_t(1) << 60;

int64_t alignUp(int64_t value, int64_t align) { return (value + align - 1) / align * align; }

struct Range {
  int64_t begin = 0, end = 0;
};

/// The whole elements that [begin, end) touches.
Range elementsOf(const MemoryProblem &problem, int64_t begin, int64_t end) {
  auto down = [&](int64_t address) {
    if (address < problem.interleavedStart)
      return address / problem.elementBytes * problem.elementBytes;
    int64_t inside = address - problem.interleavedStart;
    return problem.interleavedStart + inside / (2 * problem.elementBytes) * (2 * problem.elementBytes);
  };
  int64_t last = down(end - 1);
  int64_t size = last < problem.interleavedStart
                     ? std::min(problem.elementBytes, problem.interleavedStart - last)
                     : 2 * problem.elementBytes;
  return {down(begin), last + size};
}

bool sameTiles(const MemoryRequest &a, const MemoryRequest &b) {
  return a.firstTile < b.firstTile + b.tiles && b.firstTile < a.firstTile + a.tiles;
}

bool sameTime(const MemoryRequest &a, const MemoryRequest &b) {
  return a.firstTime <= b.lastTime && b.firstTime <= a.lastTime;
}

std::optional<std::string> checkInput(const MemoryProblem &problem) {
  const int64_t limit = int64_t(1) << 40;
  auto text = [](int64_t value) { return std::to_string(value); };
  if (problem.base < 0 || problem.capacity <= problem.base || problem.capacity > limit ||
      problem.interleavedStart < 0 || problem.elementBytes < 1 || problem.elementBytes > limit)
    return "memory from " + text(problem.base) + " to " + text(problem.capacity) + ", interleaved from " +
           text(problem.interleavedStart) + ", elements of " + text(problem.elementBytes) +
           " bytes is not valid";
  for (const MemoryRequest &request : problem.requests) {
    std::string where = "'" + request.name + "': ";
    if (request.bytes < 0 || request.bytes > limit)
      return where + text(request.bytes) + " bytes, allowed: 0 to " + text(limit);
    if (request.align < 1 || request.align > limit)
      return where + "alignment " + text(request.align) + ", allowed: 1 to " + text(limit);
    if (request.lastTime < request.firstTime)
      return where + "live from " + text(request.firstTime) + " to " + text(request.lastTime);
    if (request.tiles < 1 || request.firstTile < 0 || request.tiles > limit || request.firstTile > limit)
      return where + text(request.tiles) + " tiles from " + text(request.firstTile);
    if (request.region == MemoryRegion::nonInterleaved &&
        alignUp(problem.base, request.align) + request.bytes > problem.interleavedStart)
      return where + text(request.bytes) +
             " bytes cannot lie below the interleaved region, which begins at " +
             text(problem.interleavedStart);
    for (int64_t other : request.apart)
      if (other < 0 || other >= int64_t(problem.requests.size()) ||
          &problem.requests[size_t(other)] == &request)
        return where + "is to lie apart from request " + text(other) + ", which is not another request";
  }
  return std::nullopt;
}

/// Placement of requests one by one.
class Placer {
public:
  explicit Placer(const MemoryProblem &problem)
      : problem(problem), rivals(problem.requests.size()), apart(problem.requests.size()) {
    const std::vector<MemoryRequest> &requests = problem.requests;
    for (size_t a = 0; a < requests.size(); ++a)
      for (size_t b = a + 1; b < requests.size(); ++b)
        if (requests[a].bytes > 0 && requests[b].bytes > 0 && sameTiles(requests[a], requests[b]) &&
            sameTime(requests[a], requests[b])) {
          rivals[a].push_back(b);
          rivals[b].push_back(a);
        }
    for (size_t a = 0; a < requests.size(); ++a)
      for (int64_t b : requests[a].apart)
        if (sameTiles(requests[a], requests[size_t(b)])) {
          apart[a].push_back(size_t(b));
          apart[size_t(b)].push_back(a);
        }
  }

  /// Addresses in this order of placing; an end of `unreachable` if a request finds no place in its region.
  std::pair<int64_t, std::vector<int64_t>> place(const std::vector<size_t> &order) const {
    std::vector<int64_t> offsets(problem.requests.size(), -1);
    int64_t peak = problem.base;
    for (size_t index : order) {
      offsets[index] = lowest(index, offsets);
      int64_t end = offsets[index] + problem.requests[index].bytes;
      if (problem.requests[index].region == MemoryRegion::nonInterleaved && end > problem.interleavedStart)
        return {unreachable, offsets};
      peak = std::max(peak, end);
    }
    return {peak, offsets};
  }

private:
  int64_t lowest(size_t index, const std::vector<int64_t> &offsets) const {
    const MemoryRequest &request = problem.requests[index];
    std::vector<Range> taken;
    for (size_t other : rivals[index])
      if (offsets[other] >= 0)
        taken.push_back({offsets[other], offsets[other] + problem.requests[other].bytes});
    for (size_t other : apart[index])
      if (offsets[other] >= 0 && problem.requests[other].bytes > 0)
        taken.push_back(elementsOf(problem, offsets[other], offsets[other] + problem.requests[other].bytes));
    std::sort(taken.begin(), taken.end(), [](const Range &a, const Range &b) { return a.begin < b.begin; });
    int64_t start = problem.base;
    if (request.region == MemoryRegion::interleaved)
      start = std::max(start, problem.interleavedStart);
    start = alignUp(start, request.align);
    if (request.bytes == 0)
      return start;
    for (const Range &range : taken) {
      if (start + request.bytes <= range.begin)
        break;
      start = std::max(start, alignUp(range.end, request.align));
    }
    return start;
  }

  const MemoryProblem &problem;
  std::vector<std::vector<size_t>> rivals,
      apart; // by request: never at common addresses, never in common elements
};

std::vector<std::vector<size_t>> orders(const MemoryProblem &problem) {
  const std::vector<MemoryRequest> &requests = problem.requests;
  std::vector<size_t> given(requests.size());
  std::iota(given.begin(), given.end(), 0);
  auto duration = [&](size_t i) { return requests[i].lastTime - requests[i].firstTime; };
  // Requests bound to a region first in every order: the others can go anywhere.
  auto bound = [&](size_t i) { return requests[i].region == MemoryRegion::any ? 1 : 0; };
  auto sorted = [&](auto key) {
    std::vector<size_t> order = given;
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return std::make_pair(key(a), a) < std::make_pair(key(b), b); });
    return order;
  };
  return {
      sorted([&](size_t i) { return std::make_tuple(bound(i), -requests[i].bytes, -duration(i)); }),
      sorted([&](size_t i) { return std::make_tuple(bound(i), -duration(i), -requests[i].bytes); }),
      sorted([&](size_t i) { return std::make_tuple(bound(i), requests[i].firstTime, -requests[i].bytes); }),
      sorted([&](size_t i) {
        return std::make_tuple(bound(i), -double(requests[i].bytes) * double(duration(i) + 1), int64_t(0));
      }),
      sorted([&](size_t i) { return std::make_tuple(-requests[i].bytes, -duration(i), bound(i)); })};
}

/// Runs of tiles between the borders of families, with what they hold.
std::vector<TileTotal> totals(const MemoryProblem &problem, const std::vector<int64_t> &offsets,
                              int64_t &lowerBound) {
  std::set<int64_t> borders;
  for (const MemoryRequest &request : problem.requests) {
    borders.insert(request.firstTile);
    borders.insert(request.firstTile + request.tiles);
  }
  std::vector<TileTotal> tiles;
  lowerBound = problem.base;
  for (auto border = borders.begin(); border != borders.end() && std::next(border) != borders.end();
       ++border) {
    TileTotal total{*border, *std::next(border) - *border, problem.base, 0};
    std::map<int64_t, std::pair<int64_t, int64_t>>
        changes; // time -> bytes that come or go: all, interleaved ones
    bool any = false;
    for (size_t i = 0; i < problem.requests.size(); ++i) {
      const MemoryRequest &request = problem.requests[i];
      if (request.firstTile > *border || request.firstTile + request.tiles <= *border)
        continue;
      any = true;
      total.end = std::max(total.end, offsets[i] + request.bytes);
      int64_t interleaved = request.region == MemoryRegion::interleaved ? request.bytes : 0;
      changes[request.firstTime].first += request.bytes;
      changes[request.firstTime].second += interleaved;
      changes[request.lastTime + 1].first -= request.bytes;
      changes[request.lastTime + 1].second -= interleaved;
    }
    int64_t live = 0, interleaved = 0;
    for (const auto &[time, change] : changes) {
      live += change.first;
      interleaved += change.second;
      total.liveBytes = std::max(total.liveBytes, live);
      if (interleaved > 0)
        lowerBound = std::max(lowerBound, std::max(problem.base, problem.interleavedStart) + interleaved);
    }
    lowerBound = std::max(lowerBound, problem.base + total.liveBytes);
    if (any)
      tiles.push_back(total);
  }
  return tiles;
}

TooLarge diagnose(const MemoryProblem &problem, const MemoryPlan &plan) {
  TooLarge diagnosis;
  auto fullest = std::max_element(plan.tiles.begin(), plan.tiles.end(),
                                  [](const TileTotal &a, const TileTotal &b) { return a.end < b.end; });
  diagnosis.tile = fullest->firstTile;
  diagnosis.needed = fullest->end;
  diagnosis.capacity = problem.capacity;
  std::vector<MemoryShare> shares;
  for (const MemoryRequest &request : problem.requests)
    if (request.firstTile <= diagnosis.tile && diagnosis.tile < request.firstTile + request.tiles)
      shares.push_back({request.family, request.kind, request.bytes});
  diagnosis.largest = largestShares(std::move(shares));
  const char *batch = "--batch=B: a smaller batch shrinks states, lists and tapes; "
                      "--gradient-accumulation=K keeps the samples of a training step";
  diagnosis.remedies = {"--chips=N: more chips, fewer units a tile", batch,
                        "--max-activity=F: shorter event lists shrink staging and tapes",
                        "--recompute=K: tapes of a training step hold K steps instead of all",
                        "--machine=FILE.json: a machine with tileMemoryBytes of at least " +
                            std::to_string(diagnosis.needed)};
  return diagnosis;
}

} // namespace

MemoryProblem spikeloom::memoryProblemFor(const Machine &machine) {
  MemoryProblem problem;
  problem.base = machine.reservedBytes;
  problem.capacity = machine.tileMemoryBytes;
  problem.interleavedStart = machine.interleavedStart;
  problem.elementBytes = machine.elementBytes;
  return problem;
}

double MemoryPlan::meanEnd() const {
  double sum = 0, count = 0;
  for (const TileTotal &total : tiles) {
    sum += double(total.end) * double(total.tiles);
    count += double(total.tiles);
  }
  return count > 0 ? sum / count : 0;
}

Result<MemoryPlan> spikeloom::solveMemory(const MemoryProblem &problem) {
  if (std::optional<std::string> wrong = checkInput(problem))
    return Error{"memory: " + *wrong};
  Placer placer(problem);
  MemoryPlan plan;
  plan.peak = unreachable;
  for (const std::vector<size_t> &order : orders(problem)) {
    auto [peak, offsets] = placer.place(order);
    if (plan.offsets.empty() || peak < plan.peak) {
      plan.peak = peak;
      plan.offsets = offsets;
    }
  }
  if (plan.peak == unreachable)
    return Error{"memory: what must lie below the interleaved region does not fit there, it begins at " +
                 std::to_string(problem.interleavedStart)};
  plan.tiles = totals(problem, plan.offsets, plan.lowerBound);
  if (plan.peak > problem.capacity)
    plan.tooLarge = diagnose(problem, plan);
  return plan;
}

std::optional<std::string> spikeloom::verifyMemory(const MemoryProblem &problem, const MemoryPlan &plan) {
  if (std::optional<std::string> wrong = checkInput(problem))
    return wrong;
  const std::vector<MemoryRequest> &requests = problem.requests;
  if (plan.offsets.size() != requests.size())
    return "the plan has " + std::to_string(plan.offsets.size()) + " addresses for " +
           std::to_string(requests.size()) + " requests";
  for (size_t i = 0; i < requests.size(); ++i)
    if (plan.offsets[i] < problem.base || plan.offsets[i] > unreachable)
      return "'" + requests[i].name + "' at " + std::to_string(plan.offsets[i]) +
             ": outside of memory, which begins at " + std::to_string(problem.base);
  auto element = [&](int64_t address) { // number of the memory element of a byte
    return address < problem.interleavedStart
               ? address / problem.elementBytes
               : problem.interleavedStart / problem.elementBytes + 1 +
                     (address - problem.interleavedStart) / (2 * problem.elementBytes);
  };
  // Tile by tile and moment by moment at the borders of requests, where something changes.
  std::set<int64_t> tiles, times;
  int64_t peak = problem.base;
  for (size_t i = 0; i < requests.size(); ++i) {
    const MemoryRequest &request = requests[i];
    int64_t begin = plan.offsets[i];
    std::string where = "'" + request.name + "' at " + std::to_string(begin) + ": ";
    int64_t end = begin + request.bytes;
    tiles.insert(request.firstTile);
    times.insert(request.firstTime);
    peak = std::max(peak, end);
    if (begin % request.align != 0)
      return where + "not aligned to " + std::to_string(request.align);
    if (request.region == MemoryRegion::interleaved && begin < problem.interleavedStart)
      return where + "not in interleaved memory";
    if (request.region == MemoryRegion::nonInterleaved && end > problem.interleavedStart)
      return where + "in interleaved memory";
    if (end > problem.capacity && !plan.tooLarge)
      return where + "ends at " + std::to_string(end) + ", memory at " + std::to_string(problem.capacity);
    for (int64_t other : request.apart) {
      const MemoryRequest &second = requests[size_t(other)];
      bool meet = request.firstTile < second.firstTile + second.tiles &&
                  second.firstTile < request.firstTile + request.tiles;
      if (!meet || request.bytes == 0 || second.bytes == 0)
        continue;
      int64_t start = plan.offsets[size_t(other)];
      if (element(begin) <= element(start + second.bytes - 1) && element(start) <= element(end - 1))
        return where + "in one memory element with '" + second.name + "'";
    }
  }
  int64_t bound = problem.base;
  for (int64_t tile : tiles)
    for (int64_t time : times) {
      std::map<int64_t, size_t> placed; // by address
      int64_t live = 0;
      for (size_t i = 0; i < requests.size(); ++i) {
        const MemoryRequest &request = requests[i];
        if (request.bytes == 0 || tile < request.firstTile || tile >= request.firstTile + request.tiles ||
            time < request.firstTime || time > request.lastTime)
          continue;
        live += request.bytes;
        auto [place, fresh] = placed.emplace(plan.offsets[i], i);
        auto overlap = [&](std::map<int64_t, size_t>::iterator low,
                           std::map<int64_t, size_t>::iterator high) {
          return low->first + requests[low->second].bytes > high->first;
        };
        if (!fresh || (place != placed.begin() && overlap(std::prev(place), place)) ||
            (std::next(place) != placed.end() && overlap(place, std::next(place))))
          return "'" + request.name + "' at " + std::to_string(plan.offsets[i]) +
                 " overlaps another buffer on tile " + std::to_string(tile) + " at time " +
                 std::to_string(time);
      }
      bound = std::max(bound, problem.base + live);
    }
  if (plan.peak != peak)
    return "the peak is " + std::to_string(peak) + ", not " + std::to_string(plan.peak);
  if (plan.lowerBound < bound || plan.lowerBound > peak)
    return "the lower bound " + std::to_string(plan.lowerBound) + " is not between the live bytes " +
           std::to_string(bound) + " and the peak " + std::to_string(peak);
  if (plan.tooLarge && peak <= problem.capacity)
    return "the plan fits but is reported as too large";
  int64_t next = 0, highest = problem.base;
  for (const TileTotal &total : plan.tiles) {
    if (total.tiles < 1 || total.firstTile < next)
      return "the totals by tile are not ascending";
    next = total.firstTile + total.tiles;
    int64_t end = problem.base;
    for (size_t i = 0; i < requests.size(); ++i)
      if (requests[i].firstTile <= total.firstTile && next <= requests[i].firstTile + requests[i].tiles)
        end = std::max(end, plan.offsets[i] + requests[i].bytes);
    if (total.end != end)
      return "tile " + std::to_string(total.firstTile) + " is used up to " + std::to_string(end) + ", not " +
             std::to_string(total.end);
    highest = std::max(highest, end);
  }
  if (highest != peak)
    return "the totals by tile miss the peak";
  return std::nullopt;
}
