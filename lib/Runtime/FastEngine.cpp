// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host's own order: a stage outside feedback runs all its steps for one group of tiles before the next
// group, so that the group's weights stay in the cache; exchanges are pointers. Groups write disjoint data,
// so the number of threads cannot change a bit.
#include "Checks.h"
#include "Program.h"
#include <algorithm>
#include <chrono>

namespace spikeloom::runtime {
namespace {

class FastEngine : public ExecutionEngine {
public:
  explicit FastEngine(Program &program) : program(program), manifest(program.manifest) {}

  Status run() override {
    return program.runPhases(
        [&](int64_t phase) {
          for (const Phase::HostSet &set : manifest.phases[phase].hostOrder)
            runSet(phase, set);
          return success();
        },
        [](int64_t) {});
  }

private:
  void runSet(int64_t index, const Phase::HostSet &set) {
    const Phase &phase = manifest.phases[index];
    if (!set.feedback)
      return runStage(index, set.stages.front(), 0, phase.steps);
    for (int64_t i = 0; i < phase.steps; ++i)
      for (int64_t stage : set.stages)
        runStage(index, stage, phase.reverse ? phase.steps - 1 - i : i, 1);
  }

  void runStage(int64_t phase, int64_t index, int64_t first, int64_t count) {
    const auto start = std::chrono::steady_clock::now();
    const Stage &stage = manifest.phases[phase].stages[index];
    if (stage.groupSum)
      sumGroups(stage, first, count);
    else
      runGroups(stage, first, count);
    countCyclesOnHost(program, phase, index, first, count);
    program.ledger.addSeconds(
        phase, index, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }

  /// Pointer of an argument for the group of tiles whose first task is `task`.
  void *pointer(const Argument &a, const Family &run, int64_t first, int64_t group, int64_t task) const {
    const Geometry &g = program.buffers.geometry(a.buffer);
    int64_t at = program.rowOf(a, first) * g.stepStride;
    if (a.view == View::own || a.view == View::partials)
      at += ownStart(g, run, group);
    else if (a.view == View::slice)
      at += g.hostStart(windowOf(manifest, g, a, task).start);
    return program.buffers.data(a.buffer) + at * g.bytes;
  }

  void runGroups(const Stage &stage, int64_t first, int64_t count) {
    const Family &family = manifest.families[stage.family];
    const HostCode code = program.code[stage.codelet].host;
    program.pool.run(groupsOf(family), [&](int64_t group) {
      const int64_t task = group * family.group;
      std::vector<void *> pointers(stage.arguments.size());
      for (size_t i = 0; i < pointers.size(); ++i)
        pointers[i] = pointer(stage.arguments[i], family, first, group, task);
      int64_t unused = 0;
      code(pointers.data(), count, task, &unused);
    });
  }

  /// The groups' sums added in ascending order, starting from the first group's value.
  void sumGroups(const Stage &stage, int64_t first, int64_t count) {
    const Argument &from = stage.arguments[0], &to = stage.arguments[1];
    const Geometry &partials = program.buffers.geometry(from.buffer),
                   &result = program.buffers.geometry(to.buffer);
    const int64_t groups = groupsOf(manifest.families[manifest.buffers[from.buffer].family]);
    if (!from.steps) { // the whole buffers
      first = 0;
      count = partials.steps;
    }
    constexpr int64_t rowsAtOnce = 16;
    const int64_t rows = count * partials.rows, width = partials.width;
    program.pool.run((rows + rowsAtOnce - 1) / rowsAtOnce, [&](int64_t block) {
      for (int64_t i = block * rowsAtOnce, end = std::min(rows, i + rowsAtOnce); i < end; ++i) {
        const int64_t step = first + i / partials.rows, row = i % partials.rows;
        const float *source = reinterpret_cast<const float *>(program.buffers.data(from.buffer)) +
                              program.rowOf(from, step) * partials.stepStride + row * width;
        float *target = reinterpret_cast<float *>(program.buffers.data(to.buffer)) +
                        result.host(program.rowOf(to, step), row, 0);
        std::copy_n(source, width, target);
        for (int64_t group = 1; group < groups; ++group) {
          const float *next = source + group * partials.groupStride;
          for (int64_t c = 0; c < width; ++c)
            target[c] += next[c];
        }
      }
    });
  }

  Program &program;
  const Manifest &manifest;
};

} // namespace

std::unique_ptr<ExecutionEngine> makeFastEngine(Program &program) {
  return std::make_unique<FastEngine>(program);
}

} // namespace spikeloom::runtime
