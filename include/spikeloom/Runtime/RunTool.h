// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The inside of `snn-run`: its command line and what it does.
#ifndef SPIKELOOM_RUNTIME_RUNTOOL_H
#define SPIKELOOM_RUNTIME_RUNTOOL_H

namespace spikeloom::runtime {

/// Exit code: 0 done, 1 the user's input is at fault, 2 wrong usage, 3 a defect of ours.
int runTool(int argc, char **argv);

} // namespace spikeloom::runtime
#endif
