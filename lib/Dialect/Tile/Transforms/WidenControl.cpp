// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Widening: loops, branches, workers and the entries of a list that belong to a tile.
#include "Widener.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace spikeloom::tile;

Value Widener::anyLane(Location loc, Value lanes) {
  return vector::ReductionOp::create(builder, loc, vector::CombiningKind::OR, lanes);
}

/// The tiles that are here and for which `condition` holds.
Value Widener::narrowed(Location loc, Value condition) {
  return mask ? arith::AndIOp::create(builder, loc, mask, condition).getResult() : condition;
}

LogicalResult Widener::copyLoop(scf::ForOp loop) {
  if (!lane && uniformity.isDivergent(loop))
    return copyDivergentLoop(loop);
  Location loc = loop.getLoc();
  SmallVector<Value> inits;
  for (auto [init, argument] : llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs()))
    inits.push_back(asNeeded(init, isVarying(argument)));
  auto copy = scf::ForOp::create(builder, loc, scalar(loop.getLowerBound()), scalar(loop.getUpperBound()),
                                 scalar(loop.getStep()), inits);
  map.map(loop.getInductionVar(), copy.getInductionVar());
  map.map(loop.getRegionIterArgs(), copy.getRegionIterArgs());
  map.map(loop.getResults(), copy.getResults());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(copy.getBody());
  if (failed(copyBody(*loop.getBody())))
    return failure();
  if (inits.empty())
    return success();
  SmallVector<Value> yielded;
  for (auto [value, argument] : llvm::zip(loop.getYieldedValues(), loop.getRegionIterArgs()))
    yielded.push_back(asNeeded(value, isVarying(argument)));
  scf::YieldOp::create(builder, loc, yielded);
  return success();
}

/// A loop whose trip count differs between the tiles runs to the largest, under a mask of the tiles that are
/// not done.
LogicalResult Widener::copyDivergentLoop(scf::ForOp loop) {
  Location loc = loop.getLoc();
  Value lower = vector(loop.getLowerBound()), upper = vector(loop.getUpperBound()),
        step = vector(loop.getStep());
  Value zero = indexConstant(builder, loc, 0), one = indexConstant(builder, loc, 1);
  Value length = arith::SubIOp::create(builder, loc, upper, lower);
  if (isVarying(loop.getStep()))
    step = arith::MaxSIOp::create(builder, loc, step,
                                  splat(loc, one)); // lanes without a tile must not divide by zero
  Value trips = arith::CeilDivSIOp::create(builder, loc, length, step);
  if (mask)
    trips = arith::SelectOp::create(builder, loc, mask, trips, splat(loc, zero));
  Value most = vector::ReductionOp::create(builder, loc, vector::CombiningKind::MAXSI, trips);
  SmallVector<Value> inits;
  for (Value init : loop.getInitArgs())
    inits.push_back(vector(init));
  auto copy = scf::ForOp::create(builder, loc, zero, most, one, inits);
  map.map(loop.getRegionIterArgs(), copy.getRegionIterArgs());
  map.map(loop.getResults(), copy.getResults());

  OpBuilder::InsertionGuard guard(builder);
  Restore<Value> restore(mask);
  builder.setInsertionPointToStart(copy.getBody());
  Value trip = copy.getInductionVar();
  if (isVarying(loop.getInductionVar())) {
    Value walked = arith::MulIOp::create(builder, loc, splat(loc, trip), step);
    map.map(loop.getInductionVar(), arith::AddIOp::create(builder, loc, lower, walked).getResult());
  } else {
    Value walked = arith::MulIOp::create(builder, loc, trip, scalar(loop.getStep()));
    map.map(loop.getInductionVar(),
            arith::AddIOp::create(builder, loc, scalar(loop.getLowerBound()), walked).getResult());
  }
  Value more = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, splat(loc, trip), trips);
  mask = narrowed(loc, more);
  if (failed(copyBody(*loop.getBody())))
    return failure();
  if (inits.empty())
    return success();
  SmallVector<Value> yielded;
  for (auto [value, old] : llvm::zip(loop.getYieldedValues(), copy.getRegionIterArgs()))
    yielded.push_back(arith::SelectOp::create(builder, loc, mask, vector(value), old));
  scf::YieldOp::create(builder, loc, yielded);
  return success();
}

