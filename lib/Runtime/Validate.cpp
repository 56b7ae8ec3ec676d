// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks machine, families, buffers and ports of a manifest, each on its own: indices, shapes, sizes, homes.
#include "spikeloom/Runtime/Validate.h"
#include "Checks.h"
#include <algorithm>
#include <cmath>
#include <set>

namespace spikeloom::runtime {

std::string entry(const char *kind, int64_t index, const std::string &name) {
  return std::string(kind) + " " + std::to_string(index) + " '" + name + "'";
}

static std::string outside(const std::string &what, int64_t value, int64_t least, int64_t most) {
  return what + " is " + std::to_string(value) + ", allowed: " + std::to_string(least) + " to " +
         std::to_string(most);
}

std::string range(const std::string &where, const char *what, int64_t value, int64_t least, int64_t most) {
  return value >= least && value <= most ? "" : outside(where + ": " + what, value, least, most);
}

std::string index(const std::string &where, const char *what, int64_t value, size_t size) {
  if (value >= 0 && value < int64_t(size))
    return "";
  return where + ": " + what + " is " + std::to_string(value) + ", but there are only " +
         std::to_string(size);
}

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

std::string checkSlice(const std::string &where, const Slice &slice, const std::vector<int64_t> &dims,
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
