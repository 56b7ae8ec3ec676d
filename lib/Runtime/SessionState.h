// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The inside of a session, shared by its parts.
#ifndef SPIKELOOM_LIB_RUNTIME_SESSIONSTATE_H
#define SPIKELOOM_LIB_RUNTIME_SESSIONSTATE_H

#include "Program.h"
#include "spikeloom/Runtime/Session.h"

namespace spikeloom::runtime {

struct Session::State {
  State(Manifest manifest, SymbolLookup symbols, HostBuffers buffers, int threads)
      : program(std::move(manifest), std::move(symbols), std::move(buffers), threads) {}

  Program program;
  std::unique_ptr<ExecutionEngine> engine;
  std::string engineName, cpu;
  Optimizer optimizer;
  int64_t step = 0;
  double seconds = 0;
};

/// Does the run start from this port's content although the run changes it?
bool isInitialState(const Manifest &manifest, const Port &port);

/// "parameter 'fc1.weight'".
std::string describe(const Port &port);

/// Between a user's array and compact row-major order of the port's buffer, types converted.
Result<Bytes> toBuffer(const Program &program, const Port &port, const ArrayView &array);
Array fromBuffer(const Program &program, const Port &port, const Bytes &compact);

} // namespace spikeloom::runtime
#endif
