// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Filter.h"
#include "spikeloom/Dialect/SNN/IR/SNNDialect.h"

#include "FilterDialect.cpp.inc"
#define GET_OP_CLASSES
#include "FilterOps.cpp.inc"

void filter::FilterDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "FilterOps.cpp.inc"
      >();
}

mlir::LogicalResult filter::LowpassOp::verify() {
  if (spikeloom::snn::getEvents(getNext().getType()))
    return emitOpError("works on every unit; expand event tensors with snn.expand");
  float decay = getDecay().convertToFloat();
  if (!(decay >= 0 && decay < 1))
    return emitOpError("attribute 'decay' must lie in [0, 1), found ") << decay;
  return mlir::success();
}
