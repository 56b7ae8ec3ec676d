// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writing the function that computes the cycles of a codelet.
#include "CycleEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

/// Compiled code costs fractions of slots; everything is counted in tenths.
static constexpr int64_t kTenths = 10;

CycleEmitter::CycleEmitter(func::FuncOp prepared, func::FuncOp cycles, const Machine &machine, bool print)
    : codelet(prepared), cycles(cycles), machine(machine), print(print), slice(prepared),
      builder(OpBuilder::atBlockBegin(&cycles.getBody().front())), loc(prepared.getLoc()) {
  for (auto [from, to] : llvm::zip(prepared.getArguments(), cycles.getArguments()))
    map.map(from, to);
}

//===----------------------------------------------------------------------===//
// Amounts
//===----------------------------------------------------------------------===//

Value CycleEmitter::constant(int64_t value) {
  return arith::ConstantIntOp::create(builder, loc, builder.getI64Type(), value);
}

Value CycleEmitter::value(Amount amount) {
  if (!amount.dynamic)
    return constant(amount.fixed);
  if (amount.fixed == 0)
    return amount.dynamic;
  return arith::AddIOp::create(builder, loc, amount.dynamic, constant(amount.fixed));
}

Amount CycleEmitter::add(Amount a, Amount b) {
  Value dynamic = !a.dynamic   ? b.dynamic
                  : !b.dynamic ? a.dynamic
                               : arith::AddIOp::create(builder, loc, a.dynamic, b.dynamic).getResult();
  return {a.fixed + b.fixed, dynamic};
}

Amount CycleEmitter::times(Amount a, int64_t count) {
  if (a.dynamic)
    a.dynamic = arith::MulIOp::create(builder, loc, a.dynamic, constant(count));
  return {a.fixed * count, a.dynamic};
}

Amount CycleEmitter::times(Amount a, Value count) {
  APInt known;
  if (matchPattern(count, m_ConstantInt(&known)))
    return times(a, known.getSExtValue());
  return {0, arith::MulIOp::create(builder, loc, value(a), count)};
}

Amount CycleEmitter::maximum(Amount a, Amount b) {
  if (!a.dynamic && !b.dynamic)
    return {std::max(a.fixed, b.fixed), Value()};
  return {0, arith::MaxSIOp::create(builder, loc, value(a), value(b))};
}