LogicalResult Widener::copyBranch(scf::IfOp branch) {
  if (!lane && uniformity.isDivergent(branch))
    return copyDivergentBranch(branch);
  Location loc = branch.getLoc();
  SmallVector<Type> types;
  for (Value result : branch.getResults())
    types.push_back(isVarying(result) ? vectorOf(result.getType()) : result.getType());
  bool hasElse = !branch.getElseRegion().empty();
  auto copy = scf::IfOp::create(builder, loc, types, scalar(branch.getCondition()), hasElse);
  map.map(branch.getResults(), copy.getResults());
  OpBuilder::InsertionGuard guard(builder);
  for (auto [from, to] : llvm::zip(branch->getRegions(), copy->getRegions())) {
    if (from.empty())
      continue;
    builder.setInsertionPointToStart(&to.front());
    if (failed(copyBody(from.front())))
      return failure();
    if (types.empty())
      continue;
    SmallVector<Value> yielded;
    for (auto [value, result] : llvm::zip(from.front().getTerminator()->getOperands(), branch.getResults()))
      yielded.push_back(asNeeded(value, isVarying(result)));
    scf::YieldOp::create(builder, loc, yielded);
  }
  return success();
}

/// Copies one side of a branch whose condition differs between the tiles. Returns the values it yields; they
/// mean something in the lanes of `condition` only.
FailureOr<SmallVector<Value>> Widener::copyDivergentSide(scf::IfOp branch, Region &region, Value condition) {
  Location loc = branch.getLoc();
  Block &side = region.front();
  Restore<Value> restore(mask);
  mask = narrowed(loc, condition);
  bool harmless = llvm::all_of(side.without_terminator(), [](Operation &op) { return isPure(&op); });
  auto yields = [&] {
    SmallVector<Value> values;
    for (Value value : side.getTerminator()->getOperands())
      values.push_back(vector(value));
    return values;
  };
  if (harmless) {
    if (failed(copyBody(side)))
      return failure();
    return yields();
  }
  SmallVector<Type> types;
  for (Type type : branch.getResultTypes())
    types.push_back(vectorOf(type));
  auto guarded =
      scf::IfOp::create(builder, loc, types, anyLane(loc, mask), /*withElseRegion=*/!types.empty());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(guarded.thenBlock());
  if (failed(copyBody(side)))
    return failure();
  if (!types.empty()) {
    scf::YieldOp::create(builder, loc, yields());
    builder.setInsertionPointToStart(guarded.elseBlock());
    SmallVector<Value> nothing;
    for (Type type : types)
      nothing.push_back(arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type)));
    scf::YieldOp::create(builder, loc, nothing);
  }
  return SmallVector<Value>(guarded.getResults());
}

LogicalResult Widener::copyDivergentBranch(scf::IfOp branch) {
  Location loc = branch.getLoc();
  Value condition = vector(branch.getCondition());
  FailureOr<SmallVector<Value>> then = copyDivergentSide(branch, branch.getThenRegion(), condition);
  if (failed(then))
    return failure();
  if (branch.getElseRegion().empty())
    return success();
  Value otherwise = arith::XOrIOp::create(builder, loc, condition, allLanes(loc, true));
  FailureOr<SmallVector<Value>> other = copyDivergentSide(branch, branch.getElseRegion(), otherwise);
  if (failed(other))
    return failure();
  for (auto [result, a, b] : llvm::zip(branch.getResults(), *then, *other))
    map.map(result, arith::SelectOp::create(builder, loc, condition, a, b).getResult());
  return success();
}

/// Workers do not depend on each other: one after another gives the same result.
LogicalResult Widener::copyEntries(OwnEntriesOp entries) {
  if (int64_t(entries.getGroup()) != info.lanes)
    return entries.emitOpError("has groups of ") << entries.getGroup() << " tiles, but attribute '"
                                                 << kLanesAttr << "' of its codelet is " << info.lanes;
  if (lane)
    return entries.emitOpError("cannot be nested");
  if (llvm::any_of(entries.getRow(), [&](Value v) { return isVarying(v); }) || isVarying(entries.getN0()) ||
      isVarying(entries.getN1()) || uniformity.isPerTile(entries.getIds()))
    return entries.emitOpError("needs a list that is the same on all tiles");
  if (entries.getTask() != taskOf(codelet))
    return entries.emitOpError("must be on the task of its codelet");
  return copyEntryLoops(entries);
}

