// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes one training step of an inference function: readout, loss, gradients, optimiser.
#include "NeuronGradients.h"
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
    if (loss != "cross_entropy")
      return function.emitError("option 'loss' is '") << loss << "'; there is: cross_entropy";
    if (optimizer != "adam" && optimizer != "sgd")
      return function.emitError("option 'optimizer' is '") << optimizer << "'; there are: adam, sgd";
    return success();
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
    FailureOr<Value> logits = buildReadout(function, readout);
    if (failed(logits))
      return failure();
    Location loc = logits->getLoc();
    auto type = cast<RankedTensorType>(logits->getType());
    int64_t batch = type.getDimSize(0);
    Type f32 = builder.getF32Type();
    Value labels =
        addArgument(RankedTensorType::get({batch}, builder.getI32Type()), "labels", ArgumentKind::label);
    Value weights = addArgument(RankedTensorType::get({batch}, f32), "sample_weights", ArgumentKind::weight);
    Value hyper = addArgument(RankedTensorType::get({4}, f32), "hyper", ArgumentKind::hyper);
    Type scalar = RankedTensorType::get({}, f32);
    auto lossOp = CrossEntropyOp::create(builder, loc, scalar, type, scalar, *logits, labels, weights);
    SmallVector<Value> parameters;
    for (unsigned i : trainable)
      parameters.push_back(function.getArgument(i));
    auto gradient = GradientOp::create(builder, loc, ValueRange(parameters).getTypes(), ValueRange(*logits),
                                       ValueRange(lossOp.getGradient()), parameters);
    returnAll(end, lossOp, gradient, trainable, hyper);
    return expandGradient(gradient);
  }

  /// Applies the optimiser and makes the training step's results.
  void returnAll(func::ReturnOp end, CrossEntropyOp lossOp, GradientOp gradient, ArrayRef<unsigned> trainable,
                 Value hyper) {
    OpBuilder builder(end);
    Location loc = function.getLoc();
    auto named = [&](StringRef key, StringRef value) {
      return builder.getNamedAttr(key, builder.getStringAttr(value));
    };
    Results results, states, gradients;
    results.add(lossOp.getLoss(), {named(kNameAttr, "loss"), named(kRoleAttr, "loss")});
    results.add(lossOp.getCorrect(), {named(kNameAttr, "correct"), named(kRoleAttr, "correct")});
    for (auto [index, slope] : llvm::zip(trainable, gradient.getGradients())) {
      Value parameter = function.getArgument(index);
      std::string name = argumentName(index).str();
      auto update = [&](Results &list, Value value, StringRef of) {
        list.add(value, {named(kNameAttr, of), named(kUpdateAttr, of)});
      };
      if (optimizer == "sgd") {
        update(results, SgdOp::create(builder, loc, parameter, slope, hyper), name);
      } else {
        SmallVector<NamedAttribute> attributes{
            builder.getNamedAttr(kInitialAttr, builder.getF32FloatAttr(0.0f)), named(kOfAttr, name)};
        Value first = addArgument(parameter.getType(), name + ".m", ArgumentKind::optimizer, attributes);
        Value second = addArgument(parameter.getType(), name + ".v", ArgumentKind::optimizer, attributes);
        auto adam = AdamOp::create(builder, loc, parameter, slope, first, second, hyper, FloatAttr(),
                                   FloatAttr(), FloatAttr());
        update(results, adam.getResult(), name);
        update(states, adam.getNextFirst(), argumentName(function.getNumArguments() - 2));
        update(states, adam.getNextSecond(), argumentName(function.getNumArguments() - 1));
      }
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
    function->setAttr("snn.training",
                      builder.getDictionaryAttr({named("loss", loss), named("readout", readout),
                                                 named("optimizer", optimizer),
                                                 builder.getNamedAttr("lr", builder.getF64FloatAttr(lr))}));
  }

  func::FuncOp function;
  llvm::StringSet<> usedNames;
};
} // namespace
