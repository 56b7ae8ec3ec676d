// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The hand-made programs. Host codelets see groups of tiles side by side, strict ones a single tile.
#include "Toy.h"

using namespace spikeloom::runtime;

namespace toy {
namespace {

constexpr int64_t groupUnits = perTile * group, pitch = groups * groupUnits;

/// Reads and writes of a strict codelet, each announced first.
struct Access {
  void *context;
  Check check;
  template <typename T> T load(const T *p) const {
    check(context, int64_t(p), sizeof(T), 0, 0);
    return *p;
  }
  template <typename T> void store(T *p, T value) const {
    check(context, int64_t(p), sizeof(T), 1, 1);
    *p = value;
  }
};

template <typename T> T *as(void *p) { return static_cast<T *>(p); }

// Arguments: x [steps][batch][inputs], w [inputs][own], u [batch][own], y [steps][batch][own].
void forwardHost(void *const *a, int64_t n, int64_t, int64_t *) {
  const float *x = as<float>(a[0]), *w = as<float>(a[1]);
  float *u = as<float>(a[2]), *y = as<float>(a[3]);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t j = 0; j < groupUnits; ++j) {
        float sum = 0.5f * u[b * groupUnits + j];
        for (int64_t i = 0; i < inputs; ++i)
          sum += x[(t * batch + b) * inputs + i] * w[i * groupUnits + j];
        u[b * groupUnits + j] = sum;
        y[(t * batch + b) * pitch + j] = sum;
      }
}
void forwardStrict(void *const *a, int64_t n, int64_t, int64_t *, void *context, Check check) {
  const Access m{context, check};
  const float *x = as<float>(a[0]), *w = as<float>(a[1]);
  float *u = as<float>(a[2]), *y = as<float>(a[3]);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t j = 0; j < perTile; ++j) {
        float sum = 0.5f * m.load(&u[b * perTile + j]);
        for (int64_t i = 0; i < inputs; ++i)
          sum += m.load(&x[(t * batch + b) * inputs + i]) * m.load(&w[i * perTile + j]);
        m.store(&u[b * perTile + j], sum);
        m.store(&y[(t * batch + b) * perTile + j], sum);
      }
}
void forwardCycles(void *const *, int64_t n, int64_t, int64_t *cycles) {
  for (int64_t t = 0; t < n; ++t)
    cycles[t] = 40;
}

// Arguments: y of one sample [steps][1][units], info of it [steps][1][10]. On the host the rows are a pitch
// apart.
template <int64_t yStep, int64_t infoStep, typename M> void count(void *const *a, int64_t n, const M &m) {
  const float *y = as<float>(a[0]);
  int32_t *info = as<int32_t>(a[1]);
  for (int64_t t = 0; t < n; ++t) {
    int32_t positive = 0;
    for (int64_t j = 0; j < units; ++j)
      positive += m.load(&y[t * yStep + j]) > 0;
    for (int64_t k = 0; k < 10; ++k)
      m.store(&info[t * infoStep + k], k == 6 ? positive - positive / 4 : k >= 7 && k < 9 ? positive : 0);
  }
}
struct Free {
  template <typename T> T load(const T *p) const { return *p; }
  template <typename T> void store(T *p, T value) const { *p = value; }
};
void countHost(void *const *a, int64_t n, int64_t, int64_t *) {
  count<batch * pitch, batch * 10>(a, n, Free{});
}
void countStrict(void *const *a, int64_t n, int64_t, int64_t *, void *context, Check check) {
  count<units, 10>(a, n, Access{context, check});
}
void countCycles(void *const *a, int64_t n, int64_t, int64_t *cycles) {
  const float *y = as<float>(a[0]);
  for (int64_t t = 0; t < n; ++t) {
    cycles[t] = 5;
    for (int64_t j = 0; j < units; ++j)
      cycles[t] += 3 * (y[t * units + j] > 0);
  }
}

