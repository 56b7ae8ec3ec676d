// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the codelet of a unit stage. Four sections run one after another in every step:
//   units:   workers take units; arithmetic on parameters;
//   samples: workers take samples; synapses, neurons and arithmetic of the tile's units;
//   weights: workers take ranges of inputs, so that each weight's gradient is added up by one worker in
//   order; inputs:  workers take samples; the tile's part of the gradient of every input.
#ifndef SPIKELOOM_CONVERSION_SNNTOTILE_UNITSTAGE_H
#define SPIKELOOM_CONVERSION_SNNTOTILE_UNITSTAGE_H

#include "Lowering.h"

namespace spikeloom {

class UnitStageEmitter {
public:
  UnitStageEmitter(Lowering &lowering, const UnitStage &stage);
  void emit();

private:
  using Scalars = llvm::SmallVector<mlir::Value, 4>;
  /// Units that a worker keeps in registers at once.
  static constexpr int64_t kUnroll = 4;

  // Sections (UnitStage.cpp).
  void emitSamples();
  void emitPerUnit();
  /// Stores what operations of a section have made where others read it.
  void storeTargets(llvm::function_ref<bool(mlir::Operation *)> ofSection);
  void emitWeightGradient(snn::LinearWeightGradOp op);
  void emitBatchSum(snn::BatchSumOp op);
  void emitInputGradient(snn::LinearInputGradOp op);

  // Convolutions (ConvStages.cpp).
  /// Where a position of the kernel lies for a unit: the input under it, if there is one.
  struct Tap {
    mlir::Value exists, input, channel;
  };
  mlir::Value unitNumber(mlir::Value c);
  Tap tapOf(const snn::ConvGeometry &geometry, mlir::Value c, mlir::Value tap);
  void emitConvMatrix(snn::ConvMatrixOp op);
  void emitConvKernelGrad(snn::ConvKernelGradOp op);

  // Synapses with connections (ConnectionStages.cpp).
  /// One connection of a unit: the input that it reads, and whether it is there (null: it is).
  struct Connection {
    mlir::Value input, exists;
  };
  /// The connections of the tile's units, [count][units].
  struct Connections {
    mlir::Value inputs;
    int64_t count = 0;
    bool padded = false;
  };
  Connections connectionsOf(mlir::Value weight);
  Connection connectionAt(const Connections &connections, mlir::Value j, mlir::Value c);
  mlir::Value ifConnected(const Connection &connection, mlir::Value term);
  mlir::Value rowElement(mlir::Value input, mlir::Value s, mlir::Value i);
  mlir::Value spreadRow(mlir::Value input);
  void clearSpreadRows(llvm::ArrayRef<mlir::Value> inputs);
  void spreadRows(llvm::ArrayRef<mlir::Value> inputs, mlir::Value s, bool spikes);
  llvm::SmallVector<mlir::Value> inputsToSpread();
  void emitConnectedLinear(snn::LinearOp op);
  void emitConnectedWeightGradient(snn::LinearWeightGradOp op);
  void emitConnectedInputGradient(snn::LinearInputGradOp op);

  /// Calls `body` with the units of the tile, at most kUnroll at a time.
  void forUnits(llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body);

  // Operations of the samples section (UnitOps.cpp, AdjointOps.cpp).
  void emitOp(mlir::Operation *op);
  void emitLinear(snn::LinearOp op);
  Scalars emitNeuron(snn::NeuronOp op, unsigned k);
  Scalars emitAdjoint(snn::NeuronAdjointOp op, unsigned k);
  mlir::Value emitSurrogate(snn::NeuronAdjointOp op, mlir::Value v, mlir::Value threshold);
  mlir::Value emitPenalty(snn::NeuronAdjointOp op);
  static bool throughOwnReset(snn::NeuronAdjointOp op);
  mlir::Value resetStep(snn::NeuronAdjointOp op, mlir::Value p, mlir::Value threshold);
  mlir::Value graded(snn::NeuronAdjointOp op, mlir::Value value);
  mlir::Value gained(snn::NeuronAdjointOp op, mlir::Value value);
  mlir::Value decayedBy(snn::NeuronAdjointOp op, mlir::Value value, mlir::Value c);
  /// Whether this is a step in which the operation gives zero.
  mlir::Value zeroNow(snn::ZeroEveryOp op);
  void countSteps();
  mlir::Value emitCompare(snn::Comparison cmp, mlir::Value a, mlir::Value b);
  mlir::Value emitDropout(snn::DropoutOp op, unsigned k);
  /// What an adjoint takes from its list entries: per unit, filled before the units are gone through.
  void emitEntries(snn::NeuronAdjointOp op);
  void emitEntries(snn::ExpandOp op);
  mlir::Value cotangentAt(mlir::Value cotangent, mlir::Value position, mlir::Value unit);

  // Values.
  mlir::Value unit(mlir::Value value, unsigned k);
  mlir::Value perUnit(mlir::Value parameter, const llvm::APFloat &otherwise, mlir::Value c);
  mlir::Value loadOwn(mlir::Value value, mlir::Value c);
  mlir::Value ownArgument(const Storage &storage, tile::Access access);
  llvm::SmallVector<mlir::Value> at(const Storage &storage, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value scratch(mlir::Operation *op, int which);
  /// What the spike at position j of a sample's list counts; null for 1.
  mlir::Value spikeAt(const EventStorage &list, mlir::Value sample, mlir::Value j);
  mlir::Value listLength(const EventStorage &list, bool near);

  Lowering &lowering;
  const UnitStage &stage;
  tile::FamilyOp family;
  CodeletBuilder b;
  int64_t perTile, batch = 0;
  mlir::Value row, sample;
  llvm::MapVector<int64_t, Storage> counters;   // by period: steps to go until the next zero, per unit
  Scalars chunk;                                // the units that are in registers
  llvm::DenseMap<mlir::Value, Scalars> current; // computed in this stage
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, mlir::Value>
      loaded; // read from storage, by unit in registers
  llvm::DenseMap<std::pair<mlir::Operation *, int>, mlir::Value> scratches;
  llvm::DenseMap<mlir::Value, mlir::Value> spreads; // rows of lists, by input
};

} // namespace spikeloom
#endif
