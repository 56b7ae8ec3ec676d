// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verification and canonicalisation of the snn operations.
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "Verify.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace spikeloom::snn;

#include "spikeloom/Dialect/SNN/IR/SNNInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "spikeloom/Dialect/SNN/IR/SNNOps.cpp.inc"

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

LogicalResult spikeloom::snn::checkShape(Operation *op, StringRef what, Value value,
                                         ArrayRef<int64_t> expected) {
  if (typeOf(value).getShape() == expected)
    return success();
  auto diagnostic = op->emitOpError() << what << " must have shape [";
  llvm::interleaveComma(expected, diagnostic);
  return diagnostic << "], found " << value.getType();
}

LogicalResult spikeloom::snn::checkDense(Operation *op, StringRef what, Value value) {
  if (getConnections(value.getType()))
    return op->emitOpError() << what << " must be dense, found " << value.getType()
                             << "; connections are those of weights";
  if (!getEvents(value.getType()))
    return success();
  return op->emitOpError() << what << " must be dense, found " << value.getType() << "; use snn.expand";
}

/// A weight or its gradient: dense, or with connections.
static LogicalResult checkWeight(Operation *op, StringRef what, Value value) {
  return getConnections(value.getType()) ? success() : checkDense(op, what, value);
}

LogicalResult spikeloom::snn::checkMatrix(Operation *op, StringRef what, Value value) {
  if (typeOf(value).getRank() == 2)
    return success();
  return op->emitOpError() << what << " must have two dimensions, found " << value.getType();
}

/// A per-unit parameter: shape [units] or [].
static LogicalResult checkPerUnit(Operation *op, StringRef what, Value value, int64_t units) {
  if (!value)
    return success();
  RankedTensorType type = typeOf(value);
  if (type.getRank() == 0 || (type.getRank() == 1 && type.getDimSize(0) == units))
    return checkDense(op, what, value);
  return op->emitOpError() << what << " must have shape [" << units << "] or [], found " << type;
}

static LogicalResult checkSameSupport(Operation *op, StringRef what, Type type, Type other) {
  EventsAttr a = getEvents(type), b = getEvents(other);
  if (bool(a) == bool(b) && (!a || a.getCapacity() == b.getCapacity()))
    return success();
  return op->emitOpError() << what << " must have the support of " << other << ", found " << type;
}

//===----------------------------------------------------------------------===//
// Synapses
//===----------------------------------------------------------------------===//

LogicalResult LinearOp::verify() {
  if (failed(checkMatrix(*this, "input", getInput())) || failed(checkMatrix(*this, "weight", getWeight())) ||
      failed(checkWeight(*this, "weight", getWeight())) || failed(checkDense(*this, "result", getResult())))
    return failure();
  int64_t in = typeOf(getInput()).getDimSize(1), out = typeOf(getWeight()).getDimSize(0);
  if (failed(checkShape(*this, "weight", getWeight(), {out, in})) ||
      failed(checkShape(*this, "result", getResult(), {typeOf(getInput()).getDimSize(0), out})))
    return failure();
  return getBias() ? checkShape(*this, "bias", getBias(), {out}) : success();
}

LogicalResult LinearInputGradOp::verify() {
  if (failed(checkMatrix(*this, "gradient", getGradient())) ||
      failed(checkMatrix(*this, "weight", getWeight())) ||
      failed(checkDense(*this, "gradient", getGradient())) ||
      failed(checkWeight(*this, "weight", getWeight())))
    return failure();
  int64_t out = typeOf(getGradient()).getDimSize(1), in = typeOf(getWeight()).getDimSize(1);
  SmallVector<int64_t> shape{typeOf(getGradient()).getDimSize(0), in};
  if (failed(checkShape(*this, "weight", getWeight(), {out, in})) ||
      failed(checkShape(*this, "result", getResult(), shape)))
    return failure();
  if (auto placement = getPlacement())
    if (placement->size() != 2 || (*placement)[0] < 1 || (*placement)[1] < 1)
      return emitOpError("attribute 'placement' must be [group, perTile], both at least 1");
  if (!getSupport())
    return checkDense(*this, "result without a support", getResult());
  if (failed(checkShape(*this, "support", getSupport(), shape)))
    return failure();
  if (!getEvents(getSupport().getType()))
    return emitOpError("support must be an event tensor, found ") << getSupport().getType();
  return checkSameSupport(*this, "result", getResult().getType(), getSupport().getType());
}

