// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Presets and machine files.
#include "spikeloom/Machine/Machine.h"
#include "MachineFields.h"
#include "spikeloom/Support/JsonFields.h"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

using namespace spikeloom;
using namespace spikeloom::detail;

namespace {

/// What a preset changes on the Bow chip.
struct Change {
  const char *field;
  double value;
  ConstantStatus status;
  const char *source;
};

struct Preset {
  std::string name;
  std::vector<Change> changes;
};

const std::vector<Preset> &presets() {
  static const std::vector<Preset> list = {
      {"gc2",
       {{"tiles", 1216, ConstantStatus::measured, "stencils; Citadel 2019 by way of notes"},
        {"tileMemoryBytes", 262144, ConstantStatus::measured,
         "256 KiB; out-of-memory text of graphcore/tutorials 4"},
        {"interleavedStart", 131072, ConstantStatus::measured, "reverse: two regions of 128 KiB"},
        {"clockHz", 1.6e9, ConstantStatus::measured, "stencils"},
        {"links.bytesPerSecond", 13.6e9, ConstantStatus::measured,
         "poplibs: 128 Gb/s x 0.85 per link, 10 links of a ladder"}}},
      {"gc200", {{"clockHz", 1.33e9, ConstantStatus::derived, "graphcore/tutorials 6: cycles by time"}}},
      {"bow", {}},
      {"tiny", {{"tiles", 8, ConstantStatus::assumed, "a machine for tests: 8 tiles of a Bow chip"}}},
  };
  return list;
}

const std::vector<std::string> &qualities() {
  static const std::vector<std::string> words = {"scheduled", "compiled"};
  return words;
}

std::optional<Machine> makePreset(const std::string &name) {
  auto preset =
      std::find_if(presets().begin(), presets().end(), [&](const Preset &p) { return p.name == name; });
  if (preset == presets().end())
    return std::nullopt;
  Machine machine;
  machine.name = name;
  for (const MachineField &field : machineFields())
    write(field.at(machine), field.value);
  for (const Change &change : preset->changes)
    for (const MachineField &field : machineFields())
      if (std::string(field.name) == change.field) {
        write(field.at(machine), change.value);
        machine.provenance[change.field] = {change.status, change.source};
      }
  return machine;
}

std::string presetList() {
  std::string text;
  for (const Preset &preset : presets())
    text += (text.empty() ? "" : ", ") + preset.name;
  return text;
}

/// The part of a name before the dot ("" without one), and after it.
std::pair<std::string, std::string> split(const std::string &name) {
  size_t dot = name.find('.');
  return dot == std::string::npos ? std::make_pair(std::string(), name)
                                  : std::make_pair(name.substr(0, dot), name.substr(dot + 1));
}

/// Reads the fields of one group of the table out of `json`.
void readGroup(JsonFields &json, const std::string &group, Machine &machine, bool required,
               const std::string &where) {
  for (const MachineField &field : machineFields()) {
    auto [prefix, name] = split(field.name);
    if (prefix != group)
      continue;
    if (json.has(name))
      machine.provenance[field.name] = {ConstantStatus::given, where};
    else if (required)
      json.fail("field '" + name + "' is missing (start from a preset with \"base\": one of " + presetList() +
                ")");
    Slot slot = field.at(machine);
    if (int64_t **integer = std::get_if<int64_t *>(&slot))
      json.integer(name, **integer, int64_t(field.minimum), int64_t(1) << 40, false);
    else if (double **number = std::get_if<double *>(&slot))
      json.number(name, **number, field.minimum, false, true);
    else
      json.boolean(name, *std::get<bool *>(slot), false);
  }
}

/// Limits between fields.
std::optional<std::string> inconsistency(const Machine &machine) {
  auto text = [](int64_t value) { return std::to_string(value); };
  if (machine.reservedBytes >= machine.tileMemoryBytes)
    return "field 'reservedBytes' is " + text(machine.reservedBytes) +
           ", must be less than tileMemoryBytes " + text(machine.tileMemoryBytes);
  if (machine.interleavedStart > machine.tileMemoryBytes)
    return "field 'interleavedStart' is " + text(machine.interleavedStart) +
           ", must be at most tileMemoryBytes " + text(machine.tileMemoryBytes);
  if (machine.chips * machine.tiles > (int64_t(1) << 24))
    return "fields 'chips' x 'tiles' make " + text(machine.chips * machine.tiles) +
           " tiles, allowed: at most " + text(int64_t(1) << 24);
  return std::nullopt;
}

} // namespace

