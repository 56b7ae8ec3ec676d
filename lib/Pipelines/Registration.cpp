// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration of dialects, passes and pipelines.
#include "spikeloom/Pipelines/Registration.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/Passes.h"
#include "spikeloom/Conversion/Passes.h"
#include "spikeloom/Dialect/SNN/IR/SNNDialect.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"
#include "spikeloom/Dialect/Tile/IR/TileDialect.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
#include "spikeloom/Pipelines/Compile.h"

void spikeloom::registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::LLVM::LLVMDialect,
                  mlir::math::MathDialect, mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                  mlir::vector::VectorDialect, snn::SNNDialect, tile::TileDialect>();
}

void spikeloom::registerPasses() {
  mlir::registerTransformsPasses();
  snn::registerSNNPasses();
  tile::registerTilePasses();
  registerConversionPasses();
  registerCompilePipelines();
}
