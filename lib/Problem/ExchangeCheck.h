// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is meaningless in a transfer, asked by the planner and by the verifier.
#ifndef SPIKELOOM_LIB_PROBLEM_EXCHANGECHECK_H
#define SPIKELOOM_LIB_PROBLEM_EXCHANGECHECK_H

#include "spikeloom/Problem/Exchange.h"

namespace spikeloom::detail {

std::optional<std::string> checkTransfer(const Machine &machine, const Transfer &transfer);

} // namespace spikeloom::detail
#endif
