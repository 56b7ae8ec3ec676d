// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One list of fields per struct serves both directions, so that writer and reader cannot drift apart.
#include "spikeloom/Runtime/ManifestJson.h"
#include <nlohmann/json.hpp>
#include <type_traits>

using nlohmann::json;

namespace spikeloom::runtime {
namespace {

template <typename V> void fields(V &v, Family &x) {
  v("name", x.name), v("first_tile", x.firstTile), v("tiles", x.tiles);
  v("units", x.units), v("per_tile", x.perTile), v("group", x.group);
}
template <typename V> void fields(V &v, Slice &x) {
  v("divisor", x.divisor), v("outer", x.outer), v("inner", x.inner), v("extents", x.extents);
}
template <typename V> void fields(V &v, Buffer &x) {
  v("name", x.name), v("type", x.type), v("shape", x.shape), v("steps", x.steps), v("home", x.home);
  v("family", x.family), v("layout", x.layout), v("pitch", x.pitch), v("spare", x.spare), v("slice", x.slice);
  v("clear", x.clear), v("fill", x.fill), v("persistent", x.persistent), v("address", x.address);
  v("window", x.window), v("content", x.content);
}
template <typename V> void fields(V &v, Advance &x) { v("loop", x.loop), v("rows", x.rows); }
template <typename V> void fields(V &v, Loop &x) {
  v("name", x.name), v("first", x.first), v("phases", x.phases), v("trips", x.trips), v("clear", x.clear);
  v("sums", x.sums);
}
template <typename V> void fields(V &v, Argument &x) {
  v("buffer", x.buffer), v("view", x.view), v("access", x.access), v("steps", x.steps), v("shift", x.shift);
  v("advances", x.advances);
  v("slice", x.slice), v("address", x.address), v("decides_cycles", x.decidesCycles);
}
template <typename V> void fields(V &v, Codelet &x) {
  v("name", x.name), v("host", x.host), v("cycles", x.cycles), v("strict", x.strict);
  v("cycles_uniform", x.cyclesUniform), v("cycles_static", x.cyclesStatic);
}
template <typename V> void fields(V &v, Stage &x) {
  v("name", x.name), v("layer", x.layer), v("kind", x.kind), v("codelet", x.codelet), v("family", x.family);
  v("arguments", x.arguments), v("offset", x.offset), v("exchange_bytes_per_tile", x.exchangeBytesPerTile);
  v("exchange_cycles", x.exchangeCycles), v("group_sum", x.groupSum);
}
template <typename V> void fields(V &v, Phase::HostSet &x) {
  v("stages", x.stages), v("feedback", x.feedback);
}
template <typename V> void fields(V &v, Phase &x) {
  v("name", x.name), v("steps", x.steps), v("reverse", x.reverse), v("chunk", x.chunk);
  v("interval", x.interval), v("stages", x.stages), v("host_order", x.hostOrder);
}
template <typename V> void fields(V &v, Port &x) {
  v("name", x.name), v("role", x.role), v("buffer", x.buffer), v("shape", x.shape);
  v("transposed", x.transposed), v("trainable", x.trainable), v("initial", x.initial), v("pair", x.pair),
      v("axes", x.axes);
  v("constant", x.constant), v("classes", x.classes), v("connections", x.connections);
}
template <typename V> void fields(V &v, EventLayer &x) {
  v("name", x.name), v("units", x.units), v("capacity", x.capacity), v("info", x.info);
}
template <typename V> void fields(V &v, Optimizer &x) {
  v("kind", x.kind), v("learning_rate", x.learningRate), v("beta1", x.beta1), v("beta2", x.beta2);
  v("momentum", x.momentum), v("weight_decay", x.weightDecay);
}
template <typename V> void fields(V &v, MachineInfo &x) {
  v("name", x.name), v("chips", x.chips), v("tiles", x.tiles), v("tile_memory_bytes", x.tileMemoryBytes);
  v("clock_hz", x.clockHz), v("sync_cycles", x.syncCycles), v("compute_launch_cycles", x.computeLaunchCycles);
  v("host_bytes_per_second", x.hostBytesPerSecond);
}
template <typename V> void fields(V &v, Location &x) { v("text", x.text); }
template <typename V> void fields(V &v, Manifest &x) {
  v("program", x.program), v("machine", x.machine), v("batch", x.batch), v("steps", x.steps);
  v("families", x.families), v("buffers", x.buffers), v("codelets", x.codelets), v("phases", x.phases);
  v("loops", x.loops), v("ports", x.ports), v("events", x.events), v("locations", x.locations),
      v("optimizer", x.optimizer);
  v("tiles_used", x.tilesUsed), v("tile_memory_max", x.tileMemoryMax);
  v("tile_memory_mean", x.tileMemoryMean);
}

using Words = std::vector<const char *>;
const Words &words(ElementType) {
  static const Words list{"f32", "i16", "i32"};
  return list;
}
const Words &words(Home) {
  static const Words list{"host", "own", "slice"};
  return list;
}
const Words &words(Layout) {
  static const Words list{"blocked", "rows"};
  return list;
}
const Words &words(Access) {
  static const Words list{"read", "write", "update"};
  return list;
}
const Words &words(View) {
  static const Words list{"own", "broadcast", "slice", "partials"};
  return list;
}
const Words &words(Role) {
  static const Words list{"input", "output", "parameter", "state", "gradient", "optimizer",
                          "label", "weight", "hyper",     "loss",  "correct",  "random"};
  return list;
}

struct Writer {
  json object = json::object();