// Arguments: y own, w own, partial [steps][batch][inputs].
void partialHost(void *const *a, int64_t n, int64_t task, int64_t *) {
  const float *y = as<float>(a[0]), *w = as<float>(a[1]);
  float *p = as<float>(a[2]);
  const int64_t present = std::min(group, tiles - task);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < inputs; ++i) {
        float sum = 0; // four lanes: strided partials are the lanes, the tree adds 2 then 1 apart
        float lane[group] = {};
        for (int64_t l = 0; l < present; ++l)
          for (int64_t c = 0; c < perTile; ++c)
            lane[l] += y[(t * batch + b) * pitch + c * group + l] * w[i * groupUnits + c * group + l];
        sum = (lane[0] + lane[2]) + (lane[1] + lane[3]);
        p[(t * batch + b) * inputs + i] = sum;
      }
}
void partialStrict(void *const *a, int64_t n, int64_t, int64_t *, void *context, Check check) {
  const Access m{context, check};
  const float *y = as<float>(a[0]), *w = as<float>(a[1]);
  float *p = as<float>(a[2]);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < inputs; ++i) {
        float sum = 0;
        for (int64_t c = 0; c < perTile; ++c)
          sum += m.load(&y[(t * batch + b) * perTile + c]) * m.load(&w[i * perTile + c]);
        m.store(&p[(t * batch + b) * inputs + i], sum);
      }
}
void oneCycle(void *const *, int64_t n, int64_t, int64_t *cycles) {
  for (int64_t t = 0; t < n; ++t)
    cycles[t] = 11;
}

// Arguments: staged partials [tiles][steps][batch][1], result [steps][batch][1] of one input.
void sumStrict(void *const *a, int64_t n, int64_t, int64_t *, void *context, Check check) {
  const Access m{context, check};
  const float *p = as<float>(a[0]);
  float *g = as<float>(a[1]);
  for (int64_t i = 0; i < n * batch; ++i) {
    float total = 0;
    for (int64_t first = 0; first < tiles; first += group) {
      float lane[group] = {};
      for (int64_t l = 0; l < group && first + l < tiles; ++l)
        lane[l] = m.load(&p[(first + l) * n * batch + i]);
      const float sum = (lane[0] + lane[2]) + (lane[1] + lane[3]);
      total = first == 0 ? sum : total + sum;
    }
    m.store(&g[i], total);
  }
}

// Arguments: y before [steps][units] broadcast, x [steps][units] slice-less broadcast, y after [steps][own].
template <int64_t width, int64_t stride, int64_t yPitch, typename M>
void loopBody(void *const *a, int64_t n, int64_t first, const M &m) {
  const float *before = as<float>(a[0]), *x = as<float>(a[1]);
  float *after = as<float>(a[2]);
  for (int64_t t = 0; t < n; ++t) {
    float sum = 0;
    for (int64_t j = 0; j < units; ++j)
      sum += m.load(&before[t * yPitch + j]);
    for (int64_t j = 0; j < width; ++j) {
      const int64_t unit = first + (width == perTile ? j * group : j);
      const float in = unit < units ? m.load(&x[t * units + unit]) : 0;
      m.store(&after[t * stride + j], in + 0.25f * sum);
    }
  }
}
void loopHost(void *const *a, int64_t n, int64_t task, int64_t *) {
  loopBody<groupUnits, pitch, pitch>(a, n, task / group * groupUnits, Free{});
}
void loopStrict(void *const *a, int64_t n, int64_t task, int64_t *, void *context, Check check) {
  loopBody<perTile, perTile, units>(a, n, task / group * groupUnits + task % group, Access{context, check});
}

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

std::map<std::string, void *> symbols() {
  auto code = [](auto *f) { return reinterpret_cast<void *>(f); };
  return {{"forward_host", code(forwardHost)},     {"forward_strict", code(forwardStrict)},
          {"forward_cycles", code(forwardCycles)}, {"count_host", code(countHost)},
          {"count_strict", code(countStrict)},     {"count_cycles", code(countCycles)},
          {"partial_host", code(partialHost)},     {"partial_strict", code(partialStrict)},
          {"one_cycle", code(oneCycle)},           {"sum_strict", code(sumStrict)},
          {"loop_host", code(loopHost)},           {"loop_strict", code(loopStrict)}};
}

} // namespace toy
