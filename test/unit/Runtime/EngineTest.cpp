// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Both engines against plain loops, and against each other: bits, cycles, threads, and what strict refuses.
#include "Toy.h"
#include "spikeloom/Runtime/Profile.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace spikeloom;
using namespace spikeloom::runtime;
using toy::batch;
using toy::bytesOf;
using toy::inputs;
using toy::numbers;
using toy::steps;
using toy::units;

namespace {

Result<Session> open(Manifest manifest, Engine engine, int threads, const Bytes &constants = {},
                     std::map<std::string, void *> symbols = toy::symbols()) {
  SessionOptions options;
  options.engine = engine;
  options.threads = threads;
  return Session::create(std::move(manifest), constants, toy::lookup(std::move(symbols)), options, "test");
}

struct Setting {
  Engine engine;
  int threads;
};
class Engines : public testing::TestWithParam<Setting> {};

const std::vector<float> weights = numbers(units * inputs, 1); // [units][inputs]
const std::vector<float> input = numbers(steps * batch * inputs, 2);

struct Expected {
  std::vector<float> y, g, u;
  int64_t positive = 0;
};

/// The program by plain loops, summed in the order that the tiles state.
Expected expected(const std::vector<float> &start) {
  Expected e;
  e.u = start;
  e.g.assign(steps * batch * inputs, 0);
  for (int64_t t = 0; t < steps; ++t)
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t n = 0; n < units; ++n) {
        float sum = 0.5f * e.u[b * units + n];
        for (int64_t i = 0; i < inputs; ++i)
          sum += input[(t * batch + b) * inputs + i] * weights[n * inputs + i];
        e.u[b * units + n] = sum;
        e.y.push_back(sum);
        e.positive += sum > 0;
      }
      for (int64_t i = 0; i < inputs; ++i) {
        float total = 0;
        for (int64_t group = 0; group < 2; ++group) {
          float lane[4] = {};
          for (int64_t c = 0; c < 2; ++c)
            for (int64_t l = 0; l < 4; ++l)
              if (int64_t n = group * 8 + c * 4 + l; n < units)
                lane[l] += e.y[(t * batch + b) * units + n] * weights[n * inputs + i];
          float sum = (lane[0] + lane[2]) + (lane[1] + lane[3]);
          total = group == 0 ? sum : total + sum;
        }
        e.g[(t * batch + b) * inputs + i] = total;
      }
    }
  return e;
}

void expectEqual(const Session &session, const char *name, const std::vector<float> &wanted) {
  Result<Array> found = session.get(name);
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found->bytes.size(), wanted.size() * 4) << name;
  for (size_t i = 0; i < wanted.size(); ++i)
    ASSERT_EQ(found->as<float>()[i], wanted[i]) << name << ", element " << i;
}

TEST_P(Engines, LayerEqualsPlainLoops) {
  Result<Session> session = open(toy::layer(), GetParam().engine, GetParam().threads, bytesOf(weights));
  ASSERT_TRUE(session) << session.error();
  ASSERT_TRUE(session->set("x", {DataType::f32, {steps, batch, inputs}, input.data()}));
  for (int repeat = 0; repeat < 2; ++repeat) { // the state starts anew every time
    Status done = session->run();
    ASSERT_TRUE(done) << done.error();
    Expected e = expected(std::vector<float>(batch * units, 0));
    expectEqual(*session, "y", e.y);
    expectEqual(*session, "g", e.g);
    expectEqual(*session, "u_out", e.u);
    expectEqual(*session, "fc1.weight", weights);
    ASSERT_EQ(session->events().size(), 1u);
    EXPECT_EQ(session->events()[0].fired, e.positive);
    EXPECT_GT(session->events()[0].dropped(), 0);
  }
  std::vector<float> start = numbers(batch * units, 3);
  ASSERT_TRUE(session->set("u", {DataType::f32, {batch, units}, start.data()}));
  for (int repeat = 0; repeat < 2; ++repeat) {
    ASSERT_TRUE(session->run());
    expectEqual(*session, "y", expected(start).y);
  }
}

TEST_P(Engines, LoopEqualsPlainLoops) {
  for (bool reverse : {false, true}) {
    Result<Session> session = open(toy::loop(reverse), GetParam().engine, GetParam().threads);
    ASSERT_TRUE(session) << session.error();
    std::vector<float> x = numbers(steps * units, 4), y((steps + 1) * units, 1.0f);
    ASSERT_TRUE(session->set("x", {DataType::f32, {steps, units}, x.data()}));
    Status done = session->run();
    ASSERT_TRUE(done) << done.error();
    for (int64_t i = 0; i < steps; ++i) {
      int64_t t = reverse ? steps - 1 - i : i, from = reverse ? t + 1 : t, to = reverse ? t : t + 1;
      float sum = 0;
      for (int64_t n = 0; n < units; ++n)
        sum += y[from * units + n];
      for (int64_t n = 0; n < units; ++n)
        y[to * units + n] = x[t * units + n] + 0.25f * sum;
    }
    expectEqual(*session, "y", y);
  }
}

