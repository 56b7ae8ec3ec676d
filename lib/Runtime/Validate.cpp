// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks every entry of a manifest on its own: indices, shapes, sizes, homes.
#include "spikeloom/Runtime/Validate.h"
#include "Checks.h"
#include <algorithm>
#include <cmath>
#include <set>

namespace spikeloom::runtime {

// Far above any machine, far below where products of two such numbers overflow.
constexpr int64_t largestCount = int64_t(1) << 40;

std::string entry(const char *kind, int64_t index, const std::string &name) {
  return std::string(kind) + " " + std::to_string(index) + " '" + name + "'";
}

static std::string outside(const std::string &what, int64_t value, int64_t least, int64_t most) {
  return what + " is " + std::to_string(value) + ", allowed: " + std::to_string(least) + " to " +
         std::to_string(most);
}

/// Empty when least <= value <= most.
static std::string range(const std::string &where, const char *what, int64_t value, int64_t least,
                         int64_t most = largestCount) {
  return value >= least && value <= most ? "" : outside(where + ": " + what, value, least, most);
}

static std::string index(const std::string &where, const char *what, int64_t value, size_t size) {
  if (value >= 0 && value < int64_t(size))
    return "";
  return where + ": " + what + " is " + std::to_string(value) + ", but there are only " +
         std::to_string(size);
}

#define CHECK(...)                                                                                           \
  if (std::string problem = (__VA_ARGS__); !problem.empty())                                                 \
  return problem

/// The number of elements, or -1 when a dimension is not positive or the product is out of all proportion.
static int64_t count(const std::vector<int64_t> &shape) {
  int64_t product = 1;
  for (int64_t size : shape)
    if (size < 1 || __builtin_mul_overflow(product, size, &product) || product > largestCount)
      return -1;
  return product;
}

static std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t size : shape)
    text += (text.empty() ? "" : "x") + std::to_string(size);
  return "[" + text + "]";
}

std::string checkMachine(const Manifest &manifest) {
  const MachineInfo &m = manifest.machine;
  CHECK(range("machine", "chips", m.chips, 1));
  CHECK(range("machine", "tiles", m.tiles, 1, int64_t(1) << 24));
  CHECK(range("machine", "tile_memory_bytes", m.tileMemoryBytes, 1));
  CHECK(range("machine", "sync_cycles", m.syncCycles, 0));
  CHECK(range("machine", "compute_launch_cycles", m.computeLaunchCycles, 0));
  if (!(m.clockHz > 0 && std::isfinite(m.clockHz)))
    return "machine: clock_hz is " + std::to_string(m.clockHz) + ", it must be positive";
  if (!(m.hostBytesPerSecond > 0 && std::isfinite(m.hostBytesPerSecond)))
    return "machine: host_bytes_per_second is " + std::to_string(m.hostBytesPerSecond) +
           ", it must be positive";
  CHECK(range("program", "batch", manifest.batch, 0));
  CHECK(range("program", "steps", manifest.steps, 0));
  CHECK(range("program", "tiles_used", manifest.tilesUsed, 0, m.tiles));
  CHECK(range("program", "tile_memory_max", manifest.tileMemoryMax, 0, m.tileMemoryBytes));
  return "";
}

std::string checkFamilies(const Manifest &manifest) {
  for (size_t i = 0; i < manifest.families.size(); ++i) {
    const Family &f = manifest.families[i];
    const std::string where = entry("family", i, f.name);
    CHECK(range(where, "first_tile", f.firstTile, 0, manifest.machine.tiles - 1));
    CHECK(range(where, "tiles", f.tiles, 1, manifest.machine.tiles - f.firstTile));
    CHECK(range(where, "units", f.units, 0));
    CHECK(range(where, "per_tile", f.perTile, 1, std::max<int64_t>(f.units, 1)));
    CHECK(range(where, "group", f.group, 1, int64_t(1) << 12));
    if (f.units > 0 && f.tiles != tilesOf(f))
      return where + ": " + std::to_string(f.units) + " units, " + std::to_string(f.perTile) +
             " a tile in groups of " + std::to_string(f.group) + ", need " + std::to_string(tilesOf(f)) +
             " tiles, found " + std::to_string(f.tiles);
    if (f.units == 0 && (f.perTile != 1 || f.group != 1))
      return where + ": an index family has per_tile 1 and group 1, found " + std::to_string(f.perTile) +
             " and " + std::to_string(f.group);
  }
  return "";
}

