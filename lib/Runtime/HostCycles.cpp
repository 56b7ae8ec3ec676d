// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls the `cycles` entries of the codelets from the host engine. They see tile memory's compact layout, the
// host has its own: where the two differ, and only for arguments that decide, the part that a tile sees is
// copied.
#include "Checks.h"
#include "Program.h"
#include <cstring>

namespace spikeloom::runtime {
namespace {

class HostCycles {
public:
  HostCycles(Program &program, int64_t phase, int64_t index, int64_t first, int64_t count)
      : program(program), manifest(program.manifest), stage(manifest.phases[phase].stages[index]),
        phase(phase), index(index), first(first), count(count),
        uniform(program.ledger.isUniform(phase, index)) {
    for (const Argument &a : stage.arguments)
      if (stepsDiffer(a))
        perStep = true;
  }

  void run() {
    const Family &family = manifest.families[stage.family];
    program.pool.run(uniform ? 1 : family.tiles, [&](int64_t task) {
      std::vector<int64_t> cycles(size_t(count), 0);
      std::vector<void *> pointers(stage.arguments.size());
      std::vector<std::vector<uint8_t>> copies(stage.arguments.size());
      const HostCode code = program.code[stage.codelet].cycles;
      const int64_t calls = perStep ? count : 1, each = perStep ? 1 : count;
      for (int64_t call = 0; call < calls; ++call) {
        for (size_t i = 0; i < pointers.size(); ++i)
          pointers[i] = pointer(stage.arguments[i], task, first + call, each, copies[i]);
        code(pointers.data(), each, task, cycles.data() + call);
      }
      program.ledger.add(phase, index, task, first, count, cycles.data());
    });
  }

private:
  enum class Fit { direct, stepsDiffer, copy };

  /// Does the host's layout of what the tile sees equal the tile's?
  Fit fit(const Argument &a) const {
    const Geometry &g = program.buffers.geometry(a.buffer);
    // A uniform count cannot depend on what differs between tiles, so those arguments only need valid
    // pointers.
    if (!a.decidesCycles || a.view == View::partials || (a.view == View::own && uniform))
      return Fit::direct;
    if (a.view == View::own)
      return Fit::copy;
    const Window window = windowOf(manifest, g, a, 0);
    int64_t host = 1, compact = 1;
    for (size_t d = g.dims.size(); d-- > 0;) {
      if (window.extents[d] > 1 && host != compact)
        return Fit::copy;
      host *= d + 1 == g.dims.size() ? g.pitch : g.dims[d];
      compact *= window.extents[d];
    }
    return g.stepStride == compact || rowsShown(a, g, count) == 1 ? Fit::direct : Fit::stepsDiffer;
  }

  bool stepsDiffer(const Argument &a) const { return a.steps && fit(a) == Fit::stepsDiffer; }

  void *pointer(const Argument &a, int64_t task, int64_t step, int64_t steps,
                std::vector<uint8_t> &copy) const {
    const Geometry &g = program.buffers.geometry(a.buffer);
    const Family &family = manifest.families[stage.family];
    const Fit how = fit(a);
    if (how == Fit::direct || (how == Fit::stepsDiffer && a.steps)) {
      int64_t at = program.rowOf(a, step) * g.stepStride;
      if ((a.view == View::own || a.view == View::partials) && !stage.groupSum)
        at += ownStart(g, family, task / family.group);
      else if (a.view == View::slice)
        at += g.hostStart(windowOf(manifest, g, a, task).start);
      return program.buffers.data(a.buffer) + at * g.bytes;
    }
    const int64_t from = program.rowOf(a, step), wanted = rowsShown(a, g, steps);
    if (a.view == View::own)
      copyOwn(g, a, task, from, wanted, copy);
    else
      copyWindow(g, a, task, from, wanted, copy);
    return copy.data();
  }

  void copyOwn(const Geometry &g, const Argument &a, int64_t task, int64_t from, int64_t steps,
               std::vector<uint8_t> &copy) const {
    const Family &family = manifest.families[stage.family];
    copy.assign(size_t(steps * ownStep(g, family) * g.bytes), 0);
    uint8_t *to = copy.data();
    for (int64_t s = 0; s < steps; ++s)
      for (int64_t row = 0; row < g.rows; ++row)
        for (int64_t c = 0; c < family.perTile; ++c, to += g.bytes)
          if (const int64_t unit = unitOf(family, task, c); unit < g.width)
            std::memcpy(to, program.buffers.data(a.buffer) + g.host(from + s, row, unit) * g.bytes,
                        size_t(g.bytes));
  }

  void copyWindow(const Geometry &g, const Argument &a, int64_t task, int64_t from, int64_t steps,
                  std::vector<uint8_t> &copy) const {
    const Window window = windowOf(manifest, g, a, task);
    copy.assign(size_t(steps * window.elements() * g.bytes), 0);
    for (int64_t s = 0; s < steps; ++s) {
      uint8_t *to = copy.data() + s * window.elements() * g.bytes;
      forEachRun(g, window, [&](int64_t at, int64_t row, int64_t column, int64_t length) {
        std::memcpy(to + at * g.bytes,
                    program.buffers.data(a.buffer) + g.host(from + s, row, column) * g.bytes,
                    size_t(length * g.bytes));
      });
    }
  }

  Program &program;
  const Manifest &manifest;
  const Stage &stage;
  int64_t phase, index, first, count;
  bool uniform, perStep = false;
};

} // namespace

void countCyclesOnHost(Program &program, int64_t phase, int64_t stage, int64_t first, int64_t count) {
  if (!program.ledger.wants(phase, stage))
    return;
  const bool constant = program.ledger.isConstant(phase, stage);
  HostCycles(program, phase, stage, first, constant ? 1 : count).run();
  if (constant)
    program.ledger.settle(phase, stage);
}

} // namespace spikeloom::runtime
