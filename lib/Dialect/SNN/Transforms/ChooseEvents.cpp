// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses which values become event tensors, and how long their lists may be.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Transforms/Passes.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include <cmath>

namespace spikeloom::snn {
#define GEN_PASS_DEF_SNNCHOOSEEVENTS
#include "spikeloom/Dialect/SNN/Transforms/SNNPasses.h.inc"
} // namespace spikeloom::snn

using namespace mlir;
using namespace spikeloom::snn;

namespace {
/// The values that hold the same spikes: the neuron's result and where scans carry it unchanged.
class SpikeWeb {
public:
  explicit SpikeWeb(Value spikes) {
    values.insert(spikes);
    for (unsigned i = 0; i < values.size(); ++i)
      for (OpOperand &use : values[i].getUses())
        for (Value target : carriedTo(use))
          values.insert(target);
    // A value is worth a list if a synapse reads it or a value that it is carried to.
    for (bool again = true; again;) {
      again = false;
      for (Value value : values)
        if (!listed.contains(value) &&
            (llvm::any_of(value.getUses(), [&](OpOperand &use) { return keepsList(use); }) ||
             listed.contains(otherEnd(value))))
          again |= listed.insert(value);
    }
  }

  /// For a state in a scan's body its last value and the reverse, because both have one type; null for other
  /// values.
  static Value otherEnd(Value value) {
    if (auto scan = value.getDefiningOp<ScanOp>()) {
      unsigned numStacked = scan.getStacked().size(), index = cast<OpResult>(value).getResultNumber();
      return index < numStacked ? Value() : Value(scan.getStateArgs()[index - numStacked]);
    }
    auto argument = dyn_cast<BlockArgument>(value);
    auto scan = argument ? dyn_cast<ScanOp>(argument.getOwner()->getParentOp()) : ScanOp();
    if (!scan || argument.getArgNumber() < scan.getSequences().size())
      return Value();
    return scan.getFinals()[argument.getArgNumber() - scan.getSequences().size()];
  }

  /// The values that become event tensors.
  ArrayRef<Value> getListed() const { return listed.getArrayRef(); }

  /// Whether the user of a listed value reads the list.
  bool keepsList(OpOperand &use) const {
    if (auto linear = dyn_cast<LinearOp>(use.getOwner()))
      return use.get() == linear.getInput();
    return llvm::any_of(carriedTo(use), [&](Value target) { return listed.contains(target); });
  }

  /// Whether an output of the model, other than the last value of a state, holds the spikes.
  bool isOutput(func::FuncOp function) const {
    for (Value value : values)
      for (OpOperand &use : value.getUses()) {
        Operation *owner = use.getOwner();
        if (isa<SumTimeOp>(owner))
          return true;
        if (isa<func::ReturnOp>(owner) && !function.getResultAttr(use.getOperandNumber(), kStateAttr))
          return true;
      }
    return false;
  }

  /// The values that hold what this use reads, unchanged.
  static SmallVector<Value> carriedTo(OpOperand &use) {
    unsigned index = use.getOperandNumber();
    if (auto yield = dyn_cast<YieldOp>(use.getOwner())) {
      auto scan = cast<ScanOp>(yield->getParentOp());
      unsigned numSteps = yield.getStepValues().size();
      if (index < numSteps)
        return {scan.getStacked()[index]};
      return {scan.getStateArgs()[index - numSteps], scan.getFinals()[index - numSteps]};
    }
    if (auto scan = dyn_cast<ScanOp>(use.getOwner()))
      if (index < scan.getSequences().size())
        return {scan.getStepArgs()[index]};
    return {};
  }

private:
  llvm::SetVector<Value> values, listed;
};

struct SNNChooseEvents : spikeloom::snn::impl::SNNChooseEventsBase<SNNChooseEvents> {
  using Base::Base;

  void runOnOperation() override {
    layerCapacities.clear();
    inputCapacities.clear();
    layers.clear();
    inputs.clear();
    layerShares.clear();
    if (maxActivity < 0 || maxActivity > 1 || std::isnan(maxActivity)) {
      getOperation().emitError("option 'max-activity' must lie in (0, 1], found ") << maxActivity;
      return signalPassFailure();
    }
    if (failed(parseShares()) || failed(parseCapacities("capacity", capacity, layerCapacities)) ||
        failed(parseCapacities("input-capacity", inputCapacity, inputCapacities)) || failed(listNeurons()) ||
        failed(listInputs()) || failed(checkNames("capacity", "layer", layerCapacities, layers)) ||
        failed(checkNames("layer-activity", "layer", layerShares, layers)) ||
        failed(checkNames("input-capacity", "input that feeds synapses", inputCapacities, inputs)) ||
        failed(checkBinaryInputs()))
      signalPassFailure();
  }

private:
  using Capacities = llvm::MapVector<StringRef, int64_t>;