const std::vector<std::string> &spikeloom::machinePresets() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    list.reserve(presets().size());
    for (const Preset &preset : presets())
      list.push_back(preset.name);
    return list;
  }();
  return names;
}

const char *spikeloom::toString(ConstantStatus status) {
  static const char *const words[] = {"measured", "derived", "assumed", "given"};
  return words[int(status)];
}

const char *spikeloom::toString(CodeQuality quality) { return qualities()[int(quality)].c_str(); }

Result<Machine> spikeloom::machineFromJson(const nlohmann::json &json, const std::string &where) {
  JsonFields fields(json, where);
  std::string base;
  fields.string("base", base, false);
  Machine machine;
  if (!base.empty()) {
    std::optional<Machine> preset = makePreset(base);
    if (!preset)
      return Error{where + ": field 'base' is '" + base + "', allowed: " + presetList()};
    machine = *preset;
  }
  bool required = base.empty();
  fields.string("name", machine.name, required);
  fields.word("codeQuality", machine.codeQuality, qualities(), false);
  readGroup(fields, "", machine, required, where);
  std::vector<std::string> groups;
  for (const MachineField &field : machineFields())
    if (std::string group = split(field.name).first;
        !group.empty() && (groups.empty() || groups.back() != group))
      groups.push_back(group);
  for (const std::string &group : groups)
    fields.nested(
        group, [&](JsonFields &nested) { readGroup(nested, group, machine, required, where); }, required);
  if (std::optional<std::string> problem = fields.finish())
    return Error{*problem};
  if (std::optional<std::string> problem = inconsistency(machine))
    return Error{where + ": " + *problem};
  return machine;
}

Result<Machine> spikeloom::loadMachine(const std::string &nameOrPath, int64_t chips) {
  std::optional<Machine> machine = makePreset(nameOrPath);
  if (!machine) {
    std::ifstream file(nameOrPath);
    std::stringstream text;
    if (!file || !(text << file.rdbuf()))
      return Error{"machine '" + nameOrPath + "' is neither a preset (" + presetList() +
                   ") nor a readable, non-empty machine file"};
    Result<nlohmann::json> json = parseJson(text.str(), nameOrPath);
    if (!json)
      return Error{json.error()};
    Result<Machine> read = machineFromJson(*json, nameOrPath);
    if (!read)
      return read;
    machine = *read;
  }
  if (chips < 0)
    return Error{"the number of chips is " + std::to_string(chips) + ", allowed: at least 1"};
  if (chips > 0)
    machine->chips = chips;
  if (std::optional<std::string> problem = inconsistency(*machine))
    return Error{nameOrPath + ": " + *problem};
  return *machine;
}

nlohmann::json spikeloom::machineToJson(const Machine &machine) {
  nlohmann::json json = {{"name", machine.name}, {"codeQuality", toString(machine.codeQuality)}};
  Machine copy = machine;
  for (const MachineField &field : machineFields()) {
    auto [group, name] = split(field.name);
    nlohmann::json &target = group.empty() ? json[name] : json[group][name];
    std::visit([&](auto *value) { target = *value; }, field.at(copy));
  }
  return json;
}

std::vector<MachineConstant> spikeloom::machineConstants(const Machine &machine) {
  std::vector<MachineConstant> constants;
  Machine copy = machine;
  for (const MachineField &field : machineFields()) {
    auto own = machine.provenance.find(field.name);
    constants.push_back(
        {field.name, field.unit, read(field.at(copy)),
         own != machine.provenance.end() ? own->second : Provenance{field.status, field.source}});
  }
  return constants;
}

nlohmann::json spikeloom::machineConstantsToJson(const Machine &machine) {
  nlohmann::json rows = nlohmann::json::array();
  for (const MachineConstant &constant : machineConstants(machine))
    rows.push_back({{"field", constant.field},
                    {"value", constant.value},
                    {"unit", constant.unit},
                    {"status", toString(constant.provenance.status)},
                    {"source", constant.provenance.source}});
  return rows;
}
