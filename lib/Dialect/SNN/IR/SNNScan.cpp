// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// snn.scan: syntax, verification, and the removal of unused states and stacked results.
#include "mlir/IR/PatternMatch.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

using namespace mlir;
using namespace spikeloom::snn;

RankedTensorType ScanOp::getStepType(RankedTensorType stacked) {
  return RankedTensorType::get(stacked.getShape().drop_front(), stacked.getElementType(),
                               stacked.getEncoding());
}

RankedTensorType ScanOp::getStackedType(RankedTensorType step, int64_t steps) {
  SmallVector<int64_t> shape{steps};
  llvm::append_range(shape, step.getShape());
  return RankedTensorType::get(shape, step.getElementType(), step.getEncoding());
}

YieldOp ScanOp::getYield() { return cast<YieldOp>(getBody().front().getTerminator()); }

int64_t ScanOp::getNumSteps() {
  if (!getSequences().empty())
    return cast<RankedTensorType>(getSequences().front().getType()).getDimSize(0);
  return getSteps().value_or(0);
}

bool ScanOp::isRecomputed() {
  auto outer = (*this)->getParentOfType<ScanOp>();
  return outer && outer.getReverse() != getReverse();
}

llvm::BitVector ScanOp::usefulStates(const llvm::BitVector &results) {
  YieldOp yield = getYield();
  unsigned numStacked = getStacked().size();
  llvm::DenseSet<Value> useful;
  for (auto [i, value] : llvm::enumerate(yield->getOperands()))
    if (results.test(i))
      useful.insert(value);
  llvm::BitVector states(getInits().size());
  bool again = true;
  while (again) {
    again = false;
    for (Operation &op : llvm::reverse(getBody().front().without_terminator())) {
      if (isMemoryEffectFree(&op) &&
          llvm::none_of(op.getResults(), [&](Value result) { return useful.contains(result); }))
        continue;
      useful.insert(op.operand_begin(), op.operand_end());
      // What a nested scan captures is useful with it.
      op.walk([&](Operation *inner) { useful.insert(inner->operand_begin(), inner->operand_end()); });
    }
    for (auto [i, argument] : llvm::enumerate(getStateArgs())) {
      bool used = useful.contains(argument) || results.test(numStacked + i);
      if (!used || states.test(i))
        continue;
      states.set(i);
      again |= useful.insert(yield.getStates()[i]).second;
      useful.insert(argument);
    }
  }
  return states;
}

/// Parses `(%arg = %value : type, ...)`.
static ParseResult parseBindings(OpAsmParser &parser, SmallVectorImpl<OpAsmParser::Argument> &arguments,
                                 SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands,
                                 SmallVectorImpl<Type> &types) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, [&]() -> ParseResult {
    return failure(parser.parseArgument(arguments.emplace_back()) || parser.parseEqual() ||
                   parser.parseOperand(operands.emplace_back()) ||
                   parser.parseColonType(types.emplace_back()));
  });
}

ParseResult ScanOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> sequences, inits;
  SmallVector<Type> sequenceTypes, initTypes, stackedTypes, finalTypes;
  if (succeeded(parser.parseOptionalKeyword("reverse")))
    result.addAttribute("reverse", parser.getBuilder().getUnitAttr());
  SMLoc loc = parser.getCurrentLocation();
  if (succeeded(parser.parseOptionalKeyword("over")))
    if (parseBindings(parser, arguments, sequences, sequenceTypes))
      return failure();
  for (auto [argument, type] : llvm::zip(arguments, sequenceTypes)) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.getRank() < 1)
      return parser.emitError(loc,
                              "a sequence must be a ranked tensor with time as its first dimension, found ")
             << type;
    argument.type = getStepType(tensor);
  }
  size_t numSequences = arguments.size();
  if (succeeded(parser.parseOptionalKeyword("state")))
    if (parseBindings(parser, arguments, inits, initTypes))
      return failure();
  for (auto [argument, type] : llvm::zip(llvm::drop_begin(arguments, numSequences), initTypes))
    argument.type = type;
  auto parseTypes = [&](SmallVectorImpl<Type> &types) {
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren,
                                          [&] { return parser.parseType(types.emplace_back()); });
  };
  if (parser.parseArrow() || parseTypes(stackedTypes) || parser.parseComma() || parseTypes(finalTypes) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  Region *body = result.addRegion();
  if (parser.parseRegion(*body, arguments))
    return failure();
  ensureTerminator(*body, parser.getBuilder(), result.location);
  if (parser.resolveOperands(sequences, sequenceTypes, loc, result.operands) ||
      parser.resolveOperands(inits, initTypes, loc, result.operands))
    return failure();
  result.addTypes(stackedTypes);
  result.addTypes(finalTypes);
  auto &properties = result.getOrAddProperties<Properties>();
  properties.operandSegmentSizes = {int32_t(sequences.size()), int32_t(inits.size())};
  properties.resultSegmentSizes = {int32_t(stackedTypes.size()), int32_t(finalTypes.size())};
  return success();
}

