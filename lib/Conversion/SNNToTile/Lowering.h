// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// State of one conversion of a model function to a tile program: where every value is stored, which stages a
// phase has.
#ifndef SPIKELOOM_CONVERSION_SNNTOTILE_LOWERING_H
#define SPIKELOOM_CONVERSION_SNNTOTILE_LOWERING_H

#include "CodeletBuilder.h"
#include "MicroBatches.h"
#include "spikeloom/Conversion/SNNToTile/Placement.h"
#include "spikeloom/Conversion/SNNToTile/UnitClasses.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

namespace spikeloom {

/// Stands among the inputs of a unit for no connection.
inline constexpr int16_t kNoConnection = -1;

/// The lists of an event tensor. `payload` may be missing: binary spikes.
struct EventStorage {
  Storage ids, info, payload;
  /// What a listed spike counts where that is one number: the payload of a neuron's list is its membrane.
  std::optional<double> spike;
  int64_t units = 0, capacity = 0;
  int homeClass = -1;
};

/// How the making of a list is dealt out: `samples` per task, `segments` of `segment` units each.
struct ListShape {
  int64_t samples = 1, sampleTasks = 1, segments = 1, segment = 1;
  tile::FamilyOp segmentFamily, concatFamily;
};

/// How an operation on whole rows is dealt out: a task takes `segment` lines of the result, of `length`
/// elements each, of `samples` samples. Without a batch there is one row.
struct RowStage {
  bool batched = true;
  int64_t batch = 1, samples = 1, segments = 1, lines = 1, segment = 1, length = 1;
  tile::FamilyOp family;
};

/// A sum over the units of a class for every element of a [rows, width] value: each tile adds its own units,
/// then the tiles are added.
struct Reduction {
  mlir::Operation *op = nullptr;
  int unitClass = -1;
  int64_t rows = 0, width = 0;
  mlir::Value support; // the list at whose entries sums are made, if any
  bool steps = true;   // a value for every step of the phase
};

/// What a unit stage does: the operations of one class of units between two exchanges.
struct UnitStage {
  int unitClass = -1;
  int level = 0;
  llvm::SmallVector<mlir::Operation *> ops;
};

/// The loop over segments whose scans are being lowered.
struct SegmentLoop {
  snn::ScanOp scan; // null outside
  int64_t count = 1;
  bool reverse = false; // from the last segment to the first
  /// Phases that run once, before the loop: they make what the first segment starts from.
  llvm::SmallPtrSet<mlir::Operation *, 8> before;
  /// States that the loop stacks: what every segment starts from, a row for each.
  llvm::DenseMap<mlir::Value, Storage> starts;
  llvm::DenseMap<mlir::Value, EventStorage> listStarts;

  /// Given rows of all segments, so many for each: those that a trip sees.
  Storage perTrip(Storage all, int64_t rows) const {
    all.shift += reverse ? (count - 1) * rows : 0;
    all.advance = reverse ? -rows : rows;
    return all;
  }
};

/// Does `use` read the value through an exchange, rather than each tile its own units?
bool isExchanged(mlir::OpOperand &use);

/// Does the operation sum over the units of a class?
bool isReduction(mlir::Operation *op);
/// What an operation adds to in place: the accumulator of a sum over samples; null for all others.
mlir::Value accumulatorOf(mlir::Operation *op);
/// The units' part of a sum over samples and units, or a sum within a step: begins anew whenever it runs.
bool isPartialSum(mlir::Operation *op);
/// Arithmetic on one number for each unit, or on a scalar: no samples are gone through.
bool isPerUnit(mlir::Operation *op);
/// Is the state of a scan a sum that every step adds to?
bool isSumState(snn::ScanOp scan, unsigned state);
/// The shape in which a value is stored: a scalar is one unit, a sparse weight has a place for each
/// connection.
llvm::SmallVector<int64_t> storedShape(mlir::Value value);

class Lowering {
public:
  Lowering(mlir::func::FuncOp function, const Placement &placement, tile::ProgramOp program,
           int64_t microBatches);
  mlir::LogicalResult run();

private:
  friend class UnitStageEmitter;

