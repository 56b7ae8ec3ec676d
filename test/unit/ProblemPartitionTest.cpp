// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Partitions: known networks, random problems with a hidden placement, networks that do not fit, and wrong
// placements that must be found.
#include "spikeloom/Problem/Partition.h"
#include "spikeloom/Support/JsonFields.h"
#include <gtest/gtest.h>
#include <random>

using namespace spikeloom;
using runtime::Family;

namespace {

Partition solved(const PartitionProblem &problem) {
  Result<Partition> partition = solvePartition(problem);
  EXPECT_TRUE(bool(partition)) << partition.error();
  EXPECT_EQ(verifyPartition(problem, *partition), std::nullopt) << toJson(problem).dump();
  return *partition;
}

PartitionProblem problemOn(const std::string &machine, int64_t chips = 1) {
  return partitionProblemFor(*loadMachine(machine, chips));
}

UnitFamilyRequest layer(const std::string &name, int64_t inputs, int64_t units) {
  UnitFamilyRequest family;
  family.name = name;
  family.units = units;
  family.memory = {{"weights", 4 * inputs, 0, false, false},
                   {"gradients and optimizer state", 12 * inputs, 0, false, false},
                   {"staging", 0, 48 * 72 * 2, true, true}};
  family.cyclesFixed = 500;
  family.cyclesPerUnit = 3000;
  family.unitsPerVector = 2;
  return family;
}

TEST(Partition, TheMeasuringRodFitsOneBowChip) {
  PartitionProblem problem = problemOn("bow");
  problem.unitFamilies = {layer("fc1", 2312, 1466), layer("fc2", 1466, 1466), layer("fc3", 1466, 10)};
  for (const char *name : {"lists0", "lists1", "lists2"})
    problem.indexFamilies.push_back({name, 48, {{"lists", 0, 48 * 1466, true, true}}, 4000, true});
  Partition partition = solved(problem);
  EXPECT_FALSE(partition.tooLarge);
  EXPECT_LT(partition.distance(), 1.2); // pairs of units: two a tile are just too many tiles
  for (const Family &family : partition.unitFamilies) {
    if (family.tiles > 16) {
      EXPECT_EQ(family.group % 16, 0);
      EXPECT_GE(family.perTile * family.group, 64);
      EXPECT_LE(family.perTile * family.group, 256);
    }
    EXPECT_GE(family.firstTile, 1); // tile 0 is kept free
  }
  // The published placement: 733 + 733 + 5 tiles of two neurons each, once host blocks may be as long as a
  // layer.
  problem.indexFamilies.clear();
  for (UnitFamilyRequest &family : problem.unitFamilies)
    family.preferredBlock = 1466;
  partition = solved(problem);
  EXPECT_EQ(partition.tilesUsed, 1471);
  EXPECT_EQ(partition.unitFamilies[0].perTile, 2);
  EXPECT_EQ(partition.maxLoad, 6500);
  EXPECT_LT(partition.distance(), 0.01);
}

TEST(Partition, IndexFamiliesShareOnlyWhenTilesAreScarce) {
  PartitionProblem problem = problemOn("bow");
  problem.unitFamilies = {layer("fc1", 100, 200)};
  problem.indexFamilies = {{"lists", 48, {}, 1000, true}, {"sums", 96, {}, 500, true}};
  Partition partition = solved(problem);
  EXPECT_EQ(partition.tilesUsed, 48 + 96 + partition.unitFamilies[0].tiles);
  problem = problemOn("tiny");
  problem.unitFamilies = {layer("fc1", 100, 8)};
  problem.indexFamilies = {{"lists", 6, {}, 1000, true}, {"sums", 6, {}, 500, true}};
  partition = solved(problem);
  EXPECT_EQ(partition.tilesUsed, 8);
}

TEST(Partition, MoreFamiliesThanTilesLieOnTopOfEachOther) {
  PartitionProblem problem = problemOn("tiny");
  for (int64_t i = 0; i < 12; ++i)
    problem.unitFamilies.push_back(layer("fc" + std::to_string(i), 64, 40));
  problem.indexFamilies = {{"lists", 20, {}, 100, true}};
  Partition partition = solved(problem);
  EXPECT_FALSE(partition.tooLarge);
  EXPECT_LT(partition.distance(), 1);
}

TEST(Partition, FamiliesStayOnOneChipUnlessLargerThanIt) {
  PartitionProblem problem = problemOn("bow", 4);
  for (int64_t i = 0; i < 5; ++i)
    problem.unitFamilies.push_back(layer("fc" + std::to_string(i), 1000, 2000));
  Partition partition = solved(problem); // the verifier looks at the borders
  EXPECT_GT(partition.tilesUsed, 1471);
  problem.unitFamilies = {layer("giant", 9000, 6000)};
  problem.unitFamilies[0].memory[0].perUnit = 100000;
  partition = solved(problem);
  EXPECT_FALSE(partition.tooLarge);
  EXPECT_GT(partition.unitFamilies[0].tiles, 1471);
}

TEST(Partition, WhatDoesNotFitIsDiagnosed) {
  PartitionProblem problem = problemOn("tiny");
  problem.unitFamilies = {layer("fc1", 2312, 1466), layer("fc2", 1466, 1466), layer("fc3", 1466, 10)};
  Partition partition = solved(problem);
  ASSERT_TRUE(partition.tooLarge);
  const TooLarge &tooLarge = *partition.tooLarge;
  EXPECT_EQ(tooLarge.capacity, 624 * 1024 - 16384);
  EXPECT_GT(tooLarge.over(), 0);
  EXPECT_LE(tooLarge.largest.size(), 5u);
  EXPECT_EQ(tooLarge.largest[0].kind, "gradients and optimizer state");
  EXPECT_EQ(tooLarge.largest[0].family, "fc1");
  ASSERT_GE(tooLarge.remedies.size(), 3u);
  // The number of chips that is recommended is enough.
  ASSERT_EQ(tooLarge.remedies[0].rfind("--chips=", 0), 0u);
  problem.chips = std::stoll(tooLarge.remedies[0].substr(8));
  EXPECT_FALSE(solved(problem).tooLarge);
  EXPECT_NE(tooLarge.message().find("more than the 622592 it has"), std::string::npos) << tooLarge.message();
  EXPECT_NE(tooLarge.message().find("--max-activity"), std::string::npos);
  EXPECT_NE(tooLarge.message().find("--machine"), std::string::npos);
}

TEST(Partition, BadInputIsRefused) {
  auto error = [](auto change) {
    PartitionProblem problem = problemOn("tiny");
    problem.unitFamilies = {layer("fc1", 10, 10)};
    problem.indexFamilies = {{"lists", 4, {}, 100, false}};
    change(problem);
    Result<Partition> partition = solvePartition(problem);
    return partition ? std::string() : partition.error();
  };
  EXPECT_EQ(error([](PartitionProblem &) {}), "");
  EXPECT_EQ(error([](PartitionProblem &p) { p.tilesPerChip = 0; }),
            "partition: 1 chips of 0 tiles, allowed: 1 to 16777216 tiles in all");
  EXPECT_EQ(error([](PartitionProblem &p) { p.tileBytes = 0; }),
            "partition: tile memory of 0 bytes, allowed: 1 to 1099511627776");
  EXPECT_EQ(error([](PartitionProblem &p) { p.unitFamilies[0].units = 0; }),
            "partition: family 'fc1' has 0 units, allowed: 1 to 16777216");
  EXPECT_NE(error([](PartitionProblem &p) { p.unitFamilies[0].cyclesFixed = -1; }), "");
  EXPECT_NE(error([](PartitionProblem &p) { p.unitFamilies[0].memory[0].perUnit = -1; }), "");
  EXPECT_NE(error([](PartitionProblem &p) { p.indexFamilies[0].tasks = 0; }), "");
  EXPECT_NE(error([](PartitionProblem &p) { p.indexFamilies[0].memory = {{"x", 1, 0, false, false}}; }), "");
  EXPECT_EQ(error([](PartitionProblem &p) { p.indexFamilies[0].tasks = 9; }),
            "partition: index families that may not share tiles leave none for another family; use more "
            "chips (--chips) "
            "or a machine with more tiles (--machine)");
}

struct Random {
  std::mt19937 engine;
  int64_t operator()(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine);
  }
};

