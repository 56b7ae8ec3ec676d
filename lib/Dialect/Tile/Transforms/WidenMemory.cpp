// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Widening: memory accesses, prefetching, and sums over a group of tiles.
#include "Widener.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace spikeloom::tile;

/// Sums over a group are made of so many strided partial sums.
static constexpr int64_t kPartialSums = 16;
/// Lanes of four bytes in a cache line.
static constexpr int64_t kLineLanes = 16;

SmallVector<Value> Widener::scalars(ValueRange values) {
  SmallVector<Value> copies;
  for (Value value : values)
    copies.push_back(scalar(value));
  return copies;
}

/// Private arrays live at the entry, where the code generator knows their place; a tile's array gets the
/// lanes.
LogicalResult Widener::copyAlloca(memref::AllocaOp alloca) {
  MemRefType type = alloca.getType();
  if (!type.hasStaticShape() || !type.getLayout().isIdentity())
    return alloca.emitOpError("in a codelet must have a static shape and no layout, found ") << type;
  if (uniformity.isPerTile(alloca.getResult())) {
    SmallVector<int64_t> shape(type.getShape());
    shape.push_back(info.lanes);
    type = MemRefType::get(shape, type.getElementType());
  }
  OpBuilder entry = OpBuilder::atBlockBegin(&host.getBody().front());
  map.map(alloca.getResult(), memref::AllocaOp::create(entry, alloca.getLoc(), type, /*alignment=*/
                                                       entry.getI64IntegerAttr(64))
                                  .getResult());
  return success();
}

std::pair<SmallVector<Value>, Value> Widener::distances(Location loc, Value memref, ValueRange indices) {
  auto [strides, offset] = cast<MemRefType>(map.lookup(memref).getType()).getStridesAndOffset();
  SmallVector<Value> start;
  Value sum = uniformity.isPerTile(memref) ? laneNumbers(loc) : Value();
  for (auto [i, index] : llvm::enumerate(indices)) {
    if (!isVarying(index)) {
      start.push_back(scalar(index));
      continue;
    }
    start.push_back(indexConstant(builder, loc, 0));
    Value stride = splat(loc, indexConstant(builder, loc, strides[i]));
    Value term = arith::MulIOp::create(builder, loc, vector(index), stride);
    sum = sum ? arith::AddIOp::create(builder, loc, sum, term).getResult() : term;
  }
  if (uniformity.isPerTile(memref))
    start.push_back(indexConstant(builder, loc, 0));
  return {start, sum};
}

LogicalResult Widener::copyLoad(memref::LoadOp load) {
  Location loc = load.getLoc();
  Value source = map.lookup(load.getMemref());
  bool perTile = uniformity.isPerTile(load.getMemref());
  if (llvm::any_of(load.getIndices(), [&](Value v) { return isVarying(v); })) {
    auto [start, distance] = distances(loc, load.getMemref(), load.getIndices());
    VectorType type = vectorOf(load.getType());
    Value none = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    map.map(load.getResult(), vector::GatherOp::create(builder, loc, type, source, start, distance,
                                                       mask ? mask : allLanes(loc, true), none)
                                  .getResult());
    return success();
  }
  SmallVector<Value> indices = scalars(load.getIndices());
  if (!perTile || lane) {
    if (perTile)
      indices.push_back(lane);
    map.map(load.getResult(), memref::LoadOp::create(builder, loc, source, indices).getResult());
    return success();
  }
  prefetch(load);
  // No mask: some tile is here, so the index is in bounds, and with it the neighbours' elements.
  indices.push_back(indexConstant(builder, loc, 0));
  map.map(load.getResult(),
          vector::LoadOp::create(builder, loc, vectorOf(load.getType()), source, indices).getResult());
  return success();
}

LogicalResult Widener::copyStore(memref::StoreOp store) {
  Location loc = store.getLoc();
  auto argument = dyn_cast<BlockArgument>(store.getMemref());
  if (argument && info.lanes > 1 && viewOf(codelet, argument.getArgNumber()) == View::partials)
    return storeSum(store);
  Value target = map.lookup(store.getMemref());
  bool perTile = uniformity.isPerTile(store.getMemref());
  bool varyingIndex = llvm::any_of(store.getIndices(), [&](Value v) { return isVarying(v); });
  if (!perTile && (varyingIndex || isVarying(store.getValueToStore()) || mask))
    return store.emitOpError(
        "to an array that all tiles share depends on the tile; only 'own' and 'partials' "
        "arguments can be written by a unit family");
  if (!perTile || lane) {
    SmallVector<Value> indices = scalars(store.getIndices());
    if (perTile)
      indices.push_back(lane);
    memref::StoreOp::create(builder, loc, scalar(store.getValueToStore()), target, indices);
    return success();
  }
  Value value = vector(store.getValueToStore());
  if (varyingIndex) {
    auto [start, distance] = distances(loc, store.getMemref(), store.getIndices());
    vector::ScatterOp::create(builder, loc, Type(), target, start, distance,
                              mask ? mask : allLanes(loc, true), value);
    return success();
  }
  SmallVector<Value> indices = scalars(store.getIndices());
  indices.push_back(indexConstant(builder, loc, 0));
  if (mask)
    vector::MaskedStoreOp::create(builder, loc, target, indices, mask, value);
  else
    vector::StoreOp::create(builder, loc, value, target, indices);
  return success();
}

