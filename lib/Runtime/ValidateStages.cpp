// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks loops, phases and stages of a manifest, each on its own: what they name, and the rows and shapes
// they see.
#include "Checks.h"
#include <set>

namespace spikeloom::runtime {

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

} // namespace spikeloom::runtime