/// A problem built from a placement: `load` and the memory of a tile are what that placement takes.
PartitionProblem hiddenAnswer(Random &pick, double &load) {
  PartitionProblem problem;
  load = 0;
  problem.tileBytes = 1;
  for (int64_t i = pick(1, 5); i > 0; --i) {
    UnitFamilyRequest family;
    family.name = "u" + std::to_string(i);
    family.units = pick(1, 400);
    family.cyclesFixed = double(pick(0, 50));
    family.cyclesPerUnit = double(pick(0, 30));
    family.preferredBlock = 100000; // groups as large as the family allow exactly as few tiles as were hidden
    family.memory = {{"a", pick(0, 100), pick(0, 100), false, false}, {"b", pick(0, 9), 0, true, false}};
    int64_t perTile = pick(1, family.units), tiles = (family.units + perTile - 1) / perTile;
    problem.tilesPerChip += tiles;
    load = std::max(load, family.cyclesFixed + double(perTile) * family.cyclesPerUnit);
    problem.tileBytes =
        std::max(problem.tileBytes,
                 family.memory[0].perTile + perTile * (family.memory[0].perUnit + family.memory[1].perUnit));
    problem.unitFamilies.push_back(family);
  }
  for (int64_t i = pick(0, 3); i > 0; --i) {
    IndexFamilyRequest family{"i" + std::to_string(i),
                              pick(1, 60),
                              {{"c", 0, pick(0, 500), true, true}},
                              double(pick(0, 400)),
                              pick(0, 1) == 0};
    problem.tilesPerChip += family.tasks;
    load = std::max(load, family.cyclesPerTask);
    problem.tileBytes = std::max(problem.tileBytes, family.memory[0].perTile);
    problem.indexFamilies.push_back(family);
  }
  problem.reserveFirstTile = pick(0, 1) == 0;
  problem.tilesPerChip += problem.reserveFirstTile ? 1 : 0;
  return problem;
}