void ScanOp::print(OpAsmPrinter &printer) {
  auto bindings = [&](StringRef keyword, Block::BlockArgListType arguments, OperandRange operands) {
    if (operands.empty())
      return;
    printer << ' ' << keyword << '(';
    llvm::interleaveComma(llvm::zip(arguments, operands), printer, [&](auto pair) {
      printer.printRegionArgument(std::get<0>(pair), {}, /*omitType=*/true);
      printer << " = " << std::get<1>(pair) << " : " << std::get<1>(pair).getType();
    });
    printer << ')';
  };
  if (getReverse())
    printer << " reverse";
  bindings("over", getStepArgs(), getSequences());
  bindings("state", getStateArgs(), getInits());
  printer << " -> (";
  llvm::interleaveComma(getStacked().getTypes(), printer);
  printer << "), (";
  llvm::interleaveComma(getFinals().getTypes(), printer);
  printer << ")";
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(),
                                           {"reverse", "operandSegmentSizes", "resultSegmentSizes"});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult ScanOp::verify() {
  if (getSequences().empty() && !getSteps())
    return emitOpError("without a sequence needs the attribute 'steps'");
  int64_t steps = getNumSteps();
  if (steps < 1)
    return emitOpError("must run for at least 1 step, found ") << steps;
  for (auto [i, sequence] : llvm::enumerate(getSequences()))
    if (cast<RankedTensorType>(sequence.getType()).getDimSize(0) != steps)
      return emitOpError("sequence ")
             << i << " has " << cast<RankedTensorType>(sequence.getType()).getDimSize(0)
             << " steps where the first has " << steps;
  if (getInits().size() != getFinals().size())
    return emitOpError("has ") << getInits().size() << " states but " << getFinals().size()
                               << " final values";
  return success();
}

LogicalResult ScanOp::verifyRegions() {
  Block &block = getBody().front();
  if (block.getNumArguments() != getSequences().size() + getInits().size())
    return emitOpError("body has ") << block.getNumArguments() << " arguments for " << getSequences().size()
                                    << " sequences and " << getInits().size() << " states";
  for (auto [argument, sequence] : llvm::zip(getStepArgs(), getSequences()))
    if (argument.getType() != getStepType(cast<RankedTensorType>(sequence.getType())))
      return emitOpError("body argument ") << argument.getArgNumber() << " is " << argument.getType()
                                           << ", not one step of " << sequence.getType();
  YieldOp yield = getYield();
  if (yield.getStepValues().size() != getStacked().size() || yield.getStates().size() != getInits().size())
    return yield.emitOpError("gives ")
           << yield.getStepValues().size() << " step values and " << yield.getStates().size()
           << " states; the scan has " << getStacked().size() << " stacked results and " << getInits().size()
           << " states";
  for (auto [value, stacked] : llvm::zip(yield.getStepValues(), getStacked()))
    if (getStackedType(cast<RankedTensorType>(value.getType()), getNumSteps()) != stacked.getType())
      return yield.emitOpError("step value ") << value.getType() << " stacks over " << getNumSteps()
                                              << " steps to another type than " << stacked.getType();
  for (auto [argument, init, state, last] :
       llvm::zip(getStateArgs(), getInits(), yield.getStates(), getFinals()))
    if (argument.getType() != init.getType() || state.getType() != init.getType() ||
        last.getType() != init.getType())
      return emitOpError("a state must keep its type: starts as ")
             << init.getType() << ", body argument " << argument.getType() << ", yielded " << state.getType()
             << ", result " << last.getType();
  return success();
}

