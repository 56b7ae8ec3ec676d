// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory plans: small known cases, random requests with a hidden packing, and wrong plans that must be found.
#include "spikeloom/Problem/Memory.h"
#include "spikeloom/Support/JsonFields.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <random>

using namespace spikeloom;

namespace {

MemoryPlan solved(const MemoryProblem &problem) {
  Result<MemoryPlan> plan = solveMemory(problem);
  EXPECT_TRUE(bool(plan)) << plan.error();
  if (!plan)
    return {};
  EXPECT_EQ(verifyMemory(problem, *plan), std::nullopt) << toJson(problem).dump();
  return *plan;
}

MemoryRequest request(const std::string &name, int64_t bytes, int64_t firstTime, int64_t lastTime) {
  MemoryRequest made;
  made.name = name;
  made.family = "fc1";
  made.kind = name;
  made.bytes = bytes;
  made.firstTime = firstTime;
  made.lastTime = lastTime;
  return made;
}

/// 1000 bytes from 0, interleaved from 600, elements of 100.
MemoryProblem small() {
  MemoryProblem problem;
  problem.capacity = 1000;
  problem.interleavedStart = 600;
  problem.elementBytes = 100;
  return problem;
}

TEST(Memory, BuffersThatAreNotAliveTogetherShareAddresses) {
  MemoryProblem problem = small();
  problem.requests = {request("a", 64, 0, 1), request("b", 64, 2, 3), request("c", 32, 1, 2)};
  MemoryPlan plan = solved(problem);
  EXPECT_EQ(plan.offsets[0], plan.offsets[1]);
  EXPECT_EQ(plan.peak, 96);
  EXPECT_EQ(plan.lowerBound, 96);
}

TEST(Memory, FamiliesOnDifferentTilesDoNotSeeEachOther) {
  MemoryProblem problem = small();
  problem.requests = {request("a", 64, 0, 9), request("b", 64, 0, 9), request("c", 40, 0, 9)};
  problem.requests[0].tiles = 4; // tiles 0 to 3
  problem.requests[1].firstTile = 4;
  problem.requests[1].tiles = 4;
  problem.requests[2].firstTile = 3; // shares tile 3 with a, tile 4 with b
  problem.requests[2].tiles = 2;
  MemoryPlan plan = solved(problem);
  EXPECT_EQ(plan.offsets, (std::vector<int64_t>{0, 0, 64}));
  ASSERT_EQ(plan.tiles.size(), 4u);
  EXPECT_EQ(plan.tiles[0].tiles, 3);
  EXPECT_EQ(plan.tiles[0].end, 64);
  EXPECT_EQ(plan.tiles[1].end, 104);
  EXPECT_EQ(plan.meanEnd(), (6 * 64 + 2 * 104) / 8.0);
}

TEST(Memory, RegionsAlignmentAndElements) {
  MemoryProblem problem = small();
  problem.requests = {request("code", 64, 0, 9), request("wide", 64, 0, 9), request("x", 24, 0, 9),
                      request("y", 24, 0, 9)};
  problem.requests[0].region = MemoryRegion::nonInterleaved;
  problem.requests[1].region = MemoryRegion::interleaved;
  problem.requests[2].align = 128;
  problem.requests[3].apart = {2};
  MemoryPlan plan = solved(problem);
  EXPECT_EQ(plan.offsets[1], 600);
  EXPECT_EQ(plan.offsets[2] % 128, 0);
  EXPECT_NE(plan.offsets[2] / 100, plan.offsets[3] / 100);
  EXPECT_EQ(plan.peak, 664);
  EXPECT_EQ(plan.lowerBound, 664);
}

TEST(Memory, WhatDoesNotFitIsDiagnosed) {
  MemoryProblem problem = small();
  for (int64_t i = 0; i < 9; ++i) {
    problem.requests.push_back(request("tape" + std::to_string(i % 7), 100 + 10 * i, 0, 5));
    problem.requests.back().tiles = 3;
  }
  MemoryPlan plan = solved(problem);
  ASSERT_TRUE(plan.tooLarge);
  EXPECT_EQ(plan.tooLarge->needed, plan.peak);
  EXPECT_EQ(plan.tooLarge->largest.size(), 5u);
  EXPECT_EQ(plan.tooLarge->largest[0].kind, "tape1"); // 110 + 180
  EXPECT_EQ(plan.tooLarge->largest[0].bytes, 290);
  EXPECT_GE(plan.tooLarge->remedies.size(), 3u);
}

TEST(Memory, BadInputIsRefused) {
  auto error = [](auto change) {
    MemoryProblem problem = small();
    problem.requests = {request("a", 10, 0, 1), request("b", 10, 0, 1)};
    change(problem, problem.requests[1]);
    Result<MemoryPlan> plan = solveMemory(problem);
    return plan ? std::string() : plan.error();
  };
  EXPECT_EQ(error([](MemoryProblem &, MemoryRequest &) {}), "");
  EXPECT_EQ(error([](MemoryProblem &, MemoryRequest &r) { r.bytes = -1; }),
            "memory: 'b': -1 bytes, allowed: 0 to 1099511627776");
  EXPECT_EQ(error([](MemoryProblem &, MemoryRequest &r) { r.align = 0; }),
            "memory: 'b': alignment 0, allowed: 1 to 1099511627776");
  EXPECT_EQ(error([](MemoryProblem &, MemoryRequest &r) { r.lastTime = -1; }),
            "memory: 'b': live from 0 to -1");
  EXPECT_EQ(error([](MemoryProblem &, MemoryRequest &r) { r.tiles = 0; }), "memory: 'b': 0 tiles from 0");
  EXPECT_EQ(error([](MemoryProblem &, MemoryRequest &r) { r.apart = {1}; }),
            "memory: 'b': is to lie apart from request 1, which is not another request");
  EXPECT_EQ(error([](MemoryProblem &, MemoryRequest &r) { r.apart = {2}; }),
            "memory: 'b': is to lie apart from request 2, which is not another request");
  EXPECT_NE(error([](MemoryProblem &p, MemoryRequest &) { p.capacity = 0; }), "");
  EXPECT_NE(error([](MemoryProblem &p, MemoryRequest &) { p.elementBytes = 0; }), "");
  EXPECT_EQ(error([](MemoryProblem &, MemoryRequest &r) {
              r.region = MemoryRegion::nonInterleaved;
              r.bytes = 601;
            }),
            "memory: 'b': 601 bytes cannot lie below the interleaved region, which begins at 600");
  EXPECT_EQ(error([](MemoryProblem &p, MemoryRequest &) {
              for (MemoryRequest &r : p.requests) {
                r.region = MemoryRegion::nonInterleaved;
                r.bytes = 400;
              }
            }),
            "memory: what must lie below the interleaved region does not fit there, it begins at 600");
}

struct Random {
  std::mt19937 engine;
  int64_t operator()(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine);
  }
};

