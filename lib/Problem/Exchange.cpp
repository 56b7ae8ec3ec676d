// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pieces and costs of transfers between distributions.
#include "spikeloom/Problem/Exchange.h"
#include "ExchangeCheck.h"
#include "spikeloom/Problem/Partition.h"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

using namespace spikeloom;

namespace {

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

std::optional<std::string> checkSide(const Machine &machine, const Transfer &transfer,
                                     const Distribution &side, const char *name) {
  std::string where = "transfer '" + transfer.name + "': " + name + ": ";
  if (side.tiles < 1 || side.firstTile < 0 || side.tiles > machine.totalTiles() ||
      side.firstTile > machine.totalTiles() - side.tiles)
    return where + std::to_string(side.tiles) + " tiles from " + std::to_string(side.firstTile) +
           ", the machine has " + std::to_string(machine.totalTiles());
  if (side.kind == Distribution::Kind::blocks &&
      (side.columnBlocks < 1 || side.tiles % side.columnBlocks != 0))
    return where + std::to_string(side.columnBlocks) + " column blocks do not divide " +
           std::to_string(side.tiles) + " tiles";
  if (side.kind == Distribution::Kind::units &&
      (side.perTile < 1 || side.group < 1 || side.perTile > transfer.columns || side.group > side.tiles ||
       tilesOfUnits(transfer.columns, side.perTile, side.group) > side.tiles))
    return where + std::to_string(transfer.columns) + " units in groups of " + std::to_string(side.group) +
           " tiles, " + std::to_string(side.perTile) + " a tile, do not fit " + std::to_string(side.tiles) +
           " tiles";
  return std::nullopt;
}

} // namespace

std::optional<std::string> detail::checkTransfer(const Machine &machine, const Transfer &transfer) {
  const int64_t limit = int64_t(1) << 30;
  // Bytes of all elements and steps stay far from the end of the integers.
  if (transfer.elementBytes < 1 || transfer.elementBytes > 64)
    return "transfer '" + transfer.name + "': " + std::to_string(transfer.elementBytes) +
           " bytes an element, allowed: 1 to 64";
  if (transfer.steps < 1 || transfer.steps > (int64_t(1) << 20))
    return "transfer '" + transfer.name + "': " + std::to_string(transfer.steps) +
           " steps, allowed: 1 to 1048576";
  for (auto [value, name] :
       {std::make_pair(transfer.rows, "rows"), std::make_pair(transfer.columns, "columns")})
    if (value < 1 || value > limit)
      return "transfer '" + transfer.name + "': " + std::to_string(value) + " " + name + ", allowed: 1 to " +
             std::to_string(limit);
  if (transfer.rows * transfer.columns > limit)
    return "transfer '" + transfer.name + "': " + std::to_string(transfer.rows * transfer.columns) +
           " elements, allowed: at most " + std::to_string(limit);
  if (auto wrong = checkSide(machine, transfer, transfer.from, "source"))
    return wrong;
  if (auto wrong = checkSide(machine, transfer, transfer.to, "destination"))
    return wrong;
  if (transfer.from.kind == Distribution::Kind::whole && transfer.from.tiles != 1)
    return "transfer '" + transfer.name + "': the source lies whole on " +
           std::to_string(transfer.from.tiles) + " tiles; name the one that sends";
  return std::nullopt;
}

namespace {

/// Tile (from the first of the range) and element offset there of element (row, column).
struct Place {
  int64_t tile = 0, offset = 0;
};

class Locator {
public:
  Locator(const Transfer &transfer, const Distribution &side)
      : side(side), columns(transfer.columns),
        rowsPerBlock(ceilDiv(transfer.rows, side.tiles / side.columnBlocks)),
        columnsPerBlock(ceilDiv(transfer.columns, side.columnBlocks)) {}

