// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes one training step of an inference function: readout, loss, gradients, optimiser.
#include "NeuronGradients.h"
#include "Optimizers.h"
#include "Penalties.h"
#include "Readout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Transforms/Differentiate.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"
#include "llvm/ADT/StringSet.h"

namespace spikeloom::snn {
#define GEN_PASS_DEF_SNNTRAININGSTEP
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn

using namespace mlir;
using namespace spikeloom::snn;

namespace {
/// Collects the results of the training step with their attributes.
struct Results {
  SmallVector<Value> values;
  SmallVector<DictionaryAttr> attributes;

  void add(Value value, ArrayRef<NamedAttribute> named) {
    values.push_back(value);
    attributes.push_back(DictionaryAttr::get(value.getContext(), named));
  }
};

struct SNNTrainingStep : spikeloom::snn::impl::SNNTrainingStepBase<SNNTrainingStep> {
  using Base::Base;

  void runOnOperation() override {
    function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || !function.getBody().hasOneBlock()) {
      getOperation().emitError("a training step needs the inference function '@main' with one block");
      return signalPassFailure();
    }
    if (failed(checkOptions()) || failed(build()))
      signalPassFailure();
  }

private:
  LogicalResult checkOptions() {
    FailureOr<LossChoice> parsed = LossChoice::parse(function, loss, readout, targets);
    if (failed(parsed))
      return failure();
    lossChoice = *parsed;
    update = {optimizer, lr,      momentum, weightDecay,  beta1,
              beta2,     epsilon, nesterov, std::nullopt, std::nullopt};
    if (failed(update.check(function, clipGradients)))
      return failure();
    if (truncate < 0)
      return function.emitError("option 'truncate' is ")
             << int64_t(truncate) << "; a number of steps, or 0 for not, is wanted";
    return penaltyChoice.parse(function, ratePenalty, overflowPenalty);
  }

  StringRef argumentName(unsigned index) {
    auto name = function.getArgAttrOfType<StringAttr>(index, kNameAttr);
    return name ? name.getValue() : StringRef();
  }

  Value addArgument(Type type, StringRef name, ArgumentKind kind, ArrayRef<NamedAttribute> more = {}) {
    std::string unique = name.str();
    while (!usedNames.insert(unique).second)
      unique += "_";
    Builder builder(&getContext());
    SmallVector<NamedAttribute> attributes(more);
    attributes.push_back(builder.getNamedAttr(kNameAttr, builder.getStringAttr(unique)));
    attributes.push_back(builder.getNamedAttr(kKindAttr, ArgumentKindAttr::get(&getContext(), kind)));
    unsigned index = function.getNumArguments();
    if (failed(
            function.insertArgument(index, type, builder.getDictionaryAttr(attributes), function.getLoc())))
      return Value();
    return function.getArgument(index);
  }

  LogicalResult build() {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      usedNames.insert(argumentName(i));
    SmallVector<unsigned> trainable;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (function.getArgAttr(i, kTrainableAttr))
        trainable.push_back(i);
    if (trainable.empty())
      return function.emitError("has no trainable parameter; mark arguments with snn.trainable");
    if (failed(prepareNeuronGradients(function, surrogate, detachReset)))
      return failure();

    auto end = cast<func::ReturnOp>(function.getBody().front().getTerminator());
    OpBuilder builder(end);
    int64_t steps = 1;
    function.walk([&](ScanOp scan) { steps = std::max(steps, scan.getNumSteps()); });
    if (truncate)
      detachStates(function, truncate);
    FailureOr<Value> logits = buildReadout(function, readout);
    if (failed(logits))
      return failure();
    Location loc = logits->getLoc();
    auto type = cast<RankedTensorType>(logits->getType());
    int64_t batch = type.getShape()[type.getRank() - 2];
    Type f32 = builder.getF32Type();
    Value labels =
        addArgument(RankedTensorType::get({batch}, builder.getI32Type()), "labels", ArgumentKind::label);
    Value weights = addArgument(RankedTensorType::get({batch}, f32), "sample_weights", ArgumentKind::weight);
    Value hyper = addArgument(RankedTensorType::get({4}, f32), "hyper", ArgumentKind::hyper);
    penaltyChoice.apply(function, weights);
    LossOpInterface lossOp = lossChoice.build(builder, *logits, labels, weights, steps);
    SmallVector<Value> parameters;
    for (unsigned i : trainable)
      parameters.push_back(function.getArgument(i));
    auto gradient = GradientOp::create(builder, loc, ValueRange(parameters).getTypes(), ValueRange(*logits),
                                       ValueRange(lossOp.getGradient()), parameters);
    returnAll(end, lossOp, gradient, trainable, hyper);
    return expandGradient(gradient);
  }

