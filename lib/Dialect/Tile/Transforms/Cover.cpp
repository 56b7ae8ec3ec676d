// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Covering straight code: pairs, gathers, and what every operation costs.
#include "Cover.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

static ValueRange indicesOf(Operation *op) {
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return load.getIndices();
  return cast<memref::StoreOp>(op).getIndices();
}

static Value memrefOf(Operation *op) {
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return load.getMemref();
  return cast<memref::StoreOp>(op).getMemref();
}

static bool isAccess(Operation *op) { return isa<memref::LoadOp, memref::StoreOp>(op); }

static bool isCast(Operation *op) {
  return isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtUIOp, arith::ExtSIOp, arith::TruncIOp>(op);
}

/// Integer arithmetic that nothing but addresses depend on.
static bool makesAddress(Operation *op) {
  if (!isCast(op) && !isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::ShLIOp>(op))
    return false;
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto store = dyn_cast<memref::StoreOp>(user))
      return use.get() != store.getValueToStore();
    return isa<memref::LoadOp>(user) || makesAddress(user);
  });
}

/// An index as a value plus a constant.
static std::pair<Value, int64_t> splitIndex(Value index) {
  APInt constant;
  if (matchPattern(index, m_ConstantInt(&constant)))
    return {Value(), constant.getSExtValue()};
  if (auto sum = index.getDefiningOp<arith::AddIOp>();
      sum && matchPattern(sum.getRhs(), m_ConstantInt(&constant)))
    return {sum.getLhs(), constant.getSExtValue()};
  return {index, 0};
}

/// How many leading dimensions there are up to the one in which neighbours lie next to each other.
static size_t contiguousDims(MemRefType type) {
  size_t dims = type.getRank();
  while (dims > 1 && type.getShape()[dims - 1] == 1)
    --dims;
  return dims;
}

/// Rows of even length keep 64-bit accesses at even positions aligned. Loops that were unrolled by two start
/// there.
bool Cover::areNeighbours(Value memref, ValueRange low, ValueRange high) const {
  auto type = cast<MemRefType>(memref.getType());
  size_t dims = contiguousDims(type);
  if (!type.getElementType().isF32() || low.empty() || (dims > 1 && type.getShape()[dims - 1] % 2 != 0))
    return false;
  for (auto [a, b] : llvm::zip(low.take_front(dims - 1), high.take_front(dims - 1)))
    if (a != b)
      return false;
  auto [lowBase, lowOffset] = splitIndex(low[dims - 1]);
  auto [highBase, highOffset] = splitIndex(high[dims - 1]);
  return lowBase == highBase && lowOffset % 2 == 0 && highOffset == lowOffset + 1;
}

bool spikeloom::tile::walksNeighbours(scf::ForOp loop) {
  return llvm::any_of(loop.getInductionVar().getUsers(), [&](Operation *user) {
    if (!isAccess(user))
      return false;
    auto type = cast<MemRefType>(memrefOf(user).getType());
    return type.getElementType().isF32() && type.getRank() > 0 &&
           indicesOf(user)[contiguousDims(type) - 1] == loop.getInductionVar();
  });
}

bool Cover::isPair(Operation &low, Operation &up) const {
  if (low.getName() != up.getName())
    return false;
  auto together = [&](Value a, Value b) { return upper.lookup(a) == b; };
  if (isAccess(&low)) {
    if (memrefOf(&low) != memrefOf(&up) || !areNeighbours(memrefOf(&low), indicesOf(&low), indicesOf(&up)))
      return false;
    auto store = dyn_cast<memref::StoreOp>(low);
    if (!store)
      return true;
    Value a = store.getValueToStore(), b = cast<memref::StoreOp>(up).getValueToStore();
    return a == b || together(a, b);
  }
  bool onFloats = llvm::any_of(low.getOperandTypes(), [](Type type) { return type.isF32(); });
  if (!onFloats || low.getNumResults() != 1 || low.getAttrDictionary() != up.getAttrDictionary() ||
      low.getPropertiesAsAttribute() != up.getPropertiesAsAttribute())
    return false;
  bool paired = false;
  for (auto [a, b] : llvm::zip(low.getOperands(), up.getOperands())) {
    paired |= together(a, b);
    if (a != b && !together(a, b))
      return false;
  }
  return paired;
}

