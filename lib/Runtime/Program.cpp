// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds the code of every codelet; runs phases in order, loops included.
#include "Program.h"
#include "spikeloom/Runtime/Array.h"
#include <cstring>

namespace spikeloom::runtime {

Status Program::link(bool strict) {
  std::vector<bool> runsOnHost(manifest.codelets.size(), false); // group sums have no host code
  for (const Phase &phase : manifest.phases)
    for (const Stage &stage : phase.stages)
      if (!stage.groupSum)
        runsOnHost[stage.codelet] = true;
  std::string missing;
  auto find = [&](const Codelet &codelet, const std::string &symbol) -> void * {
    if (symbol.empty())
      return nullptr;
    void *address = symbols(symbol);
    if (!address && missing.empty())
      missing = "codelet '" + codelet.name + "': the native code has no symbol '" + symbol + "'";
    return address;
  };
  for (size_t i = 0; i < manifest.codelets.size(); ++i) {
    const Codelet &codelet = manifest.codelets[i];
    CodeletCode found;
    if (runsOnHost[i])
      found.host = reinterpret_cast<HostCode>(find(codelet, codelet.host));
    found.cycles = reinterpret_cast<HostCode>(find(codelet, codelet.cycles));
    if (strict) {
      if (codelet.strict.empty())
        return Error{"codelet '" + codelet.name + "' was compiled without code for the strict engine"};
      found.strict = reinterpret_cast<StrictCode>(find(codelet, codelet.strict));
    }
    code.push_back(found);
  }
  if (!missing.empty())
    return Error{missing};
  return success();
}

namespace {
/// What the trips of a loop make of losses and hits, added up in the order of the trips.
class Shares {
public:
  Shares(const Manifest &manifest, const HostBuffers &buffers) : buffers(buffers) {
    for (const Port &port : manifest.ports)
      if (port.role == Role::loss || port.role == Role::correct)
        sums[port.buffer].assign(size_t(elementsOf(manifest.buffers[port.buffer].shape)), 0.0f);
  }
  void add() {
    for (auto &[buffer, sum] : sums) {
      std::vector<float> share(sum.size());
      buffers.gather(buffer, share.data());
      for (size_t i = 0; i < sum.size(); ++i)
        sum[i] += share[i];
    }
  }
  void write() const {
    for (const auto &[buffer, sum] : sums)
      buffers.scatter(buffer, sum.data());
  }

private:
  const HostBuffers &buffers;
  std::map<int64_t, std::vector<float>> sums;
};
} // namespace

Status Program::runPhases(const std::function<Status(int64_t)> &runPhase,
                          const std::function<void(int64_t)> &restart) {
  return runRange(0, int64_t(manifest.phases.size()), 0, runPhase, restart);
}

/// Phases [first, end); `loop` is the first loop that may begin there.
Status Program::runRange(int64_t first, int64_t end, size_t loop,
                         const std::function<Status(int64_t)> &runPhase,
                         const std::function<void(int64_t)> &restart) {
  for (int64_t phase = first; phase < end;) {
    if (loop >= manifest.loops.size() || manifest.loops[loop].first != phase) {
      if (Status done = runPhase(phase++); !done)
        return done;
      continue;
    }
    const Loop &l = manifest.loops[loop];
    const int64_t after = l.first + l.phases;
    Shares shares(manifest, buffers);
    for (int64_t trip = 0; trip < l.trips; ++trip) {
      trips[loop] = trip;
      if (trip > 0)
        beginTrip(l, restart);
      if (Status done = runRange(l.first, after, loop + 1, runPhase, restart); !done)
        return done;
      if (l.sums)
        shares.add();
    }
    if (l.sums)
      shares.write();
    phase = after;
    while (loop < manifest.loops.size() && manifest.loops[loop].first < after)
      ++loop;
  }
  return success();
}

void Program::beginTrip(const Loop &loop, const std::function<void(int64_t)> &restart) {
  ledger.endTrip(loop.first, loop.phases);
  if (loop.sums) {
    const std::vector<EventCount> counts = countEvents(manifest, buffers);
    if (earlierEvents.empty())
      earlierEvents = counts;
    else
      for (size_t i = 0; i < counts.size(); ++i)
        earlierEvents[i].add(counts[i]);
  }
  for (int64_t buffer : loop.clear) {
    buffers.fill(buffer, manifest.buffers[buffer].type, manifest.buffers[buffer].fill);
    if (auto given = initial.find(buffer); given != initial.end())
      std::memcpy(buffers.data(buffer), given->second.data(), given->second.size());
    restart(buffer);
  }
}

std::vector<int32_t> countsOf(const Manifest &manifest, const HostBuffers &buffers, const EventLayer &layer) {
  if (layer.info < 0)
    return {};
  std::vector<int32_t> info(size_t(elementsOf(manifest.buffers[layer.info].shape)));
  buffers.gather(layer.info, info.data());
  return info;
}

std::vector<EventCount> countEvents(const Manifest &manifest, const HostBuffers &buffers) {
  std::vector<EventCount> counts;
  for (const EventLayer &layer : manifest.events) {
    EventCount count;
    count.name = layer.name;
    count.units = layer.units;
    count.capacity = layer.capacity;
    const std::vector<int32_t> info = countsOf(manifest, buffers, layer);
    for (size_t i = 0; i + rowInfo <= info.size(); i += rowInfo) {
      count.listed += info[i + infoListed];
      count.near += info[i + infoEntries] - info[i + infoListed];
      count.fired += info[i + infoFired];
    }
    counts.push_back(count);
  }
  return counts;
}

} // namespace spikeloom::runtime
