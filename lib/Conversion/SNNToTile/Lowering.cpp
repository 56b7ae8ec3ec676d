// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arguments, results, families and buffers of a program.
#include "Lowering.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

Lowering::Lowering(func::FuncOp function, const Placement &placement, ProgramOp program, int64_t microBatches)
    : function(function), module(function->getParentOfType<ModuleOp>()), placement(placement),
      program(program), classes(function), batches(function, microBatches), phases(function.getContext()),
      stages(function.getContext()) {
  OpBuilder builder = OpBuilder::atBlockEnd(&program.getBody().front());
  phases = builder;
  familyOf.resize(classes.getClasses().size());
  nextIndexTile = placement.firstHelper();
  for (auto [i, unitClass] : llvm::enumerate(classes.getClasses())) {
    const UnitPlacement &p = placement.units[i];
    familyOf[i] =
        FamilyOp::create(builder, function.getLoc(), FamilyType::get(function.getContext()),
                         uniqueName(unitClass.name), p.tiles, p.first, unitClass.units, p.perTile, p.group);
  }
}

std::string Lowering::uniqueName(StringRef base) {
  int &used = names[base];
  return used++ == 0 ? base.str() : (base + "." + Twine(used)).str();
}

FamilyOp Lowering::family(int unitClass) { return familyOf[unitClass]; }

FamilyOp Lowering::indexFamily(StringRef name, int64_t tasks) {
  // Helpers take turns over the tiles they may use; a family never wraps around.
  if (nextIndexTile + tasks > placement.endTile)
    nextIndexTile =
        std::max(placement.firstTile, std::min(placement.firstHelper(), placement.endTile - tasks));
  int64_t first = nextIndexTile;
  nextIndexTile += tasks;
  OpBuilder builder = OpBuilder::atBlockBegin(&program.getBody().front());
  return FamilyOp::create(builder, program.getLoc(), FamilyType::get(program.getContext()), uniqueName(name),
                          tasks, first, 0, 1, 1);
}

BufferOp Lowering::buffer(Location loc, StringRef name, ArrayRef<int64_t> shape, Type element) {
  OpBuilder builder(program.getContext());
  // Behind the last family or buffer: everything a phase uses comes before it.
  Operation *last = nullptr;
  for (Operation &op : program.getBody().front())
    if (isa<FamilyOp, BufferOp>(op))
      last = &op;
  last ? builder.setInsertionPointAfter(last) : builder.setInsertionPointToStart(&program.getBody().front());
  auto op = BufferOp::create(builder, loc, MemRefType::get(shape, element), Value(), uniqueName(name),
                             Home::host, Layout::rows, SliceAttr(), false, false, false, APFloat(0.0f), 0, 0,
                             0, -1, ElementsAttr());
  if (!shape.empty())
    op.setPitch(shape.back());
  return op;
}

BufferOp Lowering::ownBuffer(Location loc, StringRef name, int unitClass, ArrayRef<int64_t> shape,
                             Layout layout, bool steps) {
  BufferOp op = buffer(loc, name, shape, Float32Type::get(program.getContext()));
  FamilyOp owner = family(unitClass);
  op.getFamilyMutable().assign(owner.getResult());
  op.setHome(Home::own);
  op.setLayout(layout);
  op.setSteps(steps);
  if (layout == Layout::rows) {
    // Whole groups, so that the host's SIMD blocks may read and write past the last unit.
    op.setPitch(wholeGroups(owner, int64_t(owner.getUnits())));
  }
  return op;
}

BufferOp Lowering::sliceBuffer(Location loc, StringRef name, FamilyOp owner, ArrayRef<int64_t> shape,
                               Type element, SliceAttr slice, bool steps) {
  BufferOp op = buffer(loc, name, shape, element);
  op.getFamilyMutable().assign(owner.getResult());
  op.setHome(Home::slice);
  op.setSliceAttr(slice);
  op.setSteps(steps);
  return op;
}

Value Lowering::connectionsOf(Value weight) {
  ConnectionsAttr sparse = getConnections(weight.getType());
  if (!sparse)
    return {};
  int unitClass = classes.getClass(weight);
  BufferOp &known = connections[{unitClass, sparse}];
  if (known)
    return known.getResult();
  SmallVector<int64_t> shape = storedShape(weight);
  std::reverse(shape.begin(), shape.end());
  std::vector<int16_t> inputs;
  std::vector<std::vector<int32_t>> lists = sparse.getLists();
  for (int64_t j = 0; j < shape[0]; ++j)
    for (const std::vector<int32_t> &list : lists)
      inputs.push_back(j < int64_t(list.size()) ? int16_t(list[j]) : kNoConnection);
  int64_t places = shape[0] * shape[1], padding = llvm::count(inputs, kNoConnection);
  remark::analysis(weight.getLoc(), remark::RemarkOpts::name("connections").category("placement"))
      << llvm::formatv(
             "a weight of {0} keeps {1} connections, at most {2} for a unit; {3} % of the places are padding",
             layerOf(unitClass), places - padding, shape[0], padding * 100 / places)
             .str();
  known = ownBuffer(weight.getLoc(), layerOf(unitClass) + ".connections", unitClass, shape, Layout::blocked);
  Type i16 = IntegerType::get(program.getContext(), 16);
  known.getResult().setType(MemRefType::get(shape, i16));
  known.setPersistent(true);
  known.setContentAttr(DenseIntElementsAttr::get(RankedTensorType::get(shape, i16), ArrayRef(inputs)));
  return known.getResult();
}