  LogicalResult parseShares() {
    for (StringRef entry : layerActivity) {
      auto [name, number] = entry.rsplit(':');
      double share;
      if (name.empty() || number.getAsDouble(share) || !(share > 0 && share <= 1))
        return getOperation().emitError("option 'layer-activity' takes LAYER:F with F in (0, 1], found '")
               << entry << "'";
      layerShares[name] = share;
    }
    return success();
  }

  LogicalResult parseCapacities(StringRef option, ArrayRef<std::string> entries, Capacities &capacities) {
    for (StringRef entry : entries) {
      auto [name, number] = entry.rsplit(':');
      int64_t value;
      if (name.empty() || number.getAsInteger(10, value) || value < 1)
        return getOperation().emitError("option '")
               << option << "' takes NAME:N with N at least 1, found '" << entry << "'";
      capacities[name] = value;
    }
    return success();
  }

  template <typename T>
  LogicalResult checkNames(StringRef option, StringRef what, const llvm::MapVector<StringRef, T> &given,
                           const llvm::SetVector<StringRef> &known) {
    for (auto &[name, value] : given)
      if (!known.contains(name)) {
        auto diagnostic = getOperation().emitError("option '")
                          << option << "' names '" << name << "', but no " << what
                          << " has that name; there are: ";
        llvm::interleaveComma(known, diagnostic);
        return diagnostic;
      }
    return success();
  }

  LogicalResult checkBinaryInputs() {
    for (StringRef name : binaryInputs)
      if (name != "all" && !inputs.contains(name))
        return getOperation().emitError("option 'binary-inputs' names '")
               << name << "', which feeds no synapse";
    return success();
  }

  /// The capacity of a row of `units`, by name, else by default.
  FailureOr<int64_t> capacityOf(StringRef name, const Capacities &named, int64_t units, int64_t byDefault) {
    auto found = named.find(name);
    if (found == named.end())
      return std::min(byDefault, units);
    if (found->second > units)
      return getOperation().emitError("the capacity of '")
             << name << "' is " << found->second << ", more than its " << units << " units; give at most "
             << units;
    return found->second;
  }

  /// The name of a neuron's layer, as the pass description says.
  static std::string layerName(NeuronOp neuron, unsigned number) {
    if (auto given = neuron->getAttrOfType<StringAttr>(kLayerAttr))
      return given.str();
    SmallVector<Value> sources{neuron.getInput()};
    for (unsigned i = 0; i < sources.size() && i < 8; ++i) {
      Operation *op = sources[i].getDefiningOp();
      auto linear = dyn_cast_or_null<LinearOp>(op);
      if (!linear) {
        if (isa_and_nonnull<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::MaximumFOp, DropoutOp,
                            SliceOp, ConcatOp, IntegratorOp>(op))
          llvm::append_range(sources, op->getOperands());
        continue;
      }
      auto matrix = linear.getWeight().getDefiningOp<ConvMatrixOp>();
      auto weight = dyn_cast<BlockArgument>(matrix ? matrix.getWeight() : linear.getWeight());
      auto function = weight ? dyn_cast<func::FuncOp>(weight.getOwner()->getParentOp()) : func::FuncOp();
      if (!function)
        continue;
      if (auto name = function.getArgAttrOfType<StringAttr>(weight.getArgNumber(), kNameAttr)) {
        StringRef base = name.getValue();
        base.consume_back(".weight");
        return base.str();
      }
    }
    return "layer" + std::to_string(number);
  }

  LogicalResult listNeurons() {
    SmallVector<NeuronOp> neurons;
    getOperation().walk([&](NeuronOp neuron) { neurons.push_back(neuron); });
    for (auto [number, neuron] : llvm::enumerate(neurons)) {
      std::string name = layerName(neuron, number);
      for (unsigned copy = 2; layers.contains(name); ++copy)
        name = layerName(neuron, number) + "." + std::to_string(copy);
      auto attribute = StringAttr::get(&getContext(), name);
      neuron->setAttr(kLayerAttr, attribute);
      layers.insert(attribute.getValue());
      SpikeWeb web(neuron.getSpikes());
      if (getEvents(neuron.getSpikes().getType()) || web.getListed().empty())
        continue;
      int64_t units = neuron.getNext().getType().getDimSize(1), byDefault = units;
      auto named = layerShares.find(attribute.getValue());
      if (named != layerShares.end())
        byDefault = lengthOf(named->second, units);
      else if (maxActivity > 0 && !web.isOutput(getOperation()))
        byDefault = lengthOf(maxActivity, units);
      FailureOr<int64_t> size = capacityOf(name, layerCapacities, units, byDefault);
      if (failed(size))
        return failure();
      makeEvents(neuron, web, *size);
    }
    return success();
  }