  /// Applies the optimiser and makes the training step's results.
  void returnAll(func::ReturnOp end, LossOpInterface lossOp, GradientOp gradient,
                 ArrayRef<unsigned> trainable, Value hyper) {
    OpBuilder builder(end);
    Location loc = function.getLoc();
    auto named = [&](StringRef key, StringRef value) {
      return builder.getNamedAttr(key, builder.getStringAttr(value));
    };
    Results results, states, gradients;
    results.add(lossOp.getLoss(), {named(kNameAttr, "loss"), named(kRoleAttr, "loss")});
    results.add(lossOp.getCorrect(), {named(kNameAttr, "correct"), named(kRoleAttr, "correct")});
    Value scale;
    if (update.normLimit) {
      Type scalar = RankedTensorType::get({}, builder.getF32Type());
      scale = ClipByNormOp::create(builder, loc, scalar, scalar, gradient.getGradients(),
                                   builder.getF32FloatAttr(*update.normLimit))
                  .getFactor();
    }
    for (auto [index, slope] : llvm::zip(trainable, gradient.getGradients())) {
      Value parameter = function.getArgument(index);
      std::string name = argumentName(index).str();
      auto updated = [&](Results &list, Value value, StringRef of) {
        list.add(value, {named(kNameAttr, of), named(kUpdateAttr, of)});
      };
      SmallVector<NamedAttribute> attributes{
          builder.getNamedAttr(kInitialAttr, builder.getF32FloatAttr(0.0f)), named(kOfAttr, name)};
      SmallVector<Value> old;
      for (StringRef suffix : update.stateNames())
        old.push_back(
            addArgument(parameter.getType(), name + "." + suffix.str(), ArgumentKind::optimizer, attributes));
      OptimizerOpInterface step = update.build(builder, loc, parameter, slope, old, hyper, scale);
      updated(results, step.getResult(), name);
      for (auto [before, after] : llvm::zip(old, step.getNextStates()))
        updated(states, after, argumentName(cast<BlockArgument>(before).getArgNumber()));
      gradients.add(slope,
                    {named(kNameAttr, name + ".grad"), named(kRoleAttr, "gradient"), named(kOfAttr, name)});
    }
    for (auto [i, value] : llvm::enumerate(end.getOperands()))
      if (function.getResultAttr(i, kStateAttr) || function.getResultAttr(i, kUpdateAttr))
        states.add(value, function.getResultAttrDict(i).getValue());
    for (Results *list : {&states, &gradients}) {
      llvm::append_range(results.values, list->values);
      llvm::append_range(results.attributes, list->attributes);
    }
    end.getOperandsMutable().assign(results.values);
    function.setType(
        builder.getFunctionType(function.getArgumentTypes(), ValueRange(results.values).getTypes()));
    function.setAllResultAttrs(results.attributes);
    SmallVector<NamedAttribute> training{named("loss", loss), named("readout", readout)};
    update.describe(builder, training);
    function->setAttr("snn.training", builder.getDictionaryAttr(training));
  }

  func::FuncOp function;
  LossChoice lossChoice;
  PenaltyChoice penaltyChoice;
  OptimizerChoice update;
  llvm::StringSet<> usedNames;
};
} // namespace
