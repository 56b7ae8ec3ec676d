// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Addresses of buffers and staging copies, and the cost of the exchanges that fill the copies.
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"
#include "spikeloom/Dialect/Tile/IR/TileOps.h"
#include "spikeloom/Dialect/Tile/Transforms/ProgramQueries.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
#include "spikeloom/Problem/Memory.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace spikeloom::tile {
#define GEN_PASS_DEF_TILEPLANMEMORYPASS
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h.inc"
} // namespace spikeloom::tile

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

/// What a buffer is, for people whose network does not fit.
static StringRef kindOf(BufferOp buffer) {
  StringRef name = buffer.getBuffer();
  for (Operation *user : buffer->getUsers())
    if (auto port = dyn_cast<PortOp>(user))
      return port.getRole() == "parameter"   ? "weights"
             : port.getRole() == "optimizer" ? "optimizer state"
             : port.getRole() == "gradient"  ? "weight gradients"
                                             : port.getRole();
  if (isPartials(buffer))
    return "partial sums";
  if (name.contains(".piece") || name.contains(".compared"))
    return "list building";
  return buffer.getSteps() && !buffer.getWindow() ? "event tapes and history" : "state";
}

/// What the workers of a tile keep for themselves while a codelet runs.
static int64_t privateBytes(ModuleOp module, ComputeOp stage) {
  int64_t bytes = 0, workers = 1;
  if (auto codelet = module.lookupSymbol<func::FuncOp>(stage.getCodelet()))
    codelet.walk([&](Operation *op) {
      if (auto alloca = dyn_cast<memref::AllocaOp>(op); alloca && alloca.getType().hasStaticShape())
        bytes += alloca.getType().getNumElements() * alloca.getType().getElementTypeBitWidth() / 8;
      else if (auto started = dyn_cast<WorkersOp>(op))
        workers = std::max(workers, int64_t(started.getCount()));
    });
  return bytes * workers;
}

