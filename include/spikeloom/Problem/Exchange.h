// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What does it cost to bring data from the tiles that hold it to the tiles that need it?
//
// A transfer moves an array of rows x columns elements from one distribution over tiles to another. Its
// pieces are the longest runs that are contiguous at the sender and at the receiver; what is already in place
// is not sent. The costs are those of the
// machine (lib/Machine/MachineFields.cpp names their sources). Cycles per tile:
//
//     bytes / rate + pieces * pieceCycles, for what it sends and for what it receives
//
// A broadcast is sent once, whatever the number of receivers, and received at twice the rate, since
// neighbours receive the same. Exchange code per tile: instructionBytes * (pieces received + sends of at most
// sendLimitBytes).
//
// An exchange takes fixedCycles + the busiest tile. Many small pieces can instead be arranged: copied
// together at the sender, apart at the receiver, at fixedCycles + bytes * k per copy; the cheaper way is
// taken. Transfers of one superstep share an exchange: their cycles add up by tile.
#ifndef SPIKELOOM_PROBLEM_EXCHANGE_H
#define SPIKELOOM_PROBLEM_EXCHANGE_H

#include "spikeloom/Machine/Machine.h"
#include "spikeloom/Support/Result.h"
#include <optional>

namespace spikeloom {

/// How an array of rows x columns lies on the tiles [firstTile, firstTile + tiles). What a tile holds is
/// compact there, row by row.
struct Distribution {
  enum class Kind {
    whole,  // all of it on every tile; as a source only on one
    blocks, // tile k: block k / columnBlocks of the rows, block k % columnBlocks of the columns, of ceil(n /
            // blocks)
    units,  // columns are units of a family: runtime::Family says which tile holds unit n as its c-th
  };
  Kind kind = Kind::whole;
  int64_t firstTile = 0, tiles = 1;
  int64_t columnBlocks = 1;       // blocks; tiles is a multiple of it
  int64_t perTile = 1, group = 1; // units
};

struct Transfer {
  std::string name;
  int64_t rows = 1, columns = 1, elementBytes = 4;
  int64_t steps = 1; // of a chunk: as many arrays, one after another
  Distribution from, to;
};

/// One contiguous run of one step.
struct ExchangePiece {
  int64_t from = 0, fromOffset = 0; // tile, bytes from the beginning of what it holds
  int64_t to = 0, toOffset = 0;     // tile, or `everyReceiver`
  int64_t bytes = 0;
};

/// ExchangePiece::to of a broadcast: all tiles of the receiving range but the sender.
constexpr int64_t everyReceiver = -1;

struct TransferPlan {
  std::vector<ExchangePiece> pieces; // of one step, by receiver, then by address there
  // Per tile, the largest, all steps together.
  int64_t receivedBytes = 0, sentBytes = 0;
  int64_t receivedPieces = 0, sentPieces = 0; // after arrangement
  int64_t codeBytes = 0;                      // of one step: the code of further steps is a loop
  int64_t totalBytes = 0;                     // sent by all tiles together
  int64_t externalBytes = 0;                  // leaving the busiest chip
  bool shared = false;                        // received at the double rate
  bool arrangedBefore = false, arrangedAfter = false;
  double receiveCycles = 0, sendCycles = 0; // of the busiest tile
  double arrangementCycles = 0;
};

/// What the transfers of one superstep cost together.
struct ExchangeCost {
  int64_t cycles = 0; // everything: fixed cost, busiest tile, arrangement, links; 0 without transfers
  int64_t arrangementCycles = 0;                                    // of them
  int64_t linkCycles = 0;                                           // of them
  int64_t receivedBytesMax = 0, sentBytesMax = 0, codeBytesMax = 0; // on a tile
  int64_t totalBytes = 0;
};

/// Fails on distributions that do not hold the array.
Result<TransferPlan> planTransfer(const Machine &machine, const Transfer &transfer);

/// Plays the pieces: every element that a tile needs and does not hold must arrive exactly once and at its
/// place; the totals must agree. Says what is wrong first.
std::optional<std::string> verifyTransfer(const Machine &machine, const Transfer &transfer,
                                          const TransferPlan &plan);

/// Merges transfers, given with their plans, into one exchange.
ExchangeCost mergeExchange(const Machine &machine, const std::vector<Transfer> &transfers,
                           const std::vector<TransferPlan> &plans);

Result<Transfer> transferFromJson(const nlohmann::json &json, const std::string &where);
nlohmann::json toJson(const Transfer &transfer);
Result<TransferPlan> transferPlanFromJson(const nlohmann::json &json, const std::string &where);
nlohmann::json toJson(const TransferPlan &plan);
nlohmann::json toJson(const ExchangeCost &cost);

} // namespace spikeloom
#endif
