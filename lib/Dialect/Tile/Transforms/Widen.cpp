// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pass tile-widen and the signature of the functions it makes.
#include "Appends.h"
#include "Widener.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"

using namespace mlir;
using namespace spikeloom::tile;

namespace spikeloom::tile {
#define GEN_PASS_DEF_TILEWIDENPASS
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h.inc"
} // namespace spikeloom::tile

Widener::Widener(func::FuncOp codelet, const CodeletInfo &info, int64_t ahead)
    : codelet(codelet), info(info), ahead(ahead), uniformity(codelet, info.lanes),
      builder(codelet->getContext()) {}

/// `own` arguments get a last dimension of lanes. In layout `rows` the lanes and units of a row are
/// neighbours and rows lie a pitch apart, so that the array is that of the layer; in layout `blocked` a group
/// has one contiguous piece. The others keep their shape; a slice has the strides of its whole buffer.
MemRefType Widener::hostType(unsigned argument) {
  auto type = cast<MemRefType>(codelet.getArgument(argument).getType());
  SmallVector<int64_t> shape(type.getShape());
  auto layout = codelet.getArgAttrOfType<StringAttr>(argument, kLayoutAttr);
  bool own = viewOf(codelet, argument) == View::own, wide = own && info.lanes > 1;
  if (wide)
    shape.push_back(info.lanes);
  int64_t rank = shape.size(), rowDims = wide ? 2 : 1; // trailing dimensions that make a row
  // What the rows lie in: the argument itself, or the buffer that a slice is cut from.
  SmallVector<int64_t> whole(shape);
  if (auto buffer = codelet.getArgAttrOfType<DenseI64ArrayAttr>(argument, kShapeAttr))
    llvm::copy(buffer.asArrayRef(), whole.end() - buffer.size());
  int64_t row = rank >= rowDims ? ShapedType::getNumElements(ArrayRef(whole).take_back(rowDims)) : 1;
  if (auto pitch = codelet.getArgAttrOfType<IntegerAttr>(argument, kPitchAttr);
      pitch && !(own && layout && layout.getValue() == "blocked"))
    row = pitch.getInt();
  SmallVector<int64_t> strides(rank, 1);
  if (wide)
    strides[rank - 2] = info.lanes;
  int64_t stride = row;
  for (int64_t dim = rank - rowDims - 1; dim >= 0; --dim) {
    strides[dim] = stride;
    stride *= dim ? whole[dim] : 1;
  }
  auto compact = MemRefType::get(shape, type.getElementType());
  if (compact.getStridesAndOffset().first == strides)
    return compact;
  return MemRefType::get(shape, type.getElementType(), StridedLayoutAttr::get(type.getContext(), 0, strides));
}

LogicalResult Widener::run() {
  unsigned arrays = codelet.getNumArguments() - 2;
  SmallVector<Type> types;
  for (unsigned i = 0; i < arrays; ++i) {
    types.push_back(hostType(i));
    if (info.lanes > 1 && viewOf(codelet, i) == View::slice)
      return codelet.emitOpError("argument ")
             << i << " is a 'slice', which differs between the tiles of a group; a codelet with '"
             << kLanesAttr << "' " << info.lanes << " can have own, broadcast and partials arguments";
  }
  types.append(2, builder.getIndexType());
  host = createVersion(codelet, kHostSuffix, types);
  map.map(codelet.getArguments(), host.getArguments());
  builder.setInsertionPointToStart(&host.getBody().front());
  if (info.lanes > 1 && info.tiles() % info.lanes != 0) {
    Location loc = codelet.getLoc();
    Value tiles = splat(loc, indexConstant(builder, loc, info.tiles()));
    present = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, vector(taskOf(codelet)), tiles);
  }
  if (succeeded(copyBody(codelet.getBody().front()))) {
    func::ReturnOp::create(builder, codelet.getLoc());
    if (info.lanes == 1) {
      if (ahead > 0)
        prefetchPieces(host);
      vectoriseAppends(host, ahead > 0);
    }
    return success();
  }
  host.erase();
  return failure();
}

/// Says of a codelet's arguments which are parts of one buffer.
static void markAliases(ModuleOp module) {
  module.walk([&](ComputeOp compute) {
    auto codelet = module.lookupSymbol<func::FuncOp>(compute.getCodelet());
    if (!codelet || codelet.getNumArguments() < compute.getArguments().size())
      return;
    for (auto [i, buffer] : llvm::enumerate(compute.getArguments()))
      if (llvm::count(compute.getArguments(), buffer) > 1)
        codelet.setArgAttr(i, kMayAliasAttr, UnitAttr::get(module.getContext()));
  });
}

namespace {
struct WidenPass : spikeloom::tile::impl::TileWidenPassBase<WidenPass> {
  using TileWidenPassBase::TileWidenPassBase;

  void runOnOperation() override {
    markAliases(getOperation());
    for (func::FuncOp codelet : codeletsOf(getOperation())) {
      FailureOr<CodeletInfo> info = readCodelet(codelet);
      if (failed(info) || failed(Widener(codelet, *info, ahead).run()))
        return signalPassFailure();
    }
  }
};
} // namespace