/// Slices need positive divisors and every task's start inside the step.
static std::string checkSlice(const std::string &where, const Slice &slice, const std::vector<int64_t> &dims,
                              int64_t tasks) {
  CHECK(range(where, "slice divisor", slice.divisor, 1));
  CHECK(range(where, "slice outer", slice.outer, 0));
  CHECK(range(where, "slice inner", slice.inner, 0));
  if (slice.extents.size() != dims.size())
    return where + ": the slice has " + std::to_string(slice.extents.size()) + " extents, the buffer " +
           std::to_string(dims.size()) + " dimensions a step";
  for (size_t d = 0; d < dims.size(); ++d)
    CHECK(range(where, "slice extent", slice.extents[d], 1, dims[d]));
  const int64_t elements = count(dims);
  for (int64_t task = 0; task < tasks; ++task) {
    // Both factors are below 2^40 but their product need not be: compare by division.
    int64_t start, inner;
    if (__builtin_mul_overflow(task / slice.divisor, slice.outer, &start) ||
        __builtin_mul_overflow(task % slice.divisor, slice.inner, &inner) ||
        __builtin_add_overflow(start, inner, &start) || start >= elements)
      return where + ": the slice of task " + std::to_string(task) + " starts outside the step's " +
             std::to_string(elements) + " elements";
  }
  return "";
}

/// Every element of the step has exactly one home.
static std::string checkCover(const std::string &where, const Geometry &geometry, const Slice &slice,
                              int64_t tasks) {
  if (geometry.stepElements() / tasks > geometry.tileStep) // before memory is taken for a table
    return where + ": " + std::to_string(tasks) + " slices of " + std::to_string(geometry.tileStep) +
           " elements cannot hold all " + std::to_string(geometry.stepElements());
  std::vector<uint8_t> seen(geometry.stepElements(), 0);
  std::string problem;
  for (int64_t task = 0; task < tasks && problem.empty(); ++task)
    forEachRun(
        geometry, {slice.extents, sliceStart(slice, task)},
        [&](int64_t, int64_t row, int64_t column, int64_t length) {
          for (int64_t i = row * geometry.width + column, end = i + length; i < end && problem.empty(); ++i)
            if (seen[i]++)
              problem = where + ": element " + std::to_string(i) + " lies in the slices of two tasks (" +
                        std::to_string(task) + " is the second)";
        });
  for (size_t i = 0; i < seen.size() && problem.empty(); ++i)
    if (!seen[i])
      problem = where + ": no task's slice holds element " + std::to_string(i);
  return problem;
}

static std::string checkOwn(const Manifest &manifest, const std::string &where, const Buffer &b,
                            bool partials) {
  const Family &f = manifest.families[b.family];
  if (partials)
    return "";
  if (f.units == 0)
    return where + ": home 'own' needs a family with units, '" + f.name + "' has none";
  if (b.shape.size() < (b.steps ? 2u : 1u) || b.shape.back() != f.units)
    return where + ": the last dimension of shape " + shapeText(b.shape) + " must be the " +
           std::to_string(f.units) + " units of family '" + f.name + "'";
  int64_t padded = groupsOf(f) * f.perTile * f.group;
  if (b.layout == Layout::rows && b.pitch < padded)
    return where + ": pitch is " + std::to_string(b.pitch) + ", full groups need at least " +
           std::to_string(padded);
  return "";
}

