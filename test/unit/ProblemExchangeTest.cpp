// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Transfers: costs counted by hand, random distributions played element by element, and wrong plans that must
// be found.
#include "spikeloom/Problem/Exchange.h"
#include "spikeloom/Problem/Partition.h"
#include "spikeloom/Support/JsonFields.h"
#include <gtest/gtest.h>
#include <random>

using namespace spikeloom;
using Kind = Distribution::Kind;

namespace {

Machine machineOf(const std::string &name, int64_t chips = 1) { return *loadMachine(name, chips); }

TransferPlan planned(const Machine &machine, const Transfer &transfer) {
  Result<TransferPlan> plan = planTransfer(machine, transfer);
  EXPECT_TRUE(bool(plan)) << plan.error();
  if (!plan)
    return {};
  EXPECT_EQ(verifyTransfer(machine, transfer, *plan), std::nullopt) << toJson(transfer).dump();
  return *plan;
}

TEST(Exchange, BroadcastOfListsGoesAtTheDoubleRate) {
  Machine bow = machineOf("bow");
  // 48 lists of 72 ids of 16 bit, one list a tile, to the 733 tiles of a layer.
  Transfer lists{"ids", 48, 72, 2, 1, {Kind::blocks, 800, 48}, {Kind::whole, 1, 733}};
  TransferPlan plan = planned(bow, lists);
  EXPECT_EQ(plan.pieces.size(), 48u);
  EXPECT_EQ(plan.receivedBytes, 48 * 72 * 2);
  EXPECT_EQ(plan.sentBytes, 144);
  EXPECT_EQ(plan.totalBytes, 6912); // once, however many listen
  EXPECT_TRUE(plan.shared);
  EXPECT_EQ(plan.receiveCycles, 6912 / 8 + 48 * 2);
  EXPECT_EQ(plan.sendCycles, 144 / 4 + 2);
  EXPECT_EQ(plan.arrangementCycles, 0);
  EXPECT_EQ(plan.codeBytes, 4 * 48);
  EXPECT_EQ(mergeExchange(bow, {lists}, {plan}).cycles, 100 + 864 + 96);
}

TEST(Exchange, GatherOfStatesComesInSmallPieces) {
  Machine bow = machineOf("bow");
  // 6 samples, 64 units, 2 a tile, 16 tiles a group; one tile takes all states of a sample.
  Transfer states{"states", 6, 64, 4, 1, {Kind::units, 1, 32, 1, 2, 16}, {Kind::blocks, 40, 6}};
  TransferPlan plan = planned(bow, states);
  EXPECT_EQ(plan.receivedBytes, 64 * 4);
  EXPECT_EQ(plan.sentBytes, 6 * 2 * 4);
  EXPECT_EQ(plan.receivedPieces, 64); // unit c * 16 + lane: neighbours lie on different tiles
  EXPECT_EQ(plan.receiveCycles, 64 + 128);
  EXPECT_EQ(plan.sendCycles, 12 + 24);
  EXPECT_FALSE(plan.shared);
}

TEST(Exchange, ManyPiecesAreArrangedWhenThatIsCheaper) {
  Machine machine = machineOf("bow");
  Transfer states{"states", 400, 64, 4, 1, {Kind::units, 1, 32, 1, 2, 16}, {Kind::blocks, 40, 4}};
  TransferPlan direct = planned(machine, states);
  EXPECT_FALSE(direct.arrangedAfter);
  EXPECT_EQ(direct.receivedPieces, 100 * 64);
  machine.exchange.pieceCycles = 50;
  TransferPlan arranged = planned(machine, states);
  EXPECT_TRUE(arranged.arrangedBefore);
  EXPECT_TRUE(arranged.arrangedAfter);
  EXPECT_EQ(arranged.receivedPieces, 32);
  EXPECT_EQ(arranged.arrangementCycles, 2 * 587 + 3.125 * (400 * 2 * 4 + 100 * 64 * 4));
  EXPECT_LT(mergeExchange(machine, {states}, {arranged}).cycles, 100 * 64 * 50);
}

TEST(Exchange, WhatIsInPlaceIsNotSent) {
  Machine machine = machineOf("tiny");
  Transfer same{"same", 3, 20, 4, 1, {Kind::units, 0, 8, 1, 3, 8}, {Kind::units, 0, 8, 1, 3, 8}};
  EXPECT_TRUE(planned(machine, same).pieces.empty());
  EXPECT_EQ(mergeExchange(machine, {same}, {planned(machine, same)}).cycles, 0);
  Transfer all{"all", 1, 8, 4, 1, {Kind::blocks, 0, 8, 8}, {Kind::whole, 0, 8}};
  EXPECT_EQ(planned(machine, all).totalBytes, 32);
}

TEST(Exchange, TransfersOfASuperstepAddUpByTile) {
  Machine bow = machineOf("bow");
  Transfer first{"a", 1, 1000, 4, 1, {Kind::whole, 1, 1}, {Kind::blocks, 10, 10, 10}};
  Transfer second{"b", 1, 1000, 4, 1, {Kind::whole, 2, 1}, {Kind::blocks, 15, 10, 10}};
  TransferPlan a = planned(bow, first), b = planned(bow, second);
  ExchangeCost cost = mergeExchange(bow, {first, second}, {a, b});
  EXPECT_EQ(cost.receivedBytesMax, 800); // tiles 15 to 19 get both
  EXPECT_EQ(cost.sentBytesMax, 4000);
  EXPECT_EQ(cost.cycles, 100 + 1000 + 10 * 2);
  EXPECT_EQ(cost.totalBytes, 8000);
  EXPECT_EQ(mergeExchange(bow, {}, {}).cycles, 0);
}

TEST(Exchange, StepsOfAChunkMultiplyBytes) {
  Machine bow = machineOf("bow");
  Transfer lists{"ids", 48, 72, 2, 5, {Kind::blocks, 800, 48}, {Kind::whole, 1, 733}};
  EXPECT_EQ(planned(bow, lists).receivedBytes, 5 * 6912);
}

TEST(Exchange, LinksBetweenChips) {
  Machine two = machineOf("tiny", 2);
  Transfer near{"near", 1, 100, 4, 1, {Kind::whole, 0, 1}, {Kind::whole, 1, 7}};
  Transfer far{"far", 1, 100, 4, 1, {Kind::whole, 0, 1}, {Kind::whole, 8, 8}};
  EXPECT_EQ(planned(two, near).externalBytes, 0);
  EXPECT_EQ(planned(two, far).externalBytes, 400); // once, for eight listeners
  int64_t link = mergeExchange(two, {far}, {planned(two, far)}).linkCycles;
  EXPECT_EQ(link, int64_t(std::ceil(two.linkLatencyCycles() + 400 / two.linkBytesPerCycle())));
  EXPECT_EQ(mergeExchange(two, {near}, {planned(two, near)}).linkCycles, 0);
}

TEST(Exchange, BadInputIsRefused) {
  Machine tiny = machineOf("tiny");
  auto error = [&](auto change) {
    Transfer transfer{"t", 2, 20, 4, 1, {Kind::units, 0, 4, 1, 5, 4}, {Kind::blocks, 4, 2}};
    change(transfer);
    Result<TransferPlan> plan = planTransfer(tiny, transfer);
    return plan ? std::string() : plan.error();
  };
  EXPECT_EQ(error([](Transfer &) {}), "");
  EXPECT_EQ(error([](Transfer &t) { t.rows = 0; }), "transfer 't': 0 rows, allowed: 1 to 1073741824");
  EXPECT_EQ(error([](Transfer &t) { t.to.firstTile = 7; }),
            "transfer 't': destination: 2 tiles from 7, the machine has 8");
  EXPECT_EQ(error([](Transfer &t) { t.to.columnBlocks = 3; }),
            "transfer 't': destination: 3 column blocks do not divide 2 tiles");
  EXPECT_EQ(error([](Transfer &t) { t.from.perTile = 4; }),
            "transfer 't': source: 20 units in groups of 4 tiles, 4 a tile, do not fit 4 tiles");
  EXPECT_EQ(error([](Transfer &t) { t.from = {Kind::whole, 0, 2}; }),
            "transfer 't': the source lies whole on 2 tiles; name the one that sends");
  EXPECT_NE(error([](Transfer &t) { t.rows = t.columns = 1 << 20; }), "");
}

struct Random {
  std::mt19937 engine;
  int64_t operator()(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine);
  }
};

