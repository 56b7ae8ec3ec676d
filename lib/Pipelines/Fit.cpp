// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tries shapes of a program until one fits the machine's memory.
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "spikeloom/Pipelines/Compile.h"

using namespace mlir;
using namespace spikeloom;

namespace {
enum class Outcome { fits, tooLargeForTiles, failed };
} // namespace

/// Runs the phases from placement to memory on a copy of the module, in silence.
static Outcome tryOptions(ModuleOp module, const CompileOptions &options) {
  OwningOpRef<ModuleOp> copy = module.clone();
  ScopedDiagnosticHandler silence(module.getContext(), [](Diagnostic &) { return success(); });
  bool begun = false;
  for (const CompilePhase &phase : compilePhases(options)) {
    begun |= phase.name == "placement";
    if (!begun)
      continue;
    PassManager manager(module.getContext());
    phase.build(manager);
    if (failed(manager.run(*copy)))
      return phase.name == "memory" ? Outcome::tooLargeForTiles : Outcome::failed;
    if (phase.name == "memory")
      return Outcome::fits;
  }
  return Outcome::failed;
}

void spikeloom::fitProgram(ModuleOp module, CompileOptions &options) {
  Outcome outcome = tryOptions(module, options);
  CompileOptions other = options;
  if (!other.timeChunk)
    other.timeChunk = 1;
  // A layer that the partition cannot place is placed by no smaller share of the memory.
  for (; outcome == Outcome::tooLargeForTiles && other.memoryShare > 0.2; other.memoryShare *= 0.9) {
    outcome = tryOptions(module, other);
    if (outcome != Outcome::fits)
      continue;
    options = other;
    module.emitRemark("fits with time chunks of ")
        << options.timeChunk << " and layers that take up to " << int64_t(options.memoryShare * 100)
        << " % of a tile's memory; the first choice did not";
    return;
  }
}
