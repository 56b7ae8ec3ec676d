// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plays a transfer element by element, from what every tile holds, and knows nothing of how pieces were cut.
#include "ExchangeCheck.h"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

using namespace spikeloom;

namespace {

constexpr int64_t hole = -1;

/// The elements (row * columns + column) that lie on a tile of the range, in the order of its memory. A
/// family's last tiles have holes where units do not exist.
std::vector<int64_t> contents(const Transfer &transfer, const Distribution &side, int64_t tile) {
  std::vector<int64_t> list;
  auto add = [&](int64_t row, int64_t column) { list.push_back(row * transfer.columns + column); };
  int64_t rowBegin = 0, rowEnd = transfer.rows, columnBegin = 0, columnEnd = transfer.columns;
  if (side.kind == Distribution::Kind::units) {
    for (int64_t row = 0; row < transfer.rows; ++row)
      for (int64_t c = 0; c < side.perTile; ++c) {
        int64_t unit = tile / side.group * side.perTile * side.group + c * side.group + tile % side.group;
        if (unit < transfer.columns)
          add(row, unit);
        else
          list.push_back(hole);
      }
    return list;
  }
  if (side.kind == Distribution::Kind::blocks) {
    int64_t rowBlocks = side.tiles / side.columnBlocks;
    int64_t height = (transfer.rows + rowBlocks - 1) / rowBlocks;
    int64_t width = (transfer.columns + side.columnBlocks - 1) / side.columnBlocks;
    rowBegin = tile / side.columnBlocks * height;
    rowEnd = std::min(rowEnd, rowBegin + height);
    columnBegin = tile % side.columnBlocks * width;
    columnEnd = std::min(columnEnd, columnBegin + width);
  }
  for (int64_t row = rowBegin; row < rowEnd; ++row)
    for (int64_t column = columnBegin; column < columnEnd; ++column)
      add(row, column);
  return list;
}

std::string at(int64_t tile, int64_t offset) {
  return "tile " + std::to_string(tile) + " + " + std::to_string(offset);
}

/// Pieces or, once arranged, partners of every tile, and the cycles that follow from them.
std::optional<std::string> checkCycles(const Machine &machine, const Transfer &transfer,
                                       const TransferPlan &plan) {
  bool arranged = plan.arrangedBefore || plan.arrangedAfter;
  auto check = [&](auto own, auto partner, double rate, double cycles, int64_t pieces) {
    std::map<int64_t, int64_t> bytes, count;
    std::map<int64_t, std::set<int64_t>> partners;
    for (const ExchangePiece &piece : plan.pieces) {
      bytes[own(piece)] += piece.bytes;
      ++count[own(piece)];
      partners[own(piece)].insert(partner(piece));
    }
    double longest = 0;
    int64_t most = 0;
    for (const auto &[tile, sum] : bytes) {
      int64_t runs = arranged ? int64_t(partners[tile].size()) : count[tile];
      most = std::max(most, transfer.steps * runs);
      longest = std::max(longest, double(transfer.steps) *
                                      (double(sum) / rate + double(runs * machine.exchange.pieceCycles)));
    }
    return pieces == most && std::abs(cycles - longest) <= 1e-6 * (1 + longest);
  };
  auto from = [](const ExchangePiece &piece) { return piece.from; };
  auto to = [](const ExchangePiece &piece) { return piece.to; };
  if (!check(to, from, machine.exchangeRate(plan.shared), plan.receiveCycles, plan.receivedPieces))
    return "the cycles or pieces of receiving do not follow from the pieces";
  if (!check(from, to, machine.exchangeRate(false), plan.sendCycles, plan.sentPieces))
    return "the cycles or pieces of sending do not follow from the pieces";
  return std::nullopt;
}

} // namespace