LogicalResult LinearWeightGradOp::verify() {
  if (failed(checkMatrix(*this, "gradient", getGradient())) ||
      failed(checkMatrix(*this, "input", getInput())) ||
      failed(checkDense(*this, "gradient", getGradient())) ||
      failed(checkWeight(*this, "accumulator", getAccumulator())))
    return failure();
  if (typeOf(getGradient()).getDimSize(0) != typeOf(getInput()).getDimSize(0))
    return emitOpError("gradient and input must have the same batch, found ")
           << getGradient().getType() << " and " << getInput().getType();
  return checkShape(*this, "accumulator", getAccumulator(),
                    {typeOf(getGradient()).getDimSize(1), typeOf(getInput()).getDimSize(1)});
}

LogicalResult BatchSumOp::verify() {
  if (typeOf(getValue()).getRank() == 1)
    return checkShape(*this, "accumulator", getAccumulator(), {});
  if (failed(checkMatrix(*this, "value", getValue())) || failed(checkDense(*this, "value", getValue())))
    return failure();
  if (typeOf(getAccumulator()).getRank() == 0)
    return success();
  return checkShape(*this, "accumulator", getAccumulator(), {typeOf(getValue()).getDimSize(1)});
}

//===----------------------------------------------------------------------===//
// Neurons
//===----------------------------------------------------------------------===//

SurrogateAttr NeuronOp::getSurrogateOrDefault() {
  return getSurrogate() ? *getSurrogate()
                        : SurrogateAttr::get(getContext(), SurrogateKind::fast_sigmoid, {25.0});
}

/// Pairs of a factor and a limit, for neurons that make lists and know the weights of their samples.
static LogicalResult verifyPenalties(Operation *op, std::optional<ArrayRef<float>> penalties, bool lists,
                                     Value weights, Value unreset, ArrayRef<int64_t> shape) {
  if (unreset &&
      (failed(checkShape(op, "unreset", unreset, shape)) || failed(checkDense(op, "unreset", unreset))))
    return failure();
  if (weights && failed(checkShape(op, "weights", weights, {shape[0]})))
    return failure();
  if (!penalties)
    return success();
  if (penalties->empty() || penalties->size() % 2 != 0)
    return op->emitOpError("attribute 'penalties' must hold pairs of a factor and a limit, found ")
           << penalties->size() << " numbers";
  if (!lists)
    return op->emitOpError("attribute 'penalties' needs event tensors: their lists count what fires");
  if (!weights)
    return op->emitOpError("attribute 'penalties' needs the weights of the samples: weights(...)");
  return success();
}

LogicalResult NeuronOp::verify() {
  if (failed(checkMatrix(*this, "input", getInput())) || failed(checkDense(*this, "input", getInput())) ||
      failed(checkDense(*this, "membrane", getMembrane())))
    return failure();
  ArrayRef<int64_t> shape = typeOf(getInput()).getShape();
  if (failed(checkShape(*this, "membrane", getMembrane(), shape)) ||
      failed(checkShape(*this, "spikes", getSpikes(), shape)) ||
      failed(checkShape(*this, "new membrane", getNext(), shape)) ||
      failed(checkDense(*this, "new membrane", getNext())) ||
      failed(checkPerUnit(*this, "decay", getDecays(), shape[1])) ||
      failed(checkPerUnit(*this, "threshold", getThresholds(), shape[1])))
    return failure();
  if (Value compared = getCompared())
    if (failed(checkShape(*this, "compared membrane", compared, shape)) ||
        failed(checkSameSupport(*this, "compared membrane", compared.getType(), getSpikes().getType())))
      return failure();
  if (Value fired = getFired())
    if (failed(checkShape(*this, "fired", fired, shape)) || failed(checkDense(*this, "fired", fired)))
      return failure();
  EventsAttr events = getEvents(getSpikes().getType());
  if (failed(verifyPenalties(*this, getPenalties(), bool(events), getWeights(), getUnreset(), shape)))
    return failure();
  if (getRotate() && !events)
    return emitOpError("attribute 'rotate' needs spikes that are an event tensor");
  if (getNear() && !events)
    return emitOpError("attribute 'near' needs spikes that are an event tensor");
  if (events && events.getBinary() && !getGraded().isExactlyValue(1.0))
    return emitOpError("attribute 'graded' is ")
           << getGraded().convertToFloat() << ", so the events are not binary";
  if (getResetScope() == ResetScope::whole_update &&
      (getResetKind() != ResetKind::value ||
       (getOrder() == FireOrder::integrate_fire && getResetTime() != ResetTime::delayed)))
    return emitOpError(
        "attribute 'reset_scope' = whole_update is defined only for a delayed reset to a value "
        "(reset_kind = value, reset_time = delayed)");
  if (getOrder() == FireOrder::fire_integrate && getResetTime() == ResetTime::delayed)
    return emitOpError(
        "attribute 'reset_time' = delayed has no meaning with order = fire_integrate, which fires "
        "from the old membrane");
  return success();
}

