// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Construction of codelets.
#include "CodeletBuilder.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

int64_t spikeloom::wholeGroups(FamilyOp family, int64_t units) {
  int64_t block = int64_t(family.getPerTile()) * int64_t(family.getGroup());
  return ceilDiv(units, block) * block;
}

CodeletBuilder::CodeletBuilder(Location loc, ModuleOp module, StringRef name, FamilyOp family)
    : ImplicitLocOpBuilder(loc, module.getContext()), family(family) {
  std::string unique = name.str();
  for (int i = 1; module.lookupSymbol(unique); ++i)
    unique = (name + "_" + Twine(i)).str();
  setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(*this, unique, getFunctionType({getIndexType(), getIndexType()}, {}));
  function->setAttr(kCodeletAttr, getUnitAttr());
  bool units = family.getUnits() > 0;
  function->setAttr(kLanesAttr, getI64IntegerAttr(units ? family.getGroup() : 1));
  if (units) {
    function->setAttr("tile.units", getI64IntegerAttr(family.getUnits()));
    function->setAttr("tile.per_tile", getI64IntegerAttr(family.getPerTile()));
  }
  setInsertionPointToStart(function.addEntryBlock());
}

Value CodeletBuilder::argument(Storage storage, View view, Access access, ArrayRef<int64_t> shape,
                               SliceAttr slice) {
  for (Argument &argument : arguments)
    if (argument.storage.buffer == storage.buffer && argument.view == view && argument.slice == slice &&
        argument.storage.steps == storage.steps && argument.storage.shift == storage.shift &&
        argument.storage.advance == storage.advance) {
      // What a codelet writes first and reads then needs nothing from before.
      if (argument.access == Access::read && access != Access::read)
        argument.access = Access::update;
      return argument.value;
    }
  SmallVector<int64_t> dims;
  if (storage.steps)
    dims.push_back(ShapedType::kDynamic);
  llvm::append_range(dims, shape);
  Type element = cast<MemRefType>(storage.buffer.getType()).getElementType();
  unsigned position = arguments.size();
  if (failed(function.insertArgument(position, MemRefType::get(dims, element), {}, getLoc())))
    llvm_unreachable("a function takes arguments of any type");
  function.setArgAttr(position, kViewAttr, getStringAttr(stringifyView(view)));
  if (view == View::own) {
    function.setArgAttr(position, kLayoutAttr, getStringAttr(stringifyLayout(storage.buffer.getLayout())));
  }
  if (view != View::partials && storage.buffer.getPitch() && storage.buffer.getLayout() == Layout::rows)
    function.setArgAttr(position, kPitchAttr, getI64IntegerAttr(storage.buffer.getPitch()));
  if (slice) {
    // The host reads a slice in place: its rows have the buffer's strides, which the pitch of the last
    // dimension and the shape give.
    auto global =
        cast<MemRefType>(storage.buffer.getType()).getShape().drop_front(storage.buffer.getSteps() ? 1 : 0);
    function.setArgAttr(position, "tile.shape", getDenseI64ArrayAttr(global));
  }
  arguments.push_back({storage, view, access, slice, function.getArgument(position)});
  return arguments.back().value;
}

Value CodeletBuilder::constant(TypedAttr value) {
  Value &known = constants[value];
  if (!known) {
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(&function.getBody().front());
    known = arith::ConstantOp::create(*this, value);
  }
  return known;
}

Value CodeletBuilder::privateRow(int64_t size) {
  // At the entry: loops under construction hang nowhere yet, so there is no other block to go to.
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(&function.getBody().front());
  return memref::AllocaOp::create(*this, MemRefType::get({size}, getF32Type()));
}

Value CodeletBuilder::privateUnits(int64_t units) {
  Value memref = privateRow(units);
  memref.getDefiningOp()->setAttr(kUnitsAttr, getUnitAttr());
  return memref;
}

