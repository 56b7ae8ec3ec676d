// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops that make lists: finding them, and testing many elements at once.
#include "Appends.h"
#include "Codelets.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace spikeloom::tile;

/// Elements tested at once: the bits of an i32.
static constexpr int64_t kTested = 32;

namespace {
/// One of the lists that a loop appends to.
struct List {
  BlockArgument end;
  Value keep;
  SmallVector<memref::StoreOp> stores;
};

class AppendLoop {
public:
  AppendLoop(scf::ForOp loop, bool early) : loop(loop), early(early), builder(loop), loc(loop.getLoc()) {}

  bool match();
  void rewrite();

private:
  bool isInside(Value value) { return value.getParentRegion() == &loop.getRegion(); }
  bool matchList(unsigned number);
  bool matchStore(memref::StoreOp store);
  bool isElementwise(Value value);
  Value wide(Value value, IRMapping &map, Value first, Value mask);
  void copySlice(OpBuilder &at, Value value, IRMapping &map);
  Value visit(const List &list, Value bits, Value end, Value first);

  scf::ForOp loop;
  bool early;
  OpBuilder builder;
  Location loc;
  SmallVector<List> lists;
};
} // namespace

/// A truth value or number that many elements can be given at once.
bool AppendLoop::isElementwise(Value value) {
  if (!isInside(value))
    return value.getType().isF32() || value.getType().isInteger(1);
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    if (!load.getType().isF32() || load.getIndices().empty())
      return false;
    for (Value index : load.getIndices().drop_back())
      if (isInside(index))
        return false;
    Value last = load.getIndices().back();
    auto [strides, offset] = load.getMemRefType().getStridesAndOffset();
    return !isInside(last) || (last == loop.getInductionVar() && strides.back() == 1);
  }
  return OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1 &&
         llvm::all_of(op->getOperands(), [&](Value operand) { return isElementwise(operand); });
}

/// next = end + (keep ? 1 : 0), and the end is used for nothing but that and places to store.
bool AppendLoop::matchList(unsigned number) {
  List list{loop.getRegionIterArgs()[number], {}, {}};
  auto next = loop.getYieldedValues()[number].getDefiningOp<arith::AddIOp>();
  if (!next || !list.end.getType().isIndex())
    return false;
  Value other = next.getLhs() == list.end ? next.getRhs() : next.getLhs();
  auto choice = other.getDefiningOp<arith::SelectOp>();
  if (!choice || !matchPattern(choice.getTrueValue(), m_One()) ||
      !matchPattern(choice.getFalseValue(), m_Zero()) || !isElementwise(choice.getCondition()))
    return false;
  list.keep = choice.getCondition();
  for (OpOperand &use : list.end.getUses()) {
    if (use.getOwner() == next)
      continue;
    auto store = dyn_cast<memref::StoreOp>(use.getOwner());
    if (!store || store.getIndices().empty() || store.getIndices().back() != list.end || !matchStore(store))
      return false;
  }
  loop.getBody()->walk([&](memref::StoreOp store) {
    if (!store.getIndices().empty() && store.getIndices().back() == list.end)
      list.stores.push_back(store);
  });
  lists.push_back(list);
  return true;
}

/// The place is the end of a list in a row that the loop does not change.
bool AppendLoop::matchStore(memref::StoreOp store) {
  return store->getBlock() == loop.getBody() &&
         llvm::none_of(store.getIndices().drop_back(), [&](Value index) { return isInside(index); }) &&
         !llvm::is_contained(loop.getRegionIterArgs(), store.getValueToStore());
}

bool AppendLoop::match() {
  if (!matchPattern(loop.getStep(), m_One()) || loop.getInitArgs().empty())
    return false;
  for (unsigned i = 0; i < loop.getInitArgs().size(); ++i)
    if (!matchList(i))
      return false;
  SmallVector<Value> written;
  size_t stores = 0;
  for (const List &list : lists) {
    stores += list.stores.size();
    for (memref::StoreOp store : list.stores)
      written.push_back(store.getMemref());
  }
  // Nothing else may happen in the loop, and what is written may not be read.
  for (Operation &op : loop.getBody()->without_terminator()) {
    if (isa<memref::StoreOp>(op)) {
      if (stores-- == 0)
        return false;
    } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
      if (llvm::is_contained(written, load.getMemref()))
        return false;
    } else if (!isPure(&op) || op.getNumRegions() != 0) {
      return false;
    }
  }
  return stores == 0;
}