LogicalResult NeuronAdjointOp::verify() {
  ArrayRef<int64_t> shape = typeOf(getCompared()).getShape();
  if (!getSpikeCotangent() && !getNextCotangent())
    return emitOpError("needs the cotangent of the spikes or of the new membrane");
  for (auto [what, value] : {std::pair<StringRef, Value>{"cotangent of the spikes", getSpikeCotangent()},
                             {"cotangent of the new membrane", getNextCotangent()},
                             {"fired", getFired()},
                             {"previous", getPrevious()},
                             {"update", getUpdate()},
                             {"threshold cotangent", getThresholdCotangent()},
                             {"input cotangent", getInputCotangent()},
                             {"membrane cotangent", getMembraneCotangent()}})
    if (value && failed(checkShape(*this, what, value, shape)))
      return failure();
  if (Value spikes = getSpikeCotangent())
    if (getEvents(spikes.getType()) &&
        failed(checkSameSupport(*this, "cotangent of the spikes", spikes.getType(), getCompared().getType())))
      return failure();
  if (getResetKind() == ResetKind::value && !getFired())
    return emitOpError(
        "attribute 'reset_kind' = value needs the operand 'fired': the reset stops the gradient "
        "where the neuron fired");
  if (failed(verifyPenalties(*this, getPenalties(), bool(getEvents(getCompared().getType())), getWeights(),
                             getUnreset(), shape)))
    return failure();
  if (getPenalties() && !getUnreset())
    return emitOpError("attribute 'penalties' needs the operand 'unreset', the membranes of all neurons");
  if (getThresholdCotangent() && getResetKind() == ResetKind::subtract && !getFired())
    return emitOpError(
        "the cotangent of the threshold needs the operand 'fired' where the reset subtracts it");
  if (getResetScope() == ResetScope::whole_update && !getDetachReset() && !getUpdate())
    return emitOpError("attribute 'detach_reset' = false with 'reset_scope' = whole_update needs the operand "
                       "'update', what the reset replaced");
  if (getOrder() == FireOrder::integrate_fire && getResetTime() == ResetTime::delayed &&
      getResetKind() != ResetKind::none && !getDetachReset() && !getPrevious())
    return emitOpError(
        "attribute 'detach_reset' = false with a delayed reset needs the operand 'previous': the "
        "reset was decided by the old membrane");
  return success();
}

LogicalResult IntegratorOp::verify() {
  if (failed(checkMatrix(*this, "input", getInput())) || failed(checkDense(*this, "input", getInput())))
    return failure();
  ArrayRef<int64_t> shape = typeOf(getInput()).getShape();
  if (failed(checkShape(*this, "state", getState(), shape)) ||
      failed(checkShape(*this, "result", getNext(), shape)))
    return failure();
  return checkPerUnit(*this, "decay", getDecays(), shape[1]);
}

