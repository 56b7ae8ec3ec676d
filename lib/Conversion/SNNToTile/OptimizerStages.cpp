// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Optimisers and the clipping of gradients: every tile updates its own units.
#include "Lowering.h"
#include "ScalarMath.h"
#include "spikeloom/Support/UpdateRules.h"

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::snn;
using namespace spikeloom::tile;

namespace {
/// What a tile holds of a parameter: [inputs][units], [connections][units], or one number per unit.
struct OwnShape {
  int64_t rows;
  bool matrix;
  SmallVector<int64_t> shape;

  OwnShape(Value parameter, FamilyOp owner) {
    SmallVector<int64_t> stored = storedShape(parameter);
    matrix = stored.size() == 2;
    rows = matrix ? stored[1] : 1;
    int64_t perTile = owner.getPerTile();
    shape = matrix ? SmallVector<int64_t>{rows, perTile} : SmallVector<int64_t>{perTile};
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Clipping
//===----------------------------------------------------------------------===//

/// The sum of the squares of every unit's gradients, `[units]`.
Storage Lowering::emitSquares(Value gradient, Location loc) {
  int unitClass = classes.getClass(gradient);
  FamilyOp owner = family(unitClass);
  OwnShape own(gradient, owner);
  int64_t units = owner.getUnits(), perTile = owner.getPerTile(),
          parts = own.matrix ? ClipByNormOp::kParts : 1;
  std::string layer = layerOf(unitClass);
  Storage sums{ownBuffer(loc, layer + ".squares", unitClass, {units}, Layout::rows), false, 0};
  Storage partial{ownBuffer(loc, layer + ".square_parts", unitClass, {parts, units}, Layout::blocked), false,
                  0};
  CodeletBuilder b(loc, module, layer + "_squares", owner);
  ScalarMath math{b};
  Value g = b.argument(storages.lookup(gradient), View::own, Access::read, own.shape);
  Value part = b.argument(partial, View::own, Access::write, {parts, perTile});
  Value sum = b.argument(sums, View::own, Access::write, {perTile});
  b.steps(false, [&](Value) {
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = b.share(worker, kWorkers, parts);
      b.loop(range.first, range.second, [&](Value k) {
        // Part k of the rows, as a worker's share of them would be.
        std::pair<Value, Value> rows = b.share(k, parts, own.rows);
        b.loop(b.index(0), b.index(perTile), [&](Value c) {
          Value total = b.loop(rows.first, rows.second, ValueRange{b.f32(0)}, [&](Value i, ValueRange old) {
            Value x = b.load(g, own.matrix ? SmallVector<Value>{i, c} : SmallVector<Value>{c});
            return SmallVector<Value>{math.add(old[0], math.mul(x, x))};
          })[0];
          b.store(total, part, {k, c});
        });
      });
    });
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range = b.share(worker, kWorkers, perTile);
      b.loop(range.first, range.second, [&](Value c) {
        Value first = b.load(part, {b.index(0), c});
        b.store(b.loop(b.index(1), b.index(parts), ValueRange{first},
                       [&](Value k, ValueRange old) {
                         return SmallVector<Value>{math.add(old[0], b.load(part, {k, c}))};
                       })[0],
                sum, c);
      });
    });
  });
  b.finish(stages, layer, "optimizer");
  return sums;
}

void Lowering::emitClipByNorm(ClipByNormOp op) {
  SmallVector<std::pair<Storage, int64_t>> sums;
  for (Value gradient : op.getGradients()) {
    FamilyOp owner = family(classes.getClass(gradient));
    sums.push_back({emitSquares(gradient, op.getLoc()), int64_t(owner.getUnits())});
  }
  MLIRContext *context = op.getContext();
  FamilyOp totalFamily = indexFamily("gradients.norm", 1);
  auto whole = SliceAttr::get(context, 1, 0, 0, {1});
  CodeletBuilder b(op.getLoc(), module, "gradients_norm", totalFamily);
  ScalarMath math{b};
  auto result = [&](Value value, StringRef name) {
    Storage storage{sliceBuffer(op.getLoc(), name, totalFamily, {1}, Float32Type::get(context), whole, false),
                    false, 0};
    storages[value] = storage;
    return b.argument(storage, View::slice, Access::write, {1}, whole);
  };
  Value norm = result(op.getNorm(), "gradients.norm"), factor = result(op.getFactor(), "gradients.factor");
  SmallVector<Value> arguments;
  for (auto [storage, units] : sums)
    arguments.push_back(b.argument(storage, View::broadcast, Access::read, {units}));
  b.steps(false, [&](Value) {
    Value total;
    for (size_t k = 0; k < sums.size(); ++k) {
      Value squares =
          b.loop(b.index(0), b.index(sums[k].second), ValueRange{b.f32(0)}, [&](Value n, ValueRange old) {
            return SmallVector<Value>{math.add(old[0], b.load(arguments[k], n))};
          })[0];
      total = total ? math.add(total, squares) : squares;
    }
    Value root = math.sqrt(total);
    Value ratio = math.div(b.f32(op.getLimit().convertToDouble()), math.add(root, b.f32(1e-6f)));
    b.store(root, norm, b.index(0));
    b.store(math.minimum(ratio, b.f32(1)), factor, b.index(0));
  });
  b.finish(stages, "gradients", "optimizer");
}

