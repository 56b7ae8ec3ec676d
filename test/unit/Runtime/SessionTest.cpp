// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What sessions do around a run: labels, hyper-parameters, counters, checkpoints, and messages about arrays.
#include "Toy.h"
#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <limits>

using namespace spikeloom;
using namespace spikeloom::runtime;
using toy::units;

namespace {

Result<Session> open(Manifest manifest, Engine engine = Engine::fast,
                     std::map<std::string, void *> symbols = toy::symbols()) {
  SessionOptions options;
  options.engine = engine;
  options.threads = 2;
  const Bytes constants = toy::bytesOf(toy::numbers(units * toy::inputs, 1));
  return Session::create(std::move(manifest), constants, toy::lookup(std::move(symbols)), options);
}

float first(const Session &session, Role role, const char *name) {
  Result<Array> array = session.get(*session.port(role, name));
  return array ? *array->as<float>() : std::numeric_limits<float>::quiet_NaN();
}

TEST(Training, StepsWithBothEngines) {
  for (Engine engine : {Engine::fast, Engine::strict}) {
    Result<Session> session = open(toy::training(), engine);
    ASSERT_TRUE(session) << session.error();
    const int64_t labels[] = {3, 1};
    ASSERT_TRUE(session->setLabels({DataType::i64, {2}, labels}, 2));
    float w = 0, m = 0;
    for (int t = 1; t <= 3; ++t) {
      Status done = session->run();
      ASSERT_TRUE(done) << done.error();
      const float rate = float(0.125 / (1 - std::pow(0.5, t))),
                  scale = float(1 / std::sqrt(1 - std::pow(0.75, t)));
      m = scale * m + 2.0f;
      w -= rate * m;
      EXPECT_EQ(session->step(), t);
      EXPECT_EQ(first(*session, Role::loss, "loss"), 2.0f);
      EXPECT_EQ(first(*session, Role::optimizer, "w"), m);
      EXPECT_EQ(first(*session, Role::parameter, "w"), w);
    }
  }
}

TEST(Training, PadsShortBatches) {
  Result<Session> session = open(toy::training());
  ASSERT_TRUE(session) << session.error();
  const int32_t label = 3;
  ASSERT_TRUE(session->setLabels({DataType::i32, {1}, &label}, 1));
  ASSERT_TRUE(session->run());
  EXPECT_EQ(first(*session, Role::loss, "loss"), 3.0f);
  Result<Array> weights = session->get("weights");
  EXPECT_EQ(weights->as<float>()[0], 1.0f);
  EXPECT_EQ(weights->as<float>()[1], 0.0f);
}

TEST(Training, RefusesWrongLabels) {
  Result<Session> session = open(toy::training());
  ASSERT_TRUE(session) << session.error();
  const int32_t labels[] = {3, 4, 0};
  EXPECT_EQ(session->setLabels({DataType::i32, {2}, labels}, 2).error(),
            "labels 'labels': element [1] is 4, allowed: 0 to 3");
  EXPECT_EQ(session->setLabels({DataType::i32, {3}, labels}, 3).error(),
            "labels 'labels': expected 1 to 2 labels, found shape [3]");
  const float wrong[] = {0, 1};
  EXPECT_EQ(session->setLabels({DataType::f32, {2}, wrong}, 2).error(),
            "labels 'labels': element type float32, allowed: uint8, int32, int64");
}

TEST(Training, ContinuesFromCheckpoints) {
  char path[] = "/tmp/spikeloom-checkpoint-XXXXXX";
  ASSERT_GE(mkstemp(path), 0);
  const int32_t labels[] = {2, 1};
  auto prepared = [&] {
    Result<Session> session = open(toy::training());
    EXPECT_TRUE(session);
    EXPECT_TRUE(session->setLabels({DataType::i32, {2}, labels}, 2));
    return session;
  };
  Result<Session> straight = prepared(), before = prepared(), after = prepared();
  before->setLearningRate(0.25);
  straight->setLearningRate(0.25);
  for (int i = 0; i < 4; ++i)
    ASSERT_TRUE(straight->run());
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(before->run());
  ASSERT_TRUE(before->saveCheckpoint(path));
  Status loaded = after->loadCheckpoint(path);
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(after->step(), 2);
  EXPECT_EQ(after->learningRate(), 0.25);
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(after->run());
  EXPECT_EQ(after->get("w")->bytes, straight->get("w")->bytes);

  ASSERT_TRUE(before->saveWeights(path));
  EXPECT_EQ(after->loadCheckpoint(path).error(), std::string(path) +
                                                     ": is not a checkpoint (no step and learning rate in "
                                                     "its metadata); for plain weights use --weights");
  Result<std::vector<std::string>> unused = after->loadWeights(path);
  ASSERT_TRUE(unused);
  EXPECT_TRUE(unused->empty());
  EXPECT_EQ(after->saveGradients(path).error(), std::string(path) +
                                                    ": the program has no gradients to save: compile it "
                                                    "with --train");
  std::remove(path);
}

TEST(Session, NamesWhatIsWrongWithArrays) {
  const std::vector<float> weights = toy::numbers(units * toy::inputs, 1);
  const std::vector<float> &input = weights; // long enough to be refused
  Result<Session> session = open(toy::layer());
  ASSERT_TRUE(session);
  EXPECT_EQ(session->set("x", {DataType::f32, {5, 2, 4}, input.data()}).error(),
            "input 'x': expected shape [5, 2, 3], found [5, 2, 4]");
  EXPECT_EQ(
      session->set("x", {DataType::i64, {5, 2, 3}, input.data()}).error(),
      "input 'x': element type int64, allowed: float32, uint8, bool (convert with x.astype(np.float32))");
  EXPECT_NE(session->set("z", {DataType::f32, {1}, input.data()})
                .error()
                .find("the program has no 'z'; it has input 'x'"),
            std::string::npos);
  std::vector<float> broken = weights;
  broken[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(session->set("fc1.weight", {DataType::f32, {units, toy::inputs}, broken.data()}).error(),
            "parameter 'fc1.weight': element [1, 1] is nan, all values must be finite");
  int64_t label = 3;
  EXPECT_NE(session->setLabels({DataType::i64, {1}, &label}, 1).error().find("the program takes none"),
            std::string::npos);
}

TEST(Session, NamesMissingSymbols) {
  std::map<std::string, void *> symbols = toy::symbols();
  symbols.erase("count_host");
  Result<Session> session = open(toy::layer(), Engine::fast, symbols);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error(), "codelet 'count': the native code has no symbol 'count_host'");
}

} // namespace
