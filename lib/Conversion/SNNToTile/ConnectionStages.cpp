// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Synapses with connections: a unit has the inputs that it is connected to and a weight for each of them,
// padded to the largest number of inputs of the family. A row of inputs is read where connections say; one
// that is a list is spread out first, which each worker does for itself. What is padding adds +0.0.
#include "UnitStage.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

//===----------------------------------------------------------------------===//
// Connections
//===----------------------------------------------------------------------===//

UnitStageEmitter::Connections UnitStageEmitter::connectionsOf(Value weight) {
  ConnectionsAttr sparse = getConnections(weight.getType());
  Storage inputs{lowering.connectionsOf(weight).getDefiningOp<BufferOp>(), false, 0};
  return {ownArgument(inputs, Access::read), sparse.getFanIn(), sparse.isPadded()};
}

/// The j-th connection of unit c. Where there is none, input 0 stands for it, so that rows are read inside.
UnitStageEmitter::Connection UnitStageEmitter::connectionAt(const Connections &connections, Value j,
                                                            Value c) {
  if (!connections.padded)
    return {b.loadIndex(connections.inputs, {j, c}), Value()};
  Value input = b.load(connections.inputs, {j, c});
  Value none = arith::ConstantOp::create(b, b.getI16IntegerAttr(kNoConnection));
  Value first = arith::ConstantOp::create(b, b.getI16IntegerAttr(0));
  Value exists = b.compare(arith::CmpIPredicate::ne, input, none);
  Value inside = arith::SelectOp::create(b, exists, input, first);
  return {arith::IndexCastUIOp::create(b, b.getIndexType(), inside), exists};
}

Value UnitStageEmitter::ifConnected(const Connection &connection, Value term) {
  return connection.exists ? arith::SelectOp::create(b, connection.exists, term, b.f32(0)).getResult() : term;
}

//===----------------------------------------------------------------------===//
// Rows of inputs
//===----------------------------------------------------------------------===//

/// Lists that synapses with connections read in the samples section.
SmallVector<Value> UnitStageEmitter::inputsToSpread() {
  llvm::SetVector<Value> inputs;
  for (Operation *op : stage.ops)
    if (auto linear = dyn_cast<LinearOp>(op))
      if (getConnections(linear.getWeight().getType()) && getEvents(linear.getInput().getType()))
        inputs.insert(linear.getInput());
  return SmallVector<Value>(inputs.getArrayRef());
}

Value UnitStageEmitter::spreadRow(Value input) {
  Value &row = spreads[input];
  if (!row)
    row = b.privateRow(cast<RankedTensorType>(input.getType()).getDimSize(1));
  return row;
}

void UnitStageEmitter::clearSpreadRows(ArrayRef<Value> inputs) {
  for (Value input : inputs) {
    Value row = spreadRow(input);
    b.loop(b.index(0), b.index(cast<RankedTensorType>(input.getType()).getDimSize(1)),
           [&](Value i) { b.store(b.f32(0), row, i); });
  }
}

/// Puts the spikes of sample s into the rows of the lists, or zeros in their place.
void UnitStageEmitter::spreadRows(ArrayRef<Value> inputs, Value s, bool spikes) {
  for (Value input : inputs) {
    Value row = spreadRow(input);
    const EventStorage list = lowering.events.lookup(input);
    Value ids = b.argument(list.ids, View::broadcast, Access::read, {batch, list.capacity});
    Value info = b.argument(list.info, View::broadcast, Access::read, {batch, 10});
    b.loop(b.index(0), b.loadIndex(info, at(list.info, {s, b.index(6)})), [&](Value j) {
      Value spike = spikes ? spikeAt(list, s, j) : b.f32(0);
      b.store(spike ? spike : b.f32(1), row, b.loadIndex(ids, at(list.ids, {s, j})));
    });
  }
}

