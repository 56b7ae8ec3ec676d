// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Single mistakes in a right manifest: each must be refused, and the message must say which entry and what is
// wrong.
#include "spikeloom/Runtime/Validate.h"
#include "Toy.h"
#include "spikeloom/Runtime/ManifestJson.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace spikeloom;
using namespace spikeloom::runtime;

namespace {

constexpr uint64_t constants = toy::units * toy::inputs * 4;

template <typename F> std::string message(F change, Manifest manifest = toy::layer()) {
  change(manifest);
  Status valid = validate(manifest, constants);
  if (valid)
    return "";
  const std::string prefix = "invalid manifest: ";
  EXPECT_EQ(valid.error().find(prefix), 0u);
  return valid.error().substr(prefix.size());
}
Stage &stage(Manifest &m, size_t i) { return m.phases[0].stages[i]; }

TEST(Validate, AcceptsTheToys) {
  EXPECT_EQ(message([](Manifest &) {}), "");
  EXPECT_EQ(message([](Manifest &) {}, toy::loop(false)), "");
  EXPECT_EQ(message([](Manifest &) {}, toy::loop(true)), "");
}

TEST(Validate, Families) {
  EXPECT_EQ(message([](Manifest &m) { m.families[0].tiles = 7; }),
            "family 0 'layer': 10 units, 2 a tile in groups of 4, need 6 tiles, found 7");
  EXPECT_EQ(message([](Manifest &m) { m.families[1].firstTile = 15; }),
            "family 1 'samples': tiles is 2, allowed: 1 to 1");
  EXPECT_EQ(message([](Manifest &m) { m.families[0].group = 0; }),
            "family 0 'layer': group is 0, allowed: 1 to 4096");
  EXPECT_EQ(message([](Manifest &m) { m.families[1].group = 2; }),
            "family 1 'samples': an index family has per_tile 1 and group 1, found 1 and 2");
}

TEST(Validate, Machine) {
  EXPECT_EQ(message([](Manifest &m) { m.machine.tiles = 0; }), "machine: tiles is 0, allowed: 1 to 16777216");
  EXPECT_EQ(message([](Manifest &m) { m.machine.clockHz = 0; }),
            "machine: clock_hz is 0.000000, it must be positive");
}

TEST(Validate, Buffers) {
  EXPECT_EQ(message([](Manifest &m) { m.buffers[0].shape[1] = -2; }),
            "buffer 0 'x': shape [5x-2x3] is not possible");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[0].pitch = 2; }),
            "buffer 0 'x': pitch is 2, allowed: 3 to 1048579");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[3].pitch = 12; }),
            "buffer 3 'y': pitch is 12, full groups need at least 16");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[1].family = 9; }),
            "buffer 1 'w': family is 9, but there are only 3");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[1].family = 1; }),
            "buffer 1 'w': home 'own' needs a family with units, 'samples' has none");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[1].shape[1] = 9; }),
            "buffer 1 'w': the last dimension of shape [3x9] must be the 10 units of family 'layer'");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[3].address = 4090; }),
            "buffer 3 'y': address 4090 is not a multiple of 4");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[3].address = 4092; }),
            "buffer 3 'y': 64 bytes at address 4092 end beyond the tile memory of 4096 bytes");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[4].slice->outer = 0; }),
            "buffer 4 'info': element 0 lies in the slices of two tasks (1 is the second)");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[4].slice->extents[1] = 9; }),
            "buffer 4 'info': 2 slices of 9 elements cannot hold all 20");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[4].slice->outer = 11; }),
            "buffer 4 'info': no task's slice holds element 10");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[4].slice->outer = 30; }),
            "buffer 4 'info': the slice of task 1 starts outside the step's 20 elements");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[4].slice->divisor = 0; }),
            "buffer 4 'info': slice divisor is 0, allowed: 1 to 1099511627776");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[4].slice.reset(); }),
            "buffer 4 'info': home is 'slice' but the slice is missing");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[3].window = 9; }),
            "buffer 3 'y': window is 9, allowed: 0 to 5");
  EXPECT_EQ(message([](Manifest &m) { m.buffers[2].address = 20; }),
            "buffer 'w' keeps its content between runs, but buffer 'u' lies over it at address 20 of tile 0");
}

