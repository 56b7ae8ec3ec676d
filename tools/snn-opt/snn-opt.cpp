// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// snn-opt: every dialect, pass and pipeline of Spikeloom on the command line; loads plugins.
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "spikeloom/Pipelines/Registration.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  spikeloom::registerDialects(registry);
  spikeloom::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "Spikeloom optimizer: sparse recurrent models on tiled processors\n", registry));
}
