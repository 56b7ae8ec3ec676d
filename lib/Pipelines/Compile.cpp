// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The phases of the compiler.
#include "spikeloom/Pipelines/Compile.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "spikeloom/Conversion/Passes.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"

using namespace mlir;
using namespace spikeloom;

static void addEvents(OpPassManager &manager, const CompileOptions &options) {
  snn::SNNChooseEventsOptions events;
  events.maxActivity = options.maxActivity;
  events.secondThreshold = options.secondThreshold;
  events.rotate = options.rotate;
  events.inputCapacity.assign(options.inputCapacity.begin(), options.inputCapacity.end());
  events.binaryInputs.assign(options.binaryInputs.begin(), options.binaryInputs.end());
  events.layerActivity.assign(options.layerActivity.begin(), options.layerActivity.end());
  events.capacity.assign(options.capacity.begin(), options.capacity.end());
  events.denseInputs = options.gradients;
  manager.addNestedPass<func::FuncOp>(snn::createSNNPrepareLayers({options.train}));
  manager.addPass(createCanonicalizerPass());
  manager.addNestedPass<func::FuncOp>(snn::createSNNChooseEvents(events));
  manager.addPass(snn::createSNNVerifyEncoding());
}

static void addTraining(OpPassManager &manager, const CompileOptions &options) {
  if (options.gradients) {
    snn::SNNVectorJacobianOptions gradients;
    gradients.surrogate = options.surrogate;
    gradients.detachReset = options.detachReset;
    gradients.states = options.stateGradients;
    manager.addPass(snn::createSNNVectorJacobian(gradients));
  } else if (options.train) {
    snn::SNNTrainingStepOptions training;
    training.loss = options.loss;
    training.readout = options.readout;
    training.optimizer = options.optimizer;
    training.lr = options.learningRate;
    training.surrogate = options.surrogate;
    training.detachReset = options.detachReset;
    training.targets = options.targets;
    training.momentum = options.momentum;
    training.nesterov = options.nesterov;
    training.weightDecay = options.weightDecay;
    training.beta1 = options.beta1;
    training.beta2 = options.beta2;
    training.epsilon = options.epsilon;
    training.clipGradients = options.clipGradients;
    training.ratePenalty = options.ratePenalty;
    training.overflowPenalty = options.overflowPenalty;
    training.truncate = options.truncate;
    manager.addPass(snn::createSNNTrainingStep(training));
    manager.addNestedPass<func::FuncOp>(snn::createSNNDifferentiate());
  }
  manager.addNestedPass<func::FuncOp>(snn::createSNNFuseTimeSums());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  if (options.recompute == 0)
    return;
  manager.addNestedPass<func::FuncOp>(snn::createSNNRecompute({options.recompute}));
  manager.addPass(createCanonicalizerPass());
}

static void addPlacement(OpPassManager &manager, const CompileOptions &options) {
  SNNPartitionPassOptions partition;
  partition.machine = options.machine;
  partition.chips = options.chips;
  partition.memoryShare = options.memoryShare;
  manager.addPass(createSNNPartitionPass(partition));
}

static void addCodelets(OpPassManager &manager, const CompileOptions &options) {
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  tile::TileCountCyclesPassOptions cycles;
  cycles.machine = options.machine;
  manager.addPass(tile::createTileCountCyclesPass(cycles));
  manager.addPass(tile::createTileStrictPass());
  manager.addPass(tile::createTileWidenPass());
}

std::vector<CompilePhase> spikeloom::compilePhases(const CompileOptions &options) {
  return {
      {"events", "choose which tensors are lists of events, and their capacities",
       [=](OpPassManager &manager) { addEvents(manager, options); }},
      {"training", "derive the training step (or only simplify, without --train)",
       [=](OpPassManager &manager) { addTraining(manager, options); }},
      {"placement", "decide which tiles hold which layer",
       [=](OpPassManager &manager) { addPlacement(manager, options); }},
      {"tile", "logical tile program: families, buffers, codelets",
       [=](OpPassManager &manager) {
         manager.addPass(createConvertSNNToTilePass({options.gradientAccumulation}));
       }},
      {"schedule", "supersteps",
       [=](OpPassManager &manager) { manager.addPass(tile::createTileSchedulePass({options.timeChunk})); }},
      {"memory", "physical tile program: addresses and exchange costs",
       [](OpPassManager &manager) {
         manager.addPass(tile::createTilePlanMemoryPass());
         manager.addPass(tile::createTilePlanExchangePass());
       }},
      {"codelets", "count cycles; make the checked and the widened versions",
       [=](OpPassManager &manager) { addCodelets(manager, options); }},
  };
}

void spikeloom::registerCompilePipelines() {
  for (const CompilePhase &phase : compilePhases({}))
    PassPipelineRegistration<>("spikeloom-" + phase.name, phase.summary, phase.build);
}