/// Values that are carried together may sit in register pairs.
void Cover::pairUp(ValueRange values) {
  for (size_t i = 0; i + 1 < values.size(); ++i)
    if (values[i].getType().isF32() && values[i + 1].getType().isF32()) {
      upper[values[i]] = values[i + 1];
      ++i;
    }
}

void Cover::findPairs(Block &block) {
  if (auto loop = dyn_cast<scf::ForOp>(block.getParentOp()))
    pairUp(loop.getRegionIterArgs());
  SmallVector<Operation *> open; // not paired so far
  for (Operation &op : block.without_terminator()) {
    if (isa<scf::ForOp, scf::IfOp>(op))
      pairUp(op.getResults());
    if (op.getNumRegions() != 0 || isa<arith::ConstantOp>(op))
      continue;
    auto partner = llvm::find_if(open, [&](Operation *earlier) { return isPair(*earlier, op); });
    if (partner == open.end()) {
      open.push_back(&op);
      continue;
    }
    high[*partner] = &op;
    absorbed.insert(&op);
    if (op.getNumResults() == 1)
      upper[(*partner)->getResult(0)] = op.getResult(0);
    open.erase(partner);
    ++total.pairs;
  }
}

/// The accesses at an id, if it is used for nothing else.
static SmallVector<Operation *> accessesAt(Value id) {
  SmallVector<Operation *> accesses;
  for (OpOperand &use : id.getUses()) {
    Operation *user = use.getOwner();
    if (isCast(user)) {
      SmallVector<Operation *> more = accessesAt(user->getResult(0));
      if (more.empty())
        return {};
      accesses.append(more);
    } else if (isAccess(user) && llvm::is_contained(indicesOf(user), id)) {
      accesses.push_back(user);
    } else {
      return {};
    }
  }
  return accesses;
}

void Cover::findGathers(Block &block) {
  for (auto list : block.getOps<memref::LoadOp>()) {
    if (!list.getType().isInteger())
      continue;
    SmallVector<Operation *> accesses;
    for (Operation *access : accessesAt(list.getResult()))
      if (access->getBlock() == &block && !absorbed.contains(access))
        accesses.push_back(access);
    if (accesses.empty())
      continue;
    auto table = cast<MemRefType>(memrefOf(accesses[0]).getType());
    bool reached = table.hasStaticShape() &&
                   table.getNumElements() * table.getElementTypeBitWidth() / 8 <= machine.deltaReachBytes;
    if (scheduled && accesses.size() == 1 && isa<memref::LoadOp>(accesses[0]) && reached) {
      absorbed.insert(list);
      total.main += cost.deltaLoad - (high.contains(accesses[0]) ? cost.loadPair : cost.load);
      ++total.gathers;
    } else {
      total.main += cost.integer; // the id times the bytes of a row
    }
  }
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

/// A truth value that a floating-point comparison made lives in the other pipe, as a mask.
static bool isMask(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !value.getType().isInteger(1))
    return false;
  return isa<arith::CmpFOp>(op) ||
         (isa<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op) && llvm::any_of(op->getOperands(), isMask));
}

Cover::Cover(Block &block, const Machine &machine, RegisterPairs &pairs)
    : machine(machine), cost(machine.instructions), scheduled(machine.codeQuality == CodeQuality::scheduled),
      upper(pairs) {
  if (scheduled)
    findPairs(block);
  findGathers(block);
  for (Operation &op : block.without_terminator())
    if (!absorbed.contains(&op))
      add(op);
}

void Cover::add(Operation &op) {
  if (op.getNumRegions() != 0) {
    total.repeatable = false;
    return;
  }
  if (op.use_empty() && op.getNumResults() != 0 && !isAccess(&op))
    return;
  if (isAccess(&op))
    return addMemory(op);
  if (isa<arith::ConstantOp, memref::AllocaOp>(op))
    return;
  if (makesAddress(&op)) {
    ++total.folded;
    return;
  }
  if (llvm::any_of(op.getOperandTypes(), [](Type type) { return type.isF32(); }) ||
      llvm::any_of(op.getOperands(), isMask) ||
      llvm::any_of(op.getResultTypes(), [](Type type) { return type.isF32(); }))
    return addFloat(op);
  addInteger(op);
}

