// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The file: what goes in comes out, the same bytes every time, and nothing that is damaged or foreign gets
// in.
#include "Toy.h"
#include "spikeloom/Runtime/ManifestJson.h"
#include <cstring>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace spikeloom;
using namespace spikeloom::runtime;

namespace {

const std::vector<float> weights = toy::numbers(toy::units * toy::inputs, 1);

TEST(Manifest, SurvivesJsonAndCbor) {
  for (const Manifest &manifest : {toy::layer(), toy::loop(true)}) {
    const nlohmann::json json = manifestToJson(manifest);
    Result<Manifest> fromJson = manifestFromJson(json);
    ASSERT_TRUE(fromJson) << fromJson.error();
    EXPECT_EQ(manifestToJson(*fromJson), json);
    const std::vector<uint8_t> cbor = manifestToCbor(manifest);
    Result<Manifest> fromCbor = manifestFromCbor(cbor.data(), cbor.size());
    ASSERT_TRUE(fromCbor) << fromCbor.error();
    EXPECT_EQ(manifestToCbor(*fromCbor), cbor);
  }
}

TEST(Manifest, NamesWrongFields) {
  auto message = [](auto change) {
    nlohmann::json json = manifestToJson(toy::layer());
    change(json);
    Result<Manifest> parsed = manifestFromJson(json);
    return parsed ? std::string() : parsed.error();
  };
  EXPECT_EQ(message([](nlohmann::json &j) { j["buffers"][1].erase("pitch"); }),
            "manifest.buffers[1]: field 'pitch' is missing");
  EXPECT_EQ(message([](nlohmann::json &j) { j["buffers"][1]["shape"][0] = "many"; }),
            "manifest.buffers[1].shape[0]: expected an integer, found string");
  EXPECT_EQ(message([](nlohmann::json &j) { j["buffers"][1]["layout"] = "round"; }),
            "manifest.buffers[1].layout: unknown word 'round'");
  EXPECT_EQ(message([](nlohmann::json &j) { j["machine"]["colour"] = 1; }),
            "manifest.machine: has 9 fields, expected 8 (was it written by another version?)");
  EXPECT_EQ(message([](nlohmann::json &j) { j = 3; }), "manifest: expected an object, found number");
}

TEST(LoomFile, ComesBackAndRuns) {
  const Loom loom = toy::layerLoom(weights);
  const Bytes bytes = serializeLoom(loom);
  EXPECT_EQ(serializeLoom(loom), bytes);
  Result<Loom> parsed = parseLoom(bytes, "toy.loom");
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(serializeLoom(*parsed), bytes);
  EXPECT_EQ(parsed->constants, loom.constants);

  // Two at a time: the loader must not take one for the other.
  Result<Session> first = Session::create(*parsed, {}, "toy.loom"),
                  second = Session::create(*parsed, {}, "toy.loom");
  ASSERT_TRUE(first) << first.error();
  ASSERT_TRUE(second) << second.error();
  std::vector<float> x = toy::numbers(toy::steps * toy::batch * toy::inputs, 2);
  ArrayView view{DataType::f32, {toy::steps, toy::batch, toy::inputs}, x.data()};
  ASSERT_TRUE(first->set("x", view));
  ASSERT_TRUE(second->set("x", view));
  ASSERT_TRUE(first->run());
  ASSERT_TRUE(second->run());
  EXPECT_EQ(first->get("g")->bytes, second->get("g")->bytes);
}

TEST(LoomFile, RefusesEveryFlippedByte) {
  const Bytes bytes = serializeLoom(toy::layerLoom(weights));
  // All of the headers and the manifest, and samples of the native code.
  for (size_t i = 0; i < bytes.size(); i += i < 8192 ? 1 : 997) {
    Bytes damaged = bytes;
    damaged[i] ^= uint8_t(1 + i % 255);
    Result<Loom> parsed = parseLoom(damaged, "toy.loom");
    ASSERT_FALSE(parsed) << "byte " << i;
    const std::string &message = parsed.error();
    const bool clear =
        message.find("checksum") != std::string::npos || message.find("magic") != std::string::npos ||
        message.find("version") != std::string::npos || message.find("truncated") != std::string::npos;
    ASSERT_TRUE(clear) << "byte " << i << ": " << message;
  }
}

TEST(LoomFile, RefusesTruncationAndOtherVersions) {
  const Bytes bytes = serializeLoom(toy::layerLoom(weights));
  for (size_t size : {size_t(0), size_t(5), size_t(20), size_t(40), size_t(3000), bytes.size() - 1}) {
    Result<Loom> parsed = parseLoom(Bytes(bytes.begin(), bytes.begin() + size), "toy.loom");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().find("toy.loom is "), 0u) << parsed.error();
  }
  EXPECT_NE(parseLoom(Bytes(bytes.begin(), bytes.begin() + 3000), "toy.loom")
                .error()
                .find("is truncated: 3000 of " + std::to_string(bytes.size()) + " bytes"),
            std::string::npos);
  Bytes other = bytes;
  other[8] = 7;
  EXPECT_EQ(parseLoom(other, "toy.loom").error(),
            "toy.loom has format version 7, this program reads version 1; compile "
            "the model again");
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(parseLoom(longer, "toy.loom"));
}

TEST(LoomFile, RefusesMissingCpuFeatures) {
  Loom loom = toy::layerLoom(weights);
  loom.objects[0].cpu = "x86-64-v9";
  loom.objects[0].features = {"sse2", "tensor-teleport"};
  Result<Session> session = Session::create(loom, {}, "toy.loom");
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error(),
            "toy.loom: this CPU lacks a required feature: the code for x86-64-v9 needs tensor-teleport; "
            "compile the model with --host-cpu=native on this machine");
  // An object that fits is taken, the one with more features first.
  loom.objects.push_back({"x86-64", {"sse2"}, loom.objects[0].code});
  loom.objects.push_back({"x86-64-old", {}, {}});
  Result<size_t> chosen = selectObject(loom, "toy.loom");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(*chosen, 1u);
  loom.objects.clear();
  EXPECT_EQ(selectObject(loom, "toy.loom").error(), "toy.loom: holds no native code");
}

TEST(LoomFile, RefusesCodeThatCannotBeLoaded) {
  Loom loom = toy::layerLoom(weights);
  loom.objects[0].code = {1, 2, 3};
  Result<Session> session = Session::create(loom, {}, "toy.loom");
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().find("toy.loom: the native code cannot be loaded: "), 0u) << session.error();
}

TEST(LoomFile, RefusesInvalidManifests) {
  Loom loom = toy::layerLoom(weights);
  loom.manifest.buffers[1].address = 5000;
  Result<Loom> parsed = parseLoom(serializeLoom(loom), "toy.loom");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error(), "toy.loom: invalid manifest: buffer 1 'w': address is 5000, allowed: 0 to 4096");
}

} // namespace