namespace {
struct Staged {
  ComputeOp stage;
  unsigned argument;
  int64_t request;
};

struct PlanMemoryPass : spikeloom::tile::impl::TilePlanMemoryPassBase<PlanMemoryPass> {
  LogicalResult plan(ProgramOp program, const Machine &machine) {
    MemoryProblem problem = memoryProblemFor(machine);
    SmallVector<PhaseOp> phases = phasesOf(program);
    llvm::DenseMap<Operation *, int64_t> phaseNumber;
    for (auto [i, phase] : llvm::enumerate(phases))
      phaseNumber[phase] = int64_t(i);
    int64_t lastPhase = std::max<int64_t>(0, int64_t(phases.size()) - 1);
    SmallVector<std::pair<int64_t, int64_t>> loops; // first and last phase, inner loops before outer ones
    program.walk([&](LoopOp loop) {
      std::pair<int64_t, int64_t> range{lastPhase, 0};
      loop.walk([&](PhaseOp phase) {
        range.first = std::min(range.first, phaseNumber[phase]);
        range.second = std::max(range.second, phaseNumber[phase]);
      });
      loops.push_back(range);
    });

    auto request = [&](FamilyOp family, StringRef name, StringRef kind, int64_t bytes, int64_t first,
                       int64_t last) {
      MemoryRequest r;
      r.name = name.str();
      r.family = family.getFamily().str();
      r.kind = kind.str();
      r.bytes = std::max<int64_t>(8, (bytes + 7) / 8 * 8);
      r.firstTime = first;
      r.lastTime = last;
      r.firstTile = int64_t(family.getFirst());
      r.tiles = int64_t(family.getTiles());
      problem.requests.push_back(r);
      return int64_t(problem.requests.size()) - 1;
    };
    llvm::MapVector<Operation *, int64_t> homes;
    for (auto buffer : program.getBody().getOps<BufferOp>()) {
      if (buffer.getHome() == Home::host)
        continue;
      auto family = buffer.getFamily().getDefiningOp<FamilyOp>();
      // What people name, what survives a run, and what is filled before it, is there all the time.
      bool always = buffer.getPersistent() || buffer.getClear();
      int64_t first = lastPhase, last = 0;
      for (Operation *user : buffer->getUsers()) {
        if (auto stage = dyn_cast<ComputeOp>(user)) {
          int64_t phase = phaseNumber[stage->getParentOp()];
          first = std::min(first, phase);
          last = std::max(last, phase);
        } else {
          always = true;
        }
      }
      if (always)
        first = 0, last = lastPhase;
      // What comes from before a loop is read again in the next trip, and what is read after it is there in
      // all.
      for (auto [begin, end] : loops) {
        if (first < begin && last >= begin)
          last = std::max(last, end);
        if (first >= begin && first <= end && last > end)
          first = begin;
      }
      int64_t rows = !buffer.getSteps() ? 1 : cast<MemRefType>(buffer.getType()).getDimSize(0);
      if (buffer.getSteps() && buffer.getWindow())
        rows = int64_t(buffer.getWindow());
      homes[buffer] = request(family, buffer.getBuffer(), kindOf(buffer), rows * homeBytes(buffer, family),
                              std::min(first, last), last);
    }
    SmallVector<Staged> staged;
    for (PhaseOp phase : phases)
      for (auto stage : phase.getBody().getOps<ComputeOp>()) {
        auto family = stage.getFamily().getDefiningOp<FamilyOp>();
        if (int64_t bytes = privateBytes(getOperation(), stage))
          request(family, (stage.getCodelet() + ".private").str(), "workers' arrays", bytes,
                  phaseNumber[phase], phaseNumber[phase]);
        for (auto [i, value] : llvm::enumerate(stage.getArguments())) {
          auto buffer = value.getDefiningOp<BufferOp>();
          auto view = cast<ArgumentAttr>(stage.getViews()[i]);
          if (isAtHome(stage, buffer, view))
            continue;
          int64_t bytes =
              stagingBytes(stage, buffer, view) * (view.getSteps() ? int64_t(phase.getChunk()) : 1);
          staged.push_back({stage, unsigned(i),
                            request(family, (stage.getCodelet() + "." + buffer.getBuffer()).str(),
                                    "staging copies", bytes, phaseNumber[phase], phaseNumber[phase])});
        }
      }
    Result<MemoryPlan> solved = solveMemory(problem);
    if (!solved)
      return program.emitError() << solved.error();
    if (auto wrong = verifyMemory(problem, *solved))
      return program.emitError() << "internal error: the memory plan is invalid: " << *wrong;
    if (solved->tooLarge)
      return program.emitError() << "the network does not fit the machine '" << machine.name
                                 << "': " << solved->tooLarge->message();
    for (auto &[op, number] : homes)
      cast<BufferOp>(op).setAddress(solved->offsets[number]);
    for (Staged &copy : staged) {
      SmallVector<Attribute> views(copy.stage.getViews().getAsRange<Attribute>());
      auto view = cast<ArgumentAttr>(views[copy.argument]);
      views[copy.argument] =
          ArgumentAttr::get(&getContext(), view.getView(), view.getAccess(), view.getSteps(), view.getShift(),
                            solved->offsets[copy.request], view.getSlice(), view.getAdvance());
      copy.stage.setViewsAttr(ArrayAttr::get(&getContext(), views));
    }
    Builder builder(&getContext());
    int64_t tilesUsed = 0;
    for (const TileTotal &total : solved->tiles)
      tilesUsed += total.tiles;
    program->setAttr(
        "tile.memory",
        builder.getDictionaryAttr({builder.getNamedAttr("max", builder.getI64IntegerAttr(solved->peak)),
                                   builder.getNamedAttr("mean", builder.getF64FloatAttr(solved->meanEnd())),
                                   builder.getNamedAttr("tiles", builder.getI64IntegerAttr(tilesUsed))}));
    remark::analysis(program.getLoc(), remark::RemarkOpts::name("memory").category("placement"))
        << llvm::formatv(
               "largest tile holds {0} of {1} bytes (no plan needs less than {2}), {3} tiles are used",
               solved->peak, machine.tileMemoryBytes, solved->lowerBound, tilesUsed)
               .str();
    return mlir::success();
  }

  void runOnOperation() override {
    for (auto program : getOperation().getOps<ProgramOp>()) {
      Result<Machine> machine = loadMachine(program.getMachine().str(), int64_t(program.getChips()));
      if (!machine) {
        program.emitError() << machine.error();
        return signalPassFailure();
      }
      if (failed(plan(program, *machine)))
        return signalPassFailure();
    }
  }
};
} // namespace