/// Does anybody read more of an argument than each tile its own units? Then units lie side by side in memory.
static bool isSeenWhole(Value value) {
  return llvm::any_of(value.getUses(), [](OpOperand &use) {
    auto scan = dyn_cast<ScanOp>(use.getOwner());
    if (!scan)
      return isExchanged(use);
    unsigned sequences = scan.getSequences().size(), index = use.getOperandNumber();
    if (index < sequences)
      return isSeenWhole(scan.getStepArgs()[index]);
    // A state that a step changes is copied first where others see it; one that stays is read in place.
    Value argument = scan.getStateArgs()[index - sequences];
    return isSeenWhole(scan.getFinals()[index - sequences]) ||
           (scan.getYield().getStates()[index - sequences] == argument && isSeenWhole(argument));
  });
}

void Lowering::lowerArguments() {
  Type f32 = Float32Type::get(function.getContext());
  for (BlockArgument argument : function.getArguments()) {
    unsigned i = argument.getArgNumber();
    auto type = cast<RankedTensorType>(argument.getType());
    auto kindAttr = function.getArgAttrOfType<ArgumentKindAttr>(i, kKindAttr);
    ArgumentKind kind = kindAttr ? kindAttr.getValue() : ArgumentKind::input;
    auto nameAttr = function.getArgAttrOfType<StringAttr>(i, kNameAttr);
    std::string name = nameAttr ? nameAttr.str() : "arg" + std::to_string(i);
    int unitClass = classes.getClass(argument);
    Location loc = argument.getLoc();
    Storage storage;
    SmallVector<int64_t> shape(type.getShape());
    bool transposed = false;
    switch (kind) {
    case ArgumentKind::parameter:
    case ArgumentKind::optimizer:
      if (unitClass < 0) {
        storage.buffer = buffer(loc, name, type.getRank() ? ArrayRef(shape) : ArrayRef<int64_t>{1}, f32);
      } else {
        transposed = type.getRank() == 2 && !getConnections(type);
        SmallVector<int64_t> stored = storedShape(argument);
        std::reverse(stored.begin(), stored.end());
        bool whole = isSeenWhole(argument);
        storage.buffer = ownBuffer(loc, name, unitClass, stored, whole ? Layout::rows : Layout::blocked);
      }
      storage.buffer.setPersistent(true);
      break;
    case ArgumentKind::state:
      if (unitClass < 0) { // read by nobody
        storage.buffer = buffer(loc, name, shape, f32);
      } else {
        storage.buffer =
            ownBuffer(loc, name, unitClass, shape, isSeenWhole(argument) ? Layout::rows : Layout::blocked);
        storage.buffer.setClear(true);
        if (auto initial = function.getArgAttrOfType<FloatAttr>(i, kInitialAttr))
          storage.buffer.setFillAttr(initial);
      }
      break;
    default:
      storage.buffer = buffer(loc, name, shape, type.getElementType());
      storage.steps = type.getRank() == 3;
      storage.buffer.setSteps(storage.steps);
      if (unitClass >= 0) { // read unit by unit: whole groups, as in ownBuffer
        storage.buffer.setPitch(wholeGroups(family(unitClass), shape.back()));
      }
    }
    storages[argument] = storage;
    auto port = PortOp::create(phases, loc, name, stringifyArgumentKind(kind), storage.buffer.getResult(),
                               shape, transposed, function.getArgAttr(i, kTrainableAttr) != nullptr,
                               APFloat(0.0f), "", function.getArgAttrOfType<ElementsAttr>(i, kValueAttr), "",
                               unitClass >= 0 ? connectionsOf(argument) : Value());
    if (auto initial = function.getArgAttrOfType<FloatAttr>(i, kInitialAttr))
      port.setInitialAttr(initial);
    if (auto of = function.getArgAttrOfType<StringAttr>(i, kOfAttr))
      port.setPairAttr(of);
    if (auto axes = function.getArgAttrOfType<StringAttr>(i, kAxesAttr))
      port.setAxesAttr(axes);
  }
}

