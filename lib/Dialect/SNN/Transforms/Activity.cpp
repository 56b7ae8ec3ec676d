// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Activity analysis of reverse-mode differentiation, to a fixed point over the states of scans.
#include "Activity.h"

using namespace mlir;
using namespace spikeloom::snn;

Varied::Varied(ValueRange variables, Operation *end) {
  values.insert(variables.begin(), variables.end());
  visit(*end->getBlock(), end);
}

bool Varied::visit(Block &block, Operation *end) {
  bool changed = false;
  for (Operation &op : block) {
    if (&op == end)
      break;
    if (auto scan = dyn_cast<ScanOp>(op)) {
      changed |= visitScan(scan);
      continue;
    }
    if (llvm::any_of(op.getOperands(), [&](Value operand) { return contains(operand); }))
      for (Value result : op.getResults())
        changed |= values.insert(result).second;
  }
  return changed;
}

bool Varied::visitScan(ScanOp scan) {
  bool changed = false;
  auto flow = [&](Value from, Value to) {
    if (contains(from))
      changed |= values.insert(to).second;
  };
  for (auto [sequence, argument] : llvm::zip(scan.getSequences(), scan.getStepArgs()))
    flow(sequence, argument);
  for (auto [init, argument] : llvm::zip(scan.getInits(), scan.getStateArgs()))
    flow(init, argument);
  YieldOp yield = scan.getYield();
  bool again = true;
  while (again) {
    again = visit(scan.getBody().front(), nullptr);
    for (auto [value, argument] : llvm::zip(yield.getStates(), scan.getStateArgs()))
      if (contains(value))
        again |= values.insert(argument).second;
    changed |= again;
  }
  for (auto [value, result] : llvm::zip(yield.getStepValues(), scan.getStacked()))
    flow(value, result);
  for (auto [value, result] : llvm::zip(yield.getStates(), scan.getFinals()))
    flow(value, result);
  // With no step that changed anything the last value may still be the first.
  for (auto [init, result] : llvm::zip(scan.getInits(), scan.getFinals()))
    flow(init, result);
  return changed;
}
