// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluates snn models with the reference interpreter.
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"

int main(int argc, char **argv) { return spikeloom::snn::interpretTool(argc, argv); }