/// The first position in [from, to) whose id is at least `id`: the ids ascend there.
Value Widener::lowerBound(Location loc, OwnEntriesOp entries, Value from, Value to, Value id) {
  Value ids = map.lookup(entries.getIds());
  SmallVector<Value> row = scalars(entries.getRow());
  Type index = builder.getIndexType();
  Value one = indexConstant(builder, loc, 1), two = indexConstant(builder, loc, 2);
  auto before = [&](OpBuilder &b, Location loc, ValueRange range) {
    Value more = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, range[0], range[1]);
    scf::ConditionOp::create(b, loc, more, range);
  };
  auto after = [&](OpBuilder &b, Location loc, ValueRange range) {
    Value sum = arith::AddIOp::create(b, loc, range[0], range[1]);
    Value middle = arith::DivUIOp::create(b, loc, sum, two);
    Value less =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, loadId(b, loc, ids, row, middle), id);
    Value next = arith::AddIOp::create(b, loc, middle, one);
    Value low = arith::SelectOp::create(b, loc, less, next, range[0]);
    Value high = arith::SelectOp::create(b, loc, less, range[1], middle);
    scf::YieldOp::create(b, loc, ValueRange{low, high});
  };
  auto search =
      scf::WhileOp::create(builder, loc, TypeRange{index, index}, ValueRange{from, to}, before, after);
  return search.getResult(0);
}

/// The entries of a group's units are one contiguous piece of the spikes and one of the near entries. They
/// are visited in the order of the list; each is the business of a single tile.
LogicalResult Widener::copyEntryLoops(OwnEntriesOp entries) {
  Location loc = entries.getLoc();
  auto constant = [&](int64_t value) { return indexConstant(builder, loc, value); };
  Value zero = constant(0), one = constant(1), group = constant(entries.getGroup());
  Value first =
      arith::MulIOp::create(builder, loc, map.lookup(entries.getTask()), constant(entries.getPerTile()));
  Value end = arith::AddIOp::create(builder, loc, first, constant(entries.getGroup() * entries.getPerTile()));
  Value n0 = scalar(entries.getN0()), n1 = scalar(entries.getN1());
  Value spikesFrom = lowerBound(loc, entries, zero, n0, first),
        spikesTo = lowerBound(loc, entries, spikesFrom, n0, end);
  Value nearFrom = lowerBound(loc, entries, n0, n1, first),
        nearTo = lowerBound(loc, entries, nearFrom, n1, end);

  OpBuilder::InsertionGuard guard(builder);
  auto pieces = scf::ForOp::create(builder, loc, zero, constant(2), one);
  builder.setInsertionPointToStart(pieces.getBody());
  Value spikes =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, pieces.getInductionVar(), zero);
  Value from = arith::SelectOp::create(builder, loc, spikes, spikesFrom, nearFrom);
  Value to = arith::SelectOp::create(builder, loc, spikes, spikesTo, nearTo);
  auto loop = scf::ForOp::create(builder, loc, from, to, one);
  builder.setInsertionPointToStart(loop.getBody());
  Value position = loop.getInductionVar();
  Value id = loadId(builder, loc, map.lookup(entries.getIds()), scalars(entries.getRow()), position);
  Value rest = arith::SubIOp::create(builder, loc, id, first);
  Restore<Value> restoreLane(lane), restoreMask(mask);
  Value here = arith::RemUIOp::create(builder, loc, rest, group);
  map.map(entries.getPosition(), position);
  map.map(entries.getUnit(), arith::DivUIOp::create(builder, loc, rest, group).getResult());
  if (mask) {
    Value active = vector::ExtractOp::create(builder, loc, mask, OpFoldResult(here));
    builder.setInsertionPointToStart(scf::IfOp::create(builder, loc, active, false).thenBlock());
  }
  mask = nullptr;
  lane = here;
  return copyBody(entries.getBody().front());
}
