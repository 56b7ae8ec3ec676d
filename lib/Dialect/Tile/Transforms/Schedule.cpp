// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Supersteps of compute steps, from what they read and write.
#include "spikeloom/Problem/Schedule.h"
#include "mlir/IR/Builders.h"
#include "spikeloom/Dialect/Tile/IR/TileOps.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
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
static int64_t distanceOf(const PhaseOp &phase, const Use &writer, const Use &reader) {
  if (!writer.view.getSteps() || !reader.view.getSteps())
    return 0;
  int64_t rows = writer.view.getShift() - reader.view.getShift();
  return PhaseOp(phase).getReverse() ? -rows : rows;
}

static LogicalResult schedule(PhaseOp phase, llvm::DenseMap<Value, int64_t> &window) {
  SmallVector<ComputeOp> stages(phase.getBody().getOps<ComputeOp>());
  ScheduleProblem problem;
  for (ComputeOp stage : stages)
    problem.stages.push_back(stage.getCodelet().str());
  Uses uses = collectUses(stages);
  SmallVector<std::pair<Value, ScheduleEdge>> edges;
  for (auto &[buffer, all] : uses)
    for (const Use &writer : all)
      for (const Use &reader : all) {
        if (writer.view.getAccess() == Access::read || reader.view.getAccess() == Access::write ||
            writer.stage == reader.stage)
          continue;
        int64_t distance = distanceOf(phase, writer, reader);
        if (distance < 0)
          return stages[reader.stage].emitError("reads a row of '")
                 << buffer.getDefiningOp<BufferOp>().getBuffer() << "' " << -distance
                 << " steps before it is written";
        bool local = stages[writer.stage].getFamily() == stages[reader.stage].getFamily();
        edges.push_back({buffer, {writer.stage, reader.stage, distance, local, false}});
        problem.edges.push_back(edges.back().second);
      }
  Result<Schedule> solved = solveSchedule(problem);
  if (!solved)
    return phase.emitError() << "cannot be scheduled: " << solved.error();
  if (auto wrong = verifySchedule(problem, *solved))
    return phase.emitError() << "internal error: the schedule is invalid: " << *wrong;
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
  for (auto &[buffer, edge] : edges) {
    int64_t &live = window[buffer];
    live = std::max(live, solved->liveChunks(edge));
  }
  return mlir::success();
}

namespace {
struct SchedulePass : spikeloom::tile::impl::TileSchedulePassBase<SchedulePass> {
  void runOnOperation() override {
    for (auto program : getOperation().getOps<ProgramOp>()) {
      llvm::DenseMap<Value, int64_t> window;
      for (auto phase : program.getBody().getOps<PhaseOp>())
        if (failed(schedule(phase, window)))
          return signalPassFailure();
      // Only what one phase makes and uses, and nobody outside names, may be overwritten while the phase
      // runs.
      for (auto buffer : program.getBody().getOps<BufferOp>()) {
        Operation *phase = nullptr;
        bool only = buffer.getSteps() && buffer.getHome() != Home::host && !buffer.getClear();
        for (Operation *user : buffer->getUsers()) {
          Operation *parent = user->getParentOp();
          only &= isa<ComputeOp>(user) && (!phase || phase == parent);
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
