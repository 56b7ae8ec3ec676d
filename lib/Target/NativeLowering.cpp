// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Entry functions of codelets to the LLVM dialect.
#include "NativeSteps.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "spikeloom/Dialect/Tile/IR/TileDialect.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"

using namespace mlir;
using namespace spikeloom;

/// Bare pointers need static shapes. The steps are the outermost dimension: their number takes part in no
/// address.
static constexpr int64_t kManySteps = int64_t(1) << 30;

static constexpr StringLiteral kArraysAttr = "spikeloom.arrays";

static MemRefType withStaticSteps(MemRefType type) {
  if (type.getRank() == 0 || !type.isDynamicDim(0))
    return type;
  SmallVector<int64_t> shape(type.getShape());
  shape[0] = kManySteps;
  return MemRefType::get(shape, type.getElementType(), type.getLayout(), type.getMemorySpace());
}

/// Gives the arguments static types and says which pointers do not overlap others.
static LogicalResult prepare(func::FuncOp entry) {
  Builder builder(entry.getContext());
  SmallVector<Type> types;
  int64_t arrays = 0;
  for (BlockArgument argument : entry.getArguments()) {
    if (auto memref = dyn_cast<MemRefType>(argument.getType())) {
      argument.setType(withStaticSteps(memref));
      bool alone = !entry.getArgAttr(argument.getArgNumber(), tile::kMayAliasAttr);
      entry.setArgAttrs(argument.getArgNumber(), DictionaryAttr());
      if (alone)
        entry.setArgAttr(argument.getArgNumber(), LLVM::LLVMDialect::getNoAliasAttrName(),
                         builder.getUnitAttr());
      ++arrays;
    }
    types.push_back(argument.getType());
  }
  StringRef kind = entry->getAttrOfType<StringAttr>(tile::kEntryAttr).getValue();
  if (kind == "cycles")
    --arrays; // %cycles comes in its own argument
  entry->setAttr(kArraysAttr, builder.getI64IntegerAttr(arrays));
  entry.setFunctionType(builder.getFunctionType(types, {}));
  Operation *foreign = nullptr;
  entry.walk([&](Operation *op) {
    if (isa_and_nonnull<math::MathDialect>(op->getDialect()) &&
        !isa<math::SqrtOp, math::AbsFOp, math::CopySignOp, math::FloorOp, math::CeilOp, math::TruncOp,
             math::RoundEvenOp, math::CountTrailingZerosOp, math::CountLeadingZerosOp>(op))
      foreign = op;
  });
  if (foreign)
    return foreign->emitError("'") << foreign->getName()
                                   << "' has no fixed result on this machine: expand it to polynomials first";
  return success();
}

/// The function that the runtime calls: `void f(void *const *arguments, int64_t steps, int64_t task, int64_t
/// *cycles)`, for the strict version followed by context and check.
static void wrap(LLVM::LLVMFuncOp body) {
  MLIRContext *context = body.getContext();
  OpBuilder builder(body);
  Location loc = body.getLoc();
  std::string name = body.getName().str();
  StringRef kind = body->getAttrOfType<StringAttr>(tile::kEntryAttr).getValue();
  int64_t arrays = body->getAttrOfType<IntegerAttr>(kArraysAttr).getInt();
  body->removeAttr(tile::kEntryAttr);
  body->removeAttr(kArraysAttr);
  body.setName(name + ".body");
  body.setLinkage(LLVM::Linkage::Internal);
  body.setPassthroughAttr(builder.getArrayAttr({builder.getStringAttr("noinline")}));

  auto pointer = LLVM::LLVMPointerType::get(context);
  Type integer = builder.getI64Type();
  SmallVector<Type> types = {pointer, integer, integer, pointer};
  if (kind == "strict")
    types.append(2, pointer);
  auto nothing = LLVM::LLVMVoidType::get(context);
  auto entry = LLVM::LLVMFuncOp::create(builder, loc, name, LLVM::LLVMFunctionType::get(nothing, types));
  Block *block = entry.addEntryBlock(builder);
  builder.setInsertionPointToStart(block);
  SmallVector<Value> operands;
  for (int64_t i = 0; i < arrays; ++i) {
    Value place = LLVM::GEPOp::create(builder, loc, pointer, pointer, block->getArgument(0),
                                      ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(int32_t(i))});
    operands.push_back(LLVM::LoadOp::create(builder, loc, pointer, place));
  }
  operands.append({block->getArgument(1), block->getArgument(2)});
  if (kind == "cycles")
    operands.push_back(block->getArgument(3));
  if (kind == "strict")
    operands.append({block->getArgument(4), block->getArgument(5)});
  LLVM::CallOp::create(builder, loc, body, operands);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
}

FailureOr<OwningOpRef<ModuleOp>> spikeloom::detail::lowerEntries(ModuleOp module, bool host) {
  OwningOpRef<ModuleOp> lowered = ModuleOp::create(module.getLoc());
  OpBuilder builder(lowered->getBodyRegion());
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    if (auto kind = function->getAttrOfType<StringAttr>(tile::kEntryAttr);
        kind && (kind.getValue() == "host") == host)
      if (failed(prepare(cast<func::FuncOp>(builder.clone(*function)))))
        return failure();

  PassManager passes(module.getContext(), ModuleOp::getOperationName());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createLoopInvariantCodeMotionPass());
  passes.addPass(arith::createArithExpandOpsPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createArithToLLVMConversionPass());
  ConvertFuncToLLVMPassOptions pointers;
  pointers.useBarePtrCallConv = true;
  passes.addPass(createConvertFuncToLLVMPass(pointers));
  passes.addPass(createUBToLLVMConversionPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  if (failed(passes.run(*lowered)))
    return failure();
  for (LLVM::LLVMFuncOp body : llvm::make_early_inc_range(lowered->getOps<LLVM::LLVMFuncOp>()))
    if (body->hasAttr(tile::kEntryAttr))
      wrap(body);
  return lowered;
}
