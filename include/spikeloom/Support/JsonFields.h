// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads a JSON object field by field so that every mistake of the writer is named: missing, of the wrong
// type, out of range, or unknown. The first mistake wins; later reads do nothing.
#ifndef SPIKELOOM_SUPPORT_JSONFIELDS_H
#define SPIKELOOM_SUPPORT_JSONFIELDS_H

#include "spikeloom/Support/Result.h"
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace spikeloom {

/// Parses a text without exceptions; `where` (usually a file name) begins the message.
inline Result<nlohmann::json> parseJson(const std::string &text, const std::string &where) {
  // The parser's own message holds line and column; the library only offers it as an exception.
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception &problem) {
    return Error{where + ": not valid JSON: " + problem.what()};
  }
}

class JsonFields {
public:
  /// `where` names the object in messages, for example "machine.json: exchange".
  JsonFields(const nlohmann::json &object, std::string where) : object(object), where(std::move(where)) {
    if (!object.is_object())
      fail("expected an object, found " + describe(object));
  }

  bool has(const std::string &name) const { return object.is_object() && object.contains(name); }

  /// Required and optional numbers: `minimum` and `maximum` are inclusive.
  void integer(const std::string &name, int64_t &out, int64_t minimum,
               int64_t maximum = std::numeric_limits<int64_t>::max(), bool required = true) {
    const nlohmann::json *value = find(name, required);
    if (!value)
      return;
    bool tooLarge =
        value->is_number_unsigned() && value->get<uint64_t>() > uint64_t(std::numeric_limits<int64_t>::max());
    if (!value->is_number_integer() || tooLarge)
      return fail("field '" + name + "' must be an integer, found " + describe(*value));
    int64_t number = value->get<int64_t>();
    if (number < minimum || number > maximum)
      return fail("field '" + name + "' is " + std::to_string(number) + ", allowed: " +
                  (maximum == std::numeric_limits<int64_t>::max()
                       ? "at least " + std::to_string(minimum)
                       : std::to_string(minimum) + " to " + std::to_string(maximum)));
    out = number;
  }

  void number(const std::string &name, double &out, double minimum, bool required = true,
              bool exclusive = false) {
    const nlohmann::json *value = find(name, required);
    if (!value)
      return;
    if (!value->is_number())
      return fail("field '" + name + "' must be a number, found " + describe(*value));
    double found = value->get<double>();
    // Written so that a number that is not finite fails too.
    if (!(exclusive ? found > minimum : found >= minimum) || found > std::numeric_limits<double>::max())
      return fail("field '" + name + "' is " + value->dump() +
                  ", allowed: " + (exclusive ? "more than " : "at least ") + nlohmann::json(minimum).dump());
    out = found;
  }

  void boolean(const std::string &name, bool &out, bool required = true) {
    const nlohmann::json *value = find(name, required);
    if (!value)
      return;
    if (!value->is_boolean())
      return fail("field '" + name + "' must be true or false, found " + describe(*value));
    out = value->get<bool>();
  }

  void string(const std::string &name, std::string &out, bool required = true) {
    const nlohmann::json *value = find(name, required);
    if (!value)
      return;
    if (!value->is_string())
      return fail("field '" + name + "' must be a string, found " + describe(*value));
    out = value->get<std::string>();
  }

  /// A string out of a list of words; `out` becomes its position.
  template <typename Enum>
  void word(const std::string &name, Enum &out, const std::vector<std::string> &words, bool required = true) {
    std::string text;
    string(name, text, required);
    if (failed || text.empty())
      return;
    for (size_t i = 0; i < words.size(); ++i)
      if (words[i] == text) {
        out = Enum(i);
        return;
      }
    fail("field '" + name + "' is '" + text + "', allowed: " + join(words));
  }

  void integers(const std::string &name, std::vector<int64_t> &out, int64_t minimum, bool required = true) {
    const nlohmann::json *value = array(name, required);
    if (!value)
      return;
    for (const nlohmann::json &element : *value) {
      if (!element.is_number_integer() || element.get<int64_t>() < minimum)
        return fail("field '" + name + "' must hold integers of at least " + std::to_string(minimum) +
                    ", found " + describe(element));
      out.push_back(element.get<int64_t>());
    }
  }

  void strings(const std::string &name, std::vector<std::string> &out, bool required = true) {
    const nlohmann::json *value = array(name, required);
    if (!value)
      return;
    for (const nlohmann::json &element : *value) {
      if (!element.is_string())
        return fail("field '" + name + "' must hold strings, found " + describe(element));
      out.push_back(element.get<std::string>());
    }
  }

  /// An array of objects; `read` gets the fields of each.
  template <typename Read> void objects(const std::string &name, Read read, bool required = true) {
    const nlohmann::json *value = array(name, required);
    if (!value)
      return;
    for (size_t i = 0; i < value->size() && !failed; ++i) {
      JsonFields fields((*value)[i], where + ": " + name + "[" + std::to_string(i) + "]");
      read(fields);
      take(fields);
    }
  }

  /// One nested object.
  template <typename Read> void nested(const std::string &name, Read read, bool required = true) {
    const nlohmann::json *value = find(name, required);
    if (!value)
      return;
    JsonFields fields(*value, where + ": " + name);
    read(fields);
    take(fields);
  }

  void fail(const std::string &message) {
    if (!failed)
      failed = where + ": " + message;
  }

  /// Call last: reports fields that nobody asked for, else the first mistake, else nothing.
  std::optional<std::string> finish() {
    if (failed || !object.is_object())
      return failed;
    for (const auto &item : object.items()) {
      bool known = false;
      for (const std::string &name : asked)
        known |= name == item.key();
      if (!known) {
        fail("unknown field '" + item.key() + "' (value " + item.value().dump() +
             "), allowed: " + join(asked));
        break;
      }
    }
    return failed;
  }

private:
  static std::string describe(const nlohmann::json &value) {
    std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (text.size() > 60)
      text = text.substr(0, 57) + "...";
    return std::string(value.type_name()) + " " + text;
  }

  static std::string join(const std::vector<std::string> &words) {
    std::string text;
    for (const std::string &word : words)
      text += (text.empty() ? "" : ", ") + word;
    return text;
  }

  void take(JsonFields &fields) {
    std::optional<std::string> problem = fields.finish();
    if (problem && !failed)
      failed = problem;
  }

  const nlohmann::json *find(const std::string &name, bool required) {
    asked.push_back(name);
    if (failed)
      return nullptr;
    auto it = object.find(name);
    if (it != object.end())
      return &*it;
    if (required)
      fail("field '" + name + "' is missing");
    return nullptr;
  }

  const nlohmann::json *array(const std::string &name, bool required) {
    const nlohmann::json *value = find(name, required);
    if (value && !value->is_array()) {
      fail("field '" + name + "' must be an array, found " + describe(*value));
      return nullptr;
    }
    return value;
  }

  const nlohmann::json &object;
  std::string where;
  std::vector<std::string> asked;
  std::optional<std::string> failed;
};

} // namespace spikeloom
#endif