  Place operator()(int64_t row, int64_t column) const {
    switch (side.kind) {
    case Distribution::Kind::whole:
      return {0, row * columns + column};
    case Distribution::Kind::blocks: {
      int64_t block = column / columnsPerBlock;
      int64_t width = std::min(columnsPerBlock, columns - block * columnsPerBlock);
      return {row / rowsPerBlock * side.columnBlocks + block,
              row % rowsPerBlock * width + column % columnsPerBlock};
    }
    case Distribution::Kind::units: {
      int64_t block = side.perTile * side.group, rest = column % block;
      return {column / block * side.group + rest % side.group, row * side.perTile + rest / side.group};
    }
    }
    return {};
  }

private:
  const Distribution &side;
  int64_t columns, rowsPerBlock, columnsPerBlock;
};

/// The pieces of one step, sorted.
std::vector<ExchangePiece> cutPieces(const Transfer &transfer) {
  Locator from(transfer, transfer.from), to(transfer, transfer.to);
  bool broadcast = transfer.to.kind == Distribution::Kind::whole && transfer.to.tiles > 1;
  int64_t receivers = broadcast ? 1 : transfer.to.tiles, bytes = transfer.elementBytes;
  std::vector<ExchangePiece> pieces;
  std::unordered_map<int64_t, size_t> open; // (sender, receiver) -> its latest piece; never iterated
  int64_t lastPair = -1;
  size_t lastPiece = 0;
  for (int64_t row = 0; row < transfer.rows; ++row)
    for (int64_t column = 0; column < transfer.columns; ++column) {
      Place source = from(row, column), target = to(row, column);
      int64_t sender = transfer.from.firstTile + source.tile, receiver = transfer.to.firstTile + target.tile;
      if (!broadcast && sender == receiver)
        continue;
      int64_t pair = source.tile * receivers + (broadcast ? 0 : target.tile);
      if (pair != lastPair) {
        auto [entry, fresh] = open.try_emplace(pair, pieces.size());
        if (fresh)
          pieces.push_back({sender, source.offset * bytes, broadcast ? everyReceiver : receiver,
                            target.offset * bytes, 0});
        lastPair = pair;
        lastPiece = entry->second;
      }
      ExchangePiece *piece = &pieces[lastPiece];
      if (piece->fromOffset + piece->bytes != source.offset * bytes ||
          piece->toOffset + piece->bytes != target.offset * bytes) {
        lastPiece = open[pair] = pieces.size();
        pieces.push_back({sender, source.offset * bytes, piece->to, target.offset * bytes, 0});
        piece = &pieces.back();
      }
      piece->bytes += bytes;
    }
  std::sort(pieces.begin(), pieces.end(), [](const ExchangePiece &a, const ExchangePiece &b) {
    return std::tie(a.to, a.toOffset) < std::tie(b.to, b.toOffset);
  });
  return pieces;
}

/// What one tile sends or receives in one step.
struct Side {
  int64_t bytes = 0, pieces = 0, arrangedPieces = 0;
  bool scattered = false; // more than one piece for some partner
};

/// Sums by sender and by receiver; keys are tiles. All receivers of a broadcast count as one that gets
/// everything, also if some hold a part already.
struct Traffic {
  std::map<int64_t, Side> senders, receivers;
};

Traffic trafficOf(const std::vector<ExchangePiece> &pieces) {
  Traffic traffic;
  std::set<std::pair<int64_t, int64_t>> partners;
  for (const ExchangePiece &piece : pieces) {
    bool fresh = partners.emplace(piece.from, piece.to).second;
    for (Side *side : {&traffic.senders[piece.from], &traffic.receivers[piece.to]}) {
      side->bytes += piece.bytes;
      ++side->pieces;
      side->arrangedPieces += fresh;
      side->scattered |= !fresh;
    }
  }
  return traffic;
}

double copyCycles(const Machine &machine, double bytes, int64_t atom) {
  const ArrangementCosts &costs = machine.arrangement;
  double each = atom < 4 ? costs.cyclesPerByte2 : (atom < 8 ? costs.cyclesPerByte4 : costs.cyclesPerByte8);
  return double(costs.fixedCycles) + bytes * each;
}

/// Bytes that leave the chip which sends most to others; a broadcast goes once to every other chip.
int64_t bytesBetweenChips(const Machine &machine, const Transfer &transfer,
                          const std::vector<ExchangePiece> &pieces) {
  if (machine.chips == 1)
    return 0;
  int64_t first = transfer.to.firstTile / machine.tiles;
  int64_t last = (transfer.to.firstTile + transfer.to.tiles - 1) / machine.tiles;
  std::vector<int64_t> leaving(machine.chips);
  for (const ExchangePiece &piece : pieces) {
    int64_t chip = piece.from / machine.tiles;
    int64_t others = piece.to == everyReceiver ? last - first + 1 - (chip >= first && chip <= last ? 1 : 0)
                                               : (piece.to / machine.tiles != chip ? 1 : 0);
    leaving[chip] += others * piece.bytes;
  }
  return *std::max_element(leaving.begin(), leaving.end());
}

} // namespace