Value CodeletBuilder::index(int64_t value) { return constant(getIndexAttr(value)); }
Value CodeletBuilder::f32(double value) { return constant(getF32FloatAttr(float(value))); }
Value CodeletBuilder::i32(int64_t value) { return constant(getI32IntegerAttr(int32_t(value))); }
Value CodeletBuilder::add(Value a, Value b) { return createOrFold<arith::AddIOp>(a, b); }
Value CodeletBuilder::sub(Value a, Value b) { return createOrFold<arith::SubIOp>(a, b); }
Value CodeletBuilder::mul(Value a, Value b) { return createOrFold<arith::MulIOp>(a, b); }
Value CodeletBuilder::min(Value a, Value b) { return createOrFold<arith::MinSIOp>(a, b); }
Value CodeletBuilder::max(Value a, Value b) { return createOrFold<arith::MaxSIOp>(a, b); }
Value CodeletBuilder::div(Value a, int64_t b) {
  return b == 1 ? a : createOrFold<arith::DivUIOp>(a, index(b));
}
Value CodeletBuilder::rem(Value a, int64_t b) { return createOrFold<arith::RemUIOp>(a, index(b)); }
Value CodeletBuilder::compare(arith::CmpIPredicate predicate, Value a, Value b) {
  return createOrFold<arith::CmpIOp>(predicate, a, b);
}

Value CodeletBuilder::load(Value memref, ValueRange indices) {
  return memref::LoadOp::create(*this, memref, indices);
}
void CodeletBuilder::store(Value value, Value memref, ValueRange indices) {
  memref::StoreOp::create(*this, value, memref, indices);
}
Value CodeletBuilder::loadIndex(Value memref, ValueRange indices) {
  return arith::IndexCastUIOp::create(*this, getIndexType(), load(memref, indices));
}
void CodeletBuilder::storeIndex(Value value, Value memref, ValueRange indices) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  store(arith::IndexCastUIOp::create(*this, element, value), memref, indices);
}

void CodeletBuilder::loop(Value from, Value to, BodyFn body) {
  scf::ForOp::create(*this, from, to, index(1), ValueRange(),
                     [&](OpBuilder &builder, Location, Value iv, ValueRange) {
                       OpBuilder::InsertionGuard guard(*this);
                       setInsertionPoint(builder.getInsertionBlock(), builder.getInsertionPoint());
                       body(iv);
                       scf::YieldOp::create(*this);
                     });
}

SmallVector<Value> CodeletBuilder::loop(Value from, Value to, ValueRange inits, IterFn body) {
  auto loop = scf::ForOp::create(
      *this, from, to, index(1), inits, [&](OpBuilder &builder, Location, Value iv, ValueRange values) {
        OpBuilder::InsertionGuard guard(*this);
        setInsertionPoint(builder.getInsertionBlock(), builder.getInsertionPoint());
        scf::YieldOp::create(*this, body(iv, values));
      });
  return SmallVector<Value>(loop.getResults());
}

void CodeletBuilder::ifThen(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  body();
}

void CodeletBuilder::workers(int64_t count, BodyFn body) {
  auto workers = WorkersOp::create(*this, getI64IntegerAttr(count));
  OpBuilder::InsertionGuard guard(*this);
  Block *block = createBlock(&workers.getBody(), {}, getIndexType(), getLoc());
  setInsertionPointToStart(block);
  body(block->getArgument(0));
  EndOp::create(*this);
}

std::pair<Value, Value> CodeletBuilder::share(Value worker, int64_t workers, int64_t n) {
  Value from = div(mul(worker, index(n)), workers);
  Value to = div(mul(add(worker, index(1)), index(n)), workers);
  return {from, to};
}

void CodeletBuilder::steps(bool reverse, BodyFn body) {
  Value length = function.getArgument(function.getNumArguments() - 2);
  loop(index(0), length, [&](Value i) {
    // Arguments are inserted before `length`, which stays the same value.
    body(reverse ? sub(sub(length, index(1)), i) : i);
  });
}

ComputeOp CodeletBuilder::finish(OpBuilder &where, StringRef layer, StringRef kind) {
  setInsertionPointToEnd(&function.getBody().front());
  func::ReturnOp::create(*this);
  SmallVector<Value> buffers;
  SmallVector<Attribute> views;
  for (Argument &argument : arguments) {
    const Storage &storage = argument.storage;
    DenseI64ArrayAttr advance = storage.advance ? getDenseI64ArrayAttr(storage.advance) : DenseI64ArrayAttr();
    buffers.push_back(argument.storage.buffer.getResult());
    views.push_back(ArgumentAttr::get(getContext(), argument.view, argument.access, storage.steps,
                                      storage.shift, -1, argument.slice, advance));
  }
  return ComputeOp::create(where, getLoc(), function.getSymName(), family.getResult(), buffers,
                           where.getArrayAttr(views), layer, kind, -1, 0, 0, false);
}
