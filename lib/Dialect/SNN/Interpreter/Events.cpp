// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Event lists, and the operations between event tensors and dense ones.
#include "Lists.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "llvm/ADT/TypeSwitch.h"
#include <algorithm>

using namespace mlir;
using namespace spikeloom::snn;

std::vector<EventRow> spikeloom::snn::makeLists(const Tensor &spikes, int64_t capacity,
                                                llvm::function_ref<bool(int64_t, int64_t)> isNear,
                                                llvm::function_ref<int64_t(int64_t)> firstOf) {
  std::vector<EventRow> rows(spikes.numRows());
  int64_t units = spikes.units();
  for (int64_t r = 0; r < spikes.numRows(); ++r) {
    const float *values = spikes.row(r);
    int64_t first = firstOf(r);
    EventRow &row = rows[r];
    // Takes what comes first, then puts it in ascending order.
    auto take = [&](auto wanted) {
      int64_t begin = int64_t(row.ids.size());
      for (int64_t k = 0; k < units; ++k)
        if (int64_t i = (first + k) % units; wanted(i) && int64_t(row.ids.size()) < capacity)
          row.ids.push_back(int32_t(i));
      std::sort(row.ids.begin() + begin, row.ids.end());
    };
    row.fired = int32_t(std::count_if(values, values + units, [](float value) { return value != 0.0f; }));
    take([&](int64_t i) { return values[i] != 0.0f; });
    row.spikes = int32_t(row.ids.size());
    take([&](int64_t i) { return values[i] == 0.0f && isNear(r, i); });
  }
  return rows;
}

Tensor spikeloom::snn::restrictTo(const Tensor &dense, const std::vector<EventRow> &rows) {
  Tensor result(dense.shape);
  for (size_t r = 0; r < rows.size(); ++r)
    for (int32_t id : rows[r].ids)
      result.row(r)[id] = dense.row(r)[id];
  result.rows = rows;
  return result;
}

std::vector<char> spikeloom::snn::supportOf(const Tensor &tensor) {
  if (!tensor.isEvents())
    return std::vector<char>(tensor.elements(), 1);
  std::vector<char> support(tensor.elements(), 0);
  for (size_t r = 0; r < tensor.rows.size(); ++r)
    for (int32_t id : tensor.rows[r].ids)
      support[r * tensor.units() + id] = 1;
  return support;
}

LogicalResult Interpreter::evaluateEvents(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](CompressOp compress) {
        EventsAttr events = getEvents(compress.getResult().getType());
        const Tensor &input = valueOf(compress.getInput());
        Tensor result = restrictTo(
            input, makeLists(
                       input, events.getCapacity(), [](int64_t, int64_t) { return false; },
                       [&](int64_t row) { return firstUnit(compress.getRotate(), row, input.units()); }));
        if (events.getBinary())
          for (float &value : result.data)
            value = value != 0.0f;
        countLists(op, result);
        set(compress.getResult(), std::move(result));
        return success();
      })
      .Case([&](ExpandOp expand) {
        Tensor result = valueOf(expand.getInput());
        result.rows.clear();
        set(expand.getResult(), std::move(result));
        return success();
      })
      .Case([&](RestrictOp restrict) {
        set(restrict.getResult(), restrictTo(valueOf(restrict.getInput()), valueOf(restrict.getLike()).rows));
        return success();
      })
      .Case([&](AccumulateOp accumulate) {
        Tensor result = valueOf(accumulate.getLhs());
        const Tensor &other = valueOf(accumulate.getRhs());
        for (size_t i = 0; i < result.data.size(); ++i)
          result.data[i] += other.data[i];
        set(accumulate.getResult(), std::move(result));
        return success();
      })
      .Default([](Operation *) { return failure(); });
}