Value CycleEmitter::tripCount(scf::ForOp loop) {
  Value lower = map.lookup(loop.getLowerBound()), upper = map.lookup(loop.getUpperBound());
  APInt from, to, step;
  bool steps = matchPattern(loop.getStep(), m_ConstantInt(&step));
  if (steps && matchPattern(loop.getLowerBound(), m_ConstantInt(&from)) &&
      matchPattern(loop.getUpperBound(), m_ConstantInt(&to))) {
    int64_t length = std::max<int64_t>(0, to.getSExtValue() - from.getSExtValue()), by = step.getSExtValue();
    return constant((length + by - 1) / by);
  }
  Value length = builder.createOrFold<arith::SubIOp>(loc, upper, lower);
  Value trips =
      steps && step.isOne()
          ? length
          : arith::CeilDivSIOp::create(builder, loc, length, map.lookup(loop.getStep())).getResult();
  Value none = indexConstant(builder, loc, 0);
  return arith::IndexCastOp::create(builder, loc, builder.getI64Type(),
                                    arith::MaxSIOp::create(builder, loc, trips, none));
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

const Slots &CycleEmitter::cover(Block &block) {
  auto [entry, isNew] = covers.try_emplace(&block);
  if (isNew)
    entry->second = Cover(block, machine, pairs).slots();
  return entry->second;
}

void CycleEmitter::remark(Operation *op, const Twine &text) {
  if (print)
    emitRemark(op->getLoc(), text);
}

/// The cost of a block, in slots of one worker; `without` is an operation in it that somebody else counts.
FailureOr<Amount> CycleEmitter::emitBlock(Block &block, Operation *without) {
  const Slots slots = cover(block);
  Amount total{(slots.main + slots.aux) * kTenths, Value()};
  for (Operation &op : block.without_terminator()) {
    if (&op == without)
      continue;
    if (op.getNumRegions() != 0) {
      FailureOr<Amount> nested = emitNested(op);
      if (failed(nested))
        return failure();
      total = add(total, *nested);
    } else if (op.hasTrait<OpTrait::ConstantLike>() ||
               llvm::any_of(op.getResults(), [&](Value v) { return slice.needs(v); })) {
      builder.clone(op, map);
    }
  }
  return total;
}

FailureOr<Amount> CycleEmitter::emitNested(Operation &op) {
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return emitLoop(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return emitBranch(branch);
  if (auto workers = dyn_cast<WorkersOp>(op))
    return emitWorkers(workers);
  if (auto entries = dyn_cast<OwnEntriesOp>(op))
    return emitEntries(entries);
  return op.emitOpError(
      "cannot be counted: codelets consist of scf.for, scf.if, tile.workers and tile.own_entries");
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// `setup` is what the loop costs once.
std::pair<int64_t, bool> CycleEmitter::iterationCost(scf::ForOp loop, int64_t &setup) {
  const Slots &slots = cover(*loop.getBody());
  const InstructionCosts &cost = machine.instructions;
  bool scheduled = machine.codeQuality == CodeQuality::scheduled;
  std::string pipes = ": main " + std::to_string(slots.main) + ", aux " + std::to_string(slots.aux);
  if (slots.pairs)
    pipes += ", pairs " + std::to_string(slots.pairs);
  if (slots.gathers)
    pipes += ", gathers " + std::to_string(slots.gathers);
  if (slots.repeatable && scheduled) {
    // The first iteration fills what the two pipes later share.
    setup = (cost.rptSetup + std::min(slots.main, slots.aux)) * kTenths;
    int64_t each = std::max(slots.main, slots.aux);
    remark(loop, "hardware loop" + pipes + ": " + Twine(each) + " slots an iteration");
    return {each * kTenths, true};
  }
  setup = cost.integer * kTenths;
  int64_t each = (slots.main + slots.aux + cost.loopStep) * kTenths;
  if (slots.repeatable)
    each = std::max<int64_t>(each, std::llround(machine.compiled.iterationSlots * double(kTenths)));
  std::string text =
      std::to_string(each / kTenths) + (each % kTenths ? "." + std::to_string(each % kTenths) : "");
  remark(loop, "loop" + pipes + ": " + text + " slots an iteration" +
                   (slots.repeatable ? "" : " and what is nested"));
  return {each, false};
}

FailureOr<Amount> CycleEmitter::emitLoop(scf::ForOp loop) {
  if (slice.needsInside(loop))
    return emitSlicedLoop(loop);
  int64_t setup = 0, each = iterationCost(loop, setup).first;
  FailureOr<Amount> body = emitBlock(*loop.getBody());
  if (failed(body))
    return failure();
  const Slots &slots = cover(*loop.getBody());
  body->fixed += each - (slots.main + slots.aux) * kTenths;
  return add({setup, Value()}, times(*body, tripCount(loop)));
}

/// A loop whose iterations differ in cost, or in which trip counts of later loops are computed.
FailureOr<Amount> CycleEmitter::emitSlicedLoop(scf::ForOp loop) {
  int64_t setup = 0, each = iterationCost(loop, setup).first;
  SmallVector<unsigned> kept;
  SmallVector<Value> inits{constant(0)};
  for (auto [i, argument] : llvm::enumerate(loop.getRegionIterArgs()))
    if (slice.needs(argument)) {
      kept.push_back(i);
      inits.push_back(map.lookup(loop.getInitArgs()[i]));
    }
  auto copy = scf::ForOp::create(builder, loc, map.lookup(loop.getLowerBound()),
                                 map.lookup(loop.getUpperBound()), map.lookup(loop.getStep()), inits);
  map.map(loop.getInductionVar(), copy.getInductionVar());
  for (auto [k, i] : llvm::enumerate(kept)) {
    map.map(loop.getRegionIterArgs()[i], copy.getRegionIterArgs()[k + 1]);
    map.map(loop.getResults()[i], copy.getResults()[k + 1]);
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(copy.getBody());
  FailureOr<Amount> body = emitBlock(*loop.getBody());
  if (failed(body))
    return failure();
  const Slots &slots = cover(*loop.getBody());
  body->fixed += each - (slots.main + slots.aux) * kTenths;
  SmallVector<Value> yielded{arith::AddIOp::create(builder, loc, copy.getRegionIterArgs()[0], value(*body))};
  for (unsigned i : kept)
    yielded.push_back(map.lookup(loop.getYieldedValues()[i]));
  scf::YieldOp::create(builder, loc, yielded);
  return Amount{setup, copy.getResult(0)};
}

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

FailureOr<Amount> CycleEmitter::emitBranch(scf::IfOp branch) {
  if (slice.isDecided(branch))
    return emitDecidedBranch(branch);
  FailureOr<Amount> dearer = Amount();
  for (Region &region : branch->getRegions()) {
    if (region.empty())
      continue;
    FailureOr<Amount> side = emitBlock(region.front());
    if (failed(side))
      return failure();
    dearer = maximum(*dearer, *side);
  }
  // The condition is a mask and has to change the pipe.
  return add(*dearer, {(machine.instructions.branch + machine.instructions.integer) * kTenths, Value()});
}

FailureOr<Amount> CycleEmitter::emitDecidedBranch(scf::IfOp branch) {
  SmallVector<unsigned> kept;
  SmallVector<Type> types{builder.getI64Type()};
  for (OpResult result : branch.getResults())
    if (slice.needs(result)) {
      kept.push_back(result.getResultNumber());
      types.push_back(result.getType());
    }
  auto copy =
      scf::IfOp::create(builder, loc, types, map.lookup(branch.getCondition()), /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  for (auto [from, to] : llvm::zip(branch->getRegions(), copy->getRegions())) {
    builder.setInsertionPointToStart(&to.front());
    FailureOr<Amount> side = Amount();
    if (!from.empty())
      side = emitBlock(from.front());
    if (failed(side))
      return failure();
    SmallVector<Value> yielded{value(*side)};
    for (unsigned i : kept)
      yielded.push_back(map.lookup(from.front().getTerminator()->getOperand(i)));
    scf::YieldOp::create(builder, loc, yielded);
  }
  for (auto [k, i] : llvm::enumerate(kept))
    map.map(branch.getResult(i), copy.getResult(k + 1));
  return Amount{machine.instructions.branch * kTenths, copy.getResult(0)};
}

//===----------------------------------------------------------------------===//
// The tile
//===----------------------------------------------------------------------===//

/// In slots of a worker, as code around it is: `supervisorCycles` for the launch, and the slowest worker.
/// With more workers than contexts they run in rounds.
FailureOr<Amount> CycleEmitter::emitWorkers(WorkersOp workers) {
  int64_t count = workers.getCount(), rounds = (count + machine.workers - 1) / machine.workers;
  Amount slowest;
  if (!slice.needsInside(workers)) {
    FailureOr<Amount> body = emitBlock(workers.getBody().front());
    if (failed(body))
      return failure();
    slowest = *body;
  } else {
    auto loop =
        scf::ForOp::create(builder, loc, indexConstant(builder, loc, 0), indexConstant(builder, loc, count),
                           indexConstant(builder, loc, 1), ValueRange{constant(0)});
    map.map(workers.getWorker(), loop.getInductionVar());
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    FailureOr<Amount> body = emitBlock(workers.getBody().front());
    if (failed(body))
      return failure();
    Value most = arith::MaxSIOp::create(builder, loc, loop.getRegionIterArgs()[0], value(*body));
    scf::YieldOp::create(builder, loc, most);
    slowest.dynamic = loop.getResult(0);
  }
  slowest.fixed += machine.instructions.workerEntry * kTenths;
  return times(slowest, rounds);
}

/// The rounds of a binary search among `count` entries.
Value CycleEmitter::searchRounds(Value count) {
  Value zeros = math::CountLeadingZerosOp::create(builder, loc, count);
  return arith::SubIOp::create(builder, loc, constant(64), zeros);
}

/// A list is ascending in two runs, so that a tile finds its entries in the cheaper of two ways: it tests
/// every entry (load, distance from its first unit, is that one of its units, branch), or it searches both
/// runs for every unit. No more entries than units can be the tile's own.
FailureOr<Amount> CycleEmitter::emitEntries(OwnEntriesOp entries) {
  const InstructionCosts &cost = machine.instructions;
  if (slice.needsInside(entries))
    return entries.emitOpError("contains a loop whose trip count depends on the entry: it cannot be counted");
  int64_t found = cost.load + cost.integerCompare + cost.branch;
  int64_t test = found + 2 * cost.integer;
  int64_t round = 2 * cost.integer + cost.load + cost.integerCompare + 2 * cost.integerSelect + cost.loopStep;
  int64_t search = 2 * (2 * cost.integer + found); // beside its rounds
  int64_t units = entries.getPerTile();
  remark(entries, "entries: the cheaper of " + Twine(test) + " slots an entry and, for each of " +
                      Twine(units) + " units, " + Twine(search) + " and " + Twine(round) +
                      " a round of search");
  FailureOr<Amount> body = emitBlock(entries.getBody().front());
  if (failed(body))
    return failure();
  auto integer = [&](Value count) {
    return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), map.lookup(count)).getResult();
  };
  Value spikes = integer(entries.getN0()), count = integer(entries.getN1());
  Value near = arith::SubIOp::create(builder, loc, count, spikes);
  Value rounds = arith::AddIOp::create(builder, loc, searchRounds(spikes), searchRounds(near));
  Amount searching = add(times(Amount{round * kTenths, Value()}, rounds), {search * kTenths, Value()});
  Value scanning = value(times(Amount{test * kTenths, Value()}, count));
  Value finding = arith::MinSIOp::create(builder, loc, scanning, value(times(searching, units)));
  Value own = arith::MinSIOp::create(builder, loc, count, constant(units));
  return add({0, finding}, times(*body, own));
}

/// The row of the arguments that an iteration of the loop over the steps is about.
static Value rowOf(scf::ForOp steps) {
  Value iteration = steps.getInductionVar();
  if (iteration.hasOneUse())
    if (auto row = dyn_cast<arith::SubIOp>(*iteration.getUsers().begin()); row && row.getRhs() == iteration)
      return row.getResult();
  return iteration;
}

LogicalResult CycleEmitter::emitSteps(scf::ForOp steps, Amount once) {
  auto copy = scf::ForOp::create(builder, loc, map.lookup(steps.getLowerBound()),
                                 map.lookup(steps.getUpperBound()), map.lookup(steps.getStep()));
  map.map(steps.getInductionVar(), copy.getInductionVar());
  builder.setInsertionPointToStart(copy.getBody());
  int64_t launches = 0;
  steps.getBody()->walk([&](WorkersOp) { ++launches; });
  FailureOr<Amount> body = emitBlock(*steps.getBody());
  if (failed(body))
    return failure();
  // What the supervisor or a single worker does takes a slot in turn, too.
  Amount total = times(add(*body, once), machine.workers);
  total.fixed += launches * machine.supervisorCycles * kTenths + kTenths - 1;
  Value rounded = arith::DivUIOp::create(builder, loc, value(total), constant(kTenths));
  memref::StoreOp::create(builder, loc, rounded, cycles.getArguments().back(), map.lookup(rowOf(steps)));
  return mlir::success();
}

LogicalResult CycleEmitter::run() {
  if (failed(slice.collect()))
    return failure();
  Block &entry = codelet.getBody().front();
  scf::ForOp steps;
  for (auto loop : entry.getOps<scf::ForOp>())
    if (loop.getUpperBound() == stepsOf(codelet))
      steps = loop;
  if (!steps)
    return codelet.emitOpError("has no loop over its steps: an scf.for from 0 to %len at the top");
  slice.need(rowOf(steps));
  // What stands beside the loop is done at every launch; a launch does at least one step.
  FailureOr<Amount> once = emitBlock(entry, steps);
  if (failed(once) || failed(emitSteps(steps, *once)))
    return failure();
  builder.setInsertionPointToEnd(&cycles.getBody().front());
  func::ReturnOp::create(builder, loc);
  return mlir::success();
}
