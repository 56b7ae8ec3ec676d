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

namespace {
/// Connections are long and many types have them: written once.
struct Aliases : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;
  AliasResult getAlias(Attribute attribute, raw_ostream &name) const override {
    if (!isa<ConnectionsAttr>(attribute))
      return AliasResult::NoAlias;
    name << "connections";
    return AliasResult::OverridableAlias;
  }
};
} // namespace

void SNNDialect::initialize() {
  addInterfaces<Aliases>();
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

/// Every row: inputs of [0, inputs) in ascending order, then only -1.
static LogicalResult verifyInputs(DenseIntElementsAttr rows, int64_t inputs,
                                  function_ref<InFlightDiagnostic()> emitError) {
  int64_t most = rows.getType().getDimSize(1), place = 0;
  int32_t last = -1;
  bool ended = false;
  for (int32_t input : rows.getValues<int32_t>()) {
    if (place % most == 0)
      last = -1, ended = false;
    if (input < -1 || input >= inputs)
      return emitError() << "connections: output " << place / most << " names input " << input
                         << ", allowed: 0 to " << inputs - 1 << ", and -1 behind the last";
    if (input >= 0 && (ended || input <= last))
      return emitError() << "connections: the inputs of output " << place / most
                         << " must ascend, and -1 stands only behind the last; found " << input
                         << " at position " << place % most;
    ended = input < 0;
    last = input;
    ++place;
  }
  return success();
}

LogicalResult ConnectionsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type elementType,
                                              function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != 2 || ShapedType::isDynamicShape(shape) || !elementType.isF32())
    return emitError() << "connections are those of a weight matrix: a static shape [out, in] of f32";
  if (shape[1] > kMostInputs)
    return emitError() << "a weight with connections has at most " << kMostInputs << " inputs, found "
                       << shape[1] << "; keep it dense";
  ShapedType rows = getInputs().getType();
  if (rows.getRank() != 2 || rows.getDimSize(0) != shape[0] || rows.getDimSize(1) < 1 ||
      !rows.getElementType().isSignlessInteger(32))
    return emitError() << "the connections of " << shape[0] << " outputs must be a tensor<" << shape[0]
                       << "xMxi32> with M at least 1, found " << rows;
  return verifyInputs(getInputs(), shape[1], emitError);
}

bool ConnectionsAttr::isPadded() const {
  return llvm::any_of(getInputs().getValues<int32_t>(), [](int32_t input) { return input < 0; });
}

std::vector<std::vector<int32_t>> ConnectionsAttr::getLists() const {
  std::vector<std::vector<int32_t>> lists(getInputs().getType().getDimSize(0));
  int64_t place = 0;
  for (int32_t input : getInputs().getValues<int32_t>())
    if (int64_t output = place++ / getFanIn(); input >= 0)
      lists[output].push_back(input);
  return lists;
}

ConnectionsAttr spikeloom::snn::getConnections(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_if_present<ConnectionsAttr>(tensor.getEncoding()) : ConnectionsAttr();
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