std::optional<std::string> spikeloom::verifyTransfer(const Machine &machine, const Transfer &transfer,
                                                     const TransferPlan &plan) {
  if (std::optional<std::string> wrong = detail::checkTransfer(machine, transfer))
    return wrong;
  const Distribution &from = transfer.from, &to = transfer.to;
  const int64_t all = transfer.rows * transfer.columns * transfer.elementBytes;
  std::map<int64_t, std::vector<int64_t>> held; // by tile
  std::vector<std::set<int64_t>> owned(size_t(from.tiles));
  for (int64_t t = 0; t < from.tiles; ++t) {
    held[from.firstTile + t] = contents(transfer, from, t);
    owned[size_t(t)].insert(held[from.firstTile + t].begin(), held[from.firstTile + t].end());
  }

  std::map<int64_t, int64_t> sent; // by sender
  for (const ExchangePiece &piece : plan.pieces) {
    if (piece.bytes < 1 || piece.bytes % transfer.elementBytes != 0 ||
        piece.fromOffset % transfer.elementBytes != 0 || piece.toOffset % transfer.elementBytes != 0 ||
        piece.fromOffset < 0 || piece.toOffset < 0 || piece.bytes > all || piece.toOffset > all)
      return "the piece from " + at(piece.from, piece.fromOffset) +
             " is not made of whole elements of the array";
    auto source = held.find(piece.from);
    if (source == held.end() || piece.fromOffset / transfer.elementBytes >
                                    int64_t(source->second.size()) - piece.bytes / transfer.elementBytes)
      return "the piece from " + at(piece.from, piece.fromOffset) + " is not there";
    if (piece.to == everyReceiver ? to.kind != Distribution::Kind::whole
                                  : piece.to < to.firstTile || piece.to >= to.firstTile + to.tiles)
      return "the piece from " + at(piece.from, piece.fromOffset) + " goes to tile " +
             std::to_string(piece.to) + ", which receives nothing";
    sent[piece.from] += piece.bytes;
  }

  int64_t received = 0;
  std::map<int64_t, std::set<std::pair<const ExchangePiece *, int64_t>>>
      leaving; // by chip: piece and chip it goes to
  for (int64_t t = 0; t < to.tiles; ++t) {
    int64_t tile = to.firstTile + t, bytes = 0;
    std::vector<int64_t> expected = contents(transfer, to, t);
    std::vector<int64_t> arrivals(expected.size(), 0);
    for (const ExchangePiece &piece : plan.pieces) {
      if (piece.to != tile && (piece.to != everyReceiver || piece.from == tile))
        continue;
      bytes += piece.bytes;
      if (piece.from / machine.tiles != tile / machine.tiles)
        leaving[piece.from / machine.tiles].emplace(&piece, tile / machine.tiles);
      for (int64_t e = 0; e < piece.bytes / transfer.elementBytes; ++e) {
        int64_t value = held[piece.from][size_t(piece.fromOffset / transfer.elementBytes + e)];
        int64_t place = piece.toOffset / transfer.elementBytes + e;
        if (place >= int64_t(expected.size()) || value == hole || expected[size_t(place)] != value)
          return "the piece from " + at(piece.from, piece.fromOffset) + " brings the wrong element to " +
                 at(tile, piece.toOffset + e * transfer.elementBytes);
        ++arrivals[size_t(place)];
      }
    }
    bool holds = tile >= from.firstTile && tile < from.firstTile + from.tiles;
    for (size_t place = 0; place < expected.size(); ++place) {
      if (expected[place] == hole)
        continue;
      int64_t wanted = holds && owned[size_t(tile - from.firstTile)].count(expected[place]) ? 0 : 1;
      if (arrivals[place] != wanted)
        return "element " + std::to_string(expected[place]) + " arrives " + std::to_string(arrivals[place]) +
               " times at tile " + std::to_string(tile) + ", needed: " + std::to_string(wanted);
    }
    received = std::max(received, bytes);
  }

  bool shared = to.kind == Distribution::Kind::whole && to.tiles > 1;
  int64_t sentMax = 0, total = 0;
  for (const auto &[tile, bytes] : sent) {
    sentMax = std::max(sentMax, bytes);
    total += bytes;
  }
  int64_t external = 0;
  for (const auto &[chip, pieces] : leaving) {
    int64_t bytes = 0;
    for (const auto &[piece, target] : pieces)
      bytes += piece->bytes;
    external = std::max(external, bytes);
  }
  // Receivers of a broadcast that hold a part of it are counted like those that hold nothing.
  bool receivedRight =
      shared ? plan.receivedBytes >= transfer.steps * received && plan.receivedBytes <= transfer.steps * total
             : plan.receivedBytes == transfer.steps * received;
  if (!receivedRight || plan.sentBytes != transfer.steps * sentMax ||
      plan.totalBytes != transfer.steps * total)
    return "tiles receive at most " + std::to_string(transfer.steps * received) + " bytes, send at most " +
           std::to_string(transfer.steps * sentMax) + " and " + std::to_string(transfer.steps * total) +
           " in all; the plan says otherwise";
  if (machine.chips > 1 && plan.externalBytes < transfer.steps * external)
    return std::to_string(transfer.steps * external) + " bytes leave a chip, not " +
           std::to_string(plan.externalBytes);
  if (plan.shared != shared)
    return "the double rate is for broadcasts only";
  if (auto wrong = checkCycles(machine, transfer, plan))
    return wrong;
  if ((plan.arrangementCycles > 0) != (plan.arrangedBefore || plan.arrangedAfter))
    return "the cycles of arrangement do not follow from the copies";
  return std::nullopt;
}