TEST(Partition, AsGoodAsHiddenPlacements) {
  Random pick{std::mt19937(3)};
  for (int round = 0; round < 400; ++round) {
    double load = 0;
    PartitionProblem problem = hiddenAnswer(pick, load);
    Partition partition = solved(problem);
    EXPECT_FALSE(partition.tooLarge) << toJson(problem).dump();
    EXPECT_LE(partition.maxLoad, load * (1 + 1e-5) + 1e-6) << toJson(problem).dump();
  }
}

TEST(Partition, ScarceTilesGiveValidPlacementsOrDiagnoses) {
  Random pick{std::mt19937(4)};
  int tooLarge = 0;
  for (int round = 0; round < 400; ++round) {
    double load = 0;
    PartitionProblem problem = hiddenAnswer(pick, load);
    for (UnitFamilyRequest &family : problem.unitFamilies) {
      family.preferredBlock = pick(1, 256);
      family.unitsPerVector = pick(1, 2);
    }
    for (IndexFamilyRequest &family : problem.indexFamilies)
      family.mayShareTiles = true;
    problem.chips = pick(1, 3);
    problem.tilesPerChip = pick(2, 60);
    problem.tileBytes = pick(1, 2 * problem.tileBytes);
    Partition partition = solved(problem);
    tooLarge += partition.tooLarge.has_value();

    Result<PartitionProblem> again = partitionProblemFromJson(toJson(problem), "problem");
    ASSERT_TRUE(bool(again)) << again.error();
    EXPECT_EQ(toJson(*again), toJson(problem));
    Result<Partition> answer = partitionFromJson(toJson(partition), "answer");
    ASSERT_TRUE(bool(answer)) << answer.error();
    EXPECT_EQ(verifyPartition(*again, *answer), std::nullopt);
    EXPECT_EQ(toJson(*solvePartition(*again)), toJson(partition)); // deterministic
  }
  EXPECT_GT(tooLarge, 20);
  EXPECT_LT(tooLarge, 380);
}

TEST(Partition, CorruptedPlacementsAreRejected) {
  PartitionProblem problem = problemOn("bow");
  problem.unitFamilies = {layer("fc1", 2312, 1466), layer("fc2", 1466, 1466)};
  problem.indexFamilies = {{"lists", 48, {}, 1000, false}};
  Partition good = solved(problem);
  auto rejects = [&](auto corrupt, const std::string &expected) {
    Partition bad = good;
    corrupt(bad);
    std::optional<std::string> found = verifyPartition(problem, bad);
    ASSERT_TRUE(found) << "accepted, expected: " << expected;
    EXPECT_NE(found->find(expected), std::string::npos) << *found;
  };
  rejects([](Partition &p) { p.unitFamilies.pop_back(); }, "families, asked for");
  rejects([](Partition &p) { std::swap(p.unitFamilies[0], p.unitFamilies[1]); }, "stands for");
  rejects([](Partition &p) { p.unitFamilies[0].units--; }, "stands for");
  rejects([](Partition &p) { p.unitFamilies[0].tiles--; }, "lies on its tile");
  rejects([](Partition &p) { p.unitFamilies[0].tiles++; }, "holds 0 units");
  rejects([](Partition &p) { p.unitFamilies[0].perTile++; }, "units");
  rejects([](Partition &p) { p.unitFamilies[0].group -= 16; }, "holds 0 units");
  rejects([](Partition &p) { p.unitFamilies[0].group = 0; }, "no valid tiles");
  rejects([](Partition &p) { p.unitFamilies[0].firstTile = 0; }, "reserved");
  rejects([](Partition &p) { p.unitFamilies[1].firstTile = 1400; }, "no valid tiles");
  rejects([](Partition &p) { p.unitFamilies[1].firstTile--; }, "maximum load");
  rejects([](Partition &p) { p.indexFamilies[0].firstTile = p.unitFamilies[0].firstTile; }, "may not share");
  rejects([](Partition &p) { p.indexFamilies[0].tiles = 47; }, "stands for");
  rejects([](Partition &p) { p.maxLoad -= 1; }, "maximum load");
  rejects([](Partition &p) { p.lowerBound = p.maxLoad + 1; }, "below the bound");
  rejects([](Partition &p) { p.memoryMax += 4; }, "fullest tile");
  rejects([](Partition &p) { p.fullestTile = 0; }, "fullest tile");
  rejects([](Partition &p) { p.fullestTile = -1; }, "does not exist");
  rejects([](Partition &p) { p.memoryMean += 4; }, "mean memory");
  rejects([](Partition &p) { p.tilesUsed--; }, "tiles are used");
  rejects([](Partition &p) { p.tooLarge.emplace(); }, "reported as too large");
  problem.tileBytes = good.memoryMax - 1;
  rejects([](Partition &) {}, "not reported as too large");

  problem = problemOn("bow", 2);
  problem.unitFamilies = {layer("fc1", 2312, 1466)};
  good = solved(problem);
  rejects([](Partition &p) { p.unitFamilies[0].firstTile = 1471; }, "on two chips");
}

} // namespace
