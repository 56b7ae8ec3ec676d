// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Presets, machine files, and every way in which a machine file can be wrong.
#include "spikeloom/Machine/Machine.h"
#include "spikeloom/Support/JsonFields.h"
#include <fstream>
#include <gtest/gtest.h>

using namespace spikeloom;
using nlohmann::json;

namespace {

Machine preset(const std::string &name, int64_t chips = 0) {
  Result<Machine> machine = loadMachine(name, chips);
  EXPECT_TRUE(bool(machine));
  return *machine;
}

std::string errorOf(const json &file) {
  Result<Machine> machine = machineFromJson(file, "file.json");
  return machine ? "" : machine.error();
}

TEST(Machine, Presets) {
  EXPECT_EQ(machinePresets(), (std::vector<std::string>{"gc2", "gc200", "bow", "tiny"}));
  Machine bow = preset("bow");
  EXPECT_EQ(bow.tiles, 1472);
  EXPECT_EQ(bow.tileMemoryBytes, 624 * 1024);
  EXPECT_EQ(bow.usableTilesPerChip(), 1471);
  EXPECT_EQ(bow.superstepFixedCycles(), 90 + 100 + 37);
  EXPECT_EQ(bow.exchangeRate(false), 4);
  EXPECT_EQ(bow.exchangeRate(true), 8);
  Machine tiny = preset("tiny", 3);
  EXPECT_EQ(tiny.totalTiles(), 24);
  EXPECT_EQ(tiny.usableTilesPerChip(), 8);
  EXPECT_EQ(tiny.syncCycles(), tiny.sync.externalCycles);
  EXPECT_EQ(tiny.clockHz, bow.clockHz);
  EXPECT_EQ(preset("gc2").tileMemoryBytes, 256 * 1024);
  EXPECT_LT(preset("gc200").clockHz, bow.clockHz);
}

TEST(Machine, EveryConstantNamesItsSource) {
  for (const std::string &name : machinePresets())
    for (const MachineConstant &constant : machineConstants(preset(name))) {
      EXPECT_FALSE(constant.provenance.source.empty()) << constant.field;
      EXPECT_FALSE(constant.unit.empty()) << constant.field;
    }
  json rows = machineConstantsToJson(preset("gc2"));
  bool found = false;
  for (const json &row : rows)
    if (row["field"] == "tiles") {
      found = true;
      EXPECT_EQ(row["value"], 1216);
      EXPECT_EQ(row["status"], "measured");
    }
  EXPECT_TRUE(found);
}

TEST(Machine, FileOverridesAPreset) {
  Result<Machine> machine = loadMachine(SPIKELOOM_TEST_DIR "/Machine/forty.json");
  ASSERT_TRUE(bool(machine)) << machine.error();
  EXPECT_EQ(machine->name, "forty");
  EXPECT_EQ(machine->tiles, 40);
  EXPECT_EQ(machine->exchange.fixedCycles, 120);
  EXPECT_EQ(machine->exchange.bytesPerCycle, 4);
  EXPECT_EQ(machine->instructions.f32Divide, 4);
  EXPECT_EQ(machine->provenance.at("exchange.fixedCycles").status, ConstantStatus::given);
}

TEST(Machine, JsonGivesTheSameMachineBack) {
  for (const std::string &name : machinePresets()) {
    Machine machine = preset(name, 2);
    machine.codeQuality = CodeQuality::compiled;
    Result<Machine> again = machineFromJson(machineToJson(machine), "round trip");
    ASSERT_TRUE(bool(again)) << again.error();
    EXPECT_EQ(machineToJson(*again), machineToJson(machine));
  }
}

TEST(Machine, EveryMissingFieldIsNamed) {
  json whole = machineToJson(preset("bow"));
  for (const MachineConstant &constant : machineConstants(preset("bow"))) {
    json part = whole;
    size_t dot = constant.field.find('.');
    std::string name = dot == std::string::npos ? constant.field : constant.field.substr(dot + 1);
    (dot == std::string::npos ? part : part[constant.field.substr(0, dot)]).erase(name);
    EXPECT_NE(errorOf(part).find("field '" + name + "' is missing"), std::string::npos) << errorOf(part);
  }
  whole.erase("exchange");
  EXPECT_EQ(errorOf(whole), "file.json: field 'exchange' is missing");
}

TEST(Machine, WrongValuesAreNamed) {
  auto with = [](const char *field, json value) {
    return errorOf({{"base", "bow"}, {field, std::move(value)}});
  };
  EXPECT_EQ(with("tiles", 0), "file.json: field 'tiles' is 0, allowed: 1 to 1099511627776");
  EXPECT_EQ(with("tiles", -4), "file.json: field 'tiles' is -4, allowed: 1 to 1099511627776");
  EXPECT_EQ(with("tiles", "many"), "file.json: field 'tiles' must be an integer, found string \"many\"");
  EXPECT_EQ(with("tiles", 1.5), "file.json: field 'tiles' must be an integer, found number 1.5");
  EXPECT_EQ(with("tiles", nullptr), "file.json: field 'tiles' must be an integer, found null null");
  EXPECT_EQ(with("tiles", 18446744073709551615u),
            "file.json: field 'tiles' must be an integer, found number 18446744073709551615");
  EXPECT_EQ(with("clockHz", 0), "file.json: field 'clockHz' is 0, allowed: more than 0.0");
  EXPECT_EQ(with("clockHz", -1.5), "file.json: field 'clockHz' is -1.5, allowed: more than 0.0");
  EXPECT_EQ(with("exchange", json::object({{"fixedCycles", -1}})),
            "file.json: exchange: field 'fixedCycles' is -1, allowed: 0 to 1099511627776");
  EXPECT_EQ(with("exchange", json::object({{"pairSharing", 1}})),
            "file.json: exchange: field 'pairSharing' must be true or false, found number 1");
  EXPECT_EQ(with("exchange", 7), "file.json: exchange: expected an object, found number 7");
  EXPECT_EQ(with("codeQuality", "good"),
            "file.json: field 'codeQuality' is 'good', allowed: scheduled, compiled");
  EXPECT_EQ(errorOf({{"base", "ipu9"}}), "file.json: field 'base' is 'ipu9', allowed: gc2, gc200, bow, tiny");
  EXPECT_EQ(with("reservedBytes", 700000),
            "file.json: field 'reservedBytes' is 700000, must be less than tileMemoryBytes 638976");
  EXPECT_EQ(errorOf(json::array({1})), "file.json: expected an object, found array [1]");
}

TEST(Machine, UnknownFieldsAreRefusedWithTheAllowedOnes) {
  std::string message = errorOf({{"base", "bow"}, {"sync", {{"internal", 90}}}});
  EXPECT_EQ(message,
            "file.json: sync: unknown field 'internal' (value 90), allowed: internalCycles, externalCycles");
  message = errorOf({{"base", "bow"}, {"tile", 3}});
  EXPECT_NE(message.find("unknown field 'tile' (value 3), allowed: base, name, codeQuality, chips, tiles"),
            std::string::npos)
      << message;
}

TEST(Machine, BadFilesNameTheirMistake) {
  auto error = [](const std::string &name) {
    std::string message = loadMachine(SPIKELOOM_TEST_DIR "/Machine/" + name).error();
    EXPECT_EQ(message.rfind(SPIKELOOM_TEST_DIR "/Machine/" + name + ": ", 0), 0u) << message;
    return message;
  };
  EXPECT_NE(error("zero-tiles.json").find("field 'tiles' is 0"), std::string::npos);
  EXPECT_NE(error("negative.json").find("sync: field 'internalCycles' is -90"), std::string::npos);
  EXPECT_NE(error("unknown-field.json").find("unknown field 'tileMemory' (value 1024)"), std::string::npos);
  EXPECT_NE(error("missing-field.json").find("is missing (start from a preset with \"base\""),
            std::string::npos);
}

TEST(Machine, FilesThatCannotBeRead) {
  EXPECT_EQ(
      loadMachine("bwo").error(),
      "machine 'bwo' is neither a preset (gc2, gc200, bow, tiny) nor a readable, non-empty machine file");
  EXPECT_EQ(loadMachine("bow", -1).error(), "the number of chips is -1, allowed: at least 1");
  EXPECT_FALSE(bool(loadMachine("bow", int64_t(1) << 30)));
  EXPECT_FALSE(bool(loadMachine("/")));
  std::string path = testing::TempDir() + "spikeloom-broken-machine.json";
  std::ofstream(path) << "{\"base\": \"bow\",";
  std::string message = loadMachine(path).error();
  EXPECT_NE(message.find("not valid JSON"), std::string::npos) << message;
  EXPECT_NE(message.find("line 1"), std::string::npos) << message;
}

} // namespace