/// The values of `value` for the elements from `first` on.
Value AppendLoop::wide(Value value, IRMapping &map, Value first, Value mask) {
  if (Value known = map.lookupOrNull(value))
    return known;
  auto type = VectorType::get({kTested}, value.getType());
  Value result;
  auto load = value.getDefiningOp<memref::LoadOp>();
  if (!isInside(value)) {
    result = vector::BroadcastOp::create(builder, loc, type, value);
  } else if (load && !isInside(load.getIndices().back())) {
    Value one = memref::LoadOp::create(builder, loc, load.getMemref(), load.getIndices());
    result = vector::BroadcastOp::create(builder, loc, type, one);
  } else if (load) {
    SmallVector<Value> indices(load.getIndices());
    indices.back() = first;
    if (early)
      prefetchPiece(builder, loc, load.getMemref(), indices, kTested);
    Value none = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    result = vector::MaskedLoadOp::create(builder, loc, type, load.getMemref(), indices, mask, none);
  } else {
    Operation *op = value.getDefiningOp();
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(wide(operand, map, first, mask));
    OperationState state(loc, op->getName(), operands, {type}, op->getAttrs());
    result = builder.create(state)->getResult(0);
  }
  map.map(value, result);
  return result;
}

/// Copies what `value` is computed from within the loop.
void AppendLoop::copySlice(OpBuilder &at, Value value, IRMapping &map) {
  Operation *op = value.getDefiningOp();
  if (!op || !isInside(value) || map.contains(value))
    return;
  for (Value operand : op->getOperands())
    copySlice(at, operand, map);
  at.clone(*op, map);
}

/// Appends the elements whose bits are set; returns the new end.
Value AppendLoop::visit(const List &list, Value bits, Value end, Value first) {
  auto before = [&](OpBuilder &b, Location loc, ValueRange state) {
    Value zero = arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0);
    Value more = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, state[0], zero);
    scf::ConditionOp::create(b, loc, more, state);
  };
  auto after = [&](OpBuilder &b, Location loc, ValueRange state) {
    Value lowest = math::CountTrailingZerosOp::create(b, loc, state[0]);
    Value distance = arith::IndexCastUIOp::create(b, loc, b.getIndexType(), lowest);
    IRMapping map;
    map.map(loop.getInductionVar(), arith::AddIOp::create(b, loc, first, distance).getResult());
    map.map(list.end, state[1]);
    for (memref::StoreOp store : list.stores) {
      copySlice(b, store.getValueToStore(), map);
      b.clone(*store, map);
    }
    Value one = arith::ConstantIntOp::create(b, loc, b.getI32Type(), 1);
    Value below = arith::SubIOp::create(b, loc, state[0], one);
    Value rest = arith::AndIOp::create(b, loc, state[0], below);
    Value next = arith::AddIOp::create(b, loc, state[1], indexConstant(b, loc, 1));
    scf::YieldOp::create(b, loc, ValueRange{rest, next});
  };
  auto walk = scf::WhileOp::create(builder, loc, TypeRange{bits.getType(), end.getType()},
                                   ValueRange{bits, end}, before, after);
  return walk.getResult(1);
}

void AppendLoop::rewrite() {
  auto blocks = scf::ForOp::create(builder, loc, loop.getLowerBound(), loop.getUpperBound(),
                                   indexConstant(builder, loc, kTested), loop.getInitArgs());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(blocks.getBody());
  Value first = blocks.getInductionVar();
  auto bitsType = VectorType::get({kTested}, builder.getI1Type());
  Value left = arith::SubIOp::create(builder, loc, loop.getUpperBound(), first);
  Value mask = vector::CreateMaskOp::create(builder, loc, bitsType, left);
  IRMapping map;
  SmallVector<Value> ends;
  for (auto [list, end] : llvm::zip(lists, blocks.getRegionIterArgs())) {
    Value keep = arith::AndIOp::create(builder, loc, wide(list.keep, map, first, mask), mask);
    Value packed =
        vector::BitCastOp::create(builder, loc, VectorType::get({1}, builder.getIntegerType(kTested)), keep);
    Value bits = vector::ExtractOp::create(builder, loc, packed, ArrayRef<int64_t>{0});
    ends.push_back(visit(list, bits, end, first));
  }
  scf::YieldOp::create(builder, loc, ends);
  loop.replaceAllUsesWith(blocks.getResults());
  loop.erase();
}

void spikeloom::tile::vectoriseAppends(func::FuncOp host, bool early) {
  SmallVector<scf::ForOp> loops;
  host.walk([&](scf::ForOp loop) { loops.push_back(loop); });
  for (scf::ForOp loop : loops)
    if (AppendLoop append(loop, early); append.match())
      append.rewrite();
}