LogicalResult Lowering::lowerResults(func::ReturnOp op) {
  llvm::StringSet<> matrices;
  for (auto port : program.getBody().getOps<PortOp>())
    if (port.getTransposed())
      matrices.insert(port.getPort());
  for (auto [i, value] : llvm::enumerate(op.getOperands())) {
    if (function.getResultAttr(i, kUpdateAttr))
      continue; // parameters and optimiser state are updated in place
    auto nameAttr = function.getResultAttrOfType<StringAttr>(i, kNameAttr);
    auto role = function.getResultAttrOfType<StringAttr>(i, kRoleAttr);
    auto state = function.getResultAttrOfType<StringAttr>(i, kStateAttr);
    auto of = function.getResultAttrOfType<StringAttr>(i, kOfAttr);
    auto found = storages.find(value);
    if (found == storages.end())
      return op.emitError("result ") << i << (nameAttr ? " ('" + nameAttr.str() + "')" : std::string())
                                     << " is computed in no phase of the program";
    SmallVector<int64_t> shape(cast<RankedTensorType>(value.getType()).getShape());
    std::string name = nameAttr     ? nameAttr.str()
                       : role && of ? (of.getValue() + ".grad").str()
                       : role       ? role.str()
                                    : "result" + std::to_string(i);
    // As the parameter that it belongs to; rows of inputs and states lie as they are.
    bool transposed =
        role && role.getValue() == "gradient" && shape.size() == 2 && of && matrices.contains(of.getValue());
    auto port = PortOp::create(phases, op.getLoc(), name, role ? role.getValue() : "output",
                               found->second.buffer.getResult(), shape, transposed, false, APFloat(0.0f),
                               of      ? of.getValue()
                               : state ? state.getValue()
                                       : "",
                               ElementsAttr(), "", connectionsOf(value));
    if (auto axes = function.getResultAttrOfType<StringAttr>(i, kAxesAttr))
      port.setAxesAttr(axes);
  }
  return mlir::success();
}

void Lowering::lowerConstants() {
  for (auto constant : function.getBody().front().getOps<arith::ConstantOp>()) {
    auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
    auto type = dyn_cast<RankedTensorType>(constant.getType());
    bool isRead =
        llvm::any_of(constant->getUsers(), [](Operation *user) { return isa<CompressOp, LinearOp>(user); });
    if (!splat || !type || !type.getElementType().isF32() || type.getRank() != 2 || !isRead)
      continue;
    Storage storage;
    storage.buffer = buffer(constant.getLoc(), "constant", type.getShape(), type.getElementType());
    storage.buffer.setClear(true);
    storage.buffer.setFill(splat.getSplatValue<APFloat>());
    storages[constant.getResult()] = storage;
  }
}

/// Operations of the function in their order: scans are phases, what lies between two scans is one.
LogicalResult Lowering::lowerAll(ArrayRef<Operation *> ops) {
  SmallVector<Operation *> flat;
  for (Operation *op : ops) {
    auto scan = dyn_cast<ScanOp>(op);
    bool view = isa<SplitTimeOp, MergeTimeOp>(op);
    if (!scan && !view) {
      flat.push_back(op);
      continue;
    }
    if (failed(lowerFlat(flat)))
      return failure();
    flat.clear();
    if (view)
      bindView(op->getResult(0), op->getOperand(0), [](Storage storage) { return storage; });
    else if (failed(scan.getBody().getOps<ScanOp>().empty() ? lowerScan(scan) : lowerSegments(scan)))
      return failure();
  }
  return lowerFlat(flat);
}

LogicalResult Lowering::run() {
  if (failed(batches.classify()))
    return failure();
  lowerArguments();
  lowerConstants();
  Block &body = function.getBody().front();
  // The optimiser changes parameters in place: everything that reads them comes first.
  SmallVector<Operation *> before, every, after, updates;
  for (Operation &op : body.without_terminator()) {
    MicroBatches::When when = batches.when(&op);
    if (isa<OptimizerOpInterface, ClipByNormOp>(op))
      updates.push_back(&op);
    else if (!isa<arith::ConstantOp>(op))
      (when == MicroBatches::When::before  ? before
       : when == MicroBatches::When::after ? after
                                           : every)
          .push_back(&op);
  }
  if (failed(lowerAll(before)))
    return failure();
  Block &made = program.getBody().front();
  Operation *last = made.empty() ? nullptr : &made.back();
  if (failed(lowerAll(every)))
    return failure();
  if (batches.getCount() > 1)
    makeLoop(last);
  if (failed(lowerAll(after)) || failed(lowerFlat(updates)))
    return failure();
  return lowerResults(cast<func::ReturnOp>(body.getTerminator()));
}
