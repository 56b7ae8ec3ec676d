// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes and places of buffers and arguments of a tile program.
#include "spikeloom/Dialect/Tile/Transforms/ProgramQueries.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

int64_t spikeloom::tile::elementBytes(BufferOp buffer) {
  return cast<MemRefType>(buffer.getType()).getElementType().getIntOrFloatBitWidth() / 8;
}

int64_t spikeloom::tile::product(ArrayRef<int64_t> dims) {
  int64_t result = 1;
  for (int64_t dim : dims)
    result *= dim;
  return result;
}

ArrayRef<int64_t> spikeloom::tile::stepShape(BufferOp buffer) {
  return cast<MemRefType>(buffer.getType()).getShape().drop_front(buffer.getSteps() ? 1 : 0);
}

bool spikeloom::tile::isPartials(BufferOp buffer) {
  for (OpOperand &use : buffer->getUses())
    if (auto stage = dyn_cast<ComputeOp>(use.getOwner()))
      if (cast<ArgumentAttr>(stage.getViews()[use.getOperandNumber() - 1]).getView() == View::partials)
        return true;
  return false;
}

int64_t spikeloom::tile::homeBytes(BufferOp buffer, FamilyOp family) {
  if (buffer.getHome() == Home::slice)
    return product(buffer.getSlice()->getExtents()) * elementBytes(buffer);
  ArrayRef<int64_t> shape = stepShape(buffer);
  if (isPartials(buffer))
    return product(shape) * elementBytes(buffer);
  return product(shape.drop_back()) * int64_t(family.getPerTile()) * elementBytes(buffer);
}

bool spikeloom::tile::isAtHome(ComputeOp stage, BufferOp buffer, ArgumentAttr view) {
  if (buffer.getHome() == Home::host || buffer.getFamily() != stage.getFamily())
    return false;
  switch (view.getView()) {
  case View::own:
    return buffer.getHome() == Home::own;
  case View::partials:
    return !stage.getGroupSum();
  case View::slice:
    return buffer.getHome() == Home::slice && (!view.getSlice() || view.getSlice() == *buffer.getSlice());
  case View::broadcast:
    return false;
  }
  return false;
}

int64_t spikeloom::tile::stagingBytes(ComputeOp stage, BufferOp buffer, ArgumentAttr view) {
  int64_t size = elementBytes(buffer);
  if (!view.getSteps() && !view.getAdvance() && buffer.getSteps() && view.getView() != View::partials)
    size *= cast<MemRefType>(buffer.getType()).getDimSize(0);
  if (view.getView() == View::slice)
    return size * product((view.getSlice() ? view.getSlice() : *buffer.getSlice()).getExtents());
  if (view.getView() == View::own) {
    auto family = stage.getFamily().getDefiningOp<FamilyOp>();
    return size * product(stepShape(buffer).drop_back()) * int64_t(family.getPerTile());
  }
  if (view.getView() == View::partials) {
    int64_t tiles = buffer.getFamily().getDefiningOp<FamilyOp>().getTiles();
    return size * tiles *
           (view.getSlice() ? product(view.getSlice().getExtents()) : product(stepShape(buffer)));
  }
  return size * product(stepShape(buffer));
}

SmallVector<PhaseOp> spikeloom::tile::phasesOf(ProgramOp program) {
  SmallVector<PhaseOp> phases;
  program.walk<WalkOrder::PreOrder>([&](PhaseOp phase) { phases.push_back(phase); });
  return phases;
}
