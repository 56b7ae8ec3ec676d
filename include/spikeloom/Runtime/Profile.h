// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What one run took: on the modelled machine in cycles, on the host in seconds.
#ifndef SPIKELOOM_RUNTIME_PROFILE_H
#define SPIKELOOM_RUNTIME_PROFILE_H

#include "spikeloom/Runtime/Manifest.h"
#include <nlohmann/json_fwd.hpp>

namespace spikeloom::runtime {

/// Supersteps of a phase with the same active stages.
struct SuperstepProfile {
  std::string name, phase, kind; // kind: of the stage that takes longest
  std::vector<std::string> stages;
  int64_t count = 0;
  int64_t compute = 0, exchange = 0, sync = 0; // cycles of all of them; compute is of the slowest tile
  double meanCompute = 0;                      // of the tiles that the program uses, all of them together
  int64_t cycles() const { return compute + exchange + sync; }
};

struct StageProfile {
  std::string name, phase, layer, kind;
  int64_t tiles = 0, cycles = 0; // of its slowest tile, over all chunks
  double hostSeconds = 0;
};

struct LayerProfile {
  std::string name;
  int64_t tiles = 0, cycles = 0;
};

/// Spikes of a layer over all steps and samples of a run.
struct EventCount {
  std::string name;
  int64_t units = 0, capacity = 0;
  int64_t fired = 0, listed = 0, near = 0;
  void add(const EventCount &other) {
    fired += other.fired;
    listed += other.listed;
    near += other.near;
  }
  int64_t dropped() const { return fired - listed; }
  double overflow() const { return fired > 0 ? double(dropped()) / double(fired) : 0; }
};

struct Profile {
  int64_t compute = 0, exchange = 0, sync = 0, host = 0;
  int64_t cycles() const { return compute + exchange + sync + host; }
  std::vector<SuperstepProfile> supersteps;
  std::vector<StageProfile> stages;
  std::vector<LayerProfile> layers;
  std::vector<EventCount> events;
  std::string engine;
  int threads = 1;
  double hostSeconds = 0;
  std::string cpu; // of the native code
};

/// "schema": "spikeloom.profile/1".
nlohmann::json profileToJson(const Manifest &manifest, const Profile &profile);

} // namespace spikeloom::runtime
#endif