Result<TransferPlan> spikeloom::planTransfer(const Machine &machine, const Transfer &transfer) {
  if (std::optional<std::string> wrong = detail::checkTransfer(machine, transfer))
    return Error{*wrong};
  TransferPlan plan;
  plan.pieces = cutPieces(transfer);
  Traffic traffic = trafficOf(plan.pieces);
  plan.shared = transfer.to.kind == Distribution::Kind::whole && transfer.to.tiles > 1;
  double steps = double(transfer.steps), receiveRate = machine.exchangeRate(plan.shared),
         sendRate = machine.exchangeRate(false), each = double(machine.exchange.pieceCycles);

  // Both ways: pieces as they are, or one piece for each pair of partners and copies on the tiles.
  double before = 0, after = 0, directSend = 0, directReceive = 0, arrangedSend = 0, arrangedReceive = 0;
  for (const auto &[tile, side] : traffic.senders) {
    directSend = std::max(directSend, steps * (double(side.bytes) / sendRate + each * double(side.pieces)));
    arrangedSend =
        std::max(arrangedSend, steps * (double(side.bytes) / sendRate + each * double(side.arrangedPieces)));
    if (side.scattered)
      before = std::max(before, copyCycles(machine, steps * double(side.bytes), transfer.elementBytes));
  }
  for (const auto &[tile, side] : traffic.receivers) {
    directReceive =
        std::max(directReceive, steps * (double(side.bytes) / receiveRate + each * double(side.pieces)));
    arrangedReceive = std::max(
        arrangedReceive, steps * (double(side.bytes) / receiveRate + each * double(side.arrangedPieces)));
    if (side.scattered)
      after = std::max(after, copyCycles(machine, steps * double(side.bytes), transfer.elementBytes));
  }
  bool arrange =
      std::max(arrangedSend, arrangedReceive) + before + after < std::max(directSend, directReceive);
  plan.arrangedBefore = arrange && before > 0;
  plan.arrangedAfter = arrange && after > 0;
  plan.sendCycles = arrange ? arrangedSend : directSend;
  plan.receiveCycles = arrange ? arrangedReceive : directReceive;
  plan.arrangementCycles = arrange ? before + after : 0;

  int64_t code = machine.exchange.instructionBytes, sendCode = 0, receiveCode = 0;
  for (const auto &[tile, side] : traffic.senders) {
    int64_t pieces = arrange ? side.arrangedPieces : side.pieces;
    int64_t sends = std::max(pieces, ceilDiv(side.bytes, machine.exchange.sendLimitBytes));
    plan.sentBytes = std::max(plan.sentBytes, transfer.steps * side.bytes);
    plan.sentPieces = std::max(plan.sentPieces, transfer.steps * pieces);
    plan.totalBytes += transfer.steps * side.bytes;
    sendCode = std::max(sendCode, code * sends);
  }
  for (const auto &[tile, side] : traffic.receivers) {
    int64_t pieces = arrange ? side.arrangedPieces : side.pieces;
    plan.receivedBytes = std::max(plan.receivedBytes, transfer.steps * side.bytes);
    plan.receivedPieces = std::max(plan.receivedPieces, transfer.steps * pieces);
    receiveCode = std::max(receiveCode, code * pieces);
  }
  bool overlap = transfer.from.firstTile < transfer.to.firstTile + transfer.to.tiles &&
                 transfer.to.firstTile < transfer.from.firstTile + transfer.from.tiles;
  plan.codeBytes = overlap ? sendCode + receiveCode : std::max(sendCode, receiveCode);
  plan.externalBytes = transfer.steps * bytesBetweenChips(machine, transfer, plan.pieces);
  return plan;
}

ExchangeCost spikeloom::mergeExchange(const Machine &machine, const std::vector<Transfer> &transfers,
                                      const std::vector<TransferPlan> &plans) {
  ExchangeCost cost;
  // Between the borders of the ranges all tiles are alike.
  std::set<int64_t> borders;
  bool any = false;
  int64_t external = 0;
  for (size_t i = 0; i < transfers.size() && i < plans.size(); ++i) {
    any |= !plans[i].pieces.empty();
    borders.insert(transfers[i].from.firstTile);
    borders.insert(transfers[i].to.firstTile);
    cost.totalBytes += plans[i].totalBytes;
    external += plans[i].externalBytes;
  }
  if (!any)
    return cost;
  double busiest = 0, arrangement = 0;
  for (int64_t tile : borders) {
    double receive = 0, send = 0, copies = 0;
    int64_t received = 0, sent = 0, code = 0;
    for (size_t i = 0; i < transfers.size() && i < plans.size(); ++i) {
      auto on = [&](const Distribution &side) {
        return side.firstTile <= tile && tile < side.firstTile + side.tiles;
      };
      bool sends = on(transfers[i].from), receives = on(transfers[i].to);
      if (sends) {
        send += plans[i].sendCycles;
        sent += plans[i].sentBytes;
      }
      if (receives) {
        receive += plans[i].receiveCycles;
        received += plans[i].receivedBytes;
      }
      if (sends || receives) {
        copies += plans[i].arrangementCycles;
        code += plans[i].codeBytes;
      }
    }
    busiest = std::max({busiest, receive, send});
    arrangement = std::max(arrangement, copies);
    cost.receivedBytesMax = std::max(cost.receivedBytesMax, received);
    cost.sentBytesMax = std::max(cost.sentBytesMax, sent);
    cost.codeBytesMax = std::max(cost.codeBytesMax, code);
  }
  cost.arrangementCycles = int64_t(std::ceil(arrangement));
  if (external > 0)
    cost.linkCycles =
        int64_t(std::ceil(machine.linkLatencyCycles() + double(external) / machine.linkBytesPerCycle()));
  cost.cycles =
      machine.exchange.fixedCycles + int64_t(std::ceil(busiest)) + cost.arrangementCycles + cost.linkCycles;
  return cost;
}
