// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Modulo scheduling of the stages of a time loop by longest paths.
#include "spikeloom/Problem/Schedule.h"
#include <algorithm>
#include <functional>
#include <numeric>

using namespace spikeloom;

int64_t Schedule::supersteps(int64_t chunks) const {
  int64_t last = offsets.empty() ? 0 : *std::max_element(offsets.begin(), offsets.end());
  return chunks <= 0 ? 0 : (chunks - 1) * interval + last + 1;
}

int64_t Schedule::liveChunks(const ScheduleEdge &edge) const {
  int64_t wait = offsets[edge.to] + interval * edge.distance - offsets[edge.from];
  // In a superstep everything moves before anything computes: a copy is made before its place is written.
  if (!edge.local)
    --wait;
  return wait / interval + 1;
}

namespace {

std::optional<std::string> checkInput(const ScheduleProblem &problem) {
  int64_t count = int64_t(problem.stages.size());
  for (size_t i = 0; i < problem.edges.size(); ++i) {
    const ScheduleEdge &edge = problem.edges[i];
    std::string where = "edge " + std::to_string(i) + ": ";
    for (int64_t end : {edge.from, edge.to})
      if (end < 0 || end >= count)
        return where + "stage " + std::to_string(end) + " does not exist, there are " + std::to_string(count);
    if (edge.distance < 0 || edge.distance > (int64_t(1) << 24))
      return where + "distance " + std::to_string(edge.distance) + " is out of range, allowed: 0 to 16777216";
    if (edge.fused && !edge.local)
      return where + "'" + problem.stages[edge.from] + "' -> '" + problem.stages[edge.to] +
             "' is fused but not local: only stages on the same tiles can share a superstep";
  }
  return std::nullopt;
}

/// Topological order of `stages` by the edges of distance 0 among them, smallest first; shorter if there is a
/// cycle.
std::vector<int64_t> orderWithinStep(const ScheduleProblem &problem, const std::vector<int64_t> &stages) {
  std::vector<int64_t> waiting(problem.stages.size(), -1);
  for (int64_t stage : stages)
    waiting[stage] = 0;
  auto inside = [&](const ScheduleEdge &edge) {
    return edge.distance == 0 && waiting[edge.from] >= 0 && waiting[edge.to] >= 0;
  };
  for (const ScheduleEdge &edge : problem.edges)
    if (inside(edge))
      ++waiting[edge.to];
  std::vector<int64_t> order, ready;
  for (int64_t stage : stages)
    if (waiting[stage] == 0)
      ready.push_back(stage);
  while (!ready.empty()) {
    auto next = std::min_element(ready.begin(), ready.end());
    int64_t stage = *next;
    ready.erase(next);
    order.push_back(stage);
    for (const ScheduleEdge &edge : problem.edges)
      if (inside(edge) && edge.from == stage && --waiting[edge.to] == 0)
        ready.push_back(edge.to);
  }
  return order;
}

std::optional<std::string> findInstantCycle(const ScheduleProblem &problem) {
  std::vector<int64_t> all(problem.stages.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<int64_t> order = orderWithinStep(problem, all);
  if (order.size() == all.size())
    return std::nullopt;
  // Every stage left over has a predecessor left over: walking back must close a cycle.
  std::vector<bool> left(all.size(), true);
  for (int64_t stage : order)
    left[stage] = false;
  std::vector<int64_t> path;
  int64_t stage = std::find(left.begin(), left.end(), true) - left.begin();
  while (std::find(path.begin(), path.end(), stage) == path.end()) {
    path.push_back(stage);
    for (const ScheduleEdge &edge : problem.edges)
      if (edge.distance == 0 && edge.to == stage && left[edge.from]) {
        stage = edge.from;
        break;
      }
  }
  std::string text = "'" + problem.stages[stage] + "'";
  for (auto it = path.rbegin(); *it != stage; ++it)
    text += " -> '" + problem.stages[*it] + "'";
  text += " -> '" + problem.stages[stage] + "'";
  return "stages depend on themselves within one step: " + text +
         "; a loop needs at least one value of an earlier step";
}

/// Least offsets for an interval, or none if some cycle needs a larger one.
std::optional<std::vector<int64_t>> longestPaths(const ScheduleProblem &problem, int64_t interval) {
  std::vector<int64_t> offsets(problem.stages.size(), 0);
  for (size_t round = 0; round <= problem.stages.size(); ++round) {
    bool changed = false;
    for (const ScheduleEdge &edge : problem.edges) {
      int64_t earliest = offsets[edge.from] + edge.latency() - interval * edge.distance;
      if (earliest > offsets[edge.to]) {
        offsets[edge.to] = earliest;
        changed = true;
      }
    }
    if (!changed)
      return offsets;
  }
  return std::nullopt;
}

/// Tarjan's strongly connected components without recursion; component number per stage.
std::vector<int64_t> components(const ScheduleProblem &problem, int64_t &count) {
  int64_t stages = int64_t(problem.stages.size());
  std::vector<std::vector<int64_t>> next(stages);
  for (const ScheduleEdge &edge : problem.edges)
    next[edge.from].push_back(edge.to);
  std::vector<int64_t> index(stages, -1), low(stages, 0), component(stages, -1), stack;
  int64_t clock = 0;
  count = 0;
  struct Frame {
    int64_t stage;
    size_t child;
  };
  for (int64_t root = 0; root < stages; ++root) {
    std::vector<Frame> frames;
    if (index[root] < 0)
      frames.push_back({root, 0});
    while (!frames.empty()) {
      auto [stage, child] = frames.back();
      if (child == 0) {
        index[stage] = low[stage] = clock++;
        stack.push_back(stage);
      }
      if (child < next[stage].size()) {
        ++frames.back().child;
        int64_t to = next[stage][child];
        if (index[to] < 0)
          frames.push_back({to, 0});
        else if (component[to] < 0)
          low[stage] = std::min(low[stage], index[to]);
        continue;
      }
      // A stage without successors passes here at once, others after their last child.
      for (int64_t to : next[stage])
        if (component[to] < 0)
          low[stage] = std::min(low[stage], low[to]);
      if (low[stage] == index[stage]) {
        int64_t member;
        do {
          member = stack.back();
          stack.pop_back();
          component[member] = count;
        } while (member != stage);
        ++count;
      }
      frames.pop_back();
    }
  }
  return component;
}

std::vector<ScheduleSet> makeSets(const ScheduleProblem &problem) {
  int64_t count = 0;
  std::vector<int64_t> component = components(problem, count);
  std::vector<ScheduleSet> sets(count);
  for (size_t stage = 0; stage < component.size(); ++stage)
    sets[component[stage]].stages.push_back(int64_t(stage));
  std::vector<int64_t> first(count), waiting(count, 0);
  for (int64_t c = 0; c < count; ++c) {
    first[c] = sets[c].stages.front();
    sets[c].feedback = sets[c].stages.size() > 1;
  }
  for (const ScheduleEdge &edge : problem.edges) {
    if (edge.from == edge.to && !edge.local)
      sets[component[edge.from]].feedback = true;
    if (component[edge.from] != component[edge.to])
      ++waiting[component[edge.to]];
  }
  for (ScheduleSet &set : sets)
    set.stages = orderWithinStep(problem, set.stages);
  std::vector<int64_t> ready;
  for (int64_t c = 0; c < count; ++c)
    if (waiting[c] == 0)
      ready.push_back(c);
  std::vector<ScheduleSet> ordered;
  while (!ready.empty()) {
    auto next = std::min_element(ready.begin(), ready.end(),
                                 [&](int64_t a, int64_t b) { return first[a] < first[b]; });
    int64_t c = *next;
    ready.erase(next);
    ordered.push_back(sets[c]);
    for (const ScheduleEdge &edge : problem.edges)
      if (component[edge.from] == c && component[edge.to] != c && --waiting[component[edge.to]] == 0)
        ready.push_back(component[edge.to]);
  }
  return ordered;
}

} // namespace

Result<Schedule> spikeloom::solveSchedule(const ScheduleProblem &problem) {
  if (std::optional<std::string> wrong = checkInput(problem))
    return Error{"schedule: " + *wrong};
  if (std::optional<std::string> wrong = findInstantCycle(problem))
    return Error{"schedule: " + *wrong};
  // Without cycles of distance 0, an interval as long as all latencies together satisfies every cycle.
  int64_t low = 1, high = 1;
  for (const ScheduleEdge &edge : problem.edges)
    high += edge.latency();
  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (longestPaths(problem, middle))
      high = middle;
    else
      low = middle + 1;
  }
  Schedule schedule;
  schedule.interval = low;
  schedule.offsets = longestPaths(problem, low).value_or(std::vector<int64_t>());
  schedule.sets = makeSets(problem);
  return schedule;
}

