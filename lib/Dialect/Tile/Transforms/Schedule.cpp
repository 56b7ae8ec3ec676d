// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Supersteps of compute steps, from what they read and write.
#include "spikeloom/Problem/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "spikeloom/Dialect/Tile/IR/TileOps.h"
#include "spikeloom/Dialect/Tile/Transforms/ProgramQueries.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
#include "spikeloom/Machine/Machine.h"
#include "llvm/ADT/MapVector.h"

namespace spikeloom::tile {
#define GEN_PASS_DEF_TILESCHEDULEPASS
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h.inc"
} // namespace spikeloom::tile

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

namespace {
/// One argument of a compute step, by the buffer it names.
struct Use {
  int64_t stage;
  ArgumentAttr view;
};
using Uses = llvm::MapVector<Value, SmallVector<Use>>;
} // namespace

static Uses collectUses(MutableArrayRef<ComputeOp> stages) {
  Uses uses;
  for (auto [i, stage] : llvm::enumerate(stages))
    for (auto [buffer, view] : llvm::zip(stage.getArguments(), stage.getViews().getAsRange<ArgumentAttr>()))
      uses[buffer].push_back({int64_t(i), view});
  return uses;
}

/// Steps from the writing of a row to its reading, in the order in which the phase runs.
static int64_t distanceOf(bool reverse, const Use &writer, const Use &reader) {
  if (!writer.view.getSteps() || !reader.view.getSteps())
    return 0;
  int64_t rows = writer.view.getShift() - reader.view.getShift();
  return reverse ? -rows : rows;
}

namespace {
/// One stage reads what another made, `steps` earlier.
struct Dependence {
  Value buffer;
  int64_t from, to, steps;
  bool local;
  bool copied; // the reader gets a copy before it computes
};

/// What decides how many steps a chunk holds.
struct ChunkCosts {
  double fixedCycles = 0, cyclesPerStep = 0;
  int64_t memoryBudget = 0; // bytes of a tile that staging copies may take
};

class PhaseScheduler {
public:
  explicit PhaseScheduler(PhaseOp phase) : phase(phase), stages(phase.getBody().getOps<ComputeOp>()) {}

  LogicalResult collect();
  /// Schedules with the given length of a chunk; 0 takes the cheapest one.
  LogicalResult run(int64_t chunk, const ChunkCosts &costs, llvm::DenseMap<Value, int64_t> &window);

private:
  FailureOr<Schedule> solve(int64_t chunk);
  int64_t chooseLength(const Schedule &schedule, const ChunkCosts &costs);
  void setLength(int64_t chunk);

  PhaseOp phase;
  SmallVector<ComputeOp> stages;
  SmallVector<Dependence> dependences;
};
} // namespace

LogicalResult PhaseScheduler::collect() {
  Uses uses = collectUses(stages);
  for (auto &[buffer, all] : uses)
    for (const Use &writer : all)
      for (const Use &reader : all) {
        if (writer.view.getAccess() == Access::read || reader.view.getAccess() == Access::write ||
            &writer == &reader)
          continue;
        // A tile finds what it wrote itself; a stage that reads what its other tiles wrote is a loop.
        bool own = writer.view.getView() == View::own && reader.view.getView() == View::own;
        if (writer.stage == reader.stage && own)
          continue;
        int64_t distance = distanceOf(phase.getReverse(), writer, reader);
        if (distance < 0)
          return stages[reader.stage].emitError("reads a row of '")
                 << buffer.getDefiningOp<BufferOp>().getBuffer() << "' " << -distance
                 << " steps before it is written";
        bool local = own && stages[writer.stage].getFamily() == stages[reader.stage].getFamily();
        bool copied = !isAtHome(stages[reader.stage], buffer.getDefiningOp<BufferOp>(), reader.view);
        dependences.push_back({buffer, writer.stage, reader.stage, distance, local, copied});
      }
  return mlir::success();
}

