// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// snn-compile: from a model in MLIR to an executable.
#include "spikeloom/Pipelines/Compile.h"

int main(int argc, char **argv) { return spikeloom::compileTool(argc, argv); }
