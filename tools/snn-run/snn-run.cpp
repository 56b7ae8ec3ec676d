// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs a compiled program.
#include "spikeloom/Runtime/RunTool.h"
#include <cstdio>
#include <exception>

int main(int argc, char **argv) {
  try {
    return spikeloom::runtime::runTool(argc, argv);
  } catch (const std::exception &problem) { // such as too little memory for the user's arrays
    std::fprintf(stderr, "snn-run: unexpected: %s\n", problem.what());
    return 3;
  }
}
