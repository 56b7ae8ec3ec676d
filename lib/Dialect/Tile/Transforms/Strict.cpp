// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pass tile-strict: one tile, every access to an argument checked.
#include "Codelets.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace spikeloom::tile;

namespace spikeloom::tile {
#define GEN_PASS_DEF_TILESTRICTPASS
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h.inc"
} // namespace spikeloom::tile

/// What the user calls the place: the innermost name, else file:line:column, else "unknown".
static std::string describe(Location location) {
  std::string name, place;
  location->walk([&](Location part) {
    if (auto named = dyn_cast<NameLoc>(part); named && name.empty())
      name = named.getName().str();
    if (auto file = dyn_cast<FileLineColLoc>(part); file && place.empty())
      place = file.getFilename().str() + ":" + std::to_string(file.getLine()) + ":" +
              std::to_string(file.getColumn());
    return WalkResult::advance();
  });
  return !name.empty() ? name : !place.empty() ? place : "unknown";
}

namespace {
/// Texts of locations, numbered in the order of their first use.
class Locations {
public:
  explicit Locations(ModuleOp module) {
    if (auto known = module->getAttrOfType<ArrayAttr>(kLocationsAttr))
      for (StringAttr text : known.getAsRange<StringAttr>())
        numbers.insert({text.str(), int64_t(numbers.size())});
  }
  int64_t number(Location location) {
    return numbers.insert({describe(location), int64_t(numbers.size())}).first->second;
  }
  ArrayAttr attribute(Builder builder) const {
    SmallVector<Attribute> texts;
    for (const auto &entry : numbers)
      texts.push_back(builder.getStringAttr(entry.first));
    return builder.getArrayAttr(texts);
  }

private:
  llvm::MapVector<std::string, int64_t, std::map<std::string, unsigned>> numbers;
};

/// The function that is called before accesses.
struct Check {
  Value context, function;

  void call(Operation *access, Value memref, ValueRange indices, bool isStore, int64_t location) const {
    OpBuilder builder(access);
    Location loc = access->getLoc();
    auto type = cast<MemRefType>(memref.getType());
    int64_t bytes = type.getElementTypeBitWidth() / 8;
    auto [strides, offset] = type.getStridesAndOffset();
    Value address = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, memref);
    for (auto [index, stride] : llvm::zip(indices, strides)) {
      Value distance =
          arith::MulIOp::create(builder, loc, index, indexConstant(builder, loc, stride * bytes));
      address = arith::AddIOp::create(builder, loc, address, distance);
    }
    Value number = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
    auto constant = [&](int64_t value) {
      return arith::ConstantIntOp::create(builder, loc, builder.getI32Type(), value).getResult();
    };
    auto signature =
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()),
                                    {context.getType(), builder.getI64Type(), builder.getI32Type(),
                                     builder.getI32Type(), builder.getI32Type()});
    LLVM::CallOp::create(
        builder, loc, signature,
        ValueRange{function, context, number, constant(bytes), constant(isStore), constant(location)});
  }
};

struct StrictPass : spikeloom::tile::impl::TileStrictPassBase<StrictPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    Locations locations(module);
    for (func::FuncOp codelet : codeletsOf(module)) {
      if (failed(readCodelet(codelet)))
        return signalPassFailure();
      makeStrict(codelet, locations);
    }
    module->setAttr(kLocationsAttr, locations.attribute(Builder(&getContext())));
  }

  void makeStrict(func::FuncOp codelet, Locations &locations) {
    SmallVector<Type> types(codelet.getArgumentTypes());
    types.append(2, LLVM::LLVMPointerType::get(&getContext()));
    func::FuncOp strict = createVersion(codelet, kStrictSuffix, types);
    IRMapping map;
    unsigned arrays = codelet.getNumArguments();
    map.map(codelet.getArguments(), strict.getArguments().take_front(arrays));
    OpBuilder builder = OpBuilder::atBlockBegin(&strict.getBody().front());
    for (Operation &op : codelet.getBody().front())
      builder.clone(op, map);
    // Private arrays live at the entry: the stack must not grow with the iterations.
    strict.walk([&](memref::AllocaOp alloca) {
      if (alloca->getNumOperands() == 0)
        alloca->moveBefore(&strict.getBody().front(), strict.getBody().front().begin());
    });
    lowerWorkers(strict);
    lowerOwnEntries(strict);
    Check check{strict.getArgument(arrays), strict.getArgument(arrays + 1)};
    strict.walk([&](Operation *op) {
      if (auto load = dyn_cast<memref::LoadOp>(op); load && isa<BlockArgument>(load.getMemref()))
        check.call(op, load.getMemref(), load.getIndices(), false, locations.number(op->getLoc()));
      if (auto store = dyn_cast<memref::StoreOp>(op); store && isa<BlockArgument>(store.getMemref()))
        check.call(op, store.getMemref(), store.getIndices(), true, locations.number(op->getLoc()));
    });
  }
};
} // namespace