namespace {
/// Drops stacked results that nobody reads, and states that act on nothing but themselves.
struct DropUnused : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ScanOp scan, PatternRewriter &rewriter) const override {
    llvm::BitVector read(scan->getNumResults());
    for (OpResult result : scan->getResults())
      if (!result.use_empty())
        read.set(result.getResultNumber());
    SmallVector<unsigned> keepStacked;
    for (unsigned i = 0; i < scan.getStacked().size(); ++i)
      if (read.test(i))
        keepStacked.push_back(i);
    SmallVector<unsigned> keepStates(scan.usefulStates(read).set_bits());
    if (keepStacked.size() == scan.getStacked().size() && keepStates.size() == scan.getInits().size())
      return rewriter.notifyMatchFailure(scan, "every result is read");
    if (keepStacked.empty() && keepStates.empty())
      return rewriter.notifyMatchFailure(scan, "dead as a whole");

    YieldOp yield = scan.getYield();
    SmallVector<Value> stepValues, states, inits;
    SmallVector<Type> stackedTypes, finalTypes;
    for (unsigned i : keepStacked) {
      stepValues.push_back(yield.getStepValues()[i]);
      stackedTypes.push_back(scan.getStacked()[i].getType());
    }
    for (unsigned i : keepStates) {
      states.push_back(yield.getStates()[i]);
      inits.push_back(scan.getInits()[i]);
      finalTypes.push_back(inits.back().getType());
    }
    auto kept = ScanOp::create(rewriter, scan.getLoc(), stackedTypes, finalTypes, scan.getSequences(), inits,
                               scan.getReverseAttr(), rewriter.getI64IntegerAttr(scan.getNumSteps()));
    rewriter.modifyOpInPlace(yield, [&] {
      yield.getStepValuesMutable().assign(stepValues);
      yield.getStatesMutable().assign(states);
    });
    Block &body = scan.getBody().front();
    llvm::BitVector dropped(body.getNumArguments());
    for (unsigned i = 0, next = 0; i < scan.getInits().size(); ++i)
      if (next < keepStates.size() && keepStates[next] == i)
        ++next;
      else
        dropped.set(scan.getSequences().size() + i);
    // What a dropped state is computed from it has no reader, and will be gone.
    for (unsigned i : dropped.set_bits())
      rewriter.replaceAllUsesWith(body.getArgument(i), scan.getInits()[i - scan.getSequences().size()]);
    rewriter.modifyOpInPlace(scan, [&] { body.eraseArguments(dropped); });
    rewriter.inlineRegionBefore(scan.getBody(), kept.getBody(), kept.getBody().end());
    for (auto [to, from] : llvm::enumerate(keepStacked))
      rewriter.replaceAllUsesWith(scan.getStacked()[from], kept.getStacked()[to]);
    for (auto [to, from] : llvm::enumerate(keepStates))
      rewriter.replaceAllUsesWith(scan.getFinals()[from], kept.getFinals()[to]);
    rewriter.eraseOp(scan);
    return success();
  }
};

/// Drops sequences that the body does not read.
struct DropUnreadSequences : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ScanOp scan, PatternRewriter &rewriter) const override {
    Block &body = scan.getBody().front();
    llvm::BitVector unread(body.getNumArguments());
    SmallVector<Value> kept;
    for (auto [argument, sequence] : llvm::zip(scan.getStepArgs(), scan.getSequences()))
      if (argument.use_empty())
        unread.set(argument.getArgNumber());
      else
        kept.push_back(sequence);
    if (unread.none())
      return rewriter.notifyMatchFailure(scan, "every sequence is read");
    int64_t steps = scan.getNumSteps();
    rewriter.modifyOpInPlace(scan, [&] {
      body.eraseArguments(unread);
      scan.getSequencesMutable().assign(kept);
      scan.setSteps(steps);
    });
    return success();
  }
};
} // namespace

void ScanOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnused, DropUnreadSequences>(context);
}
