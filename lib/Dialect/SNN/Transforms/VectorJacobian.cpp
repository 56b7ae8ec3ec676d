// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives an inference function the gradients for cotangents that the caller brings: a layer of somebody else's
// model.
#include "NeuronGradients.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Transforms/Differentiate.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"

namespace spikeloom::snn {
#define GEN_PASS_DEF_SNNVECTORJACOBIAN
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn

using namespace mlir;
using namespace spikeloom::snn;

namespace {
struct SNNVectorJacobian : spikeloom::snn::impl::SNNVectorJacobianBase<SNNVectorJacobian> {
  using Base::Base;

  void runOnOperation() override {
    function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || !function.getBody().hasOneBlock()) {
      getOperation().emitError("gradients need the inference function '@main' with one block");
      return signalPassFailure();
    }
    if (failed(prepareNeuronGradients(function, surrogate, detachReset)) || failed(build()))
      signalPassFailure();
  }

private:
  /// Whether gradients of an argument are asked for.
  bool isVariable(unsigned index) {
    auto kind = function.getArgAttrOfType<ArgumentKindAttr>(index, kKindAttr);
    switch (kind ? kind.getValue() : ArgumentKind::input) {
    case ArgumentKind::input:
      return true;
    case ArgumentKind::state: // not of spikes that are carried as lists
      return states && llvm::none_of(function.getArgument(index).getUsers(), llvm::IsaPred<CompressOp>);
    default:
      return function.getArgAttr(index, kTrainableAttr) != nullptr;
    }
  }

  /// The cotangent of result `index` as a new argument: of an output an input, of a last state the state that
  /// the reverse pass starts from.
  FailureOr<Value> addCotangent(unsigned index, Type type) {
    auto given = function.getResultAttrOfType<StringAttr>(index, kNameAttr);
    auto state = function.getResultAttrOfType<StringAttr>(index, kStateAttr);
    std::string name = (given   ? given.str()
                        : state ? state.str()
                                : "result" + std::to_string(index)) +
                       ".cotangent";
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto taken = function.getArgAttrOfType<StringAttr>(i, kNameAttr); taken && taken.getValue() == name)
        return function.emitError("argument ")
               << i << " is called '" << name << "', the name of the cotangent of result " << index
               << "; rename it";
    Builder builder(&getContext());
    ArgumentKind kind = state ? ArgumentKind::state : ArgumentKind::input;
    SmallVector<NamedAttribute> attributes{
        builder.getNamedAttr(kNameAttr, builder.getStringAttr(name)),
        builder.getNamedAttr(kKindAttr, ArgumentKindAttr::get(&getContext(), kind))};
    if (state)
      attributes.push_back(builder.getNamedAttr(kInitialAttr, builder.getF32FloatAttr(0)));
    unsigned number = function.getNumArguments();
    if (failed(
            function.insertArgument(number, type, builder.getDictionaryAttr(attributes), function.getLoc())))
      return failure();
    return Value(function.getArgument(number));
  }

  LogicalResult build() {
    auto end = cast<func::ReturnOp>(function.getBody().front().getTerminator());
    SmallVector<unsigned> variables;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (isVariable(i))
        variables.push_back(i);
    SmallVector<Value> values, seeds, parameters;
    for (auto [i, value] : llvm::enumerate(end.getOperands())) {
      if (function.getResultAttr(i, kStateAttr) && (!states || value.getDefiningOp<ExpandOp>()))
        continue;
      FailureOr<Value> seed = addCotangent(i, value.getType());
      if (failed(seed))
        return failure();
      values.push_back(value);
      seeds.push_back(*seed);
    }
    if (values.empty() || variables.empty())
      return function.emitError("has no ")
             << (values.empty() ? "output" : "input or trainable parameter") << " to differentiate";
    for (unsigned i : variables)
      parameters.push_back(function.getArgument(i));
    OpBuilder builder(end);
    auto gradient = GradientOp::create(builder, function.getLoc(), ValueRange(parameters).getTypes(), values,
                                       seeds, parameters);
    unsigned outputs = end.getNumOperands();
    end.getOperandsMutable().append(gradient.getGradients());
    if (failed(expandGradient(gradient)))
      return failure();
    nameResults(end, outputs, variables);
    return success();
  }

  /// What does not act on an output has the gradient zero, and no result.
  void nameResults(func::ReturnOp end, unsigned outputs, ArrayRef<unsigned> variables) {
    Builder builder(&getContext());
    SmallVector<Value> results(end.getOperands().take_front(outputs));
    SmallVector<DictionaryAttr> attributes;
    for (unsigned i = 0; i < outputs; ++i)
      attributes.push_back(function.getResultAttrDict(i));
    for (auto [value, index] : llvm::zip(end.getOperands().drop_front(outputs), variables)) {
      if (matchPattern(value, m_Constant()))
        continue;
      auto given = function.getArgAttrOfType<StringAttr>(index, kNameAttr);
      std::string name = given ? given.str() : "arg" + std::to_string(index);
      auto named = [&](StringRef key, StringRef text) {
        return builder.getNamedAttr(key, builder.getStringAttr(text));
      };
      results.push_back(value);
      attributes.push_back(builder.getDictionaryAttr(
          {named(kNameAttr, name + ".grad"), named(kRoleAttr, "gradient"), named(kOfAttr, name)}));
    }
    end.getOperandsMutable().assign(results);
    function.setType(builder.getFunctionType(function.getArgumentTypes(), ValueRange(results).getTypes()));
    function.setAllResultAttrs(attributes);
  }

  func::FuncOp function;
};
} // namespace
