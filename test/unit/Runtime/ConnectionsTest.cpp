// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sparse weights in a session: arrays of people and values at connections, and manifests that lie about them.
#include "Toy.h"
#include "spikeloom/Runtime/ManifestJson.h"
#include "spikeloom/Runtime/Validate.h"
#include <cstring>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace spikeloom;
using namespace spikeloom::runtime;
using toy::inputs, toy::units;

namespace {

constexpr int64_t width = 20, places = inputs * units, port = 1, weights = 1, connections = 7;

/// The toy's layer with `inputs` connections a unit into a row of `width` inputs.
Manifest sparse() {
  Manifest m = toy::layer();
  Buffer b = m.buffers[weights];
  b.name = "w.connections";
  b.type = ElementType::i16;
  b.address = 32;
  b.content = places * 4;
  m.buffers.push_back(b);
  m.ports[port].shape = {units, width};
  m.ports[port].transposed = false;
  m.ports[port].connections = connections;
  return m;
}

/// Unit o is connected to inputs o and o + 4, and the even ones to o + 10, too.
uint16_t inputOf(int64_t j, int64_t o) {
  return j < 2 ? uint16_t(o + 4 * j) : o % 2 == 0 ? uint16_t(o + 10) : noConnection;
}

Bytes constants() {
  Bytes bytes = toy::bytesOf(toy::numbers(places, 1));
  for (int64_t j = 0; j < inputs; ++j)
    for (int64_t o = 0; o < units; ++o) {
      const uint16_t input = inputOf(j, o);
      bytes.push_back(uint8_t(input));
      bytes.push_back(uint8_t(input >> 8));
    }
  return bytes;
}

Result<Session> open(const Bytes &content) {
  return Session::create(sparse(), content, toy::lookup(toy::symbols()), {});
}

TEST(Connections, AreZeroElsewhere) {
  Result<Session> session = open(constants());
  ASSERT_TRUE(session) << session.error();
  const std::vector<float> values = toy::numbers(places, 1);
  std::vector<float> dense(size_t(units * width), 0.0f), mask(dense);
  for (int64_t k = 0; k < places; ++k)
    if (const uint16_t input = inputOf(k / units, k % units); input != noConnection) {
      dense[size_t(k % units * width + input)] = values[size_t(k)];
      mask[size_t(k % units * width + input)] = 1.0f;
    }
  EXPECT_EQ(session->get("fc1.weight")->bytes, toy::bytesOf(dense));
  EXPECT_EQ(session->mask(*session->port("fc1.weight"))->bytes, toy::bytesOf(mask));
  for (float &value : dense)
    value *= 2;
  ASSERT_TRUE(session->set("fc1.weight", {DataType::f32, {units, width}, dense.data()}));
  EXPECT_EQ(session->get("fc1.weight")->bytes, toy::bytesOf(dense));
  dense[width + 2] = 0.5f;
  EXPECT_EQ(
      session->set("fc1.weight", {DataType::f32, {units, width}, dense.data()}).error(),
      "parameter 'fc1.weight': element [1, 2] is 0.500000, but the program has no connection there: which "
      "weights there are was fixed when it was compiled (compile the model with these weights, or keep its "
      "weights dense)");
}

TEST(Connections, NameInputsThatThereAre) {
  auto message = [](int64_t place, uint16_t input) {
    Bytes content = constants();
    std::memcpy(&content[size_t(places * 4 + place * 2)], &input, 2);
    Result<Session> session = open(content);
    return session ? "" : session.error();
  };
  const std::string prefix = "invalid manifest: port 'fc1.weight': connection ";
  const std::string suffix = "; inputs must ascend and lie below 20";
  EXPECT_EQ(message(0, 4), prefix + "1 of output 0 is input 4" + suffix);
  EXPECT_EQ(message(0, noConnection), prefix + "1 of output 0 is input 4" + suffix);
  EXPECT_EQ(message(2 * units, 20), prefix + "2 of output 0 is input 20" + suffix);
}

template <typename F> std::string refusal(F change) {
  Manifest manifest = sparse();
  change(manifest);
  Status valid = validate(manifest, constants().size());
  return valid ? "" : valid.error();
}

TEST(Connections, FitTheirPorts) {
  const std::string inPort = "invalid manifest: port 1 'fc1.weight': ";
  const std::string inBuffer = "invalid manifest: buffer 7 'w.connections': ";
  EXPECT_EQ(refusal([](Manifest &) {}), "");
  EXPECT_EQ(refusal([](Manifest &m) { m.ports[port].connections = 8; }),
            inPort + "connections is 8, but there are only 8 buffers");
  EXPECT_EQ(refusal([](Manifest &m) { m.ports[port].connections = weights; }),
            inPort + "connections are a 16-bit buffer with content, 'w' is not");
  EXPECT_EQ(refusal([](Manifest &m) { m.ports[port].shape = {units, 65536}; }),
            inPort + "shape [10, 65536] with connections must be [10, in] with in at most 65535");
  EXPECT_EQ(refusal([](Manifest &m) { m.ports[port].shape = {units + 1, width}; }),
            inPort + "shape [11, 20] with connections must be [10, in] with in at most 65535");
  EXPECT_EQ(refusal([](Manifest &m) { m.ports[port].buffer = connections; }),
            inPort + "its buffer has content, which nobody may write");
  EXPECT_EQ(refusal([](Manifest &m) { m.buffers[connections].content = 124; }),
            inBuffer + "its content, 60 bytes at 124, is outside the 180 bytes of constants");
  EXPECT_EQ(refusal([](Manifest &m) { m.buffers[connections].persistent = false; }),
            inBuffer +
                "has content, so it must be at home on its family ('own'), persistent, not cleared and "
                "without steps");
  EXPECT_EQ(refusal([](Manifest &m) { m.ports[port].buffer = 3, m.ports[port].constant = -1; }),
            inPort + "buffer 'y' must be f32 with the shape of its connections, [3, 10], found [5, 2, 10]");
  EXPECT_EQ(refusal([](Manifest &m) {
              Argument written = m.phases[0].stages[0].arguments[1];
              written.buffer = connections;
              written.access = spikeloom::runtime::Access::update;
              m.phases[0].stages[0].arguments.push_back(written);
            }),
            "invalid manifest: stage 'forward' writes buffer 'w.connections', whose content stays");
}

/// Whatever a number is changed to, there is a message or a session: no crash.
TEST(Connections, SurviveAnyNumber) {
  const nlohmann::json json = manifestToJson(sparse());
  const Bytes content = constants();
  size_t refused = 0, changes = 0;
  for (const char *path : {"/ports/1", "/buffers/1", "/buffers/7"})
    for (const auto &[name, old] : json[nlohmann::json::json_pointer(path)].items())
      for (int64_t value : {int64_t(-2), int64_t(0), int64_t(3), int64_t(1) << 31, int64_t(INT64_MAX)}) {
        if (!old.is_number_integer())
          continue;
        nlohmann::json changed = json;
        changed[nlohmann::json::json_pointer(path)][name] = value;
        Result<Manifest> manifest = manifestFromJson(changed);
        ASSERT_TRUE(manifest) << manifest.error();
        ++changes;
        refused += !Session::create(std::move(*manifest), content, toy::lookup(toy::symbols()), {});
      }
  EXPECT_GT(changes, 50u);
  EXPECT_GT(refused, changes / 2);
}

} // namespace
