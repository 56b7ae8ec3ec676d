// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What both engines work on: a validated manifest, its code, the host's buffers, threads and the cycle
// ledger.
#ifndef SPIKELOOM_LIB_RUNTIME_PROGRAM_H
#define SPIKELOOM_LIB_RUNTIME_PROGRAM_H

#include "HostBuffers.h"
#include "Ledger.h"
#include "spikeloom/Runtime/NativeModule.h"

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
        pool(threads), ledger(this->manifest) {}

  /// Looks up all code; the message names the codelet and the symbol that is missing.
  Status link(bool strict);

  Manifest manifest;
  SymbolLookup symbols; // keeps the code loaded
  std::vector<CodeletCode> code;
  HostBuffers buffers;
  ThreadPool pool;
  Ledger ledger;
};

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
