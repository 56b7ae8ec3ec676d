// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Problems and answers as JSON, so that they can be dumped, kept as tests and checked apart from a
// compilation.
#include "spikeloom/Problem/Memory.h"
#include "spikeloom/Problem/Partition.h"
#include "spikeloom/Problem/Schedule.h"
#include "spikeloom/Support/JsonFields.h"

using namespace spikeloom;
using nlohmann::json;
using runtime::Family;

namespace {

const std::vector<std::string> &regions() {
  static const std::vector<std::string> words = {"any", "interleaved", "nonInterleaved"};
  return words;
}

/// The value that was read, or the first mistake.
template <typename T> Result<T> finish(JsonFields &fields, T value) {
  if (std::optional<std::string> problem = fields.finish())
    return Error{*problem};
  return value;
}

json toJson(const std::vector<MemoryItem> &memory) {
  json list = json::array();
  for (const MemoryItem &item : memory)
    list.push_back({{"kind", item.kind},
                    {"perUnit", item.perUnit},
                    {"perTile", item.perTile},
                    {"growsWithBatch", item.growsWithBatch},
                    {"growsWithActivity", item.growsWithActivity}});
  return list;
}

void readMemory(JsonFields &fields, std::vector<MemoryItem> &memory) {
  fields.objects("memory", [&](JsonFields &object) {
    MemoryItem item;
    object.string("kind", item.kind);
    object.integer("perUnit", item.perUnit, 0);
    object.integer("perTile", item.perTile, 0);
    object.boolean("growsWithBatch", item.growsWithBatch, false);
    object.boolean("growsWithActivity", item.growsWithActivity, false);
    memory.push_back(std::move(item));
  });
}

json toJson(const std::vector<Family> &families) {
  json list = json::array();
  for (const Family &family : families)
    list.push_back({{"name", family.name},
                    {"firstTile", family.firstTile},
                    {"tiles", family.tiles},
                    {"units", family.units},
                    {"perTile", family.perTile},
                    {"group", family.group}});
  return list;
}

void readFamilies(JsonFields &fields, const std::string &name, std::vector<Family> &families) {
  fields.objects(name, [&](JsonFields &object) {
    Family family;
    object.string("name", family.name);
    object.integer("firstTile", family.firstTile, 0);
    object.integer("tiles", family.tiles, 1);
    object.integer("units", family.units, 0);
    object.integer("perTile", family.perTile, 1);
    object.integer("group", family.group, 1);
    families.push_back(std::move(family));
  });
}

void readTooLarge(JsonFields &fields, std::optional<TooLarge> &tooLarge) {
  auto read = [&](JsonFields &object) {
    TooLarge diagnosis;
    int64_t over = 0;
    object.integer("tile", diagnosis.tile, 0);
    object.integer("needed", diagnosis.needed, 0);
    object.integer("capacity", diagnosis.capacity, 0);
    object.integer("over", over, 0);
    object.objects("largest", [&](JsonFields &share) {
      MemoryShare found;
      share.string("family", found.family);
      share.string("kind", found.kind);
      share.integer("bytes", found.bytes, 0);
      diagnosis.largest.push_back(std::move(found));
    });
    object.strings("remedies", diagnosis.remedies);
    tooLarge = std::move(diagnosis);
  };
  fields.nested("tooLarge", read, false);
}

} // namespace

Result<ScheduleProblem> spikeloom::scheduleProblemFromJson(const json &json, const std::string &where) {
  ScheduleProblem problem;
  JsonFields fields(json, where);
  fields.strings("stages", problem.stages);
  fields.objects("edges", [&](JsonFields &object) {
    ScheduleEdge edge;
    object.integer("from", edge.from, 0);
    object.integer("to", edge.to, 0);
    object.integer("distance", edge.distance, 0);
    object.boolean("local", edge.local, false);
    object.boolean("fused", edge.fused, false);
    problem.edges.push_back(edge);
  });
  return finish(fields, std::move(problem));
}

json spikeloom::toJson(const ScheduleProblem &problem) {
  json edges = json::array();
  for (const ScheduleEdge &edge : problem.edges)
    edges.push_back({{"from", edge.from},
                     {"to", edge.to},
                     {"distance", edge.distance},
                     {"local", edge.local},
                     {"fused", edge.fused}});
  return {{"stages", problem.stages}, {"edges", edges}};
}

