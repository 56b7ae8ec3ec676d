// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Deals the classes of units out over the tiles of a machine.
#include "spikeloom/Conversion/SNNToTile/Placement.h"
#include "CodeletBuilder.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"
#include "spikeloom/Conversion/Passes.h"
#include "spikeloom/Conversion/SNNToTile/UnitClasses.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Problem/Partition.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

namespace spikeloom {
#define GEN_PASS_DEF_SNNPARTITIONPASS
#include "spikeloom/Conversion/Passes.h.inc"
} // namespace spikeloom

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;

static constexpr llvm::StringLiteral kPlacementAttr = "snn.placement";

void spikeloom::setPlacement(func::FuncOp function, const Placement &placement) {
  Builder builder(function.getContext());
  SmallVector<Attribute> units;
  for (const UnitPlacement &p : placement.units)
    units.push_back(builder.getDenseI64ArrayAttr({p.perTile, p.group, p.first, p.tiles}));
  auto number = [&](StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  };
  function->setAttr(
      kPlacementAttr,
      builder.getDictionaryAttr({builder.getNamedAttr("machine", builder.getStringAttr(placement.machine)),
                                 number("chips", placement.chips), number("first_tile", placement.firstTile),
                                 number("end_tile", placement.endTile),
                                 number("first_free", placement.firstFree), number("load", placement.load),
                                 builder.getNamedAttr("units", builder.getArrayAttr(units))}));
}

FailureOr<Placement> spikeloom::getPlacement(func::FuncOp function) {
  auto dictionary = function->getAttrOfType<DictionaryAttr>(kPlacementAttr);
  if (!dictionary)
    return function.emitError("has no attribute '") << kPlacementAttr << "'; run snn-partition first";
  Placement placement;
  auto number = [&](StringRef name, int64_t &value) {
    auto attribute = dictionary.getAs<IntegerAttr>(name);
    if (attribute)
      value = attribute.getInt();
    return bool(attribute);
  };
  auto machine = dictionary.getAs<StringAttr>("machine");
  auto units = dictionary.getAs<ArrayAttr>("units");
  if (!machine || !units || !number("chips", placement.chips) || !number("first_tile", placement.firstTile) ||
      !number("end_tile", placement.endTile) || !number("first_free", placement.firstFree) ||
      !number("load", placement.load))
    return function.emitError("attribute '") << kPlacementAttr
                                             << "' lacks machine, chips, first_tile, end_tile, "
                                                "first_free or units";
  placement.machine = machine.str();
  for (Attribute attribute : units) {
    auto values = dyn_cast<DenseI64ArrayAttr>(attribute);
    if (!values || values.size() != 4 || values[0] < 1 || values[1] < 1)
      return function.emitError("attribute '")
             << kPlacementAttr << "': each of 'units' is [per_tile, group, first, tiles]";
    placement.units.push_back({values[0], values[1], values[2], values[3]});
  }
  return placement;
}

namespace {
/// By class: what its tiles read and send through exchanges in a step of the forward and the backward phase,
/// and what each of its units reads that helper tiles made.
struct StagingBytes {
  std::vector<int64_t> forward, backward, perUnit;
};
} // namespace

/// The lists or rows of one step of a value.
static int64_t rowBytes(Value value, bool withPayload) {
  auto type = cast<RankedTensorType>(value.getType());
  EventsAttr events = getEvents(type);
  if (!events)
    return type.getNumElements() * 4;
  int64_t id = type.getShape().back() <= 65536 ? 2 : 4;
  return type.getDimSize(0) * events.getCapacity() * (id + (withPayload ? 4 : 0));
}

static StagingBytes stagingBytes(func::FuncOp function, const UnitClasses &classes) {
  size_t count = classes.getClasses().size();
  StagingBytes bytes{std::vector<int64_t>(count), std::vector<int64_t>(count), std::vector<int64_t>(count)};
  auto read = [](Value input) {
    EventsAttr events = getEvents(input.getType());
    return rowBytes(input, events && !events.getBinary());
  };
  auto add = [&](std::vector<int64_t> &to, Value of, int64_t amount) {
    if (int unitClass = classes.getClass(of); unitClass >= 0)
      to[unitClass] += amount;
  };
  // Rows that workers spread out for synapses with connections, see ConnectionStages.cpp.
  auto rows = [](Value weight) {
    auto type = cast<RankedTensorType>(weight.getType());
    return getConnections(type) ? kWorkers * type.getDimSize(1) * 4 : 0;
  };
  function.walk([&](Operation *op) {
    if (auto linear = dyn_cast<LinearOp>(op))
      add(bytes.forward, linear.getResult(), rows(linear.getWeight()));
    else if (auto grad = dyn_cast<LinearInputGradOp>(op))
      add(bytes.backward, grad.getGradient(), rows(grad.getWeight()));
    if (isRowOp(op)) {
      auto type = cast<RankedTensorType>(op->getResult(0).getType());
      add(bytes.perUnit, op->getResult(0), type.getNumElements() / type.getShape().back() * 4);
    } else if (auto linear = dyn_cast<LinearOp>(op)) {
      if (!isRecomputed(linear)) // uses the same memory at another time
        add(bytes.forward, linear.getResult(), read(linear.getInput()));
    } else if (auto grad = dyn_cast<LinearWeightGradOp>(op)) {
      add(bytes.backward, grad.getGradient(), read(grad.getInput()));
    } else if (auto grad = dyn_cast<LinearInputGradOp>(op)) { // partial sums
      auto type = cast<RankedTensorType>(grad.getResult().getType());
      EventsAttr events = getEvents(type);
      add(bytes.backward, grad.getGradient(),
          type.getDimSize(0) * (events ? events.getCapacity() : type.getDimSize(1)) * 4);
    } else if (auto grad = dyn_cast<ConvKernelGradOp>(op)) { // partial sums
      add(bytes.backward, grad.getGradient(), grad.getResult().getType().getNumElements() * 4);
    } else if (auto adjoint = dyn_cast<NeuronAdjointOp>(op)) {
      if (getEvents(adjoint.getCompared().getType())) // the list with its membranes, and their cotangents
        add(bytes.backward, adjoint.getInputCotangent(),
            2 * rowBytes(adjoint.getCompared(), true) - rowBytes(adjoint.getCompared(), false));
    }
  });
  return bytes;
}