  // Arguments and results (Lowering.cpp).
  void lowerArguments();
  /// Buffers of constants that are read in memory: the list of a state's initial value, the input of a
  /// product.
  void lowerConstants();
  mlir::LogicalResult lowerResults(mlir::func::ReturnOp op);
  tile::FamilyOp family(int unitClass);
  tile::FamilyOp indexFamily(llvm::StringRef name, int64_t tasks);
  tile::BufferOp buffer(mlir::Location loc, llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                        mlir::Type element);
  tile::BufferOp ownBuffer(mlir::Location loc, llvm::StringRef name, int unitClass,
                           llvm::ArrayRef<int64_t> shape, tile::Layout layout, bool steps = false);
  tile::BufferOp sliceBuffer(mlir::Location loc, llvm::StringRef name, tile::FamilyOp family,
                             llvm::ArrayRef<int64_t> shape, mlir::Type element, tile::SliceAttr slice,
                             bool steps);
  /// The buffer of the inputs that the units of a sparse weight (or of its gradient) are connected to,
  /// [fan-in][units]; null for a dense one.
  mlir::Value connectionsOf(mlir::Value weight);
  std::string uniqueName(llvm::StringRef base);
  /// Several values in one place. (`storages[a] = storages[b] = s` reads from a map that has moved.)
  void store(llvm::ArrayRef<mlir::Value> values, Storage storage) {
    for (mlir::Value value : values)
      storages[value] = storage;
  }
  std::string layerOf(int unitClass) const { return classes.getClasses()[unitClass].name; }

  // Phases (Phases.cpp).
  mlir::LogicalResult lowerAll(llvm::ArrayRef<mlir::Operation *> ops);
  mlir::LogicalResult lowerScan(snn::ScanOp scan);
  mlir::LogicalResult lowerFlat(llvm::ArrayRef<mlir::Operation *> ops);
  mlir::LogicalResult lowerStages(llvm::ArrayRef<mlir::Operation *> ops);
  mlir::LogicalResult assignStages(llvm::ArrayRef<mlir::Operation *> ops);
  mlir::LogicalResult assignStage(mlir::Operation *op);
  int latestLevel(mlir::Operation *op) const;
  void bindValue(mlir::Operation *op, mlir::Value value);
  void settle(mlir::Value value);

  // States and stacked results (States.cpp).
  mlir::LogicalResult bindStates(snn::ScanOp scan);
  mlir::LogicalResult bindState(snn::ScanOp scan, unsigned index);
  mlir::LogicalResult bindListState(snn::ScanOp scan, unsigned index);
  mlir::LogicalResult bindStacked(snn::ScanOp scan, unsigned index);
  void finishStates(snn::ScanOp scan);
  /// Given where every step of the phase finds a state: where its first step does, and where its last leaves
  /// it.
  enum class Boundary { start, end };
  Storage boundary(Storage state, Boundary at) const;
  EventStorage boundary(EventStorage state, Boundary at) const;
  tile::PhaseOp copyState(mlir::Location loc, llvm::StringRef name, int unitClass, Storage from, Storage to);

  // Loops over segments (SegmentLoops.cpp).
  mlir::LogicalResult lowerSegments(snn::ScanOp outer);
  mlir::LogicalResult checkSegments(snn::ScanOp outer);
  mlir::LogicalResult bindSegments(snn::ScanOp outer);
  void bindResults(snn::ScanOp outer);
  void bindView(mlir::Value value, mlir::Value source, llvm::function_ref<Storage(Storage)> view);
  bool isCarried(snn::ScanOp scan, unsigned state) const;
  mlir::Value startOf(snn::ScanOp scan, unsigned state) const;
  mlir::Value endOf(snn::ScanOp scan, unsigned state) const;
  bool isKept(mlir::Value value) const;
  int64_t rowsFor(mlir::Value value) const { return isKept(value) ? totalSteps() : phaseSteps; }
  Storage rowsOfSegments(tile::BufferOp buffer, bool all, int64_t shift = 0) const;
  int64_t totalSteps() const { return phaseSteps * segments.count; }
  mlir::Value stepNumber(CodeletBuilder &b, mlir::Value done) const;
  void storeStarts(snn::ScanOp scan);
  void carryOn(snn::ScanOp scan);
  void carryList(EventStorage state);
  void carryCotangents(mlir::Operation *reduction, Storage state);

