// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The modelled machine as data: every number that a pass, a solver or the cycle counter needs, with its
// source.
//
// Units: bytes; tile cycles (of `clockHz`); issue slots of one worker. A tile has `workers` contexts that
// issue in turn, so n slots of one worker last n * workers tile cycles. Addresses are offsets into a tile's
// memory, from 0.
#ifndef SPIKELOOM_MACHINE_MACHINE_H
#define SPIKELOOM_MACHINE_MACHINE_H

#include "spikeloom/Support/Result.h"
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace spikeloom {

/// On-chip exchange: a transfer takes fixedCycles + bytes / bytesPerCycle, counted on the busiest tile.
struct ExchangeCosts {
  double bytesPerCycle = 0;     // received or sent by a tile; both at once
  int64_t fixedCycles = 0;      // of one exchange phase
  bool pairSharing = false;     // neighbouring tiles that receive the same data receive at twice the rate
  double efficiency = 1;        // of the rate, below 1 for fragmented exchanges of other compilers
  int64_t pieceCycles = 0;      // switching to another source or chunk
  int64_t sendLimitBytes = 0;   // of one send instruction
  int64_t instructionBytes = 0; // of exchange code per send or switch
};

/// Copies on a tile that make scattered data contiguous: fixedCycles + bytes * k, k by the size of an atom.
struct ArrangementCosts {
  int64_t fixedCycles = 0;
  double cyclesPerByte2 = 0, cyclesPerByte4 = 0, cyclesPerByte8 = 0; // atoms of 2, 4 and at least 8 bytes
};

struct SyncCosts {
  int64_t internalCycles = 0; // barrier of one chip
  int64_t externalCycles = 0; // barrier over several chips
};

/// Links between chips.
struct LinkCosts {
  int64_t perChip = 0;
  double bytesPerSecond = 0; // of one link and direction
  double latencySeconds = 0; // of one global exchange
};

struct HostCosts {
  double bytesPerSecond = 0;          // host to chip
  double streamingBytesPerSecond = 0; // the chip's external memory
};

/// Issue slots of one worker, in code that a person scheduled by hand. Main and aux instructions may share a
/// slot.
struct InstructionCosts {
  // Main pipe: memory, integers, control.
  int64_t load = 0;      // up to 32 bit, address step included
  int64_t loadPair = 0;  // 64 bit
  int64_t loadQuad = 0;  // 128 bit, interleaved memory only
  int64_t loadTwo = 0;   // two 64-bit loads from different elements, and a 64-bit store
  int64_t deltaLoad = 0; // gather: load at base + offset and fetch the next offset
  int64_t store = 0, storePair = 0;
  int64_t integer = 0, integerMultiply = 0, integerDivide = 0, integerCompare = 0, integerSelect = 0;
  int64_t branch = 0;
  int64_t loopStep = 0;      // decrement and branch of a counted loop that is not a hardware loop
  int64_t rptSetup = 0;      // start of a hardware loop, which then costs nothing per iteration
  int64_t workerEntry = 0;   // reading the arguments, and exit
  int64_t pointerUnpack = 0; // of a scaled pointer
  // Aux pipe: floating point.
  int64_t f32 = 0, f32v2 = 0;                         // add, subtract, multiply, min, max: one and two lanes
  int64_t f32Compare = 0, f32Mask = 0, f32Select = 0; // lane mask; and with a mask; choice of two values
  int64_t f32Divide = 0, f32Sqrt = 0, f32Exp = 0, f32Log = 0, f32Sigmoid = 0, f32Tanh = 0;
  int64_t convert = 0; // integer to float and back
};

/// What a compiler makes of a codelet in C++.
struct CompiledCosts {
  double iterationSlots =
      0; // of a simple inner loop per iteration, whatever its width; no hardware loop, no pairing
};

/// Under which of the two declared qualities codelets are counted.
enum class CodeQuality { scheduled, compiled };

enum class ConstantStatus {
  measured, // on hardware, or given by the maker
  derived,  // by arithmetic from measured numbers
  assumed,  // a choice: no source fixes it
  given,    // by the user's machine file
};

/// Where a constant comes from.
struct Provenance {
  ConstantStatus status = ConstantStatus::assumed;
  std::string source;
};

struct Machine {
  std::string name;
  int64_t chips = 1;
  int64_t tiles = 0; // per chip
  int64_t tileMemoryBytes = 0;
  int64_t interleavedStart = 0; // from here to the end 128-bit accesses are possible; code lies below
  int64_t elementBytes =
      0; // two simultaneous accesses must hit different elements (twice that if interleaved)
  int64_t reservedBytes = 0; // at the beginning of every tile: stacks, control code, vertex state
  double clockHz = 0;
  int64_t workers = 0;
  int64_t rptMax = 0;                // iterations of a hardware loop
  int64_t deltaReachBytes = 0;       // that one base of a delta load can reach
  int64_t storeGranularityBytes = 0; // smaller stores read, modify and write
  int64_t codeInstructionBytes = 0;
  int64_t computeLaunchCycles = 0; // launch and exit of a compute set
  int64_t supervisorCycles = 0;    // per codelet call on a tile
  ExchangeCosts exchange;
  ArrangementCosts arrangement;
  SyncCosts sync;
  LinkCosts links;
  HostCosts host;
  InstructionCosts instructions;
  CompiledCosts compiled;
  CodeQuality codeQuality = CodeQuality::scheduled;

  /// Origin of the constants that differ from the table's general one; see machineConstants().
  std::map<std::string, Provenance> provenance;

  int64_t totalTiles() const { return chips * tiles; }
  int64_t usableTileBytes() const { return tileMemoryBytes - reservedBytes; }
  /// Tile 0 of every chip is kept free for control when there are tiles to spare, as published programs do.
  bool reservesFirstTile() const { return tiles > 16; }
  int64_t usableTilesPerChip() const { return tiles - (reservesFirstTile() ? 1 : 0); }
  /// Barrier of a superstep on all chips of the program.
  int64_t syncCycles() const { return chips > 1 ? sync.externalCycles : sync.internalCycles; }
  /// What a superstep with an exchange costs before any work: sync + exchange + launch.
  int64_t superstepFixedCycles() const { return syncCycles() + exchange.fixedCycles + computeLaunchCycles; }
  /// Received or sent by one tile per cycle; `shared`: by both tiles of pairs, or a full broadcast.
  double exchangeRate(bool shared) const {
    return exchange.bytesPerCycle * exchange.efficiency * (shared && exchange.pairSharing ? 2 : 1);
  }
  double linkBytesPerCycle() const { return double(links.perChip) * links.bytesPerSecond / clockHz; }
  double linkLatencyCycles() const { return links.latencySeconds * clockHz; }
  double hostCycles(double bytes) const { return bytes / host.bytesPerSecond * clockHz; }
};

/// One row of the table of constants.
struct MachineConstant {
  std::string field; // as in machine files, with dots: "exchange.fixedCycles"
  std::string unit;
  double value = 0;
  Provenance provenance;
};

/// Names of the presets: gc2, gc200, bow, tiny.
const std::vector<std::string> &machinePresets();

/// A preset by name or a machine file by path. `chips` > 0 overrides the file's number of chips.
///
/// A machine file is a JSON object with the fields of `Machine` (groups are nested objects) and `name`. With
/// "base": "<preset>" it lists what differs; without it every field must be there, as machineToJson() writes
/// them.
Result<Machine> loadMachine(const std::string &nameOrPath, int64_t chips = 0);

/// The same from JSON text in memory; `where` begins the messages.
Result<Machine> machineFromJson(const nlohmann::json &json, const std::string &where);

/// All fields; machineFromJson() gives the same machine back, the provenance apart.
nlohmann::json machineToJson(const Machine &machine);

/// Every constant with unit, status and source.
std::vector<MachineConstant> machineConstants(const Machine &machine);
nlohmann::json machineConstantsToJson(const Machine &machine);

const char *toString(ConstantStatus status);
const char *toString(CodeQuality quality);

} // namespace spikeloom
#endif