LogicalResult SpikeOp::verify() {
  if (getMaxSpikes() && int64_t(*getMaxSpikes()) < 0)
    return emitOpError("attribute 'max_spikes' must be at least 1, or 0 for any number, found ")
           << int64_t(*getMaxSpikes());
  if (failed(checkDense(*this, "value", getValue())) || failed(checkDense(*this, "result", getSpikes())))
    return failure();
  if (Value threshold = getThresholds())
    if (typeOf(threshold) != typeOf(getValue()))
      return checkPerUnit(*this, "threshold", threshold, typeOf(getValue()).getShape().back());
  return success();
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

LogicalResult CompressOp::verify() {
  if (failed(checkDense(*this, "input", getInput())))
    return failure();
  if (!getEvents(getResult().getType()))
    return emitOpError("result must be an event tensor, found ") << getResult().getType();
  return checkShape(*this, "result", getResult(), typeOf(getInput()).getShape());
}

LogicalResult ExpandOp::verify() {
  if (!getEvents(getInput().getType()))
    return emitOpError("operand must be an event tensor, found ") << getInput().getType();
  if (failed(checkDense(*this, "result", getResult())))
    return failure();
  return checkShape(*this, "result", getResult(), typeOf(getInput()).getShape());
}

LogicalResult RestrictOp::verify() {
  if (failed(checkDense(*this, "input", getInput())))
    return failure();
  if (!getEvents(getLike().getType()))
    return emitOpError("'like' must be an event tensor, found ") << getLike().getType();
  if (failed(checkShape(*this, "result", getResult(), typeOf(getInput()).getShape())) ||
      failed(checkShape(*this, "'like'", getLike(), typeOf(getInput()).getShape())))
    return failure();
  return checkSameSupport(*this, "result", getResult().getType(), getLike().getType());
}

LogicalResult AccumulateOp::verify() {
  if (!getEvents(getResult().getType()))
    return emitOpError("adds event cotangents; use arith.addf for ") << getResult().getType();
  return success();
}

LogicalResult CheckEqualOp::verify() { return checkWeight(*this, "a compared value", getActual()); }

LogicalResult CheckCloseOp::verify() {
  if (getTolerance().isNegative() || getTolerance().isNaN())
    return emitOpError("attribute 'tolerance' must not be negative, found ")
           << getTolerance().convertToFloat();
  return checkDense(*this, "a compared value", getActual());
}

LogicalResult CheckEventsOp::verify() {
  if (!spikeloom::snn::getEvents(getEvents().getType()))
    return emitOpError("operand must be an event tensor, found ") << getEvents().getType();
  int64_t rows = 1;
  for (int64_t size : typeOf(getEvents()).getShape().drop_back())
    rows *= size;
  for (auto [what, lists] :
       {std::pair<StringRef, std::optional<ArrayAttr>>{"spikes", getSpikes()}, {"near", getNear()}}) {
    if (!lists)
      continue;
    if (int64_t(lists->size()) != rows)
      return emitOpError("attribute '")
             << what << "' must have one list for each of " << rows << " rows, found " << lists->size();
    if (!llvm::all_of(*lists, llvm::IsaPred<DenseI64ArrayAttr>))
      return emitOpError("attribute '") << what << "' must hold lists such as array<i64: 0, 3>";
  }
  if (getFired() && int64_t(getFired()->size()) != rows)
    return emitOpError("attribute 'fired' must have one number for each of ")
           << rows << " rows, found " << getFired()->size();
  return success();
}

namespace {
/// compress(expand(e)) is e where the type is the same.
struct FoldCompressOfExpand : OpRewritePattern<CompressOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CompressOp op, PatternRewriter &rewriter) const override {
    auto expand = op.getInput().getDefiningOp<ExpandOp>();
    if (!expand || expand.getInput().getType() != op.getResult().getType())
      return rewriter.notifyMatchFailure(op, "not the inverse of an expand");
    // Near-threshold entries are part of a support, so only lists that cannot hold any are the same.
    if (!expand.getInput().getDefiningOp<CompressOp>())
      return rewriter.notifyMatchFailure(op, "the list may hold near-threshold entries");
    rewriter.replaceOp(op, expand.getInput());
    return success();
  }
};
} // namespace

void CompressOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldCompressOfExpand>(context);
}

//===----------------------------------------------------------------------===//
// Shapes and sums
//===----------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  RankedTensorType from = typeOf(getInput()), to = typeOf(getResult());
  if (failed(checkDense(*this, "input", getInput())) || failed(checkDense(*this, "result", getResult())) ||
      failed(checkMatrix(*this, "result", getResult())))
    return failure();
  bool fits = from.getRank() == 0 || (from.getRank() == 1 && from.getDimSize(0) == to.getDimSize(1)) ||
              (from.getRank() == 2 && from.getDimSize(0) == to.getDimSize(0) && from.getDimSize(1) == 1);
  if (!fits)
    return emitOpError("spreads [N], [] or [B, 1] to [B, N], found ") << from << " to " << to;
  return success();
}

LogicalResult SumTimeOp::verify() {
  if (typeOf(getInput()).getRank() < 2)
    return emitOpError("needs a stacked value, found ") << getInput().getType();
  if (failed(checkDense(*this, "input", getInput())))
    return failure();
  return checkShape(*this, "result", getResult(), typeOf(getInput()).getShape().drop_front());
}

LogicalResult RepeatTimeOp::verify() {
  if (typeOf(getResult()).getRank() < 2)
    return emitOpError("needs a stacked result, found ") << getResult().getType();
  return checkShape(*this, "input", getInput(), typeOf(getResult()).getShape().drop_front());
}

/// Checks that `segments` is `steps` with its first dimension in two, the number of segments and their
/// length.
static LogicalResult checkSegments(Operation *op, Value steps, Value segments) {
  RankedTensorType whole = typeOf(steps), split = typeOf(segments);
  ArrayRef<int64_t> shape = split.getShape();
  bool fits = split.getRank() == whole.getRank() + 1 && whole.getRank() >= 1 &&
              shape[0] * shape[1] == whole.getDimSize(0) &&
              shape.drop_front(2) == whole.getShape().drop_front();
  if (!fits || split.getEncoding() != whole.getEncoding() || split.getElementType() != whole.getElementType())
    return op->emitOpError() << split << " is not " << whole << " in segments of equal length";
  return success();
}

LogicalResult SplitTimeOp::verify() { return checkSegments(*this, getInput(), getResult()); }

LogicalResult MergeTimeOp::verify() { return checkSegments(*this, getResult(), getInput()); }