TEST(Validate, Ports) {
  EXPECT_EQ(message([](Manifest &m) { m.ports[0].buffer = 7; }),
            "port 0 'x': buffer is 7, but there are only 7");
  EXPECT_EQ(message([](Manifest &m) { m.ports[0].shape = {5, 2}; }),
            "port 0 'x': shape [5x2] does not fit buffer 'x' of shape [5x2x3]");
  EXPECT_EQ(message([](Manifest &m) { m.ports[1].shape = {3, 10}; }),
            "port 1 'fc1.weight': shape [3x10] is not the transpose of buffer 'w', [3x10]");
  EXPECT_EQ(message([](Manifest &m) { m.ports[1].constant = 4; }),
            "port 1 'fc1.weight': its initial value, 120 bytes at 4, is outside the 120 bytes of constants");
  EXPECT_EQ(message([](Manifest &m) { m.ports[3].name = "u"; }),
            "port 3 'u': every port of a role needs a name of its own");
  EXPECT_EQ(message([](Manifest &m) { m.events[0].info = 0; }),
            "event layer 0 'fc1': info must be an i32 buffer whose last dimension is 10, 'x' is f32 [5x2x3]");
  EXPECT_EQ(message([](Manifest &m) { m.optimizer.kind = "magic"; }),
            "optimizer: kind is 'magic', allowed: sgd, adam, adamw, or empty");
}

TEST(Validate, Arguments) {
  EXPECT_EQ(message([](Manifest &m) { stage(m, 0).codelet = -1; }),
            "phase 0 'all', stage 0 'forward': codelet is -1, but there are only 4");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 0).arguments[0].shift = 1; }),
            "phase 0 'all', stage 0 'forward', argument 0 (buffer 'x'): steps 1 to 5 are asked for, the "
            "buffer has 0 to 4");
  EXPECT_EQ(
      message([](Manifest &m) { stage(m, 0).arguments[1].steps = true; }),
      "phase 0 'all', stage 0 'forward', argument 1 (buffer 'w'): is indexed by step, the buffer is not");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 0).arguments[0].address = -1; }),
            "phase 0 'all', stage 0 'forward', argument 0 (buffer 'x'): its home is elsewhere and it has no "
            "address for a copy");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 0).arguments[0].address = 4080; }),
            "phase 0 'all', stage 0 'forward', argument 0 (buffer 'x'): the copy's 1 x 48 bytes at 4080 end "
            "beyond the tile memory of 4096 bytes");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 1).arguments[0].access = Access::update; }),
            "phase 0 'all', stage 1 'count', argument 0 (buffer 'y'): is written, but its home is elsewhere");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 1).arguments[0].buffer = 2; }),
            "phase 0 'all', stage 1 'count', argument 0 (buffer 'u'): is indexed by step, the buffer is not");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 0).arguments[1].view = View::broadcast; }),
            "phase 0 'all', stage 0 'forward', argument 1 (buffer 'w'): only its own units can be seen of a "
            "buffer in 'blocked' layout");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 0).family = 1; }),
            "phase 0 'all', stage 0 'forward', argument 1 (buffer 'w'): family 'samples' divides its units "
            "otherwise than 'layer', where it lives");
  EXPECT_EQ(
      message([](Manifest &m) { m.buffers[3].window = 3; }),
      "phase 0 'all', stage 0 'forward', argument 3 (buffer 'y'): chunk 1 wraps around the window of 3");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 3).arguments[1].view = View::partials; }),
            "buffer 6 'g': an argument sees it as partials, so its home must be 'own'");
  EXPECT_EQ(message([](Manifest &m) { m.codelets[0].host = ""; }),
            "phase 0 'all', stage 0 'forward': codelet 'forward' has no code for the host");
}

/// The layer for two batches, one after another.
Manifest twoTrips() {
  Manifest m = toy::layer();
  m.buffers[0].shape[0] *= 2;
  m.ports[0].shape[0] *= 2;
  m.phases[0].stages[0].arguments[0].advances = {{0, toy::steps}};
  m.loops = {{"batches", 0, 1, 2, {2}, false}};
  return m;
}