Result<Schedule> spikeloom::scheduleFromJson(const json &json, const std::string &where) {
  Schedule schedule;
  JsonFields fields(json, where);
  fields.integer("interval", schedule.interval, 1);
  fields.integers("offsets", schedule.offsets, 0);
  fields.objects("sets", [&](JsonFields &object) {
    ScheduleSet set;
    object.integers("stages", set.stages, 0);
    object.boolean("feedback", set.feedback);
    schedule.sets.push_back(std::move(set));
  });
  return finish(fields, std::move(schedule));
}

json spikeloom::toJson(const Schedule &schedule) {
  json sets = json::array();
  for (const ScheduleSet &set : schedule.sets)
    sets.push_back({{"stages", set.stages}, {"feedback", set.feedback}});
  return {{"interval", schedule.interval}, {"offsets", schedule.offsets}, {"sets", sets}};
}

Result<PartitionProblem> spikeloom::partitionProblemFromJson(const json &json, const std::string &where) {
  PartitionProblem problem;
  JsonFields fields(json, where);
  fields.integer("chips", problem.chips, 1);
  fields.integer("tilesPerChip", problem.tilesPerChip, 1);
  fields.boolean("reserveFirstTile", problem.reserveFirstTile);
  fields.integer("tileBytes", problem.tileBytes, 1);
  fields.objects("unitFamilies", [&](JsonFields &object) {
    UnitFamilyRequest family;
    object.string("name", family.name);
    object.integer("units", family.units, 1);
    object.number("cyclesFixed", family.cyclesFixed, 0);
    object.number("cyclesPerUnit", family.cyclesPerUnit, 0);
    object.integer("unitsPerVector", family.unitsPerVector, 1);
    object.integer("preferredBlock", family.preferredBlock, 1);
    readMemory(object, family.memory);
    problem.unitFamilies.push_back(std::move(family));
  });
  fields.objects("indexFamilies", [&](JsonFields &object) {
    IndexFamilyRequest family;
    object.string("name", family.name);
    object.integer("tasks", family.tasks, 1);
    object.number("cyclesPerTask", family.cyclesPerTask, 0);
    object.boolean("mayShareTiles", family.mayShareTiles, false);
    readMemory(object, family.memory);
    problem.indexFamilies.push_back(std::move(family));
  });
  return finish(fields, std::move(problem));
}

json spikeloom::toJson(const PartitionProblem &problem) {
  json units = json::array(), indices = json::array();
  for (const UnitFamilyRequest &family : problem.unitFamilies)
    units.push_back({{"name", family.name},
                     {"units", family.units},
                     {"cyclesFixed", family.cyclesFixed},
                     {"cyclesPerUnit", family.cyclesPerUnit},
                     {"unitsPerVector", family.unitsPerVector},
                     {"preferredBlock", family.preferredBlock},
                     {"memory", ::toJson(family.memory)}});
  for (const IndexFamilyRequest &family : problem.indexFamilies)
    indices.push_back({{"name", family.name},
                       {"tasks", family.tasks},
                       {"cyclesPerTask", family.cyclesPerTask},
                       {"mayShareTiles", family.mayShareTiles},
                       {"memory", ::toJson(family.memory)}});
  return {{"chips", problem.chips},
          {"tilesPerChip", problem.tilesPerChip},
          {"reserveFirstTile", problem.reserveFirstTile},
          {"tileBytes", problem.tileBytes},
          {"unitFamilies", units},
          {"indexFamilies", indices}};
}

Result<Partition> spikeloom::partitionFromJson(const json &json, const std::string &where) {
  Partition partition;
  JsonFields fields(json, where);
  readFamilies(fields, "unitFamilies", partition.unitFamilies);
  readFamilies(fields, "indexFamilies", partition.indexFamilies);
  fields.number("maxLoad", partition.maxLoad, 0);
  fields.number("lowerBound", partition.lowerBound, 0);
  fields.integer("tilesUsed", partition.tilesUsed, 0);
  fields.integer("memoryMax", partition.memoryMax, 0);
  fields.integer("fullestTile", partition.fullestTile, 0);
  fields.number("memoryMean", partition.memoryMean, 0);
  readTooLarge(fields, partition.tooLarge);
  return finish(fields, std::move(partition));
}