Distribution randomSide(Random &pick, const Transfer &transfer, int64_t tiles, bool source) {
  Distribution side;
  side.kind = Kind(pick(0, 2));
  if (side.kind == Kind::whole)
    side.tiles = source ? 1 : pick(1, 6);
  if (side.kind == Kind::blocks) {
    side.columnBlocks = pick(1, 4);
    side.tiles = side.columnBlocks * pick(1, 4);
  }
  if (side.kind == Kind::units) {
    side.perTile = pick(1, transfer.columns);
    side.group = pick(1, (transfer.columns + side.perTile - 1) / side.perTile);
    side.tiles = tilesOfUnits(transfer.columns, side.perTile, side.group);
    // What a solver makes: no group of more tiles than there are units for.
    side.tiles = std::max(side.tiles, side.group);
  }
  side.firstTile = pick(0, tiles - side.tiles);
  return side;
}

Transfer randomTransfer(Random &pick, const Machine &machine) {
  Transfer transfer{"t", pick(1, 6), pick(1, 24), int64_t(1) << pick(1, 3), pick(1, 3), {}, {}};
  transfer.from = randomSide(pick, transfer, machine.totalTiles(), true);
  transfer.to = randomSide(pick, transfer, machine.totalTiles(), false);
  return transfer;
}

