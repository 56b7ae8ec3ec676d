// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Syntax and verification of the tile operations.
#include "spikeloom/Dialect/Tile/IR/TileOps.h"

using namespace mlir;
using namespace spikeloom::tile;

#define GET_OP_CLASSES
#include "spikeloom/Dialect/Tile/IR/TileOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Codelets
//===----------------------------------------------------------------------===//

ParseResult WorkersOp::parse(OpAsmParser &parser, OperationState &result) {
  OpAsmParser::Argument worker;
  int64_t count;
  if (parser.parseArgument(worker) || parser.parseKeyword("of") || parser.parseInteger(count) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  worker.type = parser.getBuilder().getIndexType();
  result.addAttribute("count", parser.getBuilder().getI64IntegerAttr(count));
  Region *body = result.addRegion();
  if (parser.parseRegion(*body, worker))
    return failure();
  ensureTerminator(*body, parser.getBuilder(), result.location);
  return success();
}

void WorkersOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printRegionArgument(getWorker(), {}, /*omitType=*/true);
  printer << " of " << getCount();
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {"count"});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false, /*printBlockTerminators=*/false);
}

LogicalResult WorkersOp::verifyRegions() {
  Block &block = getBody().front();
  if (block.getNumArguments() != 1 || !block.getArgument(0).getType().isIndex())
    return emitOpError("body must have one argument of type index, the worker's number");
  if (getCount() < 1)
    return emitOpError("must start at least 1 worker, found ") << getCount();
  if ((*this)->getParentOfType<WorkersOp>())
    return emitOpError("cannot be nested: a worker starts no workers");
  return success();
}

LogicalResult OwnEntriesOp::verifyRegions() {
  Block &block = getBody().front();
  if (block.getNumArguments() != 2 || !block.getArgument(0).getType().isIndex() ||
      !block.getArgument(1).getType().isIndex())
    return emitOpError("body must have two arguments of type index, the position and the unit");
  if (int64_t(getRow().size()) + 1 != cast<MemRefType>(getIds().getType()).getRank())
    return emitOpError("ids of rank ")
           << cast<MemRefType>(getIds().getType()).getRank() << " need "
           << cast<MemRefType>(getIds().getType()).getRank() - 1 << " row indices, found " << getRow().size();
  if (getGroup() < 1 || getPerTile() < 1)
    return emitOpError("attributes 'group' and 'per_tile' must be at least 1, found ")
           << getGroup() << " and " << getPerTile();
  return success();
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

LogicalResult FamilyOp::verify() {
  if (getTiles() < 1)
    return emitOpError("needs at least 1 tile, found ") << getTiles();
  if (getPerTile() < 1 || getGroup() < 1)
    return emitOpError("attributes 'per_tile' and 'group' must be at least 1, found ")
           << getPerTile() << " and " << getGroup();
  if (getUnits() == 0)
    return success();
  int64_t units = getUnits(), group = getGroup(), block = int64_t(getPerTile()) * group, rest = units % block;
  int64_t expected = units / block * group + std::min(rest, group);
  if (int64_t(getTiles()) != expected)
    return emitOpError() << getUnits() << " units, " << getPerTile() << " a tile in groups of " << getGroup()
                         << " tiles, take " << expected << " tiles, found " << getTiles();
  return success();
}

LogicalResult BufferOp::verify() {
  auto type = cast<MemRefType>(getResult().getType());
  if (!type.hasStaticShape())
    return emitOpError("must have a static shape, found ") << type;
  if ((getHome() == Home::host) != !getFamily())
    return emitOpError(getHome() == Home::host ? "at home with the host belongs to no family"
                                               : "sharded over tiles needs its family ('on')");
  if (getHome() == Home::slice && !getSlice())
    return emitOpError("at home by slice needs the attribute 'slice'");
  if (getPitch() != 0 && type.getRank() > 0 && int64_t(getPitch()) < type.getShape().back())
    return emitOpError("attribute 'pitch' is ")
           << getPitch() << ", less than the row of " << type.getShape().back();
  if (auto content = getContentAttr()) {
    ShapedType given = content.getShapedType();
    if (given.getShape() != type.getShape() || given.getElementType() != type.getElementType() ||
        !getPersistent() || getSteps())
      return emitOpError(
                 "attribute 'content' must have the shape and elements of a persistent buffer without "
                 "steps, found ")
             << given << " for " << type;
  }
  return success();
}

LogicalResult PortOp::verify() {
  if (!getConnections())
    return success();
  auto values = cast<MemRefType>(getBuffer().getType()),
       inputs = cast<MemRefType>(getConnections().getType());
  if (values.getShape() != inputs.getShape() || values.getRank() != 2 ||
      !inputs.getElementType().isInteger(16))
    return emitOpError("connections must be i16 of the buffer's shape [m][out], found ")
           << inputs << " for " << values;
  if (getShape().size() != 2 || getShape()[0] != values.getDimSize(1) || getTransposed())
    return emitOpError("with connections holds [m][out] of an [out, in] parameter, found ")
           << values << " for shape [" << getShape() << "]";
  return success();
}

LogicalResult LoopOp::verify() {
  if (int64_t(getTrips()) < 1)
    return emitOpError("makes at least 1 trip, found ") << int64_t(getTrips());
  for (Value value : getClear()) {
    auto buffer = value.getDefiningOp<BufferOp>();
    if (buffer && !buffer.getClear())
      return emitOpError("fills '") << buffer.getBuffer()
                                    << "' before every trip, which is not marked 'clear'";
  }
  return success();
}

LogicalResult LoopOp::verifyRegions() {
  for (Operation &op : getBody().front())
    if (!isa<PhaseOp, LoopOp>(op))
      return op.emitOpError("cannot be part of a loop: there are phases and loops");
  return success();
}

LogicalResult ComputeOp::verify() {
  if (getViews().size() != getArguments().size())
    return emitOpError("has ") << getArguments().size() << " arguments but " << getViews().size() << " views";
  size_t depth = 0;
  for (Operation *loop = (*this)->getParentOfType<LoopOp>(); loop; loop = loop->getParentOfType<LoopOp>())
    ++depth;
  for (auto [i, view] : llvm::enumerate(getViews().getAsRange<ArgumentAttr>())) {
    if (!view.getAdvance())
      continue;
    if (view.getAdvance().size() != int64_t(depth))
      return emitOpError("argument ")
             << i << " advances in " << view.getAdvance().size() << " loops, but the step lies in " << depth;
    auto buffer = getArguments()[i].getDefiningOp<BufferOp>();
    if (buffer && !buffer.getSteps())
      return emitOpError("argument ")
             << i << " advances in '" << buffer.getBuffer() << "', which has no steps";
  }
  return success();
}
