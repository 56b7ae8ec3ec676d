// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Union-find over the values of a model function, by what each operation combines unit by unit.
#include "spikeloom/Conversion/SNNToTile/UnitClasses.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;

/// Does the value have units, i.e. is it dense with rows or a parameter of a layer? A scalar is one unit.
static bool hasUnits(Value value) {
  if (!value)
    return false;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && !getEvents(type) && !value.getDefiningOp<arith::ConstantOp>();
}

static bool isScalar(Value value) { return cast<RankedTensorType>(value.getType()).getRank() == 0; }

void UnitClasses::unite(Value a, Value b) {
  // A scalar that many units read lies with none of them.
  if (hasUnits(a) && hasUnits(b) && isScalar(a) == isScalar(b))
    sets.unionSets(a, b);
}

bool spikeloom::isRecomputed(Operation *op) {
  auto scan = op->getParentOfType<ScanOp>();
  return scan && scan.isRecomputed();
}

void UnitClasses::visit(Operation *op) {
  // Splat constants belong to no class, results of comparisons to their operands'.
  auto home = [&](Value events, Value neurons) {
    if (events && neurons && getEvents(events.getType()))
      homeOf[events] = neurons;
  };
  TypeSwitch<Operation *>(op)
      .Case([&](ScanOp scan) {
        YieldOp yield = scan.getYield();
        for (auto [argument, sequence] : llvm::zip(scan.getStepArgs(), scan.getSequences()))
          unite(argument, sequence);
        for (auto [argument, init, state, last] :
             llvm::zip(scan.getStateArgs(), scan.getInits(), yield.getStates(), scan.getFinals())) {
          unite(argument, init);
          unite(argument, state);
          unite(argument, last);
        }
        for (auto [value, stacked] : llvm::zip(yield.getStepValues(), scan.getStacked()))
          unite(value, stacked);
      })
      .Case([&](LinearOp linear) {
        unite(linear.getResult(), linear.getWeight());
        unite(linear.getResult(), linear.getBias());
      })
      .Case([&](LinearInputGradOp grad) { unite(grad.getGradient(), grad.getWeight()); })
      .Case([&](LinearWeightGradOp grad) {
        unite(grad.getGradient(), grad.getAccumulator());
        unite(grad.getGradient(), grad.getResult());
      })
      .Case([&](BatchSumOp sum) {
        unite(sum.getAccumulator(), sum.getResult());
        unite(sum.getValue(), sum.getAccumulator());
        unite(sum.getValue(), sum.getResult());
      })
      .Case<LossOpInterface, ClipByNormOp, ExpandOp, YieldOp, func::ReturnOp, ConvMatrixOp, ConvKernelGradOp>(
          [](Operation *) {})
      .Case([&](NeuronOp neuron) {
        for (Value value :
             {neuron.getMembrane(), neuron.getSpikes(), neuron.getNext(), neuron.getCompared(),
              neuron.getFired(), neuron.getUnreset(), neuron.getDecays(), neuron.getThresholds()})
          unite(neuron.getInput(), value);
        home(neuron.getSpikes(), neuron.getNext());
        home(neuron.getCompared(), neuron.getNext());
      })
      .Case([&](NeuronAdjointOp adjoint) { // the weights of the samples have no units
        for (Value value : llvm::concat<Value>(SmallVector<Value>(adjoint->getOperands()),
                                               SmallVector<Value>(adjoint->getResults())))
          if (value != adjoint.getWeights())
            unite(adjoint.getInputCotangent(), value);
      })
      .Case([&](OptimizerOpInterface optimizer) {
        unite(optimizer.getParameter(), optimizer.getGradient());
        unite(optimizer.getParameter(), optimizer.getResult());
        for (Value state : llvm::concat<Value>(optimizer.getStates(), optimizer.getNextStates()))
          unite(optimizer.getParameter(), state);
      })
      .Case([&](DropoutOp dropout) { unite(dropout.getInput(), dropout.getResult()); })
      .Case([&](BroadcastOp broadcast) {
        if (cast<RankedTensorType>(broadcast.getInput().getType()).getRank() == 1)
          unite(broadcast.getInput(), broadcast.getResult());
      })
      .Default([&](Operation *other) { // works unit by unit
        if (isRowOp(other))
          return;
        Value first;
        auto join = [&](Value value) {
          if (!hasUnits(value))
            return;
          if (first)
            unite(first, value);
          if (!first || isScalar(first))
            first = value;
        };
        for (Value value : other->getOperands())
          join(value);
        for (Value value : other->getResults())
          join(value);
      });
}