/// Cuts the rectangle of addresses [0, size) and times [0, 16) into pieces: a packing without any gap.
void cut(Random &pick, int64_t begin, int64_t end, int64_t from, int64_t to,
         std::vector<MemoryRequest> &out) {
  bool bySize = pick(0, 1) == 0;
  if (pick(0, 4) > 0 && (bySize ? end - begin >= 16 : to - from >= 2)) {
    int64_t middle = bySize ? begin + 8 * pick(1, (end - begin) / 8 - 1) : from + pick(1, to - from - 1);
    cut(pick, begin, bySize ? middle : end, from, bySize ? to : middle, out);
    cut(pick, bySize ? middle : begin, end, bySize ? from : middle, to, out);
    return;
  }
  out.push_back(request("r" + std::to_string(out.size()), end - begin, from, to - 1));
}

TEST(Memory, HiddenPackingsAreNearlyReached) {
  Random pick{std::mt19937(5)};
  double ratio = 0, worst = 0;
  const int rounds = 300;
  for (int round = 0; round < rounds; ++round) {
    MemoryProblem problem = small();
    int64_t size = 8 * pick(8, 60);
    cut(pick, 0, size, 0, 16, problem.requests);
    std::shuffle(problem.requests.begin(), problem.requests.end(), pick.engine);
    problem.capacity = 2 * size;
    MemoryPlan plan = solved(problem);
    EXPECT_EQ(plan.lowerBound, size); // the packing has no gap
    EXPECT_FALSE(plan.tooLarge);
    ratio += double(plan.peak) / double(size) / rounds;
    worst = std::max(worst, double(plan.peak) / double(size));
  }
  // Ratchets: may only shrink.
  EXPECT_LT(ratio, 1.01);
  EXPECT_LT(worst, 1.25);
}