  static int64_t lengthOf(double share, int64_t units) {
    return std::max<int64_t>(2, 2 * int64_t(std::floor(share * double(units) / 2)));
  }

  void makeEvents(NeuronOp neuron, const SpikeWeb &web, int64_t size) {
    bool binary = neuron.getGraded().isExactlyValue(1.0);
    for (Value value : web.getListed()) {
      value.setType(getEventTensor(value.getType(), size, binary));
      expandForOthers(value, web);
      auto argument = dyn_cast<BlockArgument>(value);
      auto scan = argument ? dyn_cast<ScanOp>(argument.getOwner()->getParentOp()) : ScanOp();
      if (!scan || argument.getArgNumber() < scan.getSequences().size())
        continue;
      // The state starts as a list, too.
      OpOperand &init = scan->getOpOperand(argument.getArgNumber());
      OpBuilder builder(scan);
      init.set(CompressOp::create(builder, neuron.getLoc(), value.getType(), init.get()));
    }
    if (Value compared = neuron.getCompared())
      compared.setType(getEventTensor(compared.getType(), size, false));
    if (secondThreshold != 0)
      neuron.setNear(APFloat(float(secondThreshold)));
    neuron.setRotate(rotate && size < neuron.getNext().getType().getDimSize(1));
  }

  /// Gives the users of an event tensor that need a dense one an expanded copy.
  static void expandForOthers(Value value, const SpikeWeb &web) {
    SmallVector<OpOperand *> others;
    for (OpOperand &use : value.getUses())
      if (!web.keepsList(use))
        others.push_back(&use);
    if (others.empty())
      return;
    OpBuilder builder(value.getContext());
    builder.setInsertionPointAfterValue(value);
    Value dense = ExpandOp::create(builder, value.getLoc(), getDense(value.getType()), value);
    for (OpOperand *use : others)
      use->set(dense);
  }

  LogicalResult listInputs() {
    func::FuncOp function = getOperation();
    for (BlockArgument argument : function.getArguments()) {
      auto kind = function.getArgAttrOfType<ArgumentKindAttr>(argument.getArgNumber(), kKindAttr);
      auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kNameAttr);
      if (!kind || kind.getValue() != ArgumentKind::input)
        continue;
      SmallVector<Value> rows{argument};
      for (OpOperand &use : argument.getUses())
        llvm::append_range(rows, SpikeWeb::carriedTo(use));
      for (Value row : rows)
        if (failed(compressForSynapses(row, name ? name.getValue() : StringRef())))
          return failure();
    }
    return success();
  }

  LogicalResult compressForSynapses(Value value, StringRef name) {
    SmallVector<OpOperand *> synapses;
    for (OpOperand &use : value.getUses())
      if (auto linear = dyn_cast<LinearOp>(use.getOwner()))
        if (use.get() == linear.getInput() && !getEvents(value.getType()))
          synapses.push_back(&use);
    if (synapses.empty())
      return success();
    inputs.insert(name);
    if (denseInputs && !inputCapacities.contains(name))
      return success();
    int64_t units = cast<RankedTensorType>(value.getType()).getShape().back();
    FailureOr<int64_t> size = capacityOf(name, inputCapacities, units, units);
    if (failed(size))
      return failure();
    bool binary = llvm::is_contained(binaryInputs, name.str()) || llvm::is_contained(binaryInputs, "all");
    OpBuilder builder(value.getContext());
    builder.setInsertionPointAfterValue(value);
    Value events =
        CompressOp::create(builder, value.getLoc(), getEventTensor(value.getType(), *size, binary), value);
    events.getDefiningOp()->setAttr(kLayerAttr, StringAttr::get(&getContext(), name));
    events.getDefiningOp<CompressOp>().setRotate(rotate && *size < units);
    for (OpOperand *use : synapses)
      use->set(events);
    return success();
  }

  Capacities layerCapacities, inputCapacities;
  llvm::MapVector<StringRef, double> layerShares;
  llvm::SetVector<StringRef> layers, inputs;
};
} // namespace