LogicalResult Widener::storeSum(memref::StoreOp store) {
  if (mask || lane || llvm::any_of(store.getIndices(), [&](Value v) { return isVarying(v); }))
    return store.emitOpError(
        "to a 'partials' argument must be reached by all tiles of a group with the same index; "
        "store +0.0 where a tile has nothing to add");
  if (!store.getValueToStore().getType().isF32())
    return store.emitOpError("to a 'partials' argument must store f32, found ")
           << store.getValueToStore().getType();
  Location loc = store.getLoc();
  Value sum = groupSum(loc, vector(store.getValueToStore()));
  memref::StoreOp::create(builder, loc, sum, map.lookup(store.getMemref()), scalars(store.getIndices()));
  return success();
}

/// The sum over the tiles of a group in the order that the program defines: partial sum q adds the lanes q, q
/// + 16, q + 32, ... (+0.0 where there is no tile), then the upper half is added to the lower until one is
/// left.
Value Widener::groupSum(Location loc, Value value) {
  Value zeros =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(cast<VectorType>(value.getType())));
  if (present)
    value = arith::SelectOp::create(builder, loc, present, value, zeros);
  Value sums;
  for (int64_t first = 0; first < info.lanes; first += kPartialSums) {
    SmallVector<int64_t> from; // lanes from info.lanes on are those of `zeros`
    for (int64_t q = first; q < first + kPartialSums; ++q)
      from.push_back(std::min(q, info.lanes));
    Value part = vector::ShuffleOp::create(builder, loc, value, zeros, from);
    sums = sums ? arith::AddFOp::create(builder, loc, sums, part).getResult() : part;
  }
  for (int64_t half = kPartialSums / 2; half; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t q = 0; q < half; ++q) {
      low.push_back(q);
      high.push_back(q + half);
    }
    Value lower = vector::ShuffleOp::create(builder, loc, sums, sums, low);
    Value upper = vector::ShuffleOp::create(builder, loc, sums, sums, high);
    sums = arith::AddFOp::create(builder, loc, lower, upper);
  }
  return vector::ExtractOp::create(builder, loc, sums, ArrayRef<int64_t>{0});
}

/// A row that a coming entry of an event list names is fetched early: rows are random, the processor cannot
/// guess them. Lists end in spare elements, and a prefetch of a senseless address does nothing.
void Widener::prefetch(memref::LoadOp load) {
  auto loop = load->getParentOfType<scf::ForOp>();
  if (ahead <= 0 || !loop || !isa<BlockArgument>(load.getMemref()))
    return;
  for (auto [position, row] : llvm::enumerate(load.getIndices())) {
    SmallVector<Operation *> casts; // from the load of the id to the index
    Value id = row;
    while (isa_and_nonnull<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtUIOp, arith::ExtSIOp>(
        id.getDefiningOp())) {
      casts.push_back(id.getDefiningOp());
      id = casts.back()->getOperand(0);
    }
    auto list = id.getDefiningOp<memref::LoadOp>();
    if (!list || list->getBlock() != loop.getBody() || list.getIndices().empty() ||
        list.getIndices().back() != loop.getInductionVar() || uniformity.isPerTile(list.getMemref()))
      continue;
    std::vector<void *> key = {load.getMemref().getAsOpaquePointer()};
    for (Value index : load.getIndices())
      key.push_back(index.getAsOpaquePointer());
    if (!prefetched.insert(key).second)
      return;
    Location loc = load.getLoc();
    SmallVector<Value> entry = scalars(list.getIndices());
    entry.back() = arith::AddIOp::create(builder, loc, entry.back(), indexConstant(builder, loc, ahead));
    Value coming = memref::LoadOp::create(builder, loc, map.lookup(list.getMemref()), entry);
    for (Operation *cast : llvm::reverse(casts)) {
      IRMapping one;
      one.map(cast->getOperand(0), coming);
      coming = builder.clone(*cast, one)->getResult(0);
    }
    SmallVector<Value> indices = scalars(load.getIndices());
    indices[position] = coming;
    indices.push_back(nullptr);
    for (int64_t first = 0; first < info.lanes; first += kLineLanes) {
      indices.back() = indexConstant(builder, loc, first);
      memref::PrefetchOp::create(builder, loc, map.lookup(load.getMemref()), indices, /*isWrite=*/false,
                                 /*localityHint=*/3, /*isDataCache=*/true);
    }
    return;
  }
}