  // The loop over micro-batches (MicroBatches.cpp).
  void makeLoop(mlir::Operation *last);
  tile::LoopOp wrapPhases(mlir::Operation *last, llvm::StringRef name, int64_t trips, bool sums,
                          mlir::ValueRange clear);
  void repeatBuffer(tile::BufferOp buffer);

  // Sums over samples (Sums.cpp).
  void joinSums(mlir::Operation *op);
  mlir::FailureOr<Storage> storageOfSum(mlir::Operation *op, mlir::Value sum, mlir::Value start);
  mlir::LogicalResult bindSum(mlir::Operation *op);
  mlir::LogicalResult bindSumState(snn::ScanOp scan, unsigned index);
  int levelAfter(mlir::Value value, bool exchanged) const;
  void beginPhase(mlir::Location loc, llvm::StringRef name, int64_t steps, bool reverse);

  // Stages (UnitStage*.cpp, *Stages.cpp).
  void emitUnitStage(const UnitStage &stage);
  void prepareLists(mlir::Operation *op);
  void emitLists(mlir::Operation *op);
  tile::PhaseOp copyList(mlir::Location loc, llvm::StringRef name, EventStorage from, EventStorage to);
  tile::BufferOp bufferLike(tile::BufferOp like, llvm::StringRef suffix, int64_t rows);
  Reduction reductionOf(mlir::Operation *op) const;
  void prepareReduction(mlir::Operation *op);
  void emitReduction(mlir::Operation *op);
  std::string rowLayer(mlir::Operation *op) const;
  void prepareRows(mlir::Operation *op);
  void emitRows(mlir::Operation *op);
  struct LossParts;
  void emitLoss(snn::LossOpInterface op);
  void emitRowLoss(snn::LossOpInterface op, const LossParts &parts, bool stepwise);
  void emitStepwiseHits(snn::LossOpInterface op, const LossParts &parts);
  void emitLossTotals(snn::LossOpInterface op, const LossParts &parts);
  static void emitHit(CodeletBuilder &b, mlir::Value best, mlir::Value label, mlir::Value weight,
                      mlir::Value hit, mlir::Value s);
  Storage emitSquares(mlir::Value gradient, mlir::Location loc);
  void emitClipByNorm(snn::ClipByNormOp op);
  void emitOptimizer(snn::OptimizerOpInterface op);

  mlir::func::FuncOp function;
  mlir::ModuleOp module;
  const Placement &placement;
  tile::ProgramOp program;
  UnitClasses classes;
  MicroBatches batches;
  llvm::DenseSet<mlir::Operation *> growing; // buffers of sums that go on from one micro-batch to the next
  mlir::OpBuilder phases;                    // at the end of the program
  mlir::OpBuilder stages;                    // within the current phase
  mlir::SmallVector<tile::FamilyOp> familyOf;

  // Where values are. A value that several places need has more than one storage to write to.
  llvm::DenseMap<mlir::Value, Storage> storages;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<Storage, 2>> targets;
  llvm::DenseMap<mlir::Value, EventStorage> events;
  llvm::DenseMap<mlir::Operation *, ListShape> listShapes;
  llvm::DenseMap<mlir::Operation *, Storage> comparedOf; // neuron -> what its lists are made from
  llvm::DenseMap<mlir::Operation *, Storage> partialsOf; // sum over units -> the tiles' partial sums
  llvm::DenseMap<mlir::Operation *, ListShape> reductionShapes;
  llvm::DenseMap<mlir::Operation *, RowStage> rowStages;
  llvm::DenseMap<std::pair<int, mlir::Attribute>, tile::BufferOp> connections; // by class of units
  llvm::SmallPtrSet<mlir::Value, 4> eventStates; // lists that the next step reads
  llvm::StringMap<int> names;
  int64_t nextIndexTile = -1;

  // The current phase.
  bool reverse = false;
  int64_t phaseSteps = 1;
  SegmentLoop segments;
  llvm::MapVector<std::pair<int, int>, UnitStage> unitStages;
  llvm::DenseMap<mlir::Operation *, std::pair<int, int>> stageOf;
  /// Operations that run on tiles of their own: the level at which their results can be read.
  llvm::DenseMap<mlir::Operation *, int> helperLevels;
};

} // namespace spikeloom
#endif