std::optional<std::string> spikeloom::verifySchedule(const ScheduleProblem &problem,
                                                     const Schedule &schedule) {
  if (std::optional<std::string> wrong = checkInput(problem))
    return wrong;
  const int64_t limit = int64_t(1) << 31;
  size_t count = problem.stages.size();
  if (schedule.offsets.size() != count)
    return "the schedule has " + std::to_string(schedule.offsets.size()) + " offsets for " +
           std::to_string(count) + " stages";
  if (schedule.interval < 1 || schedule.interval > limit)
    return "the interval is " + std::to_string(schedule.interval) + ", allowed: 1 to " +
           std::to_string(limit);
  for (size_t stage = 0; stage < count; ++stage)
    if (schedule.offsets[stage] < 0 || schedule.offsets[stage] > limit)
      return "'" + problem.stages[stage] + "' starts at " + std::to_string(schedule.offsets[stage]);

  // Play: made[s][k] is the superstep of chunk k; reads must come later, or in order when fused.
  for (const ScheduleEdge &edge : problem.edges)
    for (int64_t chunk = 0; chunk < 3; ++chunk) {
      int64_t made = chunk * schedule.interval + schedule.offsets[edge.from];
      int64_t read = (chunk + edge.distance) * schedule.interval + schedule.offsets[edge.to];
      if (edge.fused ? read < made : read <= made)
        return "'" + problem.stages[edge.to] + "' reads in superstep " + std::to_string(read) + " what '" +
               problem.stages[edge.from] + "' makes in superstep " + std::to_string(made);
    }

  // Sets: the classes of mutual reachability, found by closing the relation.
  std::vector<std::vector<bool>> reaches(count, std::vector<bool>(count));
  for (const ScheduleEdge &edge : problem.edges)
    reaches[edge.from][edge.to] = true;
  for (size_t via = 0; via < count; ++via)
    for (size_t from = 0; from < count; ++from)
      if (reaches[from][via])
        for (size_t to = 0; to < count; ++to)
          if (reaches[via][to])
            reaches[from][to] = true;
  std::vector<int64_t> setOf(count, -1), placeOf(count, -1);
  for (size_t set = 0; set < schedule.sets.size(); ++set)
    for (size_t place = 0; place < schedule.sets[set].stages.size(); ++place) {
      int64_t stage = schedule.sets[set].stages[place];
      if (stage < 0 || stage >= int64_t(count) || setOf[stage] >= 0)
        return "stage " + std::to_string(stage) + " is not exactly once in the sets";
      setOf[stage] = int64_t(set);
      placeOf[stage] = int64_t(place);
    }
  for (size_t a = 0; a < count; ++a) {
    if (setOf[a] < 0)
      return "'" + problem.stages[a] + "' is in no set";
    for (size_t b = 0; b < count; ++b)
      if ((a == b || (reaches[a][b] && reaches[b][a])) != (setOf[a] == setOf[b]))
        return "'" + problem.stages[a] + "' and '" + problem.stages[b] + "' are " +
               (setOf[a] == setOf[b] ? "in one set without a loop" : "in a loop but not in one set");
  }
  std::vector<bool> feedback(schedule.sets.size());
  for (const ScheduleEdge &edge : problem.edges) {
    if (setOf[edge.from] > setOf[edge.to] ||
        (setOf[edge.from] == setOf[edge.to] && edge.distance == 0 && placeOf[edge.from] >= placeOf[edge.to]))
      return "'" + problem.stages[edge.to] + "' comes before '" + problem.stages[edge.from] +
             "', which it reads, in the host's order";
    if (setOf[edge.from] == setOf[edge.to] && (edge.from != edge.to || !edge.local))
      feedback[setOf[edge.from]] = true;
  }
  for (size_t set = 0; set < schedule.sets.size(); ++set)
    if (feedback[set] != schedule.sets[set].feedback)
      return "set " + std::to_string(set) + " has the wrong feedback flag";
  return std::nullopt;
}

ChunkChoice spikeloom::chooseChunk(const ChunkProblem &problem) {
  ChunkChoice choice;
  int64_t limit =
      std::max<int64_t>(1, problem.maxChunk > 0 ? std::min(problem.maxChunk, problem.steps) : problem.steps);
  double best = 0;
  for (int64_t chunk = 1; chunk <= limit; chunk += chunk < 5 ? 1 : 5) {
    ChunkChoice::Candidate candidate;
    candidate.chunk = chunk;
    int64_t chunks = (problem.steps + chunk - 1) / chunk;
    candidate.supersteps = chunks <= 0 ? 0 : (chunks - 1) * problem.interval + problem.depth;
    candidate.bytes = chunk * problem.bytesPerStep;
    candidate.cycles =
        double(candidate.supersteps) * (problem.fixedCycles + double(chunk) * problem.cyclesPerStep);
    candidate.fits = candidate.bytes <= problem.memoryBudget;
    if (candidate.fits && (best == 0 || candidate.cycles < best)) {
      best = candidate.cycles;
      choice.chunk = chunk;
    }
    choice.candidates.push_back(candidate);
  }
  return choice;
}