static std::string checkBuffer(const Manifest &manifest, size_t i, bool partials) {
  const Buffer &b = manifest.buffers[i];
  const std::string where = entry("buffer", i, b.name);
  if (count(b.shape) < 0 || (b.steps && b.shape.empty()))
    return where + ": shape " + shapeText(b.shape) + " is not possible";
  CHECK(range(where, "spare", b.spare, 0, 1 << 20));
  CHECK(range(where, "window", b.window, 0, b.steps ? b.shape.front() : 0));
  const int64_t width = b.shape.size() > (b.steps ? 1u : 0u) ? b.shape.back() : 1;
  CHECK(range(where, "pitch", b.pitch,
              partials || (b.home == Home::own && b.layout == Layout::blocked) ? 0 : width,
              width + (1 << 20)));
  if (!std::isfinite(b.fill))
    return where + ": fill is not finite";
  if (partials && b.home != Home::own)
    return where + ": an argument sees it as partials, so its home must be 'own'";
  if (b.home == Home::host) {
    if (b.address != -1)
      return where + ": home is the host, so the address must be -1, found " + std::to_string(b.address);
    return "";
  }
  CHECK(index(where, "family", b.family, manifest.families.size()));
  const Family &family = manifest.families[b.family];
  if (partials && count(b.shape) > largestCount / family.tiles)
    return where + ": the partials of " + std::to_string(family.tiles) + " tiles are out of all proportion";
  if (b.home == Home::own) {
    CHECK(checkOwn(manifest, where, b, partials));
  } else {
    std::vector<int64_t> dims(b.shape.begin() + (b.steps ? 1 : 0), b.shape.end());
    if (!b.slice)
      return where + ": home is 'slice' but the slice is missing";
    CHECK(checkSlice(where, *b.slice, dims, family.tiles));
  }
  const Geometry g = geometryOf(manifest, b, partials);
  if (g.hostElements > largestCount)
    return where + ": " + std::to_string(g.hostElements) + " elements on the host are out of all proportion";
  CHECK(range(where, "address", b.address, 0, manifest.machine.tileMemoryBytes));
  if (b.address % g.bytes)
    return where + ": address " + std::to_string(b.address) + " is not a multiple of " +
           std::to_string(g.bytes);
  if (g.tileBytes() > manifest.machine.tileMemoryBytes - b.address)
    return where + ": " + std::to_string(g.tileBytes()) + " bytes at address " + std::to_string(b.address) +
           " end beyond the tile memory of " + std::to_string(manifest.machine.tileMemoryBytes) + " bytes";
  return b.home == Home::slice ? checkCover(where, g, *b.slice, family.tiles) : "";
}

std::string checkBuffers(const Manifest &manifest) {
  const std::vector<bool> partials = partialsOf(manifest);
  for (size_t i = 0; i < manifest.buffers.size(); ++i)
    CHECK(checkBuffer(manifest, i, partials[i]));
  return "";
}

