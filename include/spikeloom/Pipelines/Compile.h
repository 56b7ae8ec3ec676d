// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The way of a model through the compiler, in named phases.
#ifndef SPIKELOOM_PIPELINES_COMPILE_H
#define SPIKELOOM_PIPELINES_COMPILE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/Timing.h"
#include <functional>
#include <string>
#include <vector>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace spikeloom {

struct CompileOptions {
  std::string machine = "bow";
  int64_t chips = 1;
  int64_t timeChunk = 0;  // steps of a chunk where nothing feeds back; 0: the cheapest
  double memoryShare = 1; // of a tile, for the units of layers: see snn-partition
  // Events: see snn-choose-events.
  double maxActivity = 0, secondThreshold = 0;
  std::vector<std::string> inputCapacity, binaryInputs, layerActivity, capacity;
  bool rotate = false;
  // Training: see snn-training-step.
  bool train = false;
  std::string loss = "cross_entropy", readout = "spike_count", optimizer = "adam",
              surrogate = "fast_sigmoid:25", targets = "1,0", clipGradients, ratePenalty;
  std::string detachReset;
  double learningRate = 1e-3, momentum = 0, weightDecay = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double overflowPenalty = 0;
  int64_t truncate = 0;
  bool nesterov = false;
  int64_t recompute = 0;            // steps of a segment: see snn-recompute
  int64_t gradientAccumulation = 1; // micro-batches of a step: see convert-snn-to-tile
  // Gradients for cotangents from outside instead: see snn-vector-jacobian.
  bool gradients = false, stateGradients = false;
  // Code.
  std::string hostCpu = "native";
};

/// A phase of the compiler: its name (for --stop-after and --dump-phases), what it does, and its passes.
struct CompilePhase {
  std::string name, summary;
  std::function<void(mlir::OpPassManager &)> build;
};

/// The phases in order: events, training, placement, tile, schedule, memory, codelets.
std::vector<CompilePhase> compilePhases(const CompileOptions &options);

/// Where the program of a model (as it is before the phase `placement`) does not fit the machine, tries
/// shorter chunks of time and layers spread over more tiles, and changes `options` to what fits. If nothing
/// does they stay, and the phases that follow say what is too large.
void fitProgram(mlir::ModuleOp module, CompileOptions &options);

/// Registers every phase as a pipeline `spikeloom-<phase>` with default options, for snn-opt.
void registerCompilePipelines();

/// The main program of snn-compile; returns its exit code (0 done, 1 input at fault, 2 usage, 3 our defect).
int compileTool(int argc, char **argv);

} // namespace spikeloom
#endif