//===----------------------------------------------------------------------===//
// Optimisers
//===----------------------------------------------------------------------===//

void Lowering::emitOptimizer(OptimizerOpInterface op) {
  int unitClass = classes.getClass(op.getParameter());
  FamilyOp owner = family(unitClass);
  OwnShape own(op.getParameter(), owner);
  auto adam = dyn_cast<AdamOp>(op.getOperation());
  auto sgd = dyn_cast<SgdOp>(op.getOperation());
  std::optional<APFloat> clip = adam ? adam.getClip() : sgd.getClip();
  Decay decay = Decay(int(adam ? adam.getDecay() : sgd.getDecay()));
  CodeletBuilder b(op->getLoc(), module, layerOf(unitClass) + "_" + (adam ? "adam" : "sgd"), owner);
  ScalarMath math{b};
  auto argument = [&](Value value, Access access) {
    return b.argument(storages.lookup(value), View::own, access, own.shape);
  };
  Value p = argument(op.getParameter(), Access::update), g = argument(op.getGradient(), Access::read);
  SmallVector<Value> states;
  for (Value state : op.getStates())
    states.push_back(argument(state, Access::update));
  Value factors = b.argument(storages.lookup(op.getHyper()), View::broadcast, Access::read, {4});
  Value scaling = op.getScale()
                      ? b.argument(storages.lookup(op.getScale()), View::broadcast, Access::read, {1})
                      : Value();
  b.steps(false, [&](Value) {
    // Only what the rule reads is loaded.
    bool momentum = sgd && !states.empty();
    auto factor = [&](int64_t i, bool used) { return used ? b.load(factors, b.index(i)) : Value(); };
    HyperFactors<ScalarMath> h{factor(0, true), factor(1, bool(adam)), factor(2, decay != Decay::none),
                               factor(3, momentum)};
    std::optional<Value> scale;
    if (scaling)
      scale = b.load(scaling, b.index(0));
    std::optional<float> limit = clip ? std::optional<float>(clip->convertToFloat()) : std::nullopt;
    b.workers(kWorkers, [&](Value worker) {
      std::pair<Value, Value> range =
          b.share(worker, kWorkers, own.matrix ? own.rows : int64_t(owner.getPerTile()));
      auto update = [&](ValueRange at) {
        Value parameter = b.load(p, at);
        Value gradient = effectiveGradient(math, b.load(g, at), parameter, scale, limit, decay, h);
        SmallVector<Value> values;
        for (Value state : states)
          values.push_back(b.load(state, at));
        if (adam) {
          adamStep(math, gradient, adam.getBeta1().convertToFloat(), adam.getBeta2().convertToFloat(),
                   adam.getEpsilon().convertToFloat(), decay, h, values[0], values[1], parameter);
        } else {
          Value none;
          sgdStep(math, gradient, momentum, sgd.getNesterov(), h, momentum ? values[0] : none, parameter);
        }
        for (auto [state, value] : llvm::zip(states, values))
          b.store(value, state, at);
        b.store(parameter, p, at);
      };
      b.loop(range.first, range.second, [&](Value i) {
        if (!own.matrix)
          return update(i);
        b.loop(b.index(0), b.index(owner.getPerTile()), [&](Value c) { update({i, c}); });
      });
    });
  });
  b.finish(stages, layerOf(unitClass), "optimizer");
}