void Cover::addMemory(Operation &op) {
  bool pair = high.contains(&op);
  if (isa<memref::LoadOp>(op)) {
    total.main += pair ? cost.loadPair : cost.load;
    return;
  }
  int64_t bytes = (cast<memref::StoreOp>(op).getMemRefType().getElementTypeBitWidth() + 7) / 8;
  total.main += pair ? cost.storePair : cost.store;
  if (bytes < machine.storeGranularityBytes)
    total.main += cost.load + cost.integer; // read, insert, write
}

void Cover::addInteger(Operation &op) {
  if (isCast(&op))
    return;
  if (isa<arith::MulIOp>(op)) {
    total.main += cost.integerMultiply;
  } else if (isa<arith::CmpIOp>(op)) {
    total.main += cost.integerCompare;
  } else if (isa<arith::SelectOp>(op)) {
    total.main += cost.integerSelect;
  } else if (isa<arith::MinSIOp, arith::MaxSIOp, arith::MinUIOp, arith::MaxUIOp>(op)) {
    total.main += cost.integerCompare + cost.integerSelect;
  } else if (isa<arith::DivUIOp, arith::DivSIOp, arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp,
                 arith::RemUIOp, arith::RemSIOp>(op)) {
    bool remainder = isa<arith::RemUIOp, arith::RemSIOp>(op);
    APInt divisor;
    if (!matchPattern(op.getOperand(1), m_ConstantInt(&divisor))) {
      total.main += cost.integerDivide;
      total.repeatable = false;
    } else if (divisor.isPowerOf2()) {
      total.main += cost.integer; // shift or mask
    } else {
      // Times the reciprocal and a shift; then the product is subtracted.
      total.main += cost.integerMultiply + cost.integer;
      if (remainder)
        total.main += cost.integerMultiply + cost.integer;
    }
  } else {
    total.main += cost.integer;
  }
}

void Cover::addFloat(Operation &op) {
  bool pair = high.contains(&op);
  int64_t elements = pair ? 2 : 1;
  if (isa<arith::DivFOp>(op)) {
    total.aux += elements * cost.f32Divide;
  } else if (isa<math::SqrtOp>(op)) {
    total.aux += elements * cost.f32Sqrt;
  } else if (isa<math::ExpOp>(op)) {
    total.aux += elements * cost.f32Exp;
  } else if (isa<math::LogOp>(op)) {
    total.aux += elements * cost.f32Log;
  } else if (isa<math::TanhOp>(op)) {
    total.aux += elements * cost.f32Tanh;
  } else if (isa<arith::CmpFOp>(op)) {
    total.aux += cost.f32Compare;
  } else if (auto select = dyn_cast<arith::SelectOp>(op)) {
    if (!select.getType().isF32()) { // an integer by a mask, which has to change the pipe
      total.main += cost.integer + cost.integerSelect;
      return;
    }
    bool zero = matchPattern(select.getTrueValue(), m_PosZeroFloat()) ||
                matchPattern(select.getFalseValue(), m_PosZeroFloat());
    total.aux += zero ? cost.f32Mask : cost.f32Select;
  } else if (isa<arith::AndIOp, arith::OrIOp, arith::XOrIOp, arith::NegFOp, math::AbsFOp, math::CopySignOp>(
                 op)) {
    total.aux += cost.f32Mask;
  } else if (isa<arith::SIToFPOp, arith::UIToFPOp, arith::FPToSIOp, arith::FPToUIOp>(op)) {
    total.aux += cost.convert;
    total.main += cost.integer; // between the register files
  } else if (isa<arith::BitcastOp>(op)) {
    total.main += cost.integer;
  } else if (llvm::any_of(op.getResultTypes(), [](Type type) { return type.isF32(); })) {
    total.aux += pair ? cost.f32v2 : cost.f32;
  } else { // an integer from a mask
    total.main += 2 * cost.integer;
  }
}