std::string checkPorts(const Manifest &manifest, uint64_t constantBytes) {
  std::set<std::pair<Role, std::string>> names;
  for (size_t i = 0; i < manifest.ports.size(); ++i) {
    const Port &p = manifest.ports[i];
    const std::string where = entry("port", i, p.name);
    CHECK(index(where, "buffer", p.buffer, manifest.buffers.size()));
    if (p.name.empty() || !names.insert({p.role, p.name}).second)
      return where + ": every port of a role needs a name of its own";
    const Buffer &b = manifest.buffers[p.buffer];
    const bool sparse = p.connections != -1; // see checkConnections
    if (count(p.shape) < 0 || (!sparse && count(p.shape) != count(b.shape)))
      return where + ": shape " + shapeText(p.shape) + " does not fit buffer '" + b.name + "' of shape " +
             shapeText(b.shape);
    if (p.transposed && b.type == ElementType::i16)
      return where + ": 16-bit buffers cannot be transposed";
    if (p.transposed &&
        (p.shape.size() != 2 || b.shape.size() != 2 || p.shape[0] != b.shape[1] || p.shape[1] != b.shape[0]))
      return where + ": shape " + shapeText(p.shape) + " is not the transpose of buffer '" + b.name + "', " +
             shapeText(b.shape);
    if (!std::isfinite(p.initial))
      return where + ": the initial value is not finite";
    CHECK(range(where, "classes", p.classes, 0, int64_t(1) << 31));
    if (p.role == Role::hyper && (b.type != ElementType::f32 || count(b.shape) < 4))
      return where + ": hyper-parameters need a buffer of 4 f32, found " + shapeText(b.shape);
    if (p.constant == -1)
      continue;
    uint64_t bytes = uint64_t(count(b.shape)) * elementBytes(b.type);
    if (p.constant < -1 || uint64_t(p.constant) > constantBytes ||
        bytes > constantBytes - uint64_t(p.constant))
      return where + ": its initial value, " + std::to_string(bytes) + " bytes at " +
             std::to_string(p.constant) + ", is outside the " + std::to_string(constantBytes) +
             " bytes of constants";
  }
  for (size_t i = 0; i < manifest.events.size(); ++i) {
    const EventLayer &e = manifest.events[i];
    const std::string where = entry("event layer", i, e.name);
    CHECK(range(where, "units", e.units, 1));
    CHECK(range(where, "capacity", e.capacity, 1, e.units + 1));
    if (e.info == -1)
      continue;
    CHECK(index(where, "info", e.info, manifest.buffers.size()));
    const Buffer &b = manifest.buffers[e.info];
    if (b.type != ElementType::i32 || b.shape.empty() || b.shape.back() != 10)
      return where + ": info must be an i32 buffer whose last dimension is 10, '" + b.name + "' is " +
             elementName(b.type) + " " + shapeText(b.shape);
  }
  const Optimizer &o = manifest.optimizer;
  if (!o.kind.empty() && o.kind != "sgd" && o.kind != "adam" && o.kind != "adamw")
    return "optimizer: kind is '" + o.kind + "', allowed: sgd, adam, adamw, or empty";
  if (!std::isfinite(o.learningRate) || !(o.beta1 >= 0 && o.beta1 < 1) || !(o.beta2 >= 0 && o.beta2 < 1))
    return "optimizer: the learning rate must be finite and the betas at least 0 and less than 1";
  if (!(o.momentum >= 0 && o.momentum < 1) || !std::isfinite(o.weightDecay))
    return "optimizer: the momentum must be at least 0 and less than 1, the weight decay finite";
  return "";
}

bool isAtHome(const Manifest &manifest, const Stage &stage, const Argument &a) {
  const Buffer &b = manifest.buffers[a.buffer];
  if (b.home == Home::host || (a.address >= 0 && a.address != b.address))
    return false;
  const Family &run = manifest.families[stage.family], &home = manifest.families[b.family];
  if (run.firstTile != home.firstTile || run.tiles != home.tiles)
    return false;
  switch (a.view) {
  case View::own:
    return b.home == Home::own && run.units == home.units && run.perTile == home.perTile &&
           run.group == home.group;
  case View::partials:
    return !stage.groupSum;
  case View::slice: {
    if (b.home != Home::slice)
      return false;
    const Slice &s = a.slice ? *a.slice : *b.slice;
    return s.divisor == b.slice->divisor && s.outer == b.slice->outer && s.inner == b.slice->inner &&
           s.extents == b.slice->extents;
  }
  case View::broadcast: // the whole buffer at home on one tile
    return b.home == Home::slice && home.tiles == 1 &&
           b.slice->extents == std::vector<int64_t>(b.shape.begin() + (b.steps ? 1 : 0), b.shape.end());
  }
  return false;
}