/// The name of a layer, from its weight's: `fc1.weight` -> `fc1`.
static std::string layerName(StringRef parameter) {
  auto [stem, suffix] = parameter.rsplit('.');
  return (suffix.empty() ? parameter : stem).str();
}

/// The name of a layer belongs to the units that a convolution feeds; its kernel is apart.
static bool isKernel(Value parameter) {
  return llvm::any_of(parameter.getUsers(), llvm::IsaPred<ConvMatrixOp>);
}

/// Does an operation take the value for a parameter, for its gradient or its optimiser's state?
static bool readsParameter(OpOperand &use) {
  Operation *user = use.getOwner();
  unsigned operand = use.getOperandNumber();
  return isa<OptimizerOpInterface, ConvKernelGradOp>(user) || (isa<LinearOp>(user) && operand == 1) ||
         (isa<LinearWeightGradOp>(user) && operand == 2);
}

/// Is the value stored as another one: steps taken apart or put together, or handed on to the scans over a
/// segment?
static bool isView(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto scan = dyn_cast<ScanOp>(argument.getOwner()->getParentOp());
    return scan && !scan.getBody().getOps<ScanOp>().empty();
  }
  return isa<SplitTimeOp, MergeTimeOp>(value.getDefiningOp());
}

void UnitClasses::number(func::FuncOp function) {
  auto leaderOf = [&](Value value) {
    return sets.findLeader(value) == sets.member_end() ? value : *sets.findLeader(value);
  };
  // Only what some tile computes unit by unit needs a family: not what is read as a whole or at list entries.
  llvm::DenseSet<Value> computed;
  function.walk([&](Operation *op) {
    if (isa<ScanOp, SplitTimeOp, MergeTimeOp, CompressOp, LossOpInterface, ClipByNormOp, LinearInputGradOp,
            ConvKernelGradOp, arith::ConstantOp>(op) ||
        isRowOp(op))
      return;
    for (Value result : op->getResults())
      if (hasUnits(result))
        computed.insert(leaderOf(result));
  });
  auto nameAfterKernel = [&](ConvMatrixOp matrix, int number) {
    auto kernel = dyn_cast<BlockArgument>(matrix.getWeight());
    if (!kernel || !classes[number].name.empty())
      return;
    if (auto name = function.getArgAttrOfType<StringAttr>(kernel.getArgNumber(), kNameAttr))
      classes[number].name = layerName(name);
  };
  auto record = [&](Value value) {
    if (!hasUnits(value) || classOf.count(value) || !computed.contains(leaderOf(value)))
      return;
    Value leader = leaderOf(value);
    auto [it, isNew] = classOf.try_emplace(leader, int(classes.size()));
    if (isNew)
      classes.push_back({});
    int number = it->second;
    classOf[value] = number;
    auto type = cast<RankedTensorType>(value.getType());
    auto argument = dyn_cast<BlockArgument>(value);
    ArgumentKindAttr kind;
    if (argument && argument.getOwner() == &function.getBody().front())
      kind = function.getArgAttrOfType<ArgumentKindAttr>(argument.getArgNumber(), kKindAttr);
    bool parameter = kind && kind.getValue() == ArgumentKind::parameter;
    if (parameter && classes[number].name.empty())
      if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kNameAttr))
        classes[number].name = isKernel(argument) ? name.str() : layerName(name);
    // A parameter and what is of its shape has its units first; a stacked or stepwise value has them last.
    bool parameterLike = parameter || value.getDefiningOp<ConvMatrixOp>() ||
                         value.getDefiningOp<LinearWeightGradOp>() ||
                         (type.getRank() == 2 && llvm::any_of(value.getUses(), readsParameter));
    int64_t units = type.getRank() == 0 ? 1 : parameterLike ? type.getDimSize(0) : type.getShape().back();
    if (!classes[number].units)
      classes[number].units = units;
    if (auto matrix = value.getDefiningOp<ConvMatrixOp>()) {
      nameAfterKernel(matrix, number);
      classes[number].bytes.weights += type.getDimSize(1) * 4;
    }
    if (!argument && type.getRank() < 3)
      return; // passes through registers, or is counted with the state that it becomes
    if (isView(value))
      return; // counted where it is made
    bool accumulator = llvm::any_of(value.getUsers(), [&](Operation *user) {
      auto grad = dyn_cast<LinearWeightGradOp>(user);
      auto sum = dyn_cast<BatchSumOp>(user);
      return (grad && grad.getAccumulator() == value) || (sum && sum.getAccumulator() == value);
    });
    UnitBytes &bytes = classes[number].bytes;
    int64_t &part = parameter                                            ? bytes.weights
                    : kind && kind.getValue() == ArgumentKind::optimizer ? bytes.optimizer
                    : accumulator                                        ? bytes.gradients
                                                                         : bytes.states;
    ConnectionsAttr connections = getConnections(type);
    part += (connections ? connections.getFanIn() : type.getNumElements() / classes[number].units) * 4;
    if (parameter && connections)
      bytes.weights += connections.getFanIn() * 2; // their inputs
  };
  for (BlockArgument argument : function.getArguments())
    if (!argument.use_empty())
      record(argument);
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          record(argument);
    for (Value result : op->getResults())
      record(result);
    if (auto linear = dyn_cast<LinearOp>(op); linear && !isRecomputed(linear)) {
      UnitClass &c = classes[getClass(linear.getResult())];
      int64_t in = cast<RankedTensorType>(linear.getWeight().getType()).getDimSize(1);
      EventsAttr events = getEvents(linear.getInput().getType());
      if (ConnectionsAttr connections = getConnections(linear.getWeight().getType())) {
        c.fanIn += connections.getFanIn();
        c.gathered += double(connections.getFanIn());
        return;
      }
      c.fanIn += in;
      c.listed += double(events ? std::min<int64_t>(events.getCapacity(), in) : in);
    }
  });
  function.walk([&](NeuronOp neuron) {
    auto layer = neuron->getAttrOfType<StringAttr>(kLayerAttr);
    int number = getClass(neuron.getNext());
    if (layer && number >= 0 && classes[number].name.empty())
      classes[number].name = layer.str();
  });
  for (auto [i, c] : llvm::enumerate(classes))
    if (c.name.empty())
      c.name = "units" + std::to_string(i);
}

