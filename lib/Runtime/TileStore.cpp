// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Element by element where layouts differ: the strict engine is for finding mistakes, not for speed.
#include "TileStore.h"
#include "Checks.h"

namespace spikeloom::runtime {

TileStore::TileStore(Program &program) : program(program), manifest(program.manifest) {
  const size_t buffers = manifest.buffers.size();
  std::vector<int64_t> size; // per tile: the end of what it uses
  auto use = [&](const Family &family, int64_t end) {
    if (int64_t(size.size()) < family.firstTile + family.tiles)
      size.resize(size_t(family.firstTile + family.tiles), 0);
    for (int64_t t = family.firstTile; t < family.firstTile + family.tiles; ++t)
      size[t] = std::max(size[t], end);
  };
  startsFrom.assign(buffers, false);
  slicePlaces.resize(buffers);
  windowSteps.resize(buffers);
  for (size_t i = 0; i < buffers; ++i) {
    const Buffer &b = manifest.buffers[i];
    const Geometry &g = program.buffers.geometry(int64_t(i));
    startsFrom[i] = b.clear || b.persistent;
    if (b.home == Home::host)
      continue;
    const Family &family = manifest.families[b.family];
    use(family, b.address + g.tileBytes());
    if (b.window > 0)
      windowSteps[i].assign(size_t(b.window), -1);
    if (b.home != Home::slice)
      continue;
    slicePlaces[i].resize(size_t(g.stepElements()));
    for (int64_t task = 0; task < family.tiles; ++task)
      forEachRun(g, {b.slice->extents, sliceStart(*b.slice, task)},
                 [&](int64_t compact, int64_t row, int64_t column, int64_t length) {
                   for (int64_t j = 0; j < length; ++j)
                     slicePlaces[i][row * g.width + column + j] = {family.firstTile + task, compact + j};
                 });
  }
  for (const Port &port : manifest.ports)
    if (port.role == Role::input || port.role == Role::parameter || port.role == Role::optimizer ||
        port.role == Role::label || port.role == Role::weight || port.role == Role::hyper ||
        port.role == Role::random || (port.role == Role::state && port.pair.empty()))
      startsFrom[port.buffer] = true;
  for (const Phase &phase : manifest.phases)
    for (const Stage &stage : phase.stages)
      for (const Argument &a : stage.arguments) {
        if (isAtHome(manifest, stage, a))
          continue;
        const Geometry &g = program.buffers.geometry(a.buffer);
        const int64_t steps = rowsShown(a, g, std::min(phase.chunk, phase.steps));
        const int64_t shown = a.view == View::own ? ownStep(g, manifest.families[stage.family])
                                                  : windowOf(manifest, g, a, 0).elements();
        const bool all = a.view == View::partials;
        const int64_t copies = all ? manifest.families[manifest.buffers[a.buffer].family].tiles : 1;
        use(manifest.families[stage.family], a.address + copies * steps * shown * g.bytes);
      }
  tiles.resize(size.size());
  for (size_t t = 0; t < size.size(); ++t)
    tiles[t].resize(size[t]);
}

TileStore::Place TileStore::place(int64_t buffer, int64_t row, int64_t column) const {
  const Buffer &b = manifest.buffers[buffer];
  const Family &f = manifest.families[b.family];
  if (b.home == Home::slice)
    return slicePlaces[buffer][size_t(row * program.buffers.geometry(buffer).width + column)];
  const int64_t groupUnits = f.perTile * f.group, inGroup = column % groupUnits;
  return {f.firstTile + column / groupUnits * f.group + inGroup % f.group,
          row * f.perTile + inGroup / f.group};
}

/// Calls f(element of a step at home, row, column, length) for all that a home tile has, units that do not
/// exist included: codelets may compute them, as they do in the padding of the host's buffers.
template <typename F> void TileStore::forEachHome(int64_t buffer, int64_t task, F f) const {
  const Buffer &b = manifest.buffers[buffer];
  const Geometry &g = program.buffers.geometry(buffer);
  if (b.home == Home::slice)
    return forEachRun(g, {b.slice->extents, sliceStart(*b.slice, task)}, f);
  const Family &family = manifest.families[b.family];
  const int64_t begin = task / family.group * g.groupWidth + task % family.group;
  for (int64_t row = 0; row < g.rows; ++row)
    for (int64_t c = 0; c < family.perTile; ++c)
      f(row * family.perTile + c, row, begin + c * family.group, int64_t(1));
}

void TileStore::upload(int64_t buffer) {
  const Buffer &b = manifest.buffers[buffer];
  const Geometry &g = program.buffers.geometry(buffer);
  const Family &family = manifest.families[b.family];
  program.pool.run(family.tiles, [&](int64_t task) {
    TileMemory &memory = tiles[family.firstTile + task];
    const uint8_t *host = program.buffers.data(buffer);
    for (int64_t step = 0; step < g.slots; ++step) {
      const int64_t home = homeAddress(buffer, step);
      if (g.partials) { // all copies start alike
        std::memcpy(memory.at(home), host + step * g.stepStride * g.bytes, size_t(g.tileStep * g.bytes));
        memory.setWritten(home, g.tileStep * g.bytes, true);
        continue;
      }
      forEachHome(buffer, task, [&](int64_t element, int64_t row, int64_t column, int64_t length) {
        std::memcpy(memory.at(home + element * g.bytes), host + g.host(step, row, column) * g.bytes,
                    size_t(length * g.bytes));
        memory.setWritten(home + element * g.bytes, length * g.bytes, true);
      });
    }
  });
  for (size_t slot = 0; slot < windowSteps[buffer].size(); ++slot)
    windowSteps[buffer][slot] = int64_t(slot);
}

void TileStore::beginRun() {
  program.pool.run(int64_t(tiles.size()), [&](int64_t t) { tiles[t].forget(); });
  for (std::vector<int64_t> &slots : windowSteps)
    std::fill(slots.begin(), slots.end(), -1);
  for (size_t i = 0; i < startsFrom.size(); ++i)
    if (startsFrom[i] && manifest.buffers[i].home != Home::host)
      upload(int64_t(i));
}

void TileStore::restart(int64_t buffer) {
  if (manifest.buffers[buffer].home != Home::host)
    upload(buffer);
}

int64_t TileStore::download(int64_t buffer, int64_t onlyStep) {
  const Geometry &g = program.buffers.geometry(buffer);
  const Family &family = manifest.families[manifest.buffers[buffer].family];
  int64_t missing = 0;
  for (int64_t task = 0; task < family.tiles; ++task) {
    const TileMemory &memory = tiles[family.firstTile + task];
    for (int64_t step = 0; step < g.steps; ++step) {
      if (onlyStep >= 0 && step != onlyStep)
        continue;
      const int64_t home = homeAddress(buffer, step);
      forEachHome(buffer, task, [&](int64_t element, int64_t row, int64_t column, int64_t length) {
        for (int64_t i = 0; i < length && column + i < g.width; ++i) {
          const int64_t address = home + (element + i) * g.bytes;
          if (memory.isWritten(address, g.bytes))
            std::memcpy(program.buffers.data(buffer) + g.host(step, row, column + i) * g.bytes,
                        memory.at(address), size_t(g.bytes));
          else
            ++missing;
        }
      });
    }
  }
  return missing;
}

static void take(const TileMemory &memory, int64_t address, int64_t bytes, Parcel &parcel, int64_t element) {
  std::memcpy(parcel.data.data() + element * bytes, memory.at(address), size_t(bytes));
  parcel.written[size_t(element)] = memory.isWritten(address, bytes);
}

void TileStore::collectOwn(const Argument &a, int64_t task, int64_t from, int64_t count,
                           Parcel &parcel) const {
  const Geometry &g = program.buffers.geometry(a.buffer);
  const TileMemory &memory = tiles[manifest.families[manifest.buffers[a.buffer].family].firstTile + task];
  parcel.resize(count * g.tileStep, g.bytes);
  for (int64_t s = 0; s < count; ++s)
    for (int64_t i = 0; i < g.tileStep; ++i)
      take(memory, homeAddress(a.buffer, from + s) + i * g.bytes, g.bytes, parcel, s * g.tileStep + i);
}

void TileStore::collectPartials(const Argument &a, int64_t task, int64_t from, int64_t count,
                                Parcel &parcel) const {
  const Geometry &g = program.buffers.geometry(a.buffer);
  const Family &family = manifest.families[manifest.buffers[a.buffer].family];
  const Window window = windowOf(manifest, g, a, task);
  const int64_t elements = window.elements();
  parcel.resize(family.tiles * count * elements, g.bytes);
  for (int64_t t = 0; t < family.tiles; ++t)
    for (int64_t s = 0; s < count; ++s) {
      const int64_t home = homeAddress(a.buffer, from + s), base = (t * count + s) * elements;
      forEachRun(g, window, [&](int64_t compact, int64_t row, int64_t column, int64_t length) {
        for (int64_t i = 0; i < length; ++i)
          take(tiles[family.firstTile + t], home + (row * g.width + column + i) * g.bytes, g.bytes, parcel,
               base + compact + i);
      });
    }
}

/// The units of a tile out of a buffer that lives with the host or in slices. Units that do not exist count
/// as written, as they do at home.
void TileStore::collectUnits(const Family &run, const Argument &a, int64_t task, int64_t from, int64_t count,
                             Parcel &parcel) const {
  const Geometry &g = program.buffers.geometry(a.buffer);
  parcel.resize(count * ownStep(g, run), g.bytes);
  int64_t to = 0;
  for (int64_t s = 0; s < count; ++s)
    for (int64_t row = 0; row < g.rows; ++row)
      for (int64_t c = 0; c < run.perTile; ++c, ++to) {
        const int64_t unit = unitOf(run, task, c);
        if (unit >= g.width) {
          parcel.written[size_t(to)] = 1;
        } else if (manifest.buffers[a.buffer].home == Home::host) {
          std::memcpy(parcel.data.data() + to * g.bytes,
                      program.buffers.data(a.buffer) + g.host(from + s, row, unit) * g.bytes,
                      size_t(g.bytes));
          parcel.written[size_t(to)] = 1;
        } else {
          const Place at = place(a.buffer, row, unit);
          take(tiles[at.tile], homeAddress(a.buffer, from + s) + at.element * g.bytes, g.bytes, parcel, to);
        }
      }
}

Parcel TileStore::collect(const Stage &stage, const Argument &a, int64_t task, int64_t first,
                          int64_t count) const {
  const Buffer &b = manifest.buffers[a.buffer];
  const Geometry &g = program.buffers.geometry(a.buffer);
  const int64_t from = program.rowOf(a, first), steps = rowsShown(a, g, count);
  Parcel parcel;
  if (a.view == View::own) {
    if (b.home == Home::own)
      collectOwn(a, task, from, steps, parcel);
    else
      collectUnits(manifest.families[stage.family], a, task, from, steps, parcel);
    return parcel;
  }
  if (a.view == View::partials) {
    collectPartials(a, task, from, steps, parcel);
    return parcel;
  }
  const Window window = windowOf(manifest, g, a, task);
  const int64_t elements = window.elements();
  parcel.resize(steps * elements, g.bytes);
  for (int64_t s = 0; s < steps; ++s)
    forEachRun(g, window, [&](int64_t compact, int64_t row, int64_t column, int64_t length) {
      const int64_t to = s * elements + compact;
      if (b.home == Home::host) {
        std::memcpy(parcel.data.data() + to * g.bytes,
                    program.buffers.data(a.buffer) + g.host(from + s, row, column) * g.bytes,
                    size_t(length * g.bytes));
        std::fill_n(parcel.written.begin() + to, length, 1);
        return;
      }
      for (int64_t i = 0; i < length; ++i) {
        const Place at = place(a.buffer, row, column + i);
        take(tiles[at.tile], homeAddress(a.buffer, from + s) + at.element * g.bytes, g.bytes, parcel, to + i);
      }
    });
  return parcel;
}

void TileStore::deliver(const Stage &stage, const Argument &a, int64_t task, const Parcel &parcel) {
  const int64_t bytes = program.buffers.geometry(a.buffer).bytes;
  TileMemory &memory = tiles[manifest.families[stage.family].firstTile + task];
  std::memcpy(memory.at(a.address), parcel.data.data(), parcel.data.size());
  for (size_t i = 0; i < parcel.written.size();) {
    size_t end = i + 1;
    while (end < parcel.written.size() && parcel.written[end] == parcel.written[i])
      ++end;
    memory.setWritten(a.address + int64_t(i) * bytes, int64_t(end - i) * bytes, parcel.written[i]);
    i = end;
  }
}

void TileStore::returnToHost(const Stage &stage, const Argument &a, int64_t task, int64_t first,
                             int64_t count) {
  const Geometry &g = program.buffers.geometry(a.buffer);
  const TileMemory &memory = tiles[manifest.families[stage.family].firstTile + task];
  const Window window = windowOf(manifest, g, a, task);
  const int64_t from = program.rowOf(a, first), steps = rowsShown(a, g, count);
  for (int64_t s = 0; s < steps; ++s)
    forEachRun(g, window, [&](int64_t compact, int64_t row, int64_t column, int64_t length) {
      for (int64_t i = 0; i < length; ++i) {
        const int64_t address = a.address + (s * window.elements() + compact + i) * g.bytes;
        if (memory.isWritten(address, g.bytes))
          std::memcpy(program.buffers.data(a.buffer) + g.host(from + s, row, column + i) * g.bytes,
                      memory.at(address), size_t(g.bytes));
      }
    });
}

std::string TileStore::checkWindow(const Argument &a, int64_t first, int64_t count) const {
  const std::vector<int64_t> &slots = windowSteps[a.buffer];
  for (int64_t s = 0; a.steps && !slots.empty() && s < count; ++s) {
    const int64_t step = first + a.shift + s, held = slots[size_t(step % int64_t(slots.size()))];
    if (held != step)
      return "needs step " + std::to_string(step) + " of buffer '" + manifest.buffers[a.buffer].name +
             "', whose window of " + std::to_string(slots.size()) + " holds " +
             (held < 0 ? "nothing yet" : "step " + std::to_string(held)) + " there";
  }
  return "";
}

void TileStore::setWindow(const Argument &a, int64_t first, int64_t count) {
  std::vector<int64_t> &slots = windowSteps[a.buffer];
  for (int64_t s = 0; a.steps && !slots.empty() && s < count; ++s)
    slots[size_t((first + a.shift + s) % int64_t(slots.size()))] = first + a.shift + s;
}

} // namespace spikeloom::runtime