TEST(Exchange, EveryByteOfRandomTransfersArrivesOnce) {
  Random pick{std::mt19937(7)};
  Machine machine = machineOf("tiny", 4);
  for (int round = 0; round < 600; ++round) {
    machine.exchange.pieceCycles = pick(0, 1) * 400;
    machine.arrangement.fixedCycles = pick(0, 1) * 600;
    Transfer transfer = randomTransfer(pick, machine);
    TransferPlan plan = planned(machine, transfer);
    Result<Transfer> again = transferFromJson(toJson(transfer), "transfer");
    ASSERT_TRUE(bool(again)) << again.error();
    Result<TransferPlan> answer = transferPlanFromJson(toJson(plan), "plan");
    ASSERT_TRUE(bool(answer)) << answer.error();
    EXPECT_EQ(verifyTransfer(machine, *again, *answer), std::nullopt);
  }
}

TEST(Exchange, CorruptedPlansAreRejected) {
  Random pick{std::mt19937(8)};
  Machine machine = machineOf("tiny", 4);
  int checked = 0;
  for (int round = 0; round < 200; ++round) {
    Transfer transfer = randomTransfer(pick, machine);
    TransferPlan good = planned(machine, transfer);
    if (good.pieces.size() < 2)
      continue;
    ++checked;
    auto rejects = [&](auto corrupt) {
      TransferPlan bad = good;
      corrupt(bad);
      EXPECT_TRUE(verifyTransfer(machine, transfer, bad)) << toJson(transfer).dump() << toJson(bad).dump();
    };
    size_t victim = size_t(pick(0, int64_t(good.pieces.size()) - 1));
    int64_t element = transfer.elementBytes;
    rejects([&](TransferPlan &p) { p.pieces.erase(p.pieces.begin() + long(victim)); });
    rejects([&](TransferPlan &p) { p.pieces.push_back(p.pieces[victim]); });
    rejects([&](TransferPlan &p) { p.pieces[victim].bytes += element; });
    rejects([&](TransferPlan &p) { p.pieces[victim].bytes -= element; });
    rejects([&](TransferPlan &p) { p.pieces[victim].bytes -= 1; });
    rejects([&](TransferPlan &p) { p.pieces[victim].fromOffset += element; });
    rejects([&](TransferPlan &p) { p.pieces[victim].toOffset += element; });
    rejects([&](TransferPlan &p) { p.pieces[victim].toOffset -= element; });
    rejects([&](TransferPlan &p) {
      p.pieces[victim].from = 31;
      p.pieces[victim].fromOffset = 1 << 20;
    });
    rejects([&](TransferPlan &p) { p.receivedBytes = 0; });
    rejects([&](TransferPlan &p) { p.sentBytes += 4; });
    rejects([&](TransferPlan &p) { p.totalBytes -= 4; });
    rejects([&](TransferPlan &p) { p.shared = !p.shared; });
    rejects([&](TransferPlan &p) {
      p.receiveCycles /= 2;
      p.receivedPieces = 0;
    });
    rejects([&](TransferPlan &p) { p.sendCycles = 0; });
    rejects([&](TransferPlan &p) { p.arrangementCycles = p.arrangementCycles > 0 ? 0 : 1; });
    if (good.externalBytes > 0)
      rejects([&](TransferPlan &p) { p.externalBytes = 0; });
  }
  EXPECT_GT(checked, 100);
}

} // namespace
