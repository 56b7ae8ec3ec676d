// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Losses by name, and the readouts that they fit.
#include "Readout.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

static constexpr StringRef kLosses[] = {"cross_entropy", "mse", "mse_count"};

/// A mean squared error wants values of their own scale, or counts as shares of the steps.
static bool fits(StringRef loss, StringRef readout) {
  if (loss == "mse_count")
    return readout == "spike_count";
  return loss == "cross_entropy" || readout != "spike_count";
}

static std::string listed(ArrayRef<StringRef> names) { return llvm::join(names, ", "); }

FailureOr<LossChoice> LossChoice::parse(func::FuncOp function, StringRef loss, StringRef readout,
                                        StringRef targets) {
  LossChoice choice{loss.str(), readout.str()};
  if (!llvm::is_contained(kLosses, loss))
    return function.emitError("option 'loss' is '") << loss << "'; there are: " << listed(kLosses);
  if (!llvm::is_contained(readouts(), readout))
    return function.emitError("option 'readout' is '") << readout << "'; there are: " << listed(readouts());
  if (!fits(loss, readout)) {
    SmallVector<StringRef> good(
        llvm::make_filter_range(readouts(), [&](StringRef name) { return fits(loss, name); }));
    return function.emitError("loss '")
           << loss << "' does not fit the readout '" << readout << "'; it fits: " << listed(good)
           << (loss == "mse" ? " (for counts there is the loss mse_count)" : "");
  }
  auto [on, off] = targets.split(',');
  double onValue, offValue;
  if (on.getAsDouble(onValue) || off.getAsDouble(offValue) || !std::isfinite(onValue) ||
      !std::isfinite(offValue))
    return function.emitError("option 'targets' takes ON,OFF: what mse wants of the labelled unit and of the "
                              "others, such as 1,0; found '")
           << targets << "'";
  choice.on = float(onValue), choice.off = float(offValue);
  return choice;
}

LossOpInterface LossChoice::build(OpBuilder &builder, Value logits, Value labels, Value weights,
                                  int64_t steps) const {
  Location loc = logits.getLoc();
  Type scalar = RankedTensorType::get({}, builder.getF32Type());
  if (loss == "cross_entropy")
    return CrossEntropyOp::create(builder, loc, scalar, logits.getType(), scalar, logits, labels, weights);
  float wanted = on, others = off;
  double scale = 1.0;
  if (loss == "mse_count") { // whole spikes, as snnTorch
    wanted = std::floor(on * float(steps)), others = std::floor(off * float(steps));
    scale = 1.0 / double(steps);
  }
  return SquaredErrorOp::create(builder, loc, scalar, logits.getType(), scalar, logits, labels, weights,
                                builder.getF32FloatAttr(wanted), builder.getF32FloatAttr(others),
                                builder.getF64FloatAttr(scale));
}