FailureOr<Schedule> PhaseScheduler::solve(int64_t chunk) {
  ScheduleProblem problem;
  for (ComputeOp stage : stages)
    problem.stages.push_back(stage.getCodelet().str());
  // What lies d steps back may lie in the same chunk.
  for (const Dependence &d : dependences)
    problem.edges.push_back({d.from, d.to, d.steps / chunk, d.local, false});
  Result<Schedule> solved = solveSchedule(problem);
  if (!solved)
    return phase.emitError() << "cannot be scheduled: " << solved.error();
  if (auto wrong = verifySchedule(problem, *solved))
    return phase.emitError() << "internal error: the schedule is invalid: " << *wrong;
  return std::move(*solved);
}

/// The cheapest length that divides the phase, so that every chunk is full.
int64_t PhaseScheduler::chooseLength(const Schedule &schedule, const ChunkCosts &costs) {
  ChunkProblem problem;
  problem.steps = int64_t(phase.getSteps());
  problem.interval = schedule.interval;
  for (int64_t offset : schedule.offsets)
    problem.depth = std::max(problem.depth, offset + 1);
  problem.fixedCycles = costs.fixedCycles;
  problem.cyclesPerStep = costs.cyclesPerStep;
  problem.memoryBudget = costs.memoryBudget;
  for (ComputeOp stage : stages) {
    int64_t bytes = 0;
    for (auto [value, view] : llvm::zip(stage.getArguments(), stage.getViews().getAsRange<ArgumentAttr>()))
      if (auto buffer = value.getDefiningOp<BufferOp>(); view.getSteps() && !isAtHome(stage, buffer, view))
        bytes += stagingBytes(stage, buffer, view);
    problem.bytesPerStep = std::max(problem.bytesPerStep, bytes);
  }
  // Inside feedback every step waits for the one before.
  if (llvm::any_of(schedule.sets, [](const ScheduleSet &set) { return set.feedback; }))
    problem.maxChunk = 1;
  int64_t best = 1;
  double least = 0;
  for (const ChunkChoice::Candidate &candidate : chooseChunk(problem).candidates)
    if (candidate.fits && problem.steps % candidate.chunk == 0 && (least == 0 || candidate.cycles < least)) {
      best = candidate.chunk;
      least = candidate.cycles;
    }
  return best;
}

/// Sets the length of a chunk, also in the codelets that see the chunks of many tiles in one copy.
void PhaseScheduler::setLength(int64_t chunk) {
  phase.setChunk(chunk);
  auto module = phase->getParentOfType<ModuleOp>();
  for (ComputeOp stage : stages) {
    auto codelet = module.lookupSymbol<func::FuncOp>(stage.getCodelet());
    if (!stage.getGroupSum() || !codelet)
      continue;
    for (auto [i, view] : llvm::enumerate(stage.getViews().getAsRange<ArgumentAttr>())) {
      if (view.getView() != View::partials)
        continue;
      BlockArgument argument = codelet.getArgument(unsigned(i));
      auto type = cast<MemRefType>(argument.getType());
      SmallVector<int64_t> shape(type.getShape());
      shape[1] = chunk;
      argument.setType(MemRefType::get(shape, type.getElementType()));
      SmallVector<Type> inputs(codelet.getArgumentTypes());
      inputs[i] = argument.getType();
      codelet.setType(FunctionType::get(module.getContext(), inputs, codelet.getResultTypes()));
    }
  }
}

