// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// In which superstep does every stage of a time loop run, and in which order does the host run them?
//
// A stage runs once per chunk of time. Chunk k of stage s runs in superstep k * interval + offset(s). An edge
// says that chunk k + distance of `to` reads what chunk k of `from` made, so with latency l (1: the value
// moves between supersteps; 0: fused, the same tiles run `to` after `from` within a superstep)
//
//     offset(to) + interval * distance >= offset(from) + l.
//
// The smallest interval is the maximum over all cycles of ceil(latencies / distances); the smallest offsets
// are longest paths, which minimise every offset, and so their sum, at once.
#ifndef SPIKELOOM_PROBLEM_SCHEDULE_H
#define SPIKELOOM_PROBLEM_SCHEDULE_H

#include "spikeloom/Support/Result.h"
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace spikeloom {

struct ScheduleEdge {
  int64_t from = 0, to = 0;
  int64_t distance = 0; // in chunks: 0 = the same chunk, 1 = the next
  bool local = false;   // the value stays on the tile that made it: no exchange
  bool fused = false;   // `to` may run in the same superstep, after `from`; only for local edges
  int64_t latency() const { return fused ? 0 : 1; }
};

struct ScheduleProblem {
  std::vector<std::string> stages;
  std::vector<ScheduleEdge> edges;
};

/// Stages that the host runs together: see Phase::HostSet of the manifest.
struct ScheduleSet {
  std::vector<int64_t> stages; // in topological order of the edges of distance 0
  /// The stages depend on their own results of earlier chunks through other tiles or stages, so they advance
  /// together, chunk by chunk. A stage whose only loop is a local edge to itself (its state) is no feedback.
  bool feedback = false;
};

struct Schedule {
  int64_t interval = 1;
  std::vector<int64_t> offsets;
  std::vector<ScheduleSet> sets; // strongly connected components, topological order, smallest stage first
  /// Supersteps that a loop over `chunks` chunks takes.
  int64_t supersteps(int64_t chunks) const;
  /// Chunks of `edge`'s value that exist at once, from the superstep that makes it to the one that reads it
  /// last; a reader on other tiles (not `local`) is served before that superstep computes.
  int64_t liveChunks(const ScheduleEdge &edge) const;
};

/// Fails on edges out of range and on cycles of distance 0, naming their stages.
Result<Schedule> solveSchedule(const ScheduleProblem &problem);

/// Checks a schedule without the solver's means: plays the supersteps of a few chunks, and compares the sets
/// with reachability. Says what is wrong first.
std::optional<std::string> verifySchedule(const ScheduleProblem &problem, const Schedule &schedule);

Result<ScheduleProblem> scheduleProblemFromJson(const nlohmann::json &json, const std::string &where);
nlohmann::json toJson(const ScheduleProblem &problem);
Result<Schedule> scheduleFromJson(const nlohmann::json &json, const std::string &where);
nlohmann::json toJson(const Schedule &schedule);

/// How many time steps does a chunk hold? Longer chunks share the fixed cost of a superstep, but the pipeline
/// takes longer to fill and buffers grow:
///
///     supersteps(ceil(steps / chunk)) * (fixedCycles + chunk * cyclesPerStep),   chunk * bytesPerStep <=
///     memoryBudget.
struct ChunkProblem {
  int64_t steps = 1;        // of the loop
  int64_t interval = 1;     // of the schedule
  int64_t depth = 1;        // of the schedule: supersteps of one chunk
  double fixedCycles = 0;   // per superstep: sync, exchange, launch
  double cyclesPerStep = 0; // of the busiest tile, exchange of a step included
  int64_t bytesPerStep = 0; // on the fullest tile
  int64_t memoryBudget = 0; // bytes there for chunked buffers
  int64_t maxChunk = 0;     // 0 = no limit; 1 inside feedback
};

struct ChunkChoice {
  struct Candidate {
    int64_t chunk = 1, supersteps = 0, bytes = 0;
    double cycles = 0;
    bool fits = false;
  };
  int64_t chunk = 1;
  std::vector<Candidate> candidates; // 1 to 5 and multiples of 5, up to the steps
};

/// The fitting candidate of fewest cycles, the shorter one of two equals; 1 if none fits.
ChunkChoice chooseChunk(const ChunkProblem &problem);

} // namespace spikeloom
#endif