Window windowOf(const Manifest &manifest, const Geometry &geometry, const Argument &a, int64_t task) {
  if (a.view == View::slice || (a.view == View::partials && a.slice)) {
    const Slice &slice = a.slice ? *a.slice : *manifest.buffers[a.buffer].slice;
    return {slice.extents, sliceStart(slice, task)};
  }
  return {geometry.dims, 0};
}

static bool contains(const Loop &loop, int64_t phase) {
  return phase >= loop.first && phase < loop.first + loop.phases;
}

static std::string checkAdvances(const Manifest &manifest, const std::string &at, int64_t phase,
                                 const Argument &a, const Buffer &b) {
  std::set<int64_t> loops;
  for (const Advance &advance : a.advances) {
    CHECK(index(at, "loop of an advance", advance.loop, manifest.loops.size()));
    const std::string &name = manifest.loops[advance.loop].name;
    if (!contains(manifest.loops[advance.loop], phase))
      return at + ": advances in loop '" + name + "', which does not run its phase";
    if (!loops.insert(advance.loop).second)
      return at + ": advances twice in loop '" + name + "'";
    CHECK(range(at, "rows of an advance", advance.rows, -(int64_t(1) << 24), int64_t(1) << 24));
  }
  if (!a.advances.empty() && (!b.steps || b.window > 0))
    return at + ": advances, so the buffer must have steps and keep all of them";
  if (!a.advances.empty() && a.view == View::partials)
    return at + ": partials do not advance";
  return "";
}

std::string checkLoops(const Manifest &manifest) {
  const int64_t phases = int64_t(manifest.phases.size());
  for (size_t i = 0; i < manifest.loops.size(); ++i) {
    const Loop &loop = manifest.loops[i];
    const std::string where = entry("loop", int64_t(i), loop.name);
    CHECK(range(where, "first", loop.first, 0, phases - 1));
    CHECK(range(where, "phases", loop.phases, 1, phases - loop.first));
    CHECK(range(where, "trips", loop.trips, 1, int64_t(1) << 24));
    for (int64_t buffer : loop.clear) {
      CHECK(index(where, "buffer to clear", buffer, manifest.buffers.size()));
      const Buffer &b = manifest.buffers[buffer];
      if (!b.clear || b.persistent)
        return where + ": clears buffer '" + b.name + "', which a run " +
               (b.persistent ? "keeps" : "does not clear");
    }
    for (size_t j = 0; j < i; ++j) {
      const Loop &other = manifest.loops[j];
      const int64_t end = loop.first + loop.phases, otherEnd = other.first + other.phases;
      const bool inside = loop.first >= other.first && end <= otherEnd;
      if (loop.first < other.first || (!inside && loop.first < otherEnd))
        return where + ": must lie within loop '" + other.name + "' or behind it";
    }
  }
  return "";
}

