// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration and attributes of the snn dialect.
#include "spikeloom/Dialect/SNN/IR/SNNDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectImplementation.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace spikeloom::snn;

#include "spikeloom/Dialect/SNN/IR/SNNDialect.cpp.inc"
#include "spikeloom/Dialect/SNN/IR/SNNEnums.cpp.inc"

/// `, 1.0, 2.0`: numbers after something else.
static ParseResult parseNumbers(AsmParser &parser, DenseF64ArrayAttr &numbers) {
  SmallVector<double> values;
  while (succeeded(parser.parseOptionalComma())) {
    double value;
    if (parser.parseFloat(value))
      return failure();
    values.push_back(value);
  }
  numbers = DenseF64ArrayAttr::get(parser.getContext(), values);
  return success();
}
static void printNumbers(AsmPrinter &printer, DenseF64ArrayAttr numbers) {
  for (double number : numbers.asArrayRef()) {
    printer << ", ";
    printer.printFloat(APFloat(number));
  }
}

#define GET_ATTRDEF_CLASSES
#include "spikeloom/Dialect/SNN/IR/SNNAttributes.cpp.inc"

void SNNDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "spikeloom/Dialect/SNN/IR/SNNAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "spikeloom/Dialect/SNN/IR/SNNOps.cpp.inc"
      >();
}

LogicalResult EventsAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t capacity, bool) {
  if (capacity < 1)
    return emitError() << "attribute 'capacity' must be at least 1, found " << capacity;
  return success();
}

LogicalResult EventsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type elementType,
                                         function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() < 2)
    return emitError() << "an event tensor has rows: rank at least 2, found " << shape.size();
  if (!elementType.isF32())
    return emitError() << "an event tensor holds f32, found " << elementType;
  if (!ShapedType::isDynamic(shape.back()) && getCapacity() > shape.back())
    return emitError() << "attribute 'capacity' is " << getCapacity() << ", more than the " << shape.back()
                       << " units of a row";
  return success();
}

EventsAttr spikeloom::snn::getEvents(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_if_present<EventsAttr>(tensor.getEncoding()) : EventsAttr();
}

RankedTensorType spikeloom::snn::getDense(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), tensor.getElementType());
}

RankedTensorType spikeloom::snn::getEventTensor(Type type, int64_t capacity, bool binary) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), tensor.getElementType(),
                               EventsAttr::get(type.getContext(), capacity, binary));
}
