// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `snn-run` as people call it: outputs, exit codes and messages.
#include "Toy.h"
#include "spikeloom/Runtime/Npy.h"
#include "spikeloom/Runtime/Safetensors.h"
#include <cstdlib>
#include <gtest/gtest.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

using namespace spikeloom;
using namespace spikeloom::runtime;

namespace {

class RunTool : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/spikeloom-run-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder = name;
    ASSERT_TRUE(writeLoom(folder + "/toy.loom", toy::layerLoom(toy::numbers(toy::units * toy::inputs, 1))));
    std::vector<float> x = toy::numbers(toy::steps * toy::batch * toy::inputs, 2);
    ASSERT_TRUE(
        writeNpy(folder + "/x.npy", {DataType::f32, {toy::steps, toy::batch, toy::inputs}, x.data()}));
  }
  void TearDown() override { ASSERT_EQ(std::system(("rm -r " + folder).c_str()), 0); }

  /// The exit code; both streams end in `text`.
  int run(const std::string &arguments) {
    const std::string command = "cd " + folder + " && " SPIKELOOM_RUN_TOOL " " + arguments + " > text 2>&1";
    const int status = std::system(command.c_str());
    Result<Bytes> bytes = readFile(folder + "/text");
    text = bytes ? std::string(bytes->begin(), bytes->end()) : bytes.error();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  bool says(const std::string &part) const { return text.find(part) != std::string::npos; }
  std::string folder, text;
};

TEST_F(RunTool, WritesTheSameWithBothEngines) {
  ASSERT_EQ(run("toy.loom --input x.npy --output a --profile a.json --threads 2"), 0) << text;
  EXPECT_TRUE(says("run 1: host ")) << text;
  EXPECT_TRUE(says("layer fc1: ")) << text;
  ASSERT_EQ(run("toy.loom --input x=x.npy --output b --profile b.json --engine=strict --repeat 2"), 0)
      << text;
  for (const char *name : {"y", "g", "u_out"}) {
    Result<Array> a = readNpy(folder + "/a/" + name + ".npy"), b = readNpy(folder + "/b/" + name + ".npy");
    ASSERT_TRUE(a) << a.error();
    ASSERT_TRUE(b) << b.error();
    EXPECT_EQ(a->bytes, b->bytes) << name;
  }
  auto profile = [&](const char *name) {
    Result<Bytes> bytes = readFile(folder + name);
    return nlohmann::json::parse(bytes->begin(), bytes->end());
  };
  EXPECT_EQ(profile("/a.json")["cycles"], profile("/b.json")["cycles"]);
  EXPECT_EQ(profile("/a.json")["supersteps"], profile("/b.json")["supersteps"]);
  EXPECT_EQ(profile("/b.json")["host"]["engine"], "strict");
}

TEST_F(RunTool, TakesStatesAndWeights) {
  ASSERT_EQ(run("toy.loom --input x.npy --input u=0.5 --output a --save w"), 0) << text;
  ASSERT_EQ(run("toy.loom --input x.npy --input u=0.5 --weights w --output b"), 0) << text;
  EXPECT_EQ(readNpy(folder + "/a/y.npy")->bytes, readNpy(folder + "/b/y.npy")->bytes);
  Result<Safetensors> weights = readSafetensors(folder + "/w");
  ASSERT_TRUE(weights) << weights.error();
  weights->tensors["fc1.weight"].as<float>()[29] = std::numeric_limits<float>::quiet_NaN();
  ASSERT_TRUE(writeSafetensors(folder + "/nan", *weights));
  EXPECT_EQ(run("toy.loom --input x.npy --weights nan"), 1);
  EXPECT_EQ(text, "snn-run: nan: parameter 'fc1.weight': element [9, 2] is nan, all values must be finite\n");
  weights->tensors.clear();
  ASSERT_TRUE(writeSafetensors(folder + "/none", *weights));
  EXPECT_EQ(run("toy.loom --input x.npy --weights none"), 1);
  EXPECT_EQ(text, "snn-run: none: has no tensor 'fc1.weight' for parameter 'fc1.weight'\n");
}

TEST_F(RunTool, SaysWhatIsWrongWithTheInput) {
  EXPECT_EQ(run("toy.loom"), 1);
  EXPECT_EQ(text, "snn-run: input 'x' of shape [5, 2, 3] is missing: --input x=FILE.npy\n");
  EXPECT_EQ(run("toy.loom --input z=x.npy"), 1);
  EXPECT_EQ(text, "snn-run: --input z=x.npy: the program has no input or state 'z', only 'x', 'u'\n");
  EXPECT_EQ(run("toy.loom --input u=x.npy"), 1);
  EXPECT_EQ(text, "snn-run: x.npy: state 'u': expected shape [2, 10], found [5, 2, 3]\n");
  EXPECT_EQ(run("toy.loom --input x.npy --labels x.npy"), 1);
  EXPECT_TRUE(says("labels were given, but the program takes none")) << text;
  EXPECT_EQ(run("toy.loom --input toy.loom"), 1);
  EXPECT_TRUE(says("toy.loom: not a .npy file")) << text;
  EXPECT_EQ(run("x.npy --input x.npy"), 1);
  EXPECT_EQ(text, "snn-run: x.npy is not a .loom file (wrong magic)\n");
  EXPECT_EQ(run("toy.loom --input x.npy --output no/such"), 1);
  EXPECT_TRUE(says("no/such: cannot create the folder: No such file or directory")) << text;
  EXPECT_EQ(run("toy.loom --input x.npy --profile /dev/full"), 1);
  EXPECT_TRUE(says("/dev/full: cannot write: No space left on device")) << text;
}

TEST_F(RunTool, SaysWhatIsWrongWithItsUse) {
  EXPECT_EQ(run(""), 2);
  EXPECT_TRUE(says("no program given")) << text;
  EXPECT_EQ(run("a.loom b.loom"), 2);
  EXPECT_EQ(run("toy.loom --engine=estimate"), 2);
  EXPECT_TRUE(says("--engine=estimate is not available, only fast and strict")) << text;
  EXPECT_EQ(run("toy.loom --threads=0"), 2);
  EXPECT_EQ(run("toy.loom --repeat=two"), 2);
  EXPECT_EQ(run("toy.loom --no-such-option"), 2);
  EXPECT_EQ(run("--help"), 0);
  EXPECT_TRUE(says("usage: snn-run")) << text;
  EXPECT_EQ(run("toy.loom --list"), 0);
  EXPECT_TRUE(says("parameter    fc1.weight [10, 3]")) << text;
}

} // namespace
