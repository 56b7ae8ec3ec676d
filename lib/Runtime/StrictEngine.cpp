// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The machine's own order: superstep by superstep, first everything moves, then everything computes, every
// tile in its own memory and every access checked.
#include "Checks.h"
#include "TileStore.h"
#include <chrono>
#include <csetjmp>
#include <mutex>
#include <new>

namespace spikeloom::runtime {
namespace {

std::string hex(int64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

/// What one argument may touch on one tile.
struct Extent {
  const Argument *argument;
  int64_t begin, end; // tile addresses
};

/// One call of a codelet on one tile, seen from its accesses.
struct Call {
  const Manifest *manifest;
  const Stage *stage;
  TileMemory *memory;
  int64_t tile;
  std::vector<Extent> extents;
  std::string problem;
  std::jmp_buf escape;
};

/// Is the access right? Then a store marks what it writes. Called for every access, so it only says yes or
/// no.
bool isRight(Call &call, int64_t address, int64_t bytes, bool store) {
  for (const Extent &e : call.extents) {
    if (address < e.begin || address + bytes > e.end || (store && e.argument->access == Access::read))
      continue;
    if (address % bytes)
      return false;
    if (!store)
      return call.memory->isElementWritten(address, bytes);
    call.memory->setElementWritten(address, bytes);
    return true;
  }
  return false;
}

/// Why an access is wrong.
std::string reasonOf(const Call &call, int64_t address, int64_t bytes, bool store) {
  const int64_t limit = call.manifest->machine.tileMemoryBytes;
  if (address < 0 || address > limit - bytes)
    return "outside the tile's memory of " + std::to_string(limit) + " bytes";
  const Extent *found = nullptr;
  for (const Extent &e : call.extents)
    if (!found && address >= e.begin && address + bytes <= e.end)
      found = &e;
  if (!found)
    return "which belongs to none of its arguments";
  const std::string &name = call.manifest->buffers[found->argument->buffer].name;
  if (address % bytes)
    return "which is not aligned (argument '" + name + "')";
  if (store)
    return "which belongs to argument '" + name + "' that it may only read";
  return "which nobody has written (argument '" + name + "', byte " + std::to_string(address - found->begin) +
         " of " + std::to_string(found->end - found->begin) + ")";
}

void describeProblem(Call &call, int64_t address, int64_t bytes, bool store, int32_t location) {
  const std::vector<Location> &locations = call.manifest->locations;
  const bool known = location >= 0 && location < int64_t(locations.size());
  call.problem = "tile " + std::to_string(call.tile) + ", codelet '" +
                 call.manifest->codelets[call.stage->codelet].name + "', " +
                 (known ? locations[location].text : "unknown source location") + ": " +
                 (store ? "writes " : "reads ") + std::to_string(bytes) + " bytes at address " +
                 hex(address) + ", " + reasonOf(call, address, bytes, store);
}

/// Native code cannot be left by an exception, and the access must not happen: jump over its frames, which
/// hold nothing that needs to be destroyed. Nothing in this frame does either.
void checkAccess(void *context, int64_t address, int32_t bytes, int32_t flags, int32_t location) {
  Call &call = *static_cast<Call *>(context);
  const bool store = flags & 1;
  const int64_t inTile = address - reinterpret_cast<int64_t>(call.memory->at(0));
  if (isRight(call, inTile, bytes, store))
    return;
  describeProblem(call, inTile, bytes, store, location);
  std::longjmp(call.escape, 1);
}

bool callStrict(StrictCode code, void *const *pointers, int64_t count, int64_t task, Call &call) {
  if (setjmp(call.escape) != 0)
    return false;
  int64_t unused = 0;
  code(pointers, count, task, &unused, &call, checkAccess);
  return true;
}

class StrictEngine : public ExecutionEngine {
public:
  explicit StrictEngine(Program &program) : program(program), manifest(program.manifest), store(program) {
    watched.assign(manifest.buffers.size(), false);
    for (const Port &port : manifest.ports)
      watched[port.buffer] = true;
    for (const EventLayer &layer : manifest.events)
      if (layer.info >= 0)
        watched[layer.info] = true;
    for (size_t i = 0; i < watched.size(); ++i) {
      const Buffer &b = manifest.buffers[i];
      watched[i] = (watched[i] || b.persistent) && b.home != Home::host &&
                   !program.buffers.geometry(int64_t(i)).partials;
    }
  }

  Status run() override {
    store.beginRun();
    return program.runPhases([&](int64_t phase) { return runPhase(phase); },
                             [&](int64_t buffer) { store.restart(buffer); });
  }

private:
  struct Active {
    int64_t stage;
    Chunk chunk;
  };

  Status runPhase(int64_t index) {
    const Phase &phase = manifest.phases[index];
    const int64_t chunks = chunksOf(phase);
    int64_t last = 0;
    for (const Stage &stage : phase.stages)
      last = std::max(last, (chunks - 1) * phase.interval + stage.offset);
    for (int64_t superstep = 0; superstep <= last; ++superstep) {
      std::vector<Active> active;
      for (size_t s = 0; s < phase.stages.size(); ++s) {
        const int64_t since = superstep - phase.stages[s].offset;
        if (since >= 0 && since % phase.interval == 0 && since / phase.interval < chunks)
          active.push_back({int64_t(s), chunkOf(phase, since / phase.interval)});
      }
      const std::string where = "phase '" + phase.name + "', superstep " + std::to_string(superstep);
      if (Status done = exchange(phase, active, where); !done)
        return done;
      for (const Active &a : active)
        if (Status done = compute(index, a, where); !done)
          return done;
    }
    return downloadWhole(phase);
  }

  /// All data is collected before any is delivered, as on the machine.
  Status exchange(const Phase &phase, const std::vector<Active> &active, const std::string &where) {
    struct Delivery {
      const Stage *stage;
      const Argument *argument;
      Chunk chunk;
      std::vector<Parcel> parcels; // one for all tasks of a broadcast, else one per task
    };
    std::vector<Delivery> deliveries;
    for (const Active &a : active) {
      const Stage &stage = phase.stages[a.stage];
      for (const Argument &argument : stage.arguments) {
        if (argument.access == Access::write || isAtHome(manifest, stage, argument))
          continue;
        if (std::string gone = store.checkWindow(argument, a.chunk.first, a.chunk.count); !gone.empty())
          return Error{where + ": stage '" + stage.name + "' " + gone};
        Delivery d{&stage, &argument, a.chunk, {}};
        d.parcels.resize(argument.view == View::broadcast ? 1
                                                          : size_t(manifest.families[stage.family].tiles));
        deliveries.push_back(std::move(d));
      }
    }
    for (Delivery &d : deliveries)
      program.pool.run(int64_t(d.parcels.size()), [&](int64_t task) {
        d.parcels[task] = store.collect(*d.stage, *d.argument, task, d.chunk.first, d.chunk.count);
      });
    for (Delivery &d : deliveries)
      program.pool.run(manifest.families[d.stage->family].tiles, [&](int64_t task) {
        store.deliver(*d.stage, *d.argument, task, d.parcels.size() == 1 ? d.parcels[0] : d.parcels[task]);
      });
    return success();
  }

  Extent extentOf(const Stage &stage, const Argument &a, int64_t task, const Chunk &chunk) const {
    const Geometry &g = program.buffers.geometry(a.buffer);
    const int64_t steps = rowsShown(a, g, chunk.count);
    if (isAtHome(manifest, stage, a)) {
      const int64_t begin = store.homeAddress(a.buffer, program.rowOf(a, chunk.first));
      return {&a, begin, begin + steps * g.tileStep * g.bytes};
    }
    const int64_t copies =
        a.view == View::partials ? manifest.families[manifest.buffers[a.buffer].family].tiles : 1;
    const int64_t shown = a.view == View::own ? ownStep(g, manifest.families[stage.family])
                                              : windowOf(manifest, g, a, task).elements();
    return {&a, a.address, a.address + copies * steps * shown * g.bytes};
  }

  Status compute(int64_t index, const Active &active, const std::string &where) {
    const auto start = std::chrono::steady_clock::now();
    const Phase &phase = manifest.phases[index];
    const Stage &stage = phase.stages[active.stage];
    const Family &family = manifest.families[stage.family];
    const std::string at = where + ", stage '" + stage.name + "': ";
    for (const Argument &a : stage.arguments) {
      const bool home = isAtHome(manifest, stage, a);
      if (home && a.access == Access::read)
        if (std::string gone = store.checkWindow(a, active.chunk.first, active.chunk.count); !gone.empty())
          return Error{at + gone};
      if (home && a.access != Access::read)
        store.setWindow(a, active.chunk.first, active.chunk.count);
    }
    const bool wantsCycles = program.ledger.wants(index, active.stage);
    const bool constant = program.ledger.isConstant(index, active.stage);
    const bool uniform = program.ledger.isUniform(index, active.stage);
    std::mutex mutex;
    int64_t firstBad = family.tiles; // the lowest, so that the message does not depend on threads
    std::string problem;
    program.pool.run(family.tiles, [&](int64_t task) {
      Call call;
      call.manifest = &manifest;
      call.stage = &stage;
      call.tile = family.firstTile + task;
      call.memory = &store.tile(call.tile);
      std::vector<void *> pointers;
      for (const Argument &a : stage.arguments) {
        call.extents.push_back(extentOf(stage, a, task, active.chunk));
        pointers.push_back(call.memory->at(call.extents.back().begin));
        // A staging copy that is only written begins as nobody's.
        if (a.access == Access::write && !isAtHome(manifest, stage, a))
          call.memory->setWritten(call.extents.back().begin,
                                  call.extents.back().end - call.extents.back().begin, false);
      }
      if (!callStrict(program.code[stage.codelet].strict, pointers.data(), active.chunk.count, task, call)) {
        std::lock_guard<std::mutex> lock(mutex);
        if (task < firstBad) {
          firstBad = task;
          problem = call.problem;
        }
        return;
      }
      if (!wantsCycles || (uniform && task > 0))
        return;
      std::vector<int64_t> cycles(size_t(active.chunk.count), 0);
      const int64_t steps = constant ? 1 : active.chunk.count;
      program.code[stage.codelet].cycles(pointers.data(), steps, task, cycles.data());
      program.ledger.add(index, active.stage, task, active.chunk.first, steps, cycles.data());
    });
    if (!problem.empty())
      return Error{at + problem};
    if (wantsCycles && constant)
      program.ledger.settle(index, active.stage);
    bringBack(stage, active.chunk);
    program.ledger.addSeconds(
        index, active.stage, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return success();
  }

  /// What the host wants to see of the steps that were just made; later steps may take their place in a
  /// window.
  void bringBack(const Stage &stage, const Chunk &chunk) {
    for (const Argument &a : stage.arguments) {
      if (a.access == Access::read)
        continue;
      if (manifest.buffers[a.buffer].home == Home::host) {
        const int64_t tasks = a.view == View::broadcast ? 1 : manifest.families[stage.family].tiles;
        for (int64_t task = 0; task < tasks; ++task)
          store.returnToHost(stage, a, task, chunk.first, chunk.count);
      } else if (watched[a.buffer] && a.steps) {
        for (int64_t s = 0; s < chunk.count; ++s)
          store.download(a.buffer, program.rowOf(a, chunk.first) + s);
      }
    }
  }

  /// Brings back what the phase wrote as a whole, which is complete now. Later phases may use the memory for
  /// other data.
  Status downloadWhole(const Phase &phase) {
    for (const Stage &stage : phase.stages)
      for (const Argument &a : stage.arguments) {
        if (a.access == Access::read || a.steps || !watched[a.buffer])
          continue;
        if (const int64_t missing = store.download(a.buffer); missing > 0)
          return Error{"phase '" + phase.name + "' is over, and stage '" + stage.name + "' has left " +
                       std::to_string(missing) + " elements of buffer '" + manifest.buffers[a.buffer].name +
                       "' unwritten"};
      }
    return success();
  }

  Program &program;
  const Manifest &manifest;
  TileStore store;
  std::vector<bool> watched; // brought back to the host's buffers
};

} // namespace

Result<std::unique_ptr<ExecutionEngine>> makeStrictEngine(Program &program) {
  try {
    return std::unique_ptr<ExecutionEngine>(std::make_unique<StrictEngine>(program));
  } catch (const std::bad_alloc &) {
    return Error{"not enough memory on this computer for the memories of " +
                 std::to_string(program.manifest.tilesUsed) + " tiles; the fast engine needs less"};
  }
}

} // namespace spikeloom::runtime