UnitClasses::UnitClasses(func::FuncOp function) {
  function.walk([&](Operation *op) {
    if (op != function)
      visit(op);
  });
  // The gradient of a convolution's matrix is summed up where the matrix is.
  function.walk([&](ConvKernelGradOp grad) {
    for (Operation *user : grad.getResult().getUsers())
      if (isa<OptimizerOpInterface>(user))
        for (Operation *reader : user->getOperand(0).getUsers())
          if (auto matrix = dyn_cast<ConvMatrixOp>(reader);
              matrix && matrix.getResult().getType() == grad.getGradient().getType())
            unite(matrix.getResult(), grad.getGradient());
  });
  // What is done at the support of a list is done where its neurons are.
  function.walk([&](Operation *op) {
    if (auto expand = dyn_cast<ExpandOp>(op))
      unite(expand.getResult(), getHome(expand.getInput()));
    if (auto restrict = dyn_cast<RestrictOp>(op))
      unite(restrict.getInput(), getHome(restrict.getLike()));
    if (auto adjoint = dyn_cast<NeuronAdjointOp>(op))
      if (getEvents(adjoint.getCompared().getType()))
        unite(adjoint.getInputCotangent(), getHome(adjoint.getCompared()));
  });
  number(function);
}

int UnitClasses::getClass(Value value) const {
  auto it = classOf.find(value);
  return it == classOf.end() ? -1 : it->second;
}

int UnitClasses::getHomeClass(Value events) const {
  Value home = getHome(events);
  return home ? getClass(home) : -1;
}

Value UnitClasses::getHome(Value events) const {
  // Stacked and passed lists keep the home of the neuron that made them.
  while (events) {
    if (auto it = homeOf.find(events); it != homeOf.end())
      return it->second;
    if (auto result = dyn_cast<OpResult>(events)) {
      if (auto scan = dyn_cast<ScanOp>(result.getOwner())) {
        unsigned i = result.getResultNumber(), stacked = scan.getStacked().size();
        events = i < stacked ? scan.getYield().getStepValues()[i] : scan.getYield().getStates()[i - stacked];
      } else if (auto grad = dyn_cast<LinearInputGradOp>(result.getOwner())) {
        events = grad.getSupport();
      } else if (isa<AccumulateOp, SplitTimeOp, MergeTimeOp>(result.getOwner())) {
        events = result.getOwner()->getOperand(0);
      } else if (auto restrict = dyn_cast<RestrictOp>(result.getOwner())) {
        events = restrict.getLike();
      } else {
        return {};
      }
    } else {
      auto argument = cast<BlockArgument>(events);
      auto scan = dyn_cast<ScanOp>(argument.getOwner()->getParentOp());
      if (!scan)
        return {};
      unsigned i = argument.getArgNumber(), sequences = scan.getSequences().size();
      events =
          i < sequences ? Value(scan.getSequences()[i]) : Value(scan.getYield().getStates()[i - sequences]);
    }
  }
  return {};
}