/// Element i of a synapse's row of sample s; of a list from its spread row.
Value UnitStageEmitter::rowElement(Value input, Value s, Value i) {
  if (getEvents(input.getType()))
    return b.load(spreadRow(input), i);
  Storage dense = lowering.storages.lookup(input);
  int64_t width = cast<RankedTensorType>(input.getType()).getDimSize(1);
  return b.load(b.argument(dense, View::broadcast, Access::read, {batch, width}), at(dense, {s, i}));
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

void UnitStageEmitter::emitConnectedLinear(LinearOp op) {
  Connections connections = connectionsOf(op.getWeight());
  Value w = ownArgument(lowering.storages.lookup(op.getWeight()), Access::read);
  SmallVector<Value> sums(chunk.size(), b.f32(0));
  sums = b.loop(b.index(0), b.index(connections.count), sums, [&](Value j, ValueRange old) {
    SmallVector<Value> next;
    for (auto [c, sum] : llvm::zip(chunk, old)) {
      Connection connection = connectionAt(connections, j, c);
      Value x = rowElement(op.getInput(), sample, connection.input);
      Value term = arith::MulFOp::create(b, x, b.load(w, {j, c}));
      next.push_back(arith::AddFOp::create(b, sum, ifConnected(connection, term)));
    }
    return next;
  });
  if (op.getBias())
    for (auto [c, sum] : llvm::zip(chunk, sums))
      sum = arith::AddFOp::create(b, sum, perUnit(op.getBias(), APFloat(0.0f), c));
  current[op.getResult()] = Scalars(sums.begin(), sums.end());
}

/// Workers share the connections, so that each weight's gradient is added up by one of them in the order of
/// the samples.
void UnitStageEmitter::emitConnectedWeightGradient(LinearWeightGradOp op) {
  Connections connections = connectionsOf(op.getResult());
  Storage gradient = lowering.storages.lookup(op.getGradient());
  Value g = ownArgument(gradient, Access::read);
  Value dw = ownArgument(lowering.targets.lookup(op.getResult()).front(), Access::update);
  SmallVector<Value> lists;
  if (getEvents(op.getInput().getType()))
    lists.push_back(op.getInput());
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, connections.count);
    clearSpreadRows(lists);
    b.loop(b.index(0), b.index(batch), [&](Value s) {
      spreadRows(lists, s, /*spikes=*/true);
      forUnits([&](ArrayRef<Value> units) {
        SmallVector<Value> gradients;
        for (Value c : units)
          gradients.push_back(b.load(g, at(gradient, {s, c})));
        b.loop(range.first, range.second, [&](Value j) {
          for (auto [c, slope] : llvm::zip(units, gradients)) {
            Connection connection = connectionAt(connections, j, c);
            Value x = rowElement(op.getInput(), s, connection.input);
            Value term = ifConnected(connection, arith::MulFOp::create(b, slope, x));
            b.store(arith::AddFOp::create(b, b.load(dw, {j, c}), term), dw, {j, c});
          }
        });
      });
      spreadRows(lists, s, /*spikes=*/false);
    });
  });
}

/// The tile's units add to a row of sums where their connections say; what others ask for is read from it.
void UnitStageEmitter::emitConnectedInputGradient(LinearInputGradOp op) {
  Connections connections = connectionsOf(op.getWeight());
  Storage gradient = lowering.storages.lookup(op.getGradient()), partials = lowering.partialsOf.lookup(op);
  int64_t in = cast<RankedTensorType>(op.getWeight().getType()).getDimSize(1);
  Value g = ownArgument(gradient, Access::read);
  Value w = ownArgument(lowering.storages.lookup(op.getWeight()), Access::read);
  bool listed = bool(op.getSupport());
  const EventStorage list = listed ? lowering.events.lookup(op.getSupport()) : EventStorage();
  int64_t width = listed ? list.capacity : in;
  Value out = b.argument(partials, View::partials, Access::write, {batch, width});
  Value ids = listed ? b.argument(list.ids, View::broadcast, Access::read, {batch, list.capacity}) : Value();
  Value sums = b.privateUnits(in);
  // A row is cleared as a whole, element by neighbouring element, unless connections are far fewer.
  bool sweeps = in <= 4 * perTile * connections.count;
  auto sweep = [&] { b.loop(b.index(0), b.index(in), [&](Value i) { b.store(b.f32(0), sums, i); }); };
  auto forConnections = [&](llvm::function_ref<void(Value, Value, const Connection &)> body) {
    b.loop(b.index(0), b.index(perTile), [&](Value c) {
      b.loop(b.index(0), b.index(connections.count),
             [&](Value j) { body(c, j, connectionAt(connections, j, c)); });
    });
  };
  b.workers(kWorkers, [&](Value worker) {
    std::pair<Value, Value> range = b.share(worker, kWorkers, batch);
    if (!sweeps)
      sweep();
    b.loop(range.first, range.second, [&](Value s) {
      sample = s;
      if (sweeps)
        sweep();
      forConnections([&](Value c, Value j, const Connection &connection) {
        Value term = arith::MulFOp::create(b, b.load(g, at(gradient, {s, c})), b.load(w, {j, c}));
        Value sum = arith::AddFOp::create(b, b.load(sums, connection.input), ifConnected(connection, term));
        b.store(sum, sums, connection.input);
      });
      b.loop(b.index(0), listed ? listLength(list, /*near=*/true) : b.index(in), [&](Value j) {
        Value id = listed ? b.loadIndex(ids, at(list.ids, {s, j})) : j;
        b.store(b.load(sums, id), out, at(partials, {s, j}));
      });
      if (!sweeps)
        forConnections(
            [&](Value, Value, const Connection &connection) { b.store(b.f32(0), sums, connection.input); });
    });
  });
}