static std::string checkArgument(const Manifest &manifest, const std::string &where, int64_t phaseIndex,
                                 const Stage &stage, const Argument &a) {
  const Phase &phase = manifest.phases[phaseIndex];
  CHECK(index(where, "buffer", a.buffer, manifest.buffers.size()));
  const Buffer &b = manifest.buffers[a.buffer];
  const std::string at = where + " (buffer '" + b.name + "')";
  const Family &run = manifest.families[stage.family];
  const bool partials = a.view == View::partials;
  const Geometry g = geometryOf(manifest, b, partials);
  if (a.steps && !b.steps)
    return at + ": is indexed by step, the buffer is not";
  CHECK(range(at, "shift", a.shift, -largestCount));
  CHECK(checkAdvances(manifest, at, phaseIndex, a, b));
  int64_t firstRow = a.shift, lastRow = a.shift + rowsShown(a, g, phase.steps) - 1;
  for (const Advance &advance : a.advances) { // of all trips
    const int64_t moved = advance.rows * (manifest.loops[advance.loop].trips - 1);
    (moved < 0 ? firstRow : lastRow) += moved;
  }
  if ((a.steps || !a.advances.empty()) && (firstRow < 0 || lastRow >= g.steps))
    return at + ": steps " + std::to_string(firstRow) + " to " + std::to_string(lastRow) +
           " are asked for, the buffer has 0 to " + std::to_string(g.steps - 1);
  if (!a.steps && a.advances.empty() && a.shift)
    return at + ": a shift needs an argument that is indexed by step";
  if (partialsOf(manifest)[a.buffer] && !partials)
    return at + ": another argument sees the buffer as partials";
  if (a.view == View::own) {
    if (b.home != Home::own) {
      const int64_t padded = groupsOf(run) * run.perTile * run.group;
      if (run.units == 0 || g.width != run.units || b.pitch < padded)
        return at + ": family '" + run.name + "' sees its " + std::to_string(run.units) +
               " units of rows of " + std::to_string(g.width) + " with pitch " + std::to_string(b.pitch) +
               "; the pitch must be at least " + std::to_string(padded);
    } else if (const Family &home = manifest.families[b.family];
               run.units != home.units || run.perTile != home.perTile || run.group != home.group)
      return at + ": family '" + run.name + "' divides its units otherwise than '" + home.name +
             "', where it lives";
  } else if (partials) {
    const Family &home = manifest.families[b.family];
    if (!stage.groupSum && (groupsOf(run) != groupsOf(home) || run.tiles != home.tiles))
      return at + ": family '" + run.name + "' writes partials that live on '" + home.name + "'";
  } else if (b.home == Home::own && b.layout == Layout::blocked) {
    return at + ": only its own units can be seen of a buffer in 'blocked' layout";
  }
  if (a.view == View::slice && !a.slice && !b.slice)
    return at + ": view 'slice' without a slice";
  if (const std::optional<Slice> &slice = a.slice ? a.slice : b.slice; a.view == View::slice) {
    CHECK(checkSlice(at, *slice, g.dims, run.tiles));
    for (int64_t task = 0; task < run.tiles; ++task)
      if (sliceStart(*slice, task) != sliceStart(*slice, task - task % run.group))
        return at + ": task " + std::to_string(task) + " has another slice than the first of its group";
  } else if (a.slice) {
    if (!partials || !stage.groupSum)
      return at + ": only view 'slice' takes a slice";
    CHECK(checkSlice(at, *a.slice, g.dims, run.tiles));
  }
  if (isAtHome(manifest, stage, a)) {
    if (!a.steps && b.window > 0)
      return at + ": all steps are asked for, but the tiles keep only " + std::to_string(b.window);
    for (int64_t k = 0; a.steps && b.window > 0 && k < chunksOf(phase); ++k)
      if (Chunk c = chunkOf(phase, k); (c.first + a.shift) % b.window + c.count > b.window)
        return at + ": chunk " + std::to_string(k) + " wraps around the window of " +
               std::to_string(b.window);
    return "";
  }
  if (a.address < 0)
    return at + ": its home is elsewhere and it has no address for a copy";
  if (a.access != Access::read && b.home != Home::host)
    return at + ": is written, but its home is elsewhere";
  const int64_t copies = stage.groupSum && partials ? manifest.families[b.family].tiles : 1;
  const int64_t steps = rowsShown(a, g, std::min(phase.chunk, phase.steps));
  // Divided by the copies, because the product with them may overflow.
  const int64_t bytes =
      steps * g.bytes * (a.view == View::own ? ownStep(g, run) : windowOf(manifest, g, a, 0).elements());
  CHECK(range(at, "address", a.address, 0, manifest.machine.tileMemoryBytes));
  if (a.address % g.bytes)
    return at + ": address " + std::to_string(a.address) + " is not a multiple of " + std::to_string(g.bytes);
  if (bytes > (manifest.machine.tileMemoryBytes - a.address) / copies)
    return at + ": the copy's " + std::to_string(copies) + " x " + std::to_string(bytes) + " bytes at " +
           std::to_string(a.address) + " end beyond the tile memory of " +
           std::to_string(manifest.machine.tileMemoryBytes) + " bytes";
  return "";
}

