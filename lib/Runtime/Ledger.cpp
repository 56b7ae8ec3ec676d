// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Supersteps from counted cycles: in each, a tile takes the sum over the stages that are active on it.
#include "Ledger.h"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace spikeloom::runtime {

Ledger::Ledger(const Manifest &manifest) : manifest(manifest) {
  for (const Phase &phase : manifest.phases) {
    std::vector<Account> list;
    for (const Stage &stage : phase.stages) {
      const Codelet &codelet = manifest.codelets[stage.codelet];
      Account a;
      a.counted = !codelet.cycles.empty();
      a.uniform = codelet.cyclesUniform;
      a.constant = codelet.cyclesStatic;
      a.chunks = chunksOf(phase);
      a.cycles.assign(size_t(a.chunks * (a.uniform ? 1 : manifest.families[stage.family].tiles)), 0);
      list.push_back(std::move(a));
    }
    accounts.push_back(std::move(list));
  }
  earlier.resize(accounts.size());
}

static void forget(std::vector<int64_t> &cycles) { std::fill(cycles.begin(), cycles.end(), 0); }

void Ledger::begin() {
  for (std::vector<Account> &list : accounts)
    for (Account &a : list) {
      a.seconds = 0;
      if (!a.known)
        forget(a.cycles);
    }
  for (Totals &totals : earlier)
    totals = {};
}

void Ledger::endTrip(int64_t first, int64_t count) {
  for (int64_t phase = first; phase < first + count; ++phase) {
    addPass(phase, earlier[phase]);
    for (Account &a : accounts[phase])
      if (!a.known)
        forget(a.cycles);
  }
}

bool Ledger::wants(int64_t phase, int64_t stage) const {
  const Account &a = account(phase, stage);
  return a.counted && !a.known;
}

