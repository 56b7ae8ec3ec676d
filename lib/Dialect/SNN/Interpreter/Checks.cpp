// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Check operations: tests of numerics written as IR.
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

/// "[1, 2]" for the element with this number.
static std::string indexText(int64_t element, const std::vector<int64_t> &shape) {
  std::string text;
  for (size_t d = shape.size(); d-- > 0;) {
    text = std::to_string(element % shape[d]) + (text.empty() ? "" : ", ") + text;
    element /= shape[d];
  }
  return "[" + text + "]";
}

/// Reports the first element that `equal` refuses; returns whether there was one.
static bool reportDifference(Operation *op, const Tensor &actual, const Tensor &expected,
                             function_ref<bool(float, float)> equal) {
  for (int64_t i = 0; i < actual.elements(); ++i) {
    if (equal(actual.data[i], expected.data[i]))
      continue;
    char text[96];
    std::snprintf(text, sizeof text, "is %.9g, expected %.9g", actual.data[i], expected.data[i]);
    op->emitError("check failed: element ") << indexText(i, actual.shape) << " " << text;
    return true;
  }
  return false;
}

/// Reports the first row whose ids differ.
static bool reportLists(Operation *op, StringRef what, std::optional<ArrayAttr> expected,
                        const Tensor &events, function_ref<ArrayRef<int32_t>(const EventRow &)> listOf) {
  if (!expected)
    return false;
  for (auto [r, attribute] : llvm::enumerate(*expected)) {
    ArrayRef<int64_t> ids = cast<DenseI64ArrayAttr>(attribute).asArrayRef();
    ArrayRef<int32_t> found = listOf(events.rows[r]);
    if (llvm::equal(ids, found))
      continue;
    auto diagnostic = op->emitError("check failed: ") << what << " of row " << r << " are [";
    llvm::interleaveComma(found, diagnostic);
    diagnostic << "], expected [";
    llvm::interleaveComma(ids, diagnostic);
    diagnostic << "]";
    return true;
  }
  return false;
}

LogicalResult Interpreter::evaluateCheck(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](CheckEqualOp check) {
        checksFailed |=
            reportDifference(op, valueOf(check.getActual()), valueOf(check.getExpected()),
                             [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); });
        return success();
      })
      .Case([&](CheckCloseOp check) {
        float tolerance = check.getTolerance().convertToFloat();
        checksFailed |=
            reportDifference(op, valueOf(check.getActual()), valueOf(check.getExpected()),
                             [&](float a, float b) { return a == b || std::fabs(a - b) <= tolerance; });
        return success();
      })
      .Case([&](CheckEventsOp check) {
        const Tensor &events = valueOf(check.getEvents());
        checksFailed |= reportLists(op, "spikes", check.getSpikes(), events, [](const EventRow &row) {
          return ArrayRef<int32_t>(row.ids).take_front(row.spikes);
        });
        checksFailed |= reportLists(op, "near entries", check.getNear(), events, [](const EventRow &row) {
          return ArrayRef<int32_t>(row.ids).drop_front(row.spikes);
        });
        if (check.getFired())
          for (auto [r, expected] : llvm::enumerate(*check.getFired()))
            if (events.rows[r].fired != expected) {
              op->emitError("check failed: in row ")
                  << r << " " << events.rows[r].fired << " neurons fired, expected " << expected;
              checksFailed = true;
            }
        return success();
      })
      .Default([](Operation *) { return failure(); });
}