json spikeloom::toJson(const Partition &partition) {
  json result = {{"unitFamilies", ::toJson(partition.unitFamilies)},
                 {"indexFamilies", ::toJson(partition.indexFamilies)},
                 {"maxLoad", partition.maxLoad},
                 {"lowerBound", partition.lowerBound},
                 {"tilesUsed", partition.tilesUsed},
                 {"memoryMax", partition.memoryMax},
                 {"fullestTile", partition.fullestTile},
                 {"memoryMean", partition.memoryMean}};
  if (partition.tooLarge)
    result["tooLarge"] = toJson(*partition.tooLarge);
  return result;
}

Result<MemoryProblem> spikeloom::memoryProblemFromJson(const json &json, const std::string &where) {
  MemoryProblem problem;
  JsonFields fields(json, where);
  fields.integer("base", problem.base, 0);
  fields.integer("capacity", problem.capacity, 1);
  fields.integer("interleavedStart", problem.interleavedStart, 0);
  fields.integer("elementBytes", problem.elementBytes, 1);
  fields.objects("requests", [&](JsonFields &object) {
    MemoryRequest request;
    object.string("name", request.name);
    object.string("family", request.family, false);
    object.string("kind", request.kind, false);
    object.integer("bytes", request.bytes, 0);
    object.integer("align", request.align, 1);
    object.integer("firstTime", request.firstTime, 0);
    object.integer("lastTime", request.lastTime, 0);
    object.integer("firstTile", request.firstTile, 0);
    object.integer("tiles", request.tiles, 1);
    object.word("region", request.region, regions());
    object.integers("apart", request.apart, 0, false);
    problem.requests.push_back(std::move(request));
  });
  return finish(fields, std::move(problem));
}

json spikeloom::toJson(const MemoryProblem &problem) {
  json requests = json::array();
  for (const MemoryRequest &request : problem.requests)
    requests.push_back({{"name", request.name},
                        {"family", request.family},
                        {"kind", request.kind},
                        {"bytes", request.bytes},
                        {"align", request.align},
                        {"firstTime", request.firstTime},
                        {"lastTime", request.lastTime},
                        {"firstTile", request.firstTile},
                        {"tiles", request.tiles},
                        {"region", regions()[size_t(request.region)]},
                        {"apart", request.apart}});
  return {{"base", problem.base},
          {"capacity", problem.capacity},
          {"interleavedStart", problem.interleavedStart},
          {"elementBytes", problem.elementBytes},
          {"requests", requests}};
}

Result<MemoryPlan> spikeloom::memoryPlanFromJson(const json &json, const std::string &where) {
  MemoryPlan plan;
  JsonFields fields(json, where);
  fields.integers("offsets", plan.offsets, 0);
  fields.integer("peak", plan.peak, 0);
  fields.integer("lowerBound", plan.lowerBound, 0);
  fields.objects("tiles", [&](JsonFields &object) {
    TileTotal total;
    object.integer("firstTile", total.firstTile, 0);
    object.integer("tiles", total.tiles, 1);
    object.integer("end", total.end, 0);
    object.integer("liveBytes", total.liveBytes, 0);
    plan.tiles.push_back(total);
  });
  readTooLarge(fields, plan.tooLarge);
  return finish(fields, std::move(plan));
}

json spikeloom::toJson(const MemoryPlan &plan) {
  json tiles = json::array();
  for (const TileTotal &total : plan.tiles)
    tiles.push_back({{"firstTile", total.firstTile},
                     {"tiles", total.tiles},
                     {"end", total.end},
                     {"liveBytes", total.liveBytes}});
  json result = {
      {"offsets", plan.offsets}, {"peak", plan.peak}, {"lowerBound", plan.lowerBound}, {"tiles", tiles}};
  if (plan.tooLarge)
    result["tooLarge"] = toJson(*plan.tooLarge);
  return result;
}