/// Estimates per class: the memory planner and the cycle counter have the last word.
static PartitionProblem problemFor(const Machine &machine, func::FuncOp function,
                                   const UnitClasses &classes) {
  PartitionProblem problem = partitionProblemFor(machine);
  int64_t batch = 1;
  function.walk(
      [&](LinearOp linear) { batch = cast<RankedTensorType>(linear.getInput().getType()).getDimSize(0); });
  const InstructionCosts &costs = machine.instructions;
  StagingBytes staged = stagingBytes(function, classes);
  for (auto [i, c] : llvm::enumerate(classes.getClasses())) {
    UnitFamilyRequest request;
    request.name = c.name;
    request.units = c.units;
    const UnitBytes &bytes = c.bytes;
    request.memory = {
        {"weights", bytes.weights},
        {"weight gradients", bytes.gradients},
        {"optimizer state", bytes.optimizer},
        {"states and histories", bytes.states, 0, true, false},
        {"staging copies", staged.perUnit[i], std::max(staged.forward[i], staged.backward[i]), true, true}};
    // One entry of a list: an id, and per pair of units a 64-bit load beside the addition; per unit the
    // neuron.
    double perEntry = double(costs.deltaLoad), perUnit = double(costs.loadPair) / 2;
    request.cyclesFixed = double(batch) * c.listed * perEntry;
    // A connection: an id, the element of the row that it names, a weight, and the sum.
    request.cyclesPerUnit = double(batch) * (c.listed * perUnit + 12 + 4 * c.gathered);
    request.unitsPerVector = 2;
    problem.unitFamilies.push_back(request);
  }
  return problem;
}

namespace {
struct PartitionPass : spikeloom::impl::SNNPartitionPassBase<PartitionPass> {
  using Base::Base;

  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function) {
      getOperation().emitError("has no function @main to place");
      return signalPassFailure();
    }
    Result<Machine> loaded = loadMachine(machine, chips);
    if (!loaded) {
      function.emitError() << loaded.error();
      return signalPassFailure();
    }
    prepareForPlacement(function);
    if (loaded->workers != kWorkers) {
      function.emitError() << "machine '" << loaded->name << "' has " << loaded->workers
                           << " workers a tile; codelets are dealt out to " << kWorkers
                           << ": set \"workers\" to that";
      return signalPassFailure();
    }
    UnitClasses classes(function);
    if (!(memoryShare > 0 && memoryShare <= 1)) {
      function.emitError("option 'memory-share' must lie in (0, 1], found ") << memoryShare.getValue();
      return signalPassFailure();
    }
    PartitionProblem problem = problemFor(*loaded, function, classes);
    problem.tileBytes = std::max<int64_t>(1, int64_t(double(problem.tileBytes) * memoryShare));
    Result<Partition> solved = solvePartition(problem);
    if (!solved) {
      function.emitError() << solved.error();
      return signalPassFailure();
    }
    if (auto wrong = verifyPartition(problem, *solved)) {
      function.emitError() << "internal error: the partition is invalid: " << *wrong;
      return signalPassFailure();
    }
    if (solved->tooLarge) {
      function.emitError() << "the network does not fit the machine '" << loaded->name
                           << "': " << solved->tooLarge->message();
      return signalPassFailure();
    }
    Placement placement;
    placement.machine = machine;
    placement.chips = chips;
    placement.load = int64_t(solved->maxLoad);
    placement.firstTile = loaded->reservesFirstTile() ? 1 : 0;
    placement.endTile = loaded->totalTiles();
    placement.firstFree = placement.firstTile;
    for (const runtime::Family &family : solved->unitFamilies) {
      placement.units.push_back({family.perTile, family.group, family.firstTile, family.tiles});
      placement.firstFree = std::max(placement.firstFree, family.firstTile + family.tiles);
    }
    setPlacement(function, placement);
    function.walk([&](Operation *op) {
      auto place = [&](auto grad) {
        const UnitPlacement &p = placement.units[classes.getClass(grad.getGradient())];
        grad.setPlacement(ArrayRef<int64_t>{p.group, p.perTile});
      };
      llvm::TypeSwitch<Operation *>(op).Case<LinearInputGradOp, ConvKernelGradOp>(place);
    });
    remark::analysis(function.getLoc(), remark::RemarkOpts::name("partition").category("placement"))
        << llvm::formatv("placed {0} layers on {1} tiles; the busiest tile is {2} % above the lower bound",
                         classes.getClasses().size(), solved->tilesUsed,
                         std::llround(solved->distance() * 100))
               .str();
  }
};
} // namespace
