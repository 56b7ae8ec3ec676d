// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verification of losses, gradients and optimisers.
#include "Verify.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

using namespace mlir;
using namespace spikeloom::snn;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Labels and weights are one per sample; the loss is judged on [B, C] or [T, B, C].
static LogicalResult verifyLoss(LossOpInterface op) {
  Value logits = op.getLogits();
  if (typeOf(logits).getRank() != 3 && failed(checkMatrix(op, "logits", logits)))
    return failure();
  if (failed(checkDense(op, "logits", logits)))
    return failure();
  ArrayRef<int64_t> shape = typeOf(logits).getShape();
  int64_t batch = shape[shape.size() - 2];
  if (typeOf(op.getLabels()).getShape() != ArrayRef<int64_t>{batch})
    return op->emitOpError("labels must have shape [") << batch << "], found " << op.getLabels().getType();
  if (failed(checkShape(op, "weights", op.getWeights(), {batch})) ||
      failed(checkShape(op, "gradient", op.getGradient(), shape)) ||
      failed(checkShape(op, "loss", op.getLoss(), {})))
    return failure();
  return checkShape(op, "correct", op.getCorrect(), {});
}

LogicalResult CrossEntropyOp::verify() { return verifyLoss(*this); }

LogicalResult SquaredErrorOp::verify() {
  if (!(getScale().convertToDouble() > 0))
    return emitOpError("attribute 'scale' must be positive, found ") << getScale().convertToDouble();
  return verifyLoss(*this);
}

LogicalResult GradientOp::verify() {
  if (getValues().size() != getSeeds().size())
    return emitOpError("has ") << getValues().size() << " values but " << getSeeds().size() << " seeds";
  for (auto [value, seed] : llvm::zip(getValues(), getSeeds()))
    if (seed.getType() != getCotangentType(value.getType()))
      return emitOpError("a seed must have the type ")
             << getCotangentType(value.getType()) << ", found " << seed.getType();
  if (getVariables().getTypes() != getGradients().getTypes())
    return emitOpError("the gradients must have the types of the variables");
  return success();
}

LogicalResult ZeroEveryOp::verify() { return checkDense(*this, "value", getValue()); }

/// A limit on gradients: positive.
static LogicalResult checkLimit(Operation *op, StringRef what, const APFloat &limit) {
  if (limit.isFinite() && limit > APFloat(0.0f))
    return success();
  return op->emitOpError("attribute '") << what << "' must be positive, found " << limit.convertToFloat();
}

LogicalResult ClipByNormOp::verify() {
  if (getGradients().empty())
    return emitOpError("needs at least one gradient");
  for (Value gradient : getGradients())
    if (typeOf(gradient).getRank() > 2 || getEvents(gradient.getType()))
      return emitOpError("takes gradients [N, I], [N] or [], found ") << gradient.getType();
  if (failed(checkShape(*this, "norm", getNorm(), {})) ||
      failed(checkShape(*this, "factor", getFactor(), {})))
    return failure();
  return checkLimit(*this, "limit", getLimit());
}

static LogicalResult verifyUpdate(OptimizerOpInterface op, std::optional<APFloat> clip) {
  if (op.getScale() && failed(checkShape(op, "scale", op.getScale(), {})))
    return failure();
  if (clip && failed(checkLimit(op, "clip", *clip)))
    return failure();
  return checkShape(op, "hyper", op.getHyper(), {4});
}

SmallVector<Value> SgdOp::getStates() {
  return getVelocity() ? SmallVector<Value>{getVelocity()} : SmallVector<Value>();
}

SmallVector<Value> SgdOp::getNextStates() {
  return getNextVelocity() ? SmallVector<Value>{getNextVelocity()} : SmallVector<Value>();
}

LogicalResult SgdOp::verify() {
  if (bool(getVelocity()) != bool(getNextVelocity()))
    return emitOpError("has a velocity only before or only after the step: give both types or none");
  for (Value velocity : {Value(getVelocity()), Value(getNextVelocity())})
    if (velocity && velocity.getType() != getParameter().getType())
      return emitOpError("the velocity must have the type of the parameter, ")
             << getParameter().getType() << ", found " << velocity.getType();
  if (getNesterov() && !getVelocity())
    return emitOpError("attribute 'nesterov' needs a velocity: give momentum(...)");
  if (getDecay() == WeightDecay::decoupled)
    return emitOpError("attribute 'decay' = decoupled is known to snn.adam only; use l2");
  return verifyUpdate(*this, getClip());
}

LogicalResult AdamOp::verify() {
  for (const auto &[what, value] :
       {std::pair<StringRef, APFloat>{"beta1", getBeta1()}, {"beta2", getBeta2()}})
    if (!(value.convertToFloat() >= 0 && value.convertToFloat() < 1))
      return emitOpError("attribute '") << what << "' must lie in [0, 1), found " << value.convertToFloat();
  return verifyUpdate(*this, getClip());
}
