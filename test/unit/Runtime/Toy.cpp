// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The manifests of the hand-made programs.
#include "Toy.h"
#include <cstring>

using namespace spikeloom::runtime;

#define HOST(name) extern "C" void name(void *const *, int64_t, int64_t, int64_t *)
#define STRICT(name) extern "C" void name(void *const *, int64_t, int64_t, int64_t *, void *, toy::Check)
HOST(forward_host);
HOST(forward_cycles);
HOST(count_host);
HOST(count_cycles);
HOST(partial_host);
HOST(one_cycle);
HOST(loop_host);
STRICT(forward_strict);
STRICT(count_strict);
STRICT(partial_strict);
STRICT(sum_strict);
STRICT(loop_strict);
HOST(train_host);
STRICT(train_strict);
HOST(loss_host);
STRICT(loss_strict);
#undef HOST
#undef STRICT

namespace toy {
namespace {

Buffer buffer(const char *name, std::vector<int64_t> shape, bool hasSteps, Home home) {
  Buffer b;
  b.name = name;
  b.pitch = shape.back();
  b.shape = std::move(shape);
  b.steps = hasSteps;
  b.home = home;
  return b;
}

Buffer own(const char *name, std::vector<int64_t> shape, bool hasSteps, Layout layout, int64_t address) {
  Buffer b = buffer(name, std::move(shape), hasSteps, Home::own);
  b.family = 0;
  b.layout = layout;
  b.pitch = layout == Layout::rows ? pitch : 0;
  b.address = address;
  return b;
}

Argument argument(int64_t buffer, View view, spikeloom::runtime::Access access, bool hasSteps,
                  int64_t address = -1, int64_t shift = 0) {
  Argument a;
  a.buffer = buffer;
  a.view = view;
  a.access = access;
  a.steps = hasSteps;
  a.address = address;
  a.shift = shift;
  return a;
}

Port port(const char *name, Role role, int64_t buffer, std::vector<int64_t> shape) {
  Port p;
  p.name = name;
  p.role = role;
  p.buffer = buffer;
  p.shape = std::move(shape);
  return p;
}

Manifest common() {
  Manifest m;
  m.machine.name = "tiny";
  m.machine.tiles = 16;
  m.machine.tileMemoryBytes = 4096;
  m.machine.clockHz = 1e9;
  m.machine.syncCycles = 7;
  m.machine.computeLaunchCycles = 2;
  m.machine.hostBytesPerSecond = 1e9;
  m.batch = batch;
  m.steps = steps;
  m.families = {{"layer", 0, tiles, units, perTile, group}};
  m.locations = {{"net.onnx:fc1/MatMul"}, {"net.onnx:fc1/Add"}};
  return m;
}

} // namespace

Manifest layer() {
  using A = spikeloom::runtime::Access;
  Manifest m = common();
  m.program = "layer";
  m.families.push_back({"samples", tiles, batch, 0, 1, 1});
  m.families.push_back({"sums", tiles + batch, inputs, 0, 1, 1});
  m.tilesUsed = tiles + batch + inputs;

  Buffer x = buffer("x", {steps, batch, inputs}, true, Home::host);
  Buffer w = own("w", {inputs, units}, false, Layout::blocked, 0);
  w.persistent = true;
  Buffer u = own("u", {batch, units}, false, Layout::blocked, 64);
  u.clear = true;
  Buffer y = own("y", {steps, batch, units}, true, Layout::rows, 128);
  y.window = 4;
  Buffer info = buffer("info", {steps, batch, 10}, true, Home::slice);
  info.type = ElementType::i32;
  info.family = 1;
  info.slice = Slice{1, 10, 0, {1, 10}};
  info.address = 0;
  Buffer partial = own("partial", {steps, batch, inputs}, true, Layout::blocked, 512);
  Buffer g = buffer("g", {steps, batch, inputs}, true, Home::slice);
  g.family = 2;
  g.slice = Slice{1, 1, 0, {batch, 1}};
  g.address = 0;
  m.buffers = {x, w, u, y, info, partial, g};

  m.codelets = {{"forward", "forward_host", "forward_cycles", "forward_strict", true, true},
                {"count", "count_host", "count_cycles", "count_strict", false, false},
                {"partial", "partial_host", "one_cycle", "partial_strict", true, false},
                {"sum", "", "one_cycle", "sum_strict", true, false}};

  Stage forward{"forward", "fc1", "forward", 0, 0, {}, 0, 0, 3, false};
  forward.arguments = {argument(0, View::broadcast, A::read, true, 1024),
                       argument(1, View::own, A::read, false), argument(2, View::own, A::update, false),
                       argument(3, View::own, A::write, true)};
  Stage count{"count", "fc1", "lists", 1, 1, {}, 1, 0, 5, false};
  count.arguments = {argument(3, View::slice, A::read, true, 1024), argument(4, View::slice, A::write, true)};
  count.arguments[0].slice = Slice{1, units, 0, {1, units}};
  Stage partialStage{"partial", "fc1", "backward", 2, 0, {}, 0, 0, 0, false};
  partialStage.arguments = {argument(3, View::own, A::read, true), argument(1, View::own, A::read, false),
                            argument(5, View::partials, A::write, true)};
  Stage sum{"sum", "fc1", "reduce", 3, 2, {}, 1, 0, 4, true};
  sum.arguments = {argument(5, View::partials, A::read, true, 1024),
                   argument(6, View::slice, A::write, true)};
  sum.arguments[0].slice = Slice{1, 1, 0, {batch, 1}};

  Phase phase;
  phase.name = "all";
  phase.steps = steps;
  phase.chunk = 2;
  phase.stages = {forward, count, partialStage, sum};
  phase.hostOrder = {{{0}, false}, {{2}, false}, {{1}, false}, {{3}, false}};
  m.phases = {phase};

  Port px = port("x", Role::input, 0, {steps, batch, inputs});
  Port pw = port("fc1.weight", Role::parameter, 1, {units, inputs});
  pw.transposed = true;
  pw.trainable = true;
  pw.constant = 0;
  Port pu = port("u", Role::state, 2, {batch, units});
  Port pv = port("u_out", Role::state, 2, {batch, units});
  pv.pair = "u";
  m.ports = {px,
             pw,
             pu,
             pv,
             port("y", Role::output, 3, {steps, batch, units}),
             port("g", Role::output, 6, {steps, batch, inputs})};
  m.events = {{"fc1", units, 8, 4}};
  return m;
}

Manifest loop(bool reverse) {
  using A = spikeloom::runtime::Access;
  Manifest m = common();
  m.program = "loop";
  m.tilesUsed = tiles;
  Buffer x = buffer("x", {steps, units}, true, Home::host);
  Buffer y = own("y", {steps + 1, units}, true, Layout::rows, 0);
  y.window = 2;
  y.clear = true;
  y.fill = 1;
  if (reverse)
    y.window = 0; // a window starts with the first steps, a reverse loop with the last
  m.buffers = {x, y};
  m.codelets = {{"loop", "loop_host", "one_cycle", "loop_strict", true, true}};
  Stage stage{"loop", "rec", "forward", 0, 0, {}, 0, 0, 1, false};
  stage.arguments = {argument(1, View::broadcast, A::read, true, 512, reverse ? 1 : 0),
                     argument(0, View::broadcast, A::read, true, 256),
                     argument(1, View::own, A::write, true, -1, reverse ? 0 : 1)};
  Phase phase;
  phase.name = "loop";
  phase.steps = steps;
  phase.reverse = reverse;
  phase.stages = {stage};
  phase.hostOrder = {{{0}, true}};
  m.phases = {phase};
  m.ports = {port("x", Role::input, 0, {steps, units}), port("y", Role::output, 1, {steps + 1, units})};
  return m;
}

Manifest training() {
  using A = spikeloom::runtime::Access;
  Manifest m = common();
  m.program = "training";
  m.families.push_back({"loss", tiles, 1, 0, 1, 1});
  m.tilesUsed = tiles + 1;
  m.optimizer = {"adam", 0.125, 0.5, 0.75, 1e-8, 0};
  Buffer label = buffer("label", {batch}, false, Home::host);
  label.type = ElementType::i32;
  Buffer weight = buffer("weight", {batch}, false, Home::host);
  Buffer hyper = buffer("hyper", {4}, false, Home::host);
  Buffer w = own("w", {units}, false, Layout::blocked, 0),
         moment = own("m", {units}, false, Layout::blocked, 8);
  w.persistent = moment.persistent = true;
  Buffer loss = buffer("loss", {1}, false, Home::host);
  m.buffers = {label, weight, hyper, w, moment, loss};
  m.codelets = {{"train", "train_host", "one_cycle", "train_strict", true, true},
                {"loss", "loss_host", "one_cycle", "loss_strict", true, true}};
  Stage update{"update", "fc", "optimizer", 0, 0, {}, 0, 0, 0, false};
  update.arguments = {argument(0, View::broadcast, A::read, false, 64),
                      argument(1, View::broadcast, A::read, false, 72),
                      argument(2, View::broadcast, A::read, false, 80),
                      argument(3, View::own, A::update, false), argument(4, View::own, A::update, false)};
  Stage sum{"sum", "loss", "loss", 1, 1, {}, 0, 0, 0, false};
  sum.arguments = {argument(0, View::broadcast, A::read, false, 64),
                   argument(1, View::broadcast, A::read, false, 72),
                   argument(5, View::broadcast, A::write, false, 80)};
  Phase phase;
  phase.name = "step";
  phase.stages = {update, sum};
  phase.hostOrder = {{{0}, false}, {{1}, false}};
  m.phases = {phase};
  Port labels = port("labels", Role::label, 0, {batch}), moments = port("w", Role::optimizer, 4, {units});
  labels.classes = 4;
  moments.pair = "w";
  m.ports = {labels,
             port("weights", Role::weight, 1, {batch}),
             port("hyper", Role::hyper, 2, {4}),
             port("w", Role::parameter, 3, {units}),
             moments,
             port("loss", Role::loss, 5, {})};
  return m;
}

Loom layerLoom(const std::vector<float> &weights) {
  Loom loom;
  loom.manifest = layer();
  loom.constants = bytesOf(weights);
  spikeloom::Result<Bytes> code = readFile(SPIKELOOM_TOY_OBJECT);
  loom.objects = {{"x86-64", {}, code ? *code : Bytes()}};
  return loom;
}

std::vector<float> numbers(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float &value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = float(int32_t(seed >> 8) % 2001 - 1000) / 512.0f;
  }
  return values;
}

Bytes bytesOf(const std::vector<float> &values) {
  Bytes bytes(values.size() * 4);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::map<std::string, void *> symbols() {
#define SYMBOL(name)                                                                                         \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(name)                                                                    \
  }
  return {SYMBOL(forward_host), SYMBOL(forward_strict), SYMBOL(forward_cycles), SYMBOL(count_host),
          SYMBOL(count_strict), SYMBOL(count_cycles),   SYMBOL(partial_host),   SYMBOL(partial_strict),
          SYMBOL(one_cycle),    SYMBOL(sum_strict),     SYMBOL(loop_host),      SYMBOL(loop_strict),
          SYMBOL(train_host),   SYMBOL(train_strict),   SYMBOL(loss_host),      SYMBOL(loss_strict)};
#undef SYMBOL
}

} // namespace toy