LogicalResult PhaseScheduler::run(int64_t chunk, const ChunkCosts &costs,
                                  llvm::DenseMap<Value, int64_t> &window) {
  FailureOr<Schedule> solved = solve(1);
  if (failed(solved))
    return failure();
  bool feedback = llvm::any_of(solved->sets, [](const ScheduleSet &set) { return set.feedback; });
  if (chunk == 0)
    chunk = chooseLength(*solved, costs);
  else if (feedback || int64_t(phase.getSteps()) % chunk != 0)
    chunk = 1;
  if (chunk > 1)
    solved = solve(chunk);
  if (failed(solved))
    return failure();
  setLength(chunk);
  phase.setInterval(solved->interval);
  for (auto [stage, offset] : llvm::zip(stages, solved->offsets))
    stage.setOffset(offset);
  OpBuilder builder(phase);
  // The host's order: sets of stages, those that feed back into each other marked.
  SmallVector<Attribute> sets;
  for (const ScheduleSet &set : solved->sets)
    sets.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("feedback", builder.getBoolAttr(set.feedback)),
         builder.getNamedAttr("stages", builder.getDenseI64ArrayAttr(set.stages))}));
  phase->setAttr("tile.host_order", builder.getArrayAttr(sets));
  // What a stage makes for itself lives for a chunk, if it does not look back.
  for (auto &[buffer, all] : collectUses(stages))
    if (llvm::all_of(all, [&, &all = all](const Use &use) {
          return use.view.getSteps() && use.stage == all.front().stage &&
                 distanceOf(phase.getReverse(), all.front(), use) == 0;
        }))
      window[buffer] = chunk;
  for (const Dependence &d : dependences) {
    int64_t &live = window[d.buffer];
    int64_t chunks = solved->liveChunks({d.from, d.to, d.steps / chunk, !d.copied, false});
    if (d.steps % chunk) // the rows of a chunk were made in two
      ++chunks;
    live = std::max(live, chunk * chunks);
  }
  return mlir::success();
}

/// Does the step see other rows of the buffer in every trip of a loop?
static bool advances(Operation *user, BufferOp buffer) {
  auto stage = dyn_cast<ComputeOp>(user);
  if (!stage)
    return false;
  for (auto [value, view] : llvm::zip(stage.getArguments(), stage.getViews().getAsRange<ArgumentAttr>()))
    if (value == buffer.getResult() && view.getAdvance())
      return true;
  return false;
}

namespace {
struct SchedulePass : spikeloom::tile::impl::TileSchedulePassBase<SchedulePass> {
  using Base::Base;

  void runOnOperation() override {
    for (auto program : getOperation().getOps<ProgramOp>()) {
      llvm::DenseMap<Value, int64_t> window;
      ChunkCosts costs;
      if (auto load = program->getAttrOfType<IntegerAttr>("tile.load")) {
        Result<Machine> machine = loadMachine(program.getMachine().str(), int64_t(program.getChips()));
        if (!machine) {
          program.emitError() << machine.error();
          return signalPassFailure();
        }
        costs.fixedCycles = double(machine->superstepFixedCycles());
        costs.cyclesPerStep = double(load.getInt());
        costs.memoryBudget = machine->usableTileBytes() / 4;
      }
      for (PhaseOp phase : phasesOf(program)) {
        PhaseScheduler scheduler(phase);
        if (failed(scheduler.collect()) ||
            failed(scheduler.run(costs.fixedCycles > 0 || chunk > 0 ? chunk : 1, costs, window)))
          return signalPassFailure();
      }
      // Only what one phase makes and uses, and nobody outside names, may be overwritten while the phase
      // runs.
      for (auto buffer : program.getBody().getOps<BufferOp>()) {
        Operation *phase = nullptr;
        bool only = buffer.getSteps() && buffer.getHome() != Home::host && !buffer.getClear();
        for (Operation *user : buffer->getUsers()) {
          Operation *parent = user->getParentOp();
          only &= isa<ComputeOp>(user) && (!phase || phase == parent) && !advances(user, buffer);
          phase = parent;
        }
        int64_t steps = cast<MemRefType>(buffer.getType()).getDimSize(0);
        if (only && window.count(buffer.getResult()))
          buffer.setWindow(std::min(steps, window[buffer.getResult()]));
      }
    }
  }
};
} // namespace
