// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules of time loops: known pipelines, random graphs against brute force, and wrong schedules that must
// be found.
#include "spikeloom/Problem/Schedule.h"
#include "spikeloom/Support/JsonFields.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <random>

using namespace spikeloom;

namespace {

Schedule solved(const ScheduleProblem &problem) {
  Result<Schedule> schedule = solveSchedule(problem);
  EXPECT_TRUE(bool(schedule)) << schedule.error();
  EXPECT_EQ(verifySchedule(problem, *schedule), std::nullopt);
  return *schedule;
}

/// A layer is a neuron stage with its own state and a list stage.
ScheduleProblem layers(int64_t count, bool recurrent) {
  ScheduleProblem problem;
  for (int64_t i = 0; i < count; ++i) {
    problem.stages.push_back("fc" + std::to_string(i));
    problem.stages.push_back("lists" + std::to_string(i));
    problem.edges.push_back({2 * i, 2 * i, 1, true, false});
    problem.edges.push_back({2 * i, 2 * i + 1, 0, false, false});
    if (i > 0)
      problem.edges.push_back({2 * i - 1, 2 * i, 0, false, false});
    if (recurrent)
      problem.edges.push_back({2 * i + 1, 2 * i, 1, false, false});
  }
  return problem;
}

TEST(Schedule, LayersFormAPipeline) {
  Schedule schedule = solved(layers(3, false));
  EXPECT_EQ(schedule.interval, 1);
  EXPECT_EQ(schedule.offsets, (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(schedule.supersteps(100), 105);
  EXPECT_EQ(schedule.sets.size(), 6u);
  for (const ScheduleSet &set : schedule.sets)
    EXPECT_FALSE(set.feedback); // the membrane is local state
  EXPECT_EQ(schedule.liveChunks({0, 1, 0, false, false}), 1);
  EXPECT_EQ(schedule.liveChunks({0, 1, 0, true, false}), 2);
  EXPECT_EQ(schedule.liveChunks({0, 2, 1, false, false}), 3);
}

TEST(Schedule, RecurrentLayersNeedTwoSuperstepsAStep) {
  Schedule schedule = solved(layers(2, true));
  EXPECT_EQ(schedule.interval, 2);
  EXPECT_EQ(schedule.offsets, (std::vector<int64_t>{0, 1, 2, 3}));
  ASSERT_EQ(schedule.sets.size(), 2u);
  EXPECT_EQ(schedule.sets[1].stages, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(schedule.sets[0].feedback);
}

TEST(Schedule, FusedStagesShareASuperstep) {
  ScheduleProblem problem{{"a", "b", "c"}, {{0, 1, 0, true, true}, {1, 2, 0, true, false}}};
  EXPECT_EQ(solved(problem).offsets, (std::vector<int64_t>{0, 0, 1}));
}

TEST(Schedule, AStageThatReadsItselfThroughOtherTilesIsFeedback) {
  EXPECT_TRUE(solved({{"a"}, {{0, 0, 1, false, false}}}).sets[0].feedback);
  EXPECT_FALSE(solved({{"a"}, {{0, 0, 1, true, false}}}).sets[0].feedback);
  EXPECT_TRUE(solved({{}, {}}).sets.empty());
}

TEST(Schedule, BadInputIsRefused) {
  const std::string loop = "; a loop needs at least one value of an earlier step";
  EXPECT_EQ(solveSchedule({{"in", "a", "b", "out"}, {{0, 1, 0}, {1, 2, 0}, {2, 1, 0}, {2, 3, 0}}}).error(),
            "schedule: stages depend on themselves within one step: 'a' -> 'b' -> 'a'" + loop);
  EXPECT_EQ(solveSchedule({{"a"}, {{0, 0, 0}}}).error(),
            "schedule: stages depend on themselves within one step: 'a' -> 'a'" + loop);
  EXPECT_EQ(solveSchedule({{"a"}, {{0, 4, 0}}}).error(),
            "schedule: edge 0: stage 4 does not exist, there are 1");
  EXPECT_EQ(solveSchedule({{"a"}, {{0, 0, -1}}}).error(),
            "schedule: edge 0: distance -1 is out of range, allowed: 0 to 16777216");
  EXPECT_EQ(solveSchedule({{"a", "b"}, {{0, 1, 0, false, true}}}).error(),
            "schedule: edge 0: 'a' -> 'b' is fused but not local: only stages on the same tiles can share a "
            "superstep");
}

/// A graph that has a schedule because its hidden offsets are one for the hidden interval.
ScheduleProblem randomProblem(std::mt19937 &random) {
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  ScheduleProblem problem;
  int64_t count = pick(1, 7), edges = pick(0, 12);
  for (int64_t i = 0; i < count; ++i)
    problem.stages.push_back("s" + std::to_string(i));
  for (int64_t e = 0; e < edges; ++e) {
    ScheduleEdge edge{pick(0, count - 1), pick(0, count - 1), pick(0, 2), pick(0, 2) == 0, false};
    edge.fused = edge.local && pick(0, 1) == 0;
    // Values of the same step only flow upwards in a hidden order, so there is no cycle of distance 0.
    if (edge.from * 5 % 7 >= edge.to * 5 % 7 && edge.distance == 0)
      edge.distance = 1;
    problem.edges.push_back(edge);
  }
  return problem;
}

/// All offsets up to a bound by exhaustive relaxation from zero upwards, or nothing if the interval is too
/// short.
std::optional<std::vector<int64_t>> bruteForce(const ScheduleProblem &problem, int64_t interval) {
  std::vector<int64_t> offsets(problem.stages.size(), 0);
  int64_t limit = int64_t(problem.stages.size()) + 1;
  for (;;) {
    auto broken = std::find_if(problem.edges.begin(), problem.edges.end(), [&](const ScheduleEdge &e) {
      return offsets[e.to] + interval * e.distance < offsets[e.from] + e.latency();
    });
    if (broken == problem.edges.end())
      return offsets;
    if (++offsets[broken->to] > limit)
      return std::nullopt;
  }
}

TEST(Schedule, RandomGraphsGetTheSmallestIntervalAndOffsets) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    ScheduleProblem problem = randomProblem(random);
    Schedule schedule = solved(problem);
    int64_t interval = 1;
    while (!bruteForce(problem, interval))
      ++interval;
    EXPECT_EQ(schedule.interval, interval) << toJson(problem).dump();
    EXPECT_EQ(schedule.offsets, *bruteForce(problem, interval)) << toJson(problem).dump();

    Result<ScheduleProblem> again = scheduleProblemFromJson(toJson(problem), "problem");
    ASSERT_TRUE(bool(again)) << again.error();
    EXPECT_EQ(toJson(*again), toJson(problem));
    Result<Schedule> answer = scheduleFromJson(toJson(schedule), "answer");
    ASSERT_TRUE(bool(answer)) << answer.error();
    EXPECT_EQ(verifySchedule(*again, *answer), std::nullopt);
  }
}

TEST(Schedule, CorruptedSchedulesAreRejected) {
  ScheduleProblem problem = layers(3, true);
  Schedule good = solved(problem);
  auto rejects = [&](auto corrupt, const std::string &expected) {
    Schedule bad = good;
    corrupt(bad);
    std::optional<std::string> found = verifySchedule(problem, bad);
    ASSERT_TRUE(found) << "accepted, expected: " << expected;
    EXPECT_NE(found->find(expected), std::string::npos) << *found;
  };
  for (size_t stage = 1; stage < problem.stages.size(); ++stage)
    rejects([&](Schedule &s) { --s.offsets[stage]; }, "reads in superstep");
  rejects([](Schedule &s) { s.offsets[0] = -1; }, "starts at -1");
  rejects([](Schedule &s) { s.interval = 1; }, "reads in superstep");
  rejects([](Schedule &s) { s.interval = 0; }, "interval is 0");
  rejects([](Schedule &s) { s.offsets.pop_back(); }, "5 offsets for 6 stages");
  rejects([](Schedule &s) { std::swap(s.sets[0], s.sets[1]); }, "in the host's order");
  rejects([](Schedule &s) { std::swap(s.sets[0].stages[0], s.sets[0].stages[1]); }, "in the host's order");
  rejects([](Schedule &s) { s.sets[2].feedback = false; }, "wrong feedback flag");
  rejects([](Schedule &s) { s.sets.pop_back(); }, "is in no set");
  rejects([](Schedule &s) { s.sets[1].stages.push_back(0); }, "not exactly once");
  rejects([](Schedule &s) { s.sets[1].stages.push_back(9); }, "not exactly once");
  rejects(
      [](Schedule &s) {
        s.sets[0].stages.insert(s.sets[0].stages.end(), s.sets[1].stages.begin(), s.sets[1].stages.end());
        s.sets.erase(s.sets.begin() + 1);
      },
      "in one set without a loop");
  rejects(
      [](Schedule &s) {
        s.sets.insert(s.sets.begin() + 1, ScheduleSet{{1}, true});
        s.sets[0].stages.pop_back();
      },
      "in a loop but not in one set");
}

TEST(Schedule, JsonMistakesAreNamed) {
  EXPECT_EQ(scheduleProblemFromJson(
                nlohmann::json::parse(R"({"stages": ["a"], "edges": [{"from": 0, "to": -1}]})"), "s.json")
                .error(),
            "s.json: edges[0]: field 'to' is -1, allowed: at least 0");
  EXPECT_EQ(
      scheduleProblemFromJson(nlohmann::json::parse(R"({"stages": [1], "edges": []})"), "s.json").error(),
      "s.json: field 'stages' must hold strings, found number 1");
}

TEST(Chunk, LongerChunksShareFixedCostsUntilFillOrMemoryStopsThem) {
  ChunkProblem problem;
  problem.steps = 100;
  problem.depth = 6;
  problem.fixedCycles = 227;
  problem.cyclesPerStep = 2000;
  problem.bytesPerStep = 10000;
  problem.memoryBudget = 1 << 20;
  EXPECT_EQ(chooseChunk(problem).chunk, 2); // (50 + 5) * (227 + 4000), against 105 * 2227 and 39 * 6227
  problem.cyclesPerStep = 100;
  EXPECT_GT(chooseChunk(problem).chunk, 4);
  problem.memoryBudget = 35000;
  EXPECT_EQ(chooseChunk(problem).chunk, 3);
  problem.maxChunk = 1;
  EXPECT_EQ(chooseChunk(problem).chunk, 1);
  problem.maxChunk = 0;
  problem.memoryBudget = 0;
  EXPECT_EQ(chooseChunk(problem).chunk, 1);
  EXPECT_FALSE(chooseChunk(problem).candidates[0].fits);
}

TEST(Chunk, TheChoiceIsTheBestCandidate) {
  std::mt19937 random(2);
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int round = 0; round < 300; ++round) {
    ChunkProblem problem{pick(1, 120),          pick(1, 3),    pick(1, 9),      double(pick(0, 500)),
                         double(pick(1, 3000)), pick(0, 9000), pick(0, 100000), pick(0, 12)};
    ChunkChoice choice = chooseChunk(problem);
    EXPECT_LE(choice.chunk, problem.steps);
    double chosen = -1;
    for (const ChunkChoice::Candidate &candidate : choice.candidates)
      if (candidate.chunk == choice.chunk)
        chosen = candidate.cycles;
    ASSERT_GE(chosen, 0);
    for (const ChunkChoice::Candidate &candidate : choice.candidates) {
      // Every step is in exactly one chunk: the schedule must cover them.
      EXPECT_GE((candidate.supersteps - problem.depth) / problem.interval + 1,
                (problem.steps - 1) / candidate.chunk + 1);
      if (candidate.fits) {
        EXPECT_LE(chosen, candidate.cycles);
      }
    }
  }
}

} // namespace
