// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reading the attributes of codelets, and the plain forms of the tile operations.
#include "Codelets.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"

using namespace mlir;
using namespace spikeloom::tile;

int64_t CodeletInfo::tiles() const {
  int64_t block = perTile * lanes, rest = units % block;
  return units / block * lanes + std::min(rest, lanes);
}

SmallVector<func::FuncOp> spikeloom::tile::codeletsOf(ModuleOp module) {
  SmallVector<func::FuncOp> codelets;
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    if (function->hasAttr(kCodeletAttr))
      codelets.push_back(function);
  return codelets;
}

/// An optional positive integer attribute of a codelet.
static LogicalResult readAttribute(func::FuncOp codelet, StringRef name, int64_t &value) {
  Attribute attribute = codelet->getAttr(name);
  if (!attribute)
    return success();
  auto integer = dyn_cast<IntegerAttr>(attribute);
  if (!integer || integer.getInt() < 1)
    return codelet.emitOpError("attribute '")
           << name << "' must be an integer of at least 1, found " << attribute;
  value = integer.getInt();
  return success();
}

FailureOr<CodeletInfo> spikeloom::tile::readCodelet(func::FuncOp codelet) {
  CodeletInfo info;
  if (codelet.isExternal() || !codelet.getBody().hasOneBlock())
    return codelet.emitOpError("is a codelet and must have a body of one block");
  if (failed(readAttribute(codelet, kLanesAttr, info.lanes)) ||
      failed(readAttribute(codelet, kUnitsAttr, info.units)) ||
      failed(readAttribute(codelet, kPerTileAttr, info.perTile)))
    return failure();
  unsigned count = codelet.getNumArguments();
  if (codelet.getNumResults() != 0 || count < 2 || !codelet.getArgument(count - 1).getType().isIndex() ||
      !codelet.getArgument(count - 2).getType().isIndex())
    return codelet.emitOpError(
               "is a codelet and must end its arguments in (%len: index, %task: index), without "
               "results, found ")
           << codelet.getFunctionType();
  for (unsigned i = 0; i + 2 < count; ++i) {
    auto type = dyn_cast<MemRefType>(codelet.getArgument(i).getType());
    if (!type || !type.getLayout().isIdentity())
      return codelet.emitOpError("argument ")
             << i << " must be a memref without layout, found " << codelet.getArgument(i).getType();
    for (int64_t dim = 1; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        return codelet.emitOpError("argument ")
               << i << " may be dynamic in its first dimension only, found " << type;
    auto view = codelet.getArgAttrOfType<StringAttr>(i, kViewAttr);
    if (!view || !symbolizeView(view.getValue()))
      return codelet.emitOpError("argument ")
             << i << " needs attribute '" << kViewAttr << "': own, broadcast, slice or partials";
    if (*symbolizeView(view.getValue()) == View::own && type.getRank() == 0)
      return codelet.emitOpError("argument ")
             << i << " is 'own' and must end in the units of the tile, found " << type;
    if (Attribute shape = codelet.getArgAttr(i, kShapeAttr)) {
      auto dims = dyn_cast<DenseI64ArrayAttr>(shape);
      if (!dims || dims.size() > type.getRank())
        return codelet.emitOpError("argument ")
               << i << " has attribute '" << kShapeAttr << "' " << shape << ", which must list at most "
               << type.getRank() << " dimensions";
    }
    if (auto pitch = codelet.getArgAttrOfType<IntegerAttr>(i, kPitchAttr)) {
      int64_t row = type.getRank() ? type.getShape().back() : 1;
      if (!ShapedType::isDynamic(row) && pitch.getInt() < row)
        return codelet.emitOpError("argument ") << i << " has attribute '" << kPitchAttr << "' "
                                                << pitch.getInt() << ", less than its row of " << row;
    }
  }
  return info;
}

View spikeloom::tile::viewOf(func::FuncOp codelet, unsigned argument) {
  return *symbolizeView(codelet.getArgAttrOfType<StringAttr>(argument, kViewAttr).getValue());
}

BlockArgument spikeloom::tile::stepsOf(func::FuncOp codelet) {
  return codelet.getArgument(codelet.getNumArguments() - 2);
}

BlockArgument spikeloom::tile::taskOf(func::FuncOp codelet) {
  return codelet.getArgument(codelet.getNumArguments() - 1);
}

func::FuncOp spikeloom::tile::createVersion(func::FuncOp codelet, StringRef suffix,
                                            ArrayRef<Type> arguments) {
  std::string name = (codelet.getName() + suffix).str();
  if (Operation *old = SymbolTable::lookupSymbolIn(codelet->getParentOp(), name))
    old->erase();
  OpBuilder builder(codelet->getContext());
  builder.setInsertionPointAfter(codelet);
  auto version =
      func::FuncOp::create(builder, codelet.getLoc(), name, builder.getFunctionType(arguments, {}));
  version->setAttr(kEntryAttr, builder.getStringAttr(suffix.drop_front()));
  version.addEntryBlock();
  for (unsigned i = 0; i < codelet.getNumArguments() && i < arguments.size(); ++i)
    if (DictionaryAttr attributes = codelet.getArgAttrDict(i))
      version.setArgAttrs(i, attributes);
  return version;
}

Value spikeloom::tile::indexConstant(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value spikeloom::tile::loadId(OpBuilder &builder, Location loc, Value ids, ValueRange row, Value position) {
  SmallVector<Value> indices(row);
  indices.push_back(position);
  Value id = memref::LoadOp::create(builder, loc, ids, indices);
  return arith::IndexCastUIOp::create(builder, loc, builder.getIndexType(), id);
}

/// Moves the operations of `from`, the terminator apart, to the end of `to` before its terminator.
static void moveBody(Block &from, Block &to) {
  from.getTerminator()->erase();
  to.getOperations().splice(std::prev(to.end()), from.getOperations());
}

void spikeloom::tile::lowerWorkers(func::FuncOp function) {
  function.walk([](WorkersOp workers) {
    OpBuilder builder(workers);
    Location loc = workers.getLoc();
    auto loop =
        scf::ForOp::create(builder, loc, indexConstant(builder, loc, 0),
                           indexConstant(builder, loc, workers.getCount()), indexConstant(builder, loc, 1));
    workers.getWorker().replaceAllUsesWith(loop.getInductionVar());
    moveBody(workers.getBody().front(), *loop.getBody());
    workers.erase();
  });
}

void spikeloom::tile::lowerOwnEntries(func::FuncOp function) {
  function.walk([](OwnEntriesOp entries) {
    OpBuilder builder(entries);
    Location loc = entries.getLoc();
    Value group = indexConstant(builder, loc, entries.getGroup());
    Value block = indexConstant(builder, loc, entries.getGroup() * entries.getPerTile());
    auto loop = scf::ForOp::create(builder, loc, indexConstant(builder, loc, 0), entries.getN1(),
                                   indexConstant(builder, loc, 1));
    builder.setInsertionPointToStart(loop.getBody());
    Value id = loadId(builder, loc, entries.getIds(), entries.getRow(), loop.getInductionVar());
    Value rest = arith::RemUIOp::create(builder, loc, id, block);
    Value lane = arith::RemUIOp::create(builder, loc, rest, group);
    Value first = arith::MulIOp::create(builder, loc, arith::DivUIOp::create(builder, loc, id, block), group);
    Value owner = arith::AddIOp::create(builder, loc, first, lane);
    Value mine = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, owner, entries.getTask());
    auto branch = scf::IfOp::create(builder, loc, mine, /*withElseRegion=*/false);
    builder.setInsertionPointToStart(branch.thenBlock());
    Value unit = arith::DivUIOp::create(builder, loc, rest, group);
    entries.getPosition().replaceAllUsesWith(loop.getInductionVar());
    entries.getUnit().replaceAllUsesWith(unit);
    moveBody(entries.getBody().front(), *branch.thenBlock());
    entries.erase();
  });
}
