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

/// Runs the phases from placement to memory on a copy of the module and keeps what they have to say.
static Outcome tryOptions(ModuleOp module, const CompileOptions &options, std::vector<Diagnostic> &said) {
  OwningOpRef<ModuleOp> copy = module.clone();
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    said.push_back(std::move(diagnostic));
    return success();
  });
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

LogicalResult spikeloom::fitProgram(ModuleOp module, CompileOptions &options) {
  std::vector<Diagnostic> first;
  Outcome outcome = tryOptions(module, options, first);
  // A layer that the partition cannot place is placed by no smaller share of the memory.
  std::vector<CompileOptions> others;
  for (double share : {1.0, 0.75, 0.5, 0.25}) {
    CompileOptions other = options;
    other.timeChunk = options.timeChunk ? options.timeChunk : 1;
    other.memoryShare = share * options.memoryShare;
    others.push_back(other);
  }
  for (size_t i = 0; i < others.size() && outcome == Outcome::tooLargeForTiles; ++i) {
    std::vector<Diagnostic> said;
    outcome = tryOptions(module, others[i], said);
    if (outcome == Outcome::fits) {
      options = others[i];
      module.emitRemark("fits with chunks of ")
          << options.timeChunk << " steps and layers that take up to " << int64_t(options.memoryShare * 100)
          << " % of a tile's memory; the first choice did not";
    }
  }
  if (outcome == Outcome::fits)
    return success();
  for (Diagnostic &diagnostic : first)
    module.getContext()->getDiagEngine().emit(std::move(diagnostic));
  return failure();
}
