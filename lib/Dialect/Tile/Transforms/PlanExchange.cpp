// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the exchange before every compute step costs, from where its arguments live and which tiles read them.
#include "mlir/IR/Builders.h"
#include "spikeloom/Dialect/Tile/IR/TileOps.h"
#include "spikeloom/Dialect/Tile/Transforms/ProgramQueries.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
#include "spikeloom/Problem/Exchange.h"
#include <cmath>

namespace spikeloom::tile {
#define GEN_PASS_DEF_TILEPLANEXCHANGEPASS
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h.inc"
} // namespace spikeloom::tile

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static Distribution tilesOf(FamilyOp family, Distribution::Kind kind) {
  Distribution d;
  d.kind = kind;
  d.firstTile = int64_t(family.getFirst());
  d.tiles = int64_t(family.getTiles());
  d.perTile = int64_t(family.getPerTile());
  d.group = int64_t(family.getGroup());
  return d;
}

/// Slices that deal rows x columns out in blocks; others (such as one row for several tasks) have no
/// distribution.
static std::optional<Distribution> blocksOf(FamilyOp family, SliceAttr slice, int64_t rows, int64_t columns) {
  int64_t divisor = slice.getDivisor(), blockRows = slice.getExtents().front();
  int64_t blockColumns = 1;
  for (int64_t extent : slice.getExtents().drop_front())
    blockColumns *= extent;
  Distribution d = tilesOf(family, Distribution::Kind::blocks);
  if (d.tiles % divisor != 0 || ceilDiv(rows, d.tiles / divisor) != blockRows ||
      ceilDiv(columns, divisor) != blockColumns)
    return std::nullopt;
  d.columnBlocks = divisor;
  return d;
}

/// The transfer that fills one staging copy, or nothing if it is not one array moving between two
/// distributions.
static std::optional<Transfer> transferOf(ComputeOp stage, BufferOp buffer, ArgumentAttr view) {
  if (view.getView() == View::partials || isPartials(buffer))
    return std::nullopt;
  auto reader = stage.getFamily().getDefiningOp<FamilyOp>();
  auto owner = buffer.getFamily().getDefiningOp<FamilyOp>();
  ArrayRef<int64_t> shape = stepShape(buffer);
  if (shape.empty())
    return std::nullopt;
  Transfer transfer;
  transfer.name = buffer.getBuffer().str();
  transfer.elementBytes = elementBytes(buffer);
  if (view.getSteps())
    transfer.steps = int64_t(stage->getParentOfType<PhaseOp>().getChunk());
  else if (buffer.getSteps() && !view.getAdvance())
    transfer.steps = cast<MemRefType>(buffer.getType()).getDimSize(0);
  bool units = buffer.getHome() == Home::own || view.getView() == View::own;
  transfer.columns = units ? shape.back() : product(shape.drop_front());
  transfer.rows = product(shape) / transfer.columns;
  auto distribution = [&](FamilyOp family, SliceAttr slice) -> std::optional<Distribution> {
    return blocksOf(family, slice, transfer.rows, transfer.columns);
  };
  std::optional<Distribution> from = buffer.getHome() == Home::own ? tilesOf(owner, Distribution::Kind::units)
                                                                   : distribution(owner, *buffer.getSlice());
  std::optional<Distribution> to;
  if (view.getView() == View::broadcast)
    to = tilesOf(reader, Distribution::Kind::whole);
  else if (view.getView() == View::own)
    to = tilesOf(reader, Distribution::Kind::units);
  else
    to = distribution(reader, view.getSlice() ? view.getSlice() : *buffer.getSlice());
  if (!from || !to)
    return std::nullopt;
  transfer.from = *from;
  transfer.to = *to;
  return transfer;
}

namespace {
struct PlanExchangePass : spikeloom::tile::impl::TilePlanExchangePassBase<PlanExchangePass> {
  LogicalResult plan(ComputeOp stage, const Machine &machine) {
    std::vector<Transfer> transfers;
    std::vector<TransferPlan> plans;
    int64_t bytes = 0;
    double others = 0;
    for (auto [i, value] : llvm::enumerate(stage.getArguments())) {
      auto buffer = value.getDefiningOp<BufferOp>();
      auto view = cast<ArgumentAttr>(stage.getViews()[i]);
      // What the host streams is counted as host time.
      if (isAtHome(stage, buffer, view) || buffer.getHome() == Home::host ||
          view.getAccess() == Access::write)
        continue;
      int64_t copied = stagingBytes(stage, buffer, view) *
                       (view.getSteps() ? int64_t(stage->getParentOfType<PhaseOp>().getChunk()) : 1);
      bytes += copied;
      std::optional<Transfer> transfer = transferOf(stage, buffer, view);
      if (!transfer) {
        // Pieces from many senders: one for every tile and row that the copy is made of.
        int64_t pieces = copied / elementBytes(buffer) / lastExtent(buffer, view);
        others +=
            double(copied) / machine.exchangeRate(false) + double(pieces * machine.exchange.pieceCycles);
        continue;
      }
      Result<TransferPlan> solved = planTransfer(machine, *transfer);
      if (!solved)
        return stage.emitError() << "cannot plan the exchange of '" << transfer->name
                                 << "': " << solved.error();
      if (verify)
        if (auto wrong = verifyTransfer(machine, *transfer, *solved))
          return stage.emitError() << "internal error: the exchange of '" << transfer->name
                                   << "' is invalid: " << *wrong;
      transfers.push_back(*transfer);
      plans.push_back(*solved);
    }
    ExchangeCost cost = mergeExchange(machine, transfers, plans);
    int64_t cycles = cost.cycles + int64_t(std::ceil(others));
    if (bytes && transfers.empty())
      cycles += machine.exchange.fixedCycles;
    stage.setExchangeBytes(bytes);
    stage.setExchangeCycles(cycles);
    return mlir::success();
  }

  static int64_t lastExtent(BufferOp buffer, ArgumentAttr view) {
    if (SliceAttr slice = view.getSlice())
      return slice.getExtents().back();
    ArrayRef<int64_t> shape = stepShape(buffer);
    return shape.empty() ? 1 : shape.back();
  }

  void runOnOperation() override {
    for (auto program : getOperation().getOps<ProgramOp>()) {
      Result<Machine> machine = loadMachine(program.getMachine().str(), int64_t(program.getChips()));
      if (!machine) {
        program.emitError() << machine.error();
        return signalPassFailure();
      }
      for (PhaseOp phase : phasesOf(program))
        for (auto stage : phase.getBody().getOps<ComputeOp>())
          if (failed(plan(stage, *machine)))
            return signalPassFailure();
    }
  }

  using Base::Base;
};
} // namespace