static std::string checkGroupSum(const Manifest &manifest, const std::string &where, const Stage &stage) {
  const std::vector<Argument> &a = stage.arguments;
  if (a.size() < 2 || a[0].view != View::partials || a[0].access != Access::read ||
      a[1].access != Access::write)
    return where + ": a group sum reads partials (argument 0) and writes the result (argument 1)";
  if (a[1].view == View::own || a[1].view == View::partials)
    return where + ": the result of a group sum lies in slices";
  const Buffer &from = manifest.buffers[a[0].buffer], &to = manifest.buffers[a[1].buffer];
  if (from.type != ElementType::f32 || to.type != ElementType::f32 ||
      geometryOf(manifest, from, true).dims != geometryOf(manifest, to, false).dims ||
      a[0].steps != a[1].steps)
    return where + ": partials '" + from.name + "' and result '" + to.name +
           "' must be f32 of the same shape";
  if (!a[0].steps && from.steps != to.steps)
    return where + ": partials '" + from.name + "' and result '" + to.name + "' must have the same steps";
  return "";
}

std::string checkStages(const Manifest &manifest) {
  for (size_t i = 0; i < manifest.codelets.size(); ++i)
    if (manifest.codelets[i].name.empty())
      return entry("codelet", i, "") + ": needs a name";
  for (size_t p = 0; p < manifest.phases.size(); ++p) {
    const Phase &phase = manifest.phases[p];
    const std::string in = entry("phase", p, phase.name);
    CHECK(range(in, "steps", phase.steps, 1, int64_t(1) << 24));
    CHECK(range(in, "chunk", phase.chunk, 1));
    CHECK(range(in, "interval", phase.interval, 1, 1 << 20));
    for (size_t s = 0; s < phase.stages.size(); ++s) {
      const Stage &stage = phase.stages[s];
      const std::string where = in + ", " + entry("stage", s, stage.name);
      CHECK(index(where, "codelet", stage.codelet, manifest.codelets.size()));
      CHECK(index(where, "family", stage.family, manifest.families.size()));
      CHECK(range(where, "offset", stage.offset, 0, 1 << 20));
      CHECK(range(where, "exchange_bytes_per_tile", stage.exchangeBytesPerTile, 0));
      CHECK(range(where, "exchange_cycles", stage.exchangeCycles, 0));
      if (!stage.groupSum && manifest.codelets[stage.codelet].host.empty())
        return where + ": codelet '" + manifest.codelets[stage.codelet].name + "' has no code for the host";
      for (size_t a = 0; a < stage.arguments.size(); ++a)
        CHECK(checkArgument(manifest, where + ", argument " + std::to_string(a), int64_t(p), stage,
                            stage.arguments[a]));
      if (stage.groupSum)
        CHECK(checkGroupSum(manifest, where, stage));
    }
  }
  return "";
}

Status validate(const Manifest &manifest, uint64_t constantBytes) {
  std::string problem = checkMachine(manifest);
  if (problem.empty())
    problem = checkFamilies(manifest);
  if (problem.empty())
    problem = checkBuffers(manifest);
  if (problem.empty())
    problem = checkPorts(manifest, constantBytes);
  if (problem.empty())
    problem = checkLoops(manifest);
  if (problem.empty())
    problem = checkStages(manifest);
  if (problem.empty())
    problem = checkConnections(manifest, constantBytes);
  if (problem.empty())
    problem = checkOrder(manifest);
  if (problem.empty())
    problem = checkMemory(manifest);
  if (!problem.empty())
    return Error{"invalid manifest: " + problem};
  return success();
}

} // namespace spikeloom::runtime