TEST_P(Engines, CountTheSameCycles) {
  Result<Session> session = open(toy::layer(), GetParam().engine, GetParam().threads, bytesOf(weights));
  ASSERT_TRUE(session) << session.error();
  ASSERT_TRUE(session->set("x", {DataType::f32, {steps, batch, inputs}, input.data()}));
  ASSERT_TRUE(session->run());
  ASSERT_TRUE(session->run());
  Profile profile = session->profile();
  // Supersteps 0: forward+partial, 1 and 2: all, 3: count+sum of the last chunk. Chunks have 2, 2, 1 steps.
  // The layer's tiles take 40 + 11 a step; a sample's counting takes 5 + 3 for each positive y.
  const std::vector<float> y = expected(std::vector<float>(batch * units, 0)).y;
  auto counting = [&](int64_t first, int64_t count) {
    int64_t most = 0;
    for (int64_t b = 0; b < batch; ++b) {
      int64_t cycles = 0;
      for (int64_t t = first; t < first + count; ++t) {
        cycles += 5;
        for (int64_t n = 0; n < units; ++n)
          cycles += 3 * (y[(t * batch + b) * units + n] > 0);
      }
      most = std::max(most, cycles);
    }
    return most;
  };
  int64_t compute = (2 + 102) + (2 + std::max<int64_t>(102, counting(0, 2))) +
                    (2 + std::max<int64_t>(51, counting(2, 2))) + (2 + std::max<int64_t>(11, counting(4, 1)));
  EXPECT_EQ(profile.compute, compute);
  EXPECT_EQ(profile.exchange, 3 + 5 + 5 + 5);
  EXPECT_EQ(profile.sync, 4 * 7);
  EXPECT_EQ(profile.host, 4 * (30 + 100 + 30)); // x, y and g at one byte a cycle
  nlohmann::json json = profileToJson(session->manifest(), profile);
  EXPECT_EQ(json["schema"], "spikeloom.profile/1");
  EXPECT_EQ(json["cycles"]["total"], profile.cycles());
  EXPECT_EQ(json["layers"][0]["name"], "fc1");
  EXPECT_EQ(json["layers"][0]["tiles"], 11);
  EXPECT_EQ(json["host"]["threads"], GetParam().threads);
  EXPECT_EQ(profile.supersteps.size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(Runtime, Engines,
                         testing::Values(Setting{Engine::fast, 1}, Setting{Engine::fast, 2},
                                         Setting{Engine::strict, 1}, Setting{Engine::strict, 2}),
                         [](const testing::TestParamInfo<Setting> &info) {
                           return std::string(info.param.engine == Engine::fast ? "fast" : "strict") +
                                  std::to_string(info.param.threads);
                         });

/// Runs the layer with another strict codelet in place of `forward` and returns the message.
std::string strictMessage(toy::Strict code) {
  std::map<std::string, void *> symbols = toy::symbols();
  symbols["forward_strict"] = reinterpret_cast<void *>(code);
  Result<Session> session = open(toy::layer(), Engine::strict, 2, bytesOf(weights), symbols);
  if (!session)
    return session.error();
  Status done = session->run();
  return done ? "" : done.error();
}

TEST(Strict, RefusesReadsOutsideTheTile) {
  const std::string message =
      strictMessage([](void *const *a, int64_t, int64_t, int64_t *, void *context, toy::Check check) {
        const float *w = static_cast<float *>(a[1]);
        check(context, int64_t(w + 1024), 4, 0, 0); // w lies at address 0 of 4096 bytes
        ADD_FAILURE() << "the check returned";
      });
  EXPECT_EQ(
      message,
      "phase 'all', superstep 0, stage 'forward': tile 0, codelet 'forward', net.onnx:fc1/MatMul: reads 4 "
      "bytes at address 0x1000, outside the tile's memory of 4096 bytes");
}

TEST(Strict, RefusesReadsOfWhatNobodyWrote) {
  const std::string message =
      strictMessage([](void *const *a, int64_t, int64_t, int64_t *, void *context, toy::Check check) {
        check(context, int64_t(static_cast<float *>(a[3]) + 3), 4, 0, 1); // y, before it is computed
      });
  EXPECT_EQ(message,
            "phase 'all', superstep 0, stage 'forward': tile 0, codelet 'forward', net.onnx:fc1/Add: reads 4 "
            "bytes at address 0x8c, which nobody has written (argument 'y', byte 12 of 32)");
}

TEST(Strict, RefusesWhatIsNoArgumentAndWritesToInputs) {
  std::string message =
      strictMessage([](void *const *a, int64_t, int64_t, int64_t *, void *context, toy::Check check) {
        check(context, int64_t(static_cast<float *>(a[1]) + 6), 4, 0, 7); // behind the 24 bytes of w
      });
  EXPECT_NE(
      message.find(
          "unknown source location: reads 4 bytes at address 0x18, which belongs to none of its arguments"),
      std::string::npos)
      << message;
  message = strictMessage([](void *const *a, int64_t, int64_t, int64_t *, void *context, toy::Check check) {
    check(context, int64_t(a[0]), 4, 1, 0);
  });
  EXPECT_NE(message.find("which belongs to argument 'x' that it may only read"), std::string::npos)
      << message;
  message = strictMessage([](void *const *a, int64_t, int64_t, int64_t *, void *context, toy::Check check) {
    check(context, int64_t(a[1]) + 2, 4, 0, 0);
  });
  EXPECT_NE(message.find("which is not aligned"), std::string::npos) << message;
}

TEST(Strict, RefusesStepsThatLeftTheirWindow) {
  Manifest manifest = toy::loop(false);
  manifest.buffers[1].window = 1; // the step before is overwritten in place, then its reader finds another
  manifest.phases[0].stages[0].arguments[0].shift = 0;
  Result<Session> session = open(manifest, Engine::strict, 1);
  ASSERT_TRUE(session) << session.error();
  EXPECT_TRUE(session->run()); // read before written: still there
  manifest.phases[0].stages[0].arguments.push_back(manifest.phases[0].stages[0].arguments[0]);
  manifest.phases[0].stages[0].arguments.back().shift = 1; // made by this very call
  Result<Session> late = open(manifest, Engine::strict, 1);
  ASSERT_TRUE(late) << late.error();
  Status done = late->run();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().find("needs step 1 of buffer 'y', whose window of 1 holds step 0 there"),
            std::string::npos)
      << done.error();
}

} // namespace
