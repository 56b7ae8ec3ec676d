// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where every element of a buffer lies, on the host and on its home tiles: the one place that knows the
// layouts.
#ifndef SPIKELOOM_LIB_RUNTIME_GEOMETRY_H
#define SPIKELOOM_LIB_RUNTIME_GEOMETRY_H

#include "spikeloom/Runtime/Manifest.h"

namespace spikeloom::runtime {

int64_t elementBytes(ElementType type);
const char *elementName(ElementType type);

/// Groups of tiles of a unit family; every task is its own group in an index family.
inline int64_t groupsOf(const Family &family) {
  if (family.units == 0)
    return family.tiles;
  int64_t groupUnits = family.perTile * family.group;
  return (family.units + groupUnits - 1) / groupUnits;
}
/// What `tiles` of a unit family must be.
int64_t tilesOf(const Family &family);

inline int64_t sliceStart(const Slice &slice, int64_t task) {
  return task / slice.divisor * slice.outer + task % slice.divisor * slice.inner;
}

/// Chunk k of a phase covers the steps [first, first + count); reverse phases start with the last steps.
struct Chunk {
  int64_t first = 0, count = 0;
};
inline int64_t chunksOf(const Phase &phase) { return (phase.steps + phase.chunk - 1) / phase.chunk; }
Chunk chunkOf(const Phase &phase, int64_t k);

/// All counts are in elements unless they say bytes.
struct Geometry {
  bool partials = false;
  int64_t bytes = 4;         // of an element
  int64_t steps = 1;         // how many steps the buffer has
  std::vector<int64_t> dims; // of one step, in order; rows x width elements
  int64_t rows = 1, width = 1;

  // On the host.
  int64_t pitch = 1, groupWidth = 0; // groupWidth: units of one group side by side (own buffers)
  int64_t stepStride = 0, groupStride = 0, hostElements = 0;
  bool grouped = false; // blocked or partials: groups are outermost

  // On a home tile: one step is compact, `slots` steps are kept.
  int64_t tileStep = 0, slots = 1;

  int64_t stepElements() const { return rows * width; }
  int64_t tileBytes() const { return slots * tileStep * bytes; }

  /// Element `column` of `row` of one step. Not for partials, which have one copy per group.
  int64_t host(int64_t step, int64_t row, int64_t column) const {
    if (grouped)
      return column / groupWidth * groupStride + step * stepStride + row * groupWidth + column % groupWidth;
    return step * stepStride + row * pitch + column;
  }
  /// Columns from `column` on that lie side by side on the host.
  int64_t run(int64_t column) const { return grouped ? groupWidth - column % groupWidth : width - column; }

  /// Where a slice begins within a step on the host: its start is counted in compact elements.
  int64_t hostStart(int64_t compact) const { return compact / width * pitch + compact % width; }
};

/// Trusts that the manifest was validated.
Geometry geometryOf(const Manifest &manifest, const Buffer &buffer, bool partials);
/// For every buffer; those that an argument sees as partials are laid out as such.
std::vector<Geometry> geometriesOf(const Manifest &manifest);
/// Which buffers an argument sees as partials; safe to ask before the validation.
std::vector<bool> partialsOf(const Manifest &manifest);

/// What view `own` shows of one step on a tile of `run`: all rows, the units of the tile.
inline int64_t ownStep(const Geometry &geometry, const Family &run) { return geometry.rows * run.perTile; }
/// Where the units of group `group` of `run` begin within a step on the host. A buffer that lives elsewhere
/// (with the host, or in slices) is seen in its order of units.
inline int64_t ownStart(const Geometry &geometry, const Family &run, int64_t group) {
  return group * (geometry.groupStride ? geometry.groupStride : run.perTile * run.group);
}
/// The unit that is the c-th of a tile of `run`; may lie beyond the last one.
inline int64_t unitOf(const Family &run, int64_t task, int64_t c) {
  return task / run.group * run.perTile * run.group + c * run.group + task % run.group;
}

/// What a view shows of one step on a tile: the dimensions of the compact copy, and for slices where it
/// starts.
struct Window {
  std::vector<int64_t> extents; // as many as the buffer's dims
  int64_t start = 0;            // compact element of the step
  int64_t elements() const;
};

/// How many rows (steps) of its buffer an argument shows to a call for `steps` steps.
inline int64_t rowsShown(const Argument &argument, const Geometry &geometry, int64_t steps) {
  return argument.steps ? steps : argument.advances.empty() ? geometry.steps : 1;
}

/// The part of a slice that exists: extents cut at the end of each dimension.
std::vector<int64_t> clipped(const Geometry &geometry, const Window &window);

/// Calls f(compactInWindow, row, column, length) for every run of a window that exists, in row-major order.
template <typename F> void forEachRun(const Geometry &geometry, const Window &window, F f) {
  const std::vector<int64_t> &dims = geometry.dims;
  if (dims.empty())
    return f(int64_t(0), int64_t(0), int64_t(0), int64_t(1));
  const std::vector<int64_t> inside = clipped(geometry, window);
  const size_t last = dims.size() - 1;
  const int64_t column = window.start % geometry.width, firstRow = window.start / geometry.width;
  std::vector<int64_t> index(dims.size(), 0);
  for (int64_t extent : inside)
    if (extent <= 0)
      return;
  while (true) {
    int64_t row = 0, compact = 0;
    for (size_t d = 0; d < last; ++d) {
      row = row * dims[d] + index[d];
      compact = compact * window.extents[d] + index[d];
    }
    f(compact * window.extents[last], firstRow + row, column, inside[last]);
    size_t d = last;
    while (d > 0 && ++index[d - 1] == inside[d - 1])
      index[--d] = 0;
    if (d == 0)
      return;
  }
}

} // namespace spikeloom::runtime
#endif