  template <typename T> void operator()(const char *name, T &value) { object[name] = write(value); }

  template <typename T> static json write(T &value) {
    if constexpr (std::is_enum_v<T>) {
      return words(value)[size_t(value)];
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return value;
    } else {
      Writer writer;
      fields(writer, value);
      return std::move(writer.object);
    }
  }
  template <typename T> static json write(std::vector<T> &values) {
    json array = json::array();
    for (T &value : values)
      array.push_back(write(value));
    return array;
  }
  template <typename T> static json write(std::optional<T> &value) { return value ? write(*value) : json(); }
};

/// The first mistake wins; later reads do nothing.
class Reader {
public:
  Reader(const json &object, std::string where, std::string &problem)
      : object(object), where(std::move(where)), problem(problem) {
    if (!object.is_object())
      fail(this->where, "an object", object);
  }

  template <typename T> void operator()(const char *name, T &value) {
    ++asked;
    if (!problem.empty())
      return;
    auto it = object.find(name);
    if (it == object.end()) {
      problem = where + ": field '" + name + "' is missing";
      return;
    }
    read(*it, where + "." + name, value);
  }

  void finish() {
    if (problem.empty() && object.size() != asked)
      problem = where + ": has " + std::to_string(object.size()) + " fields, expected " +
                std::to_string(asked) + " (was it written by another version?)";
  }

private:
  void fail(const std::string &at, const char *expected, const json &found) {
    if (problem.empty())
      problem = at + ": expected " + expected + ", found " + found.type_name();
  }

  template <typename T> void read(const json &from, const std::string &at, T &value) {
    if constexpr (std::is_same_v<T, bool>) {
      from.is_boolean() ? void(value = from.get<bool>()) : fail(at, "true or false", from);
    } else if constexpr (std::is_enum_v<T>) {
      readEnum(from, at, value);
    } else if constexpr (std::is_integral_v<T>) {
      from.is_number_integer() ? void(value = from.get<T>()) : fail(at, "an integer", from);
    } else if constexpr (std::is_floating_point_v<T>) {
      from.is_number() ? void(value = from.get<T>()) : fail(at, "a number", from);
    } else if constexpr (std::is_same_v<T, std::string>) {
      from.is_string() ? void(value = from.get<std::string>()) : fail(at, "a text", from);
    } else {
      Reader nested(from, at, problem);
      if (problem.empty())
        fields(nested, value);
      nested.finish();
    }
  }

  template <typename T> void readEnum(const json &from, const std::string &at, T &value) {
    if (!from.is_string())
      return fail(at, "a word", from);
    const std::string text = from.get<std::string>();
    const Words &list = words(value);
    for (size_t i = 0; i < list.size(); ++i)
      if (text == list[i]) {
        value = T(i);
        return;
      }
    problem = at + ": unknown word '" + text + "'";
  }

  template <typename T> void read(const json &from, const std::string &at, std::vector<T> &values) {
    if (!from.is_array())
      return fail(at, "an array", from);
    values.resize(from.size());
    for (size_t i = 0; i < values.size() && problem.empty(); ++i)
      read(from[i], at + "[" + std::to_string(i) + "]", values[i]);
  }

  template <typename T> void read(const json &from, const std::string &at, std::optional<T> &value) {
    if (from.is_null())
      value.reset();
    else
      read(from, at, value.emplace());
  }

  const json &object;
  std::string where;
  std::string &problem;
  size_t asked = 0;
};

} // namespace

json manifestToJson(const Manifest &manifest) {
  Manifest copy = manifest; // the field lists serve readers too, so they take a mutable struct
  return Writer::write(copy);
}

std::vector<uint8_t> manifestToCbor(const Manifest &manifest) {
  return json::to_cbor(manifestToJson(manifest));
}

Result<Manifest> manifestFromJson(const json &json) {
  Manifest manifest;
  std::string problem;
  Reader reader(json, "manifest", problem);
  fields(reader, manifest);
  reader.finish();
  if (!problem.empty())
    return Error{problem};
  return manifest;
}

Result<Manifest> manifestFromCbor(const uint8_t *data, size_t size) {
  json parsed = json::from_cbor(data, data + size, /*strict=*/true, /*allow_exceptions=*/false);
  if (parsed.is_discarded())
    return Error{"manifest: not valid CBOR"};
  return manifestFromJson(parsed);
}

} // namespace spikeloom::runtime
