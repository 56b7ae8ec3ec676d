// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// snn-opt with one more dialect and one more pass.
#include "Filter.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "spikeloom/Pipelines/Registration.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  spikeloom::registerDialects(registry);
  registry.insert<filter::FilterDialect>();
  spikeloom::registerPasses();
  filter::registerFilterPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Spikeloom with synaptic filters\n", registry));
}
