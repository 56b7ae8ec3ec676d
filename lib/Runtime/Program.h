// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What both engines work on: a validated manifest, its code, the host's buffers, threads and the cycle
// ledger.
#ifndef SPIKELOOM_LIB_RUNTIME_PROGRAM_H
#define SPIKELOOM_LIB_RUNTIME_PROGRAM_H

#include "HostBuffers.h"
#include "Ledger.h"
#include "spikeloom/Runtime/NativeModule.h"
#include <functional>
#include <map>

namespace spikeloom::runtime {

using HostCode = void (*)(void *const *arguments, int64_t steps, int64_t task, int64_t *cycles);
using CheckCode = void (*)(void *context, int64_t address, int32_t bytes, int32_t flags, int32_t location);
using StrictCode = void (*)(void *const *arguments, int64_t steps, int64_t task, int64_t *cycles,
                            void *context, CheckCode check);

struct CodeletCode {
  HostCode host = nullptr, cycles = nullptr;
  StrictCode strict = nullptr;
};

struct Program {
  Program(Manifest manifest, SymbolLookup symbols, HostBuffers buffers, int threads)
      : manifest(std::move(manifest)), symbols(std::move(symbols)), buffers(std::move(buffers)),
        pool(threads), ledger(this->manifest), trips(this->manifest.loops.size(), 0) {}

  /// Looks up all code; the message names the codelet and the symbol that is missing.
  Status link(bool strict);

  /// The first row of its buffer that an argument shows to a call from step `step` on, in the current trips.
  int64_t rowOf(const Argument &argument, int64_t step) const {
    int64_t row = argument.shift + (argument.steps ? step : 0);
    for (const Advance &advance : argument.advances)
      row += advance.rows * trips[size_t(advance.loop)];
    return row;
  }

  /// Calls `runPhase` for the phases in order, loops included. Before every trip but a loop's first the
  /// host's copies of what it clears are as at the start of the run, and `restart` is told which they are.
  Status runPhases(const std::function<Status(int64_t phase)> &runPhase,
                   const std::function<void(int64_t buffer)> &restart);

  Manifest manifest;
  SymbolLookup symbols; // keeps the code loaded
  std::vector<CodeletCode> code;
  HostBuffers buffers;
  ThreadPool pool;
  Ledger ledger;
  std::vector<int64_t> trips; // of every loop, the one that is running
  /// Contents, in host layout, that a run changes but the next must find again: initial states.
  std::map<int64_t, std::vector<uint8_t>> initial;
  std::vector<EventCount> earlierEvents; // of trips that are over

private:
  void beginTrip(const Loop &loop, const std::function<void(int64_t)> &restart);
  Status runRange(int64_t first, int64_t end, size_t loop, const std::function<Status(int64_t)> &runPhase,
                  const std::function<void(int64_t)> &restart);
};

/// Layout of a row of a layer's counts (see "Events" in the manifest).
constexpr size_t rowInfo = 10, infoListed = 6, infoEntries = 7, infoFired = 8;

/// The counts [T][B][10] of a layer as the host's buffers hold them; empty for one that keeps none.
std::vector<int32_t> countsOf(const Manifest &manifest, const HostBuffers &buffers, const EventLayer &layer);
std::vector<EventCount> countEvents(const Manifest &manifest, const HostBuffers &buffers);

class ExecutionEngine {
public:
  virtual ~ExecutionEngine() = default;
  /// One run of all phases. Inputs, parameters, initial states and whatever is cleared lie ready in the
  /// host's buffers, and there are the results afterwards.
  virtual Status run() = 0;
};

std::unique_ptr<ExecutionEngine> makeFastEngine(Program &program);
/// An error when the tiles' memories do not fit the computer.
Result<std::unique_ptr<ExecutionEngine>> makeStrictEngine(Program &program);

/// Runs the `cycles` entry for steps [first, first + count) of a stage, where the ledger wants it, with
/// compact copies of those arguments that decide and are not compact on the host.
void countCyclesOnHost(Program &program, int64_t phase, int64_t stage, int64_t first, int64_t count);

} // namespace spikeloom::runtime
#endif
