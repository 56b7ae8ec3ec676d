// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The profile as JSON, for scripts and for the report.
#include "spikeloom/Runtime/Profile.h"
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace spikeloom::runtime {

static json supersteps(const Profile &profile) {
  json list = json::array();
  for (const SuperstepProfile &s : profile.supersteps)
    list.push_back({{"name", s.name},
                    {"phase", s.phase},
                    {"kind", s.kind},
                    {"stages", s.stages},
                    {"count", s.count},
                    {"cycles", s.cycles()},
                    {"compute", s.compute},
                    {"exchange", s.exchange},
                    {"sync", s.sync},
                    {"tiles_max", double(s.compute) / double(s.count)},
                    {"tiles_mean", s.meanCompute / double(s.count)}});
  return list;
}

static json layers(const Profile &profile) {
  json list = json::array();
  std::vector<bool> used(profile.events.size(), false);
  auto describe = [](const std::string &name, int64_t tiles, int64_t cycles, const EventCount *events) {
    json layer = {{"name", name}, {"tiles", tiles}, {"cycles", cycles}};
    layer["spikes"] = events ? json(events->fired) : json();
    layer["listed"] = events ? json(events->listed) : json();
    layer["near"] = events ? json(events->near) : json();
    layer["units"] = events ? json(events->units) : json();
    layer["capacity"] = events ? json(events->capacity) : json();
    layer["overflow"] = events ? json(events->overflow()) : json();
    return layer;
  };
  for (const LayerProfile &layer : profile.layers) {
    const EventCount *events = nullptr;
    for (size_t i = 0; i < profile.events.size() && !events; ++i)
      if (profile.events[i].name == layer.name) {
        events = &profile.events[i];
        used[i] = true;
      }
    list.push_back(describe(layer.name, layer.tiles, layer.cycles, events));
  }
  for (size_t i = 0; i < profile.events.size(); ++i)
    if (!used[i])
      list.push_back(describe(profile.events[i].name, 0, 0, &profile.events[i]));
  return list;
}

json profileToJson(const Manifest &manifest, const Profile &profile) {
  const MachineInfo &m = manifest.machine;
  json stages = json::array();
  for (const StageProfile &s : profile.stages)
    stages.push_back({{"name", s.name},
                      {"phase", s.phase},
                      {"layer", s.layer},
                      {"kind", s.kind},
                      {"tiles", s.tiles},
                      {"cycles", s.cycles},
                      {"host_seconds", s.hostSeconds}});
  return {{"schema", "spikeloom.profile/1"},
          {"program", manifest.program},
          {"machine",
           {{"name", m.name},
            {"chips", m.chips},
            {"tiles", m.tiles},
            {"clock_hz", m.clockHz},
            {"tile_memory_bytes", m.tileMemoryBytes}}},
          {"cycles",
           {{"total", profile.cycles()},
            {"compute", profile.compute},
            {"exchange", profile.exchange},
            {"sync", profile.sync},
            {"host", profile.host}}},
          {"seconds", double(profile.cycles()) / m.clockHz},
          {"tiles",
           {{"used", manifest.tilesUsed},
            {"memory_bytes_max", manifest.tileMemoryMax},
            {"memory_bytes_mean", manifest.tileMemoryMean}}},
          {"supersteps", supersteps(profile)},
          {"layers", layers(profile)},
          {"stages", stages},
          {"host",
           {{"engine", profile.engine},
            {"threads", profile.threads},
            {"seconds", profile.hostSeconds},
            {"cpu", profile.cpu}}}};
}

} // namespace spikeloom::runtime