TEST(Validate, Loops) {
  auto wrong = [](auto change) { return message(change, twoTrips()); };
  EXPECT_EQ(wrong([](Manifest &) {}), "");
  EXPECT_EQ(wrong([](Manifest &m) { m.loops[0].trips = 0; }),
            "loop 0 'batches': trips is 0, allowed: 1 to 16777216");
  EXPECT_EQ(wrong([](Manifest &m) { m.loops[0].trips = 3; }),
            "phase 0 'all', stage 0 'forward', argument 0 (buffer 'x'): steps 0 to 14 are asked for, the "
            "buffer has 0 to 9");
  EXPECT_EQ(wrong([](Manifest &m) { m.loops[0].phases = 2; }),
            "loop 0 'batches': phases is 2, allowed: 1 to 1");
  EXPECT_EQ(wrong([](Manifest &m) { m.loops[0].first = -1; }),
            "loop 0 'batches': first is -1, allowed: 0 to 0");
  EXPECT_EQ(wrong([](Manifest &m) { m.loops[0].clear = {9}; }),
            "loop 0 'batches': buffer to clear is 9, but there are only 7");
  EXPECT_EQ(wrong([](Manifest &m) { m.loops[0].clear = {3}; }),
            "loop 0 'batches': clears buffer 'y', which a run does not clear");
  EXPECT_EQ(wrong([](Manifest &m) { m.buffers[2].persistent = true; }),
            "loop 0 'batches': clears buffer 'u', which a run keeps");
  EXPECT_EQ(wrong([](Manifest &m) {
              m.phases = {m.phases[0], m.phases[0], m.phases[0]};
              m.loops = {{"a", 0, 2, 1, {}, false}, {"b", 1, 2, 1, {}, false}};
            }),
            "loop 1 'b': must lie within loop 'a' or behind it");
  auto advance = [&](std::vector<Advance> advances) {
    return wrong([&](Manifest &m) { stage(m, 0).arguments[0].advances = advances; });
  };
  const std::string argument = "phase 0 'all', stage 0 'forward', argument 0 (buffer 'x')";
  EXPECT_EQ(advance({{4, 5}}), argument + ": loop of an advance is 4, but there are only 1");
  EXPECT_EQ(advance({{0, 5}, {0, 5}}), argument + ": advances twice in loop 'batches'");
  EXPECT_EQ(advance({{0, -5}}), argument + ": steps -5 to 4 are asked for, the buffer has 0 to 9");
  EXPECT_EQ(wrong([](Manifest &m) { stage(m, 0).arguments[3].advances = {{0, 0}}; }),
            "phase 0 'all', stage 0 'forward', argument 3 (buffer 'y'): advances, so the buffer must have "
            "steps and keep all of them");
  EXPECT_EQ(wrong([](Manifest &m) { stage(m, 0).arguments[1].advances = {{0, 1}}; }),
            "phase 0 'all', stage 0 'forward', argument 1 (buffer 'w'): advances, so the buffer must have "
            "steps and keep all of them");
  EXPECT_EQ(wrong([](Manifest &m) {
              m.phases.insert(m.phases.begin(), m.phases[0]);
              m.loops[0].first = 1;
            }),
            argument + ": advances in loop 'batches', which does not run its phase");
}

TEST(Validate, Order) {
  EXPECT_EQ(message([](Manifest &m) { m.phases[0].hostOrder.pop_back(); }),
            "phase 0 'all': stage 'sum' is missing in the host order");
  EXPECT_EQ(message([](Manifest &m) { m.phases[0].hostOrder.push_back({{0}, false}); }),
            "phase 0 'all': stage 'forward' is twice in the host order");
  EXPECT_EQ(message([](Manifest &m) { m.phases[0].hostOrder[0].stages = {8}; }),
            "phase 0 'all': host set 0 names stage 8, but there are only 4");
  EXPECT_EQ(message([](Manifest &m) { m.phases[0].hostOrder[0].stages = {0, 1}; }),
            "phase 0 'all': host set 0 has 2 stages; only sets with feedback may have more than one, none "
            "may be empty");
  EXPECT_EQ(message([](Manifest &m) { std::swap(m.phases[0].hostOrder[0], m.phases[0].hostOrder[1]); }),
            "phase 0 'all': buffer 'y', written by stage 'forward' and used by stage 'partial': the host "
            "order has the producer later");
  EXPECT_EQ(message([](Manifest &m) { stage(m, 1).offset = 0; }),
            "phase 0 'all': buffer 'y', written by stage 'forward' and used by stage 'count': on the machine "
            "superstep 0 of the first chunk needs it, superstep 0 makes it");
  EXPECT_EQ(message([](Manifest &m) {
              m.buffers[2].clear = false;
              m.ports.erase(m.ports.begin() + 2, m.ports.begin() + 4);
            }),
            "phase 0 'all': stage 'forward' reads buffer 'u', which nobody has written: it is no input, not "
            "persistent and not cleared");
  EXPECT_EQ(message([](Manifest &m) {
              m.buffers[1].clear = true, stage(m, 2).arguments[1].access = Access::update;
            }),
            "phase 0 'all': buffer 'w', written by stage 'partial' and used by stage 'forward', is seen as a "
            "whole: both must be in the same feedback set of the host order");
}

/// Whatever a number is changed to, the answer is a message or a manifest that still holds together: no
/// crash. Run under the sanitizers this also finds sums that overflow.
TEST(Validate, SurvivesAnyNumber) {
  nlohmann::json json = manifestToJson(toy::layer());
  std::vector<nlohmann::json::json_pointer> numbers;
  const nlohmann::json flat = json.flatten();
  for (const auto &[path, value] : flat.items())
    if (value.is_number_integer())
      numbers.emplace_back(path);
  ASSERT_GT(numbers.size(), 150u);
  size_t refused = 0;
  for (const auto &pointer : numbers)
    for (int64_t value : {int64_t(-2), int64_t(0), int64_t(3), int64_t(1) << 31, int64_t(1) << 40,
                          int64_t(INT64_MAX), int64_t(INT64_MIN)}) {
      nlohmann::json changed = json;
      changed[pointer] = value;
      Result<Manifest> manifest = manifestFromJson(changed);
      ASSERT_TRUE(manifest) << manifest.error();
      refused += !validate(*manifest, constants);
    }
  EXPECT_GT(refused, numbers.size() * 4);
}

} // namespace