MemoryProblem randomProblem(Random &pick) {
  MemoryProblem problem;
  problem.base = pick(0, 64);
  problem.elementBytes = 8 << pick(0, 4);
  problem.interleavedStart = 40 * pick(20, 60);
  problem.capacity = problem.interleavedStart + pick(0, 4000);
  for (int64_t i = pick(0, 25); i > 0; --i) {
    MemoryRequest made = request("r" + std::to_string(i), pick(0, 120), pick(0, 9), 0);
    made.align = int64_t(1) << pick(0, 5);
    made.lastTime = made.firstTime + pick(0, 9);
    made.firstTile = pick(0, 6);
    made.tiles = pick(1, 5);
    int64_t region = pick(0, 8);
    made.region = region == 0 ? MemoryRegion::interleaved
                              : (region == 1 ? MemoryRegion::nonInterleaved : MemoryRegion::any);
    if (!problem.requests.empty() && pick(0, 3) == 0)
      made.apart = {pick(0, int64_t(problem.requests.size()) - 1)};
    problem.requests.push_back(made);
  }
  return problem;
}

TEST(Memory, RandomProblemsGetValidPlans) {
  Random pick{std::mt19937(6)};
  int tooLarge = 0;
  for (int round = 0; round < 500; ++round) {
    MemoryProblem problem = randomProblem(pick);
    MemoryPlan plan = solved(problem);
    tooLarge += plan.tooLarge.has_value();
    Result<MemoryProblem> again = memoryProblemFromJson(toJson(problem), "problem");
    ASSERT_TRUE(bool(again)) << again.error();
    EXPECT_EQ(toJson(*again), toJson(problem));
    Result<MemoryPlan> answer = memoryPlanFromJson(toJson(plan), "answer");
    ASSERT_TRUE(bool(answer)) << answer.error();
    EXPECT_EQ(verifyMemory(*again, *answer), std::nullopt);
  }
  EXPECT_GT(tooLarge, 0);
  EXPECT_LT(tooLarge, 250);
}

TEST(Memory, CorruptedPlansAreRejected) {
  MemoryProblem problem = small();
  problem.base = 8;
  problem.requests = {request("a", 64, 0, 3),    request("b", 64, 2, 5),    request("c", 64, 4, 5),
                      request("wide", 64, 0, 5), request("code", 64, 0, 5), request("far", 8, 0, 0)};
  problem.requests[3].region = MemoryRegion::interleaved;
  problem.requests[4].region = MemoryRegion::nonInterleaved;
  problem.requests[5].apart = {0};
  MemoryPlan good = solved(problem);
  auto rejects = [&](auto corrupt, const std::string &expected) {
    MemoryPlan bad = good;
    corrupt(bad);
    std::optional<std::string> found = verifyMemory(problem, bad);
    ASSERT_TRUE(found) << "accepted, expected: " << expected;
    EXPECT_NE(found->find(expected), std::string::npos) << *found;
  };
  rejects([](MemoryPlan &p) { p.offsets.pop_back(); }, "5 addresses for 6 requests");
  rejects([](MemoryPlan &p) { p.offsets[1] = p.offsets[0]; }, "overlaps another buffer");
  rejects([](MemoryPlan &p) { p.offsets[1] = p.offsets[0] + 56; }, "overlaps another buffer");
  rejects([](MemoryPlan &p) { p.offsets[0] = 0; }, "outside of memory");
  rejects([](MemoryPlan &p) { p.offsets[0] += 4; }, "not aligned");
  rejects([](MemoryPlan &p) { p.offsets[3] = 520; }, "not in interleaved memory");
  rejects([](MemoryPlan &p) { p.offsets[4] = 800; }, "in interleaved memory");
  rejects([](MemoryPlan &p) { p.offsets[3] = 1000; }, "memory at 1000");
  rejects([](MemoryPlan &p) { p.offsets[5] = p.offsets[0] + 64; }, "one memory element");
  rejects([](MemoryPlan &p) { p.peak -= 8; }, "the peak is");
  rejects([](MemoryPlan &p) { p.lowerBound = p.peak + 8; }, "lower bound");
  rejects([](MemoryPlan &p) { p.lowerBound = 8; }, "lower bound");
  rejects([](MemoryPlan &p) { p.tooLarge.emplace(); }, "reported as too large");
  rejects([](MemoryPlan &p) { p.tiles[0].end -= 8; }, "used up to");
  rejects([](MemoryPlan &p) { p.tiles.clear(); }, "miss the peak");
  rejects([](MemoryPlan &p) { p.tiles.push_back(p.tiles[0]); }, "not ascending");
}

TEST(Memory, JsonMistakesAreNamed) {
  nlohmann::json json = toJson(small());
  json["requests"] = {toJson(MemoryProblem{0, 1, 0, 1, {request("a", 1, 0, 0)}})["requests"][0]};
  json["requests"][0]["region"] = "middle";
  EXPECT_EQ(memoryProblemFromJson(json, "m.json").error(),
            "m.json: requests[0]: field 'region' is 'middle', allowed: any, interleaved, nonInterleaved");
}

} // namespace