void Ledger::add(int64_t phase, int64_t stage, int64_t task, int64_t first, int64_t count,
                 const int64_t *cycles) {
  const Phase &p = manifest.phases[phase];
  Account &a = account(phase, stage);
  int64_t *row = &a.cycles[size_t((a.uniform ? 0 : task) * a.chunks)];
  if (a.constant) {
    for (int64_t k = 0; k < a.chunks; ++k)
      row[k] = cycles[0] * chunkOf(p, k).count;
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    row[(p.reverse ? p.steps - 1 - (first + i) : first + i) / p.chunk] += cycles[i];
}

int64_t Ledger::usedTiles() const {
  int64_t used = 1;
  for (const Family &family : manifest.families)
    used = std::max(used, family.firstTile + family.tiles);
  return used;
}

void Ledger::addPass(int64_t index, Totals &totals) const {
  const Phase &phase = manifest.phases[index];
  totals.stages.resize(phase.stages.size(), 0);
  const int64_t chunks = chunksOf(phase);
  int64_t last = 0;
  for (const Stage &stage : phase.stages)
    last = std::max(last, (chunks - 1) * phase.interval + stage.offset);

  std::vector<int64_t> tileCompute(static_cast<size_t>(usedTiles()), 0), tileExchange(tileCompute);
  for (int64_t superstep = 0; superstep <= last; ++superstep) {
    std::vector<int64_t> active;
    std::fill(tileCompute.begin(), tileCompute.end(), 0);
    std::fill(tileExchange.begin(), tileExchange.end(), 0);
    std::string kind;
    int64_t longest = -1;
    for (size_t s = 0; s < phase.stages.size(); ++s) {
      const Stage &stage = phase.stages[s];
      const int64_t since = superstep - stage.offset;
      if (since < 0 || since % phase.interval || since / phase.interval >= chunks)
        continue;
      active.push_back(int64_t(s));
      const Account &a = accounts[index][s];
      const Family &family = manifest.families[stage.family];
      int64_t most = 0;
      for (int64_t task = 0; task < family.tiles; ++task) {
        const int64_t cycles = a.at(task, since / phase.interval);
        tileCompute[family.firstTile + task] += cycles;
        tileExchange[family.firstTile + task] += stage.exchangeCycles;
        most = std::max(most, cycles);
      }
      if (most > longest) {
        longest = most;
        kind = stage.kind;
      }
      totals.stages[s] += most;
    }
    if (active.empty())
      continue;
    auto [place, isNew] = totals.known.try_emplace(active, totals.supersteps.size());
    if (isNew) {
      SuperstepProfile made;
      made.phase = phase.name;
      made.kind = kind;
      for (int64_t s : active) {
        made.stages.push_back(phase.stages[s].name);
        made.name += (made.name.empty() ? "" : "+") + phase.stages[s].name;
      }
      totals.supersteps.push_back(std::move(made));
    }
    SuperstepProfile &entry = totals.supersteps[place->second];
    const MachineInfo &machine = manifest.machine;
    int64_t sum = 0;
    for (int64_t cycles : tileCompute)
      sum += cycles;
    entry.count += 1;
    entry.compute += machine.computeLaunchCycles + *std::max_element(tileCompute.begin(), tileCompute.end());
    entry.exchange += *std::max_element(tileExchange.begin(), tileExchange.end());
    entry.sync += machine.syncCycles;
    entry.meanCompute += double(machine.computeLaunchCycles) + double(sum) / double(tileCompute.size());
  }
}

static int64_t hostCycles(const Manifest &manifest) {
  std::set<int64_t> moved; // a buffer with two names moves once
  double bytes = 0;
  for (const Port &port : manifest.ports) {
    const bool streams = port.role == Role::input || port.role == Role::output || port.role == Role::label ||
                         port.role == Role::weight || port.role == Role::hyper || port.role == Role::random ||
                         port.role == Role::loss || port.role == Role::correct;
    if (!streams || !moved.insert(port.buffer).second)
      continue;
    double size = double(elementBytes(manifest.buffers[port.buffer].type));
    for (int64_t extent : port.shape)
      size *= double(extent);
    bytes += size;
  }
  return std::llround(bytes / manifest.machine.hostBytesPerSecond * manifest.machine.clockHz);
}

void Ledger::assemble(Profile &profile) const {
  profile.supersteps.clear();
  profile.stages.clear();
  profile.layers.clear();
  for (size_t p = 0; p < manifest.phases.size(); ++p) {
    const Phase &phase = manifest.phases[p];
    Totals totals = earlier[p];
    addPass(int64_t(p), totals);
    for (size_t s = 0; s < phase.stages.size(); ++s) {
      const Stage &stage = phase.stages[s];
      profile.stages.push_back({stage.name, phase.name, stage.layer, stage.kind,
                                manifest.families[stage.family].tiles, totals.stages[s],
                                accounts[p][s].seconds});
    }
    profile.supersteps.insert(profile.supersteps.end(), totals.supersteps.begin(), totals.supersteps.end());
  }
  profile.compute = profile.exchange = profile.sync = 0;
  for (const SuperstepProfile &superstep : profile.supersteps) {
    profile.compute += superstep.compute;
    profile.exchange += superstep.exchange;
    profile.sync += superstep.sync;
  }
  profile.host = hostCycles(manifest);

  std::vector<std::set<int64_t>> tiles;
  std::map<std::string, size_t> places;
  size_t next = 0;
  for (const Phase &phase : manifest.phases)
    for (const Stage &stage : phase.stages) {
      const int64_t cycles = profile.stages[next++].cycles;
      if (stage.layer.empty())
        continue;
      auto [place, isNew] = places.try_emplace(stage.layer, profile.layers.size());
      if (isNew) {
        profile.layers.push_back({stage.layer, 0, 0});
        tiles.emplace_back();
      }
      profile.layers[place->second].cycles += cycles;
      const Family &family = manifest.families[stage.family];
      for (int64_t t = 0; t < family.tiles; ++t)
        tiles[place->second].insert(family.firstTile + t);
    }
  for (size_t i = 0; i < tiles.size(); ++i)
    profile.layers[i].tiles = int64_t(tiles[i].size());
}

} // namespace spikeloom::runtime
