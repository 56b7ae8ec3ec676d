// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random codelets: a group of tiles at a time must give the bits that tile by tile gives.
#include "CodeletHarness.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace spikeloom::test;

namespace {
constexpr int64_t kBatch = 5, kInputs = 12, kCapacity = 9, kInfo = 10, kSteps = 3;
enum Argument { weights, membrane, numbers, output, ids, info, inputs, partials };

/// Writes codelets: statements at random from what values are at hand.
class Generator {
public:
  Generator(unsigned seed, const Placement &placement) : random(seed), placement(placement) {}

  std::string codelet(const std::vector<Array> &arrays) {
    text = signature(arrays, placement) + "{\n";
    for (int64_t i = 0; i <= 12; ++i)
      line("%c" + std::to_string(i) + " = arith.constant " + std::to_string(i) + " : index");
    line("%z = arith.constant 0.0 : f32");
    line("%half = arith.constant 0.5 : f32");
    line("%scratch = memref.alloca() {tile.units} : memref<" + std::to_string(placement.perTile) + "xf32>");
    line("%work = memref.alloca() : memref<4xf32>");
    bool reverse = choose(2);
    line("%lenm = arith.subi %len, %c1 : index");
    line("scf.for %i = %c0 to %len step %c1 {");
    line(reverse ? "%t = arith.subi %lenm, %i : index" : "%t = arith.addi %i, %c0 : index");
    line("tile.workers %worker of 3 {");
    // A worker's samples: [worker*5/3, (worker+1)*5/3).
    line("%wb = arith.muli %worker, %c5 : index");
    line("%from = arith.divui %wb, %c3 : index");
    line("%wn = arith.addi %wb, %c5 : index");
    line("%to = arith.divui %wn, %c3 : index");
    line("scf.for %b = %from to %to step %c1 {");
    floats = {"%z", "%half"};
    // Zeroed per sample, so that tiles start alike in both versions.
    for (int64_t c = 0; c < placement.perTile; ++c)
      line("memref.store %z, %scratch[%c" + std::to_string(c) + "] : memref<" +
           std::to_string(placement.perTile) + "xf32>");
    for (int64_t k = 0; k < 4; ++k)
      line("memref.store %z, %work[%c" + std::to_string(k) + "] : memref<4xf32>");
    line("%n0r = memref.load %a5[%t, %b, %c6] : memref<?x5x10xi32>");
    line("%n0 = arith.index_cast %n0r : i32 to index");
    line("%n1r = memref.load %a5[%t, %b, %c7] : memref<?x5x10xi32>");
    line("%n1 = arith.index_cast %n1r : i32 to index");
    statements(6, 3);
    if (choose(2))
      entries();
    gather();
    statements(5, 3);
    std::string last = anyFloat();
    line("memref.store " + last + ", %a3[%t, %b, " + unit() + "] : " + own("?x5"));
    if (choose(2)) {
      line("scf.for %p = %c0 to %n1 step %c1 {");
      std::string value = newFloat("arith.mulf " + anyFloat() + ", " + anyFloat());
      line("memref.store " + value + ", %a7[%t, %b, %p] : memref<?x5x9xf32>");
      floats.pop_back();
      line("}");
    }
    text += "}\n}\n}\nreturn\n}\n";
    return text;
  }

private:
  unsigned choose(unsigned n) { return unsigned(random() % n); }
  void line(const std::string &s) { text += s + "\n"; }
  std::string own(const std::string &rows, const std::string &type = "f32") {
    return "memref<" + rows + "x" + std::to_string(placement.perTile) + "x" + type + ">";
  }
  std::string scratchType() { return "memref<" + std::to_string(placement.perTile) + "xf32>"; }
  std::string unit() { return "%c" + std::to_string(choose(unsigned(placement.perTile))); }
  std::string fresh() { return "%v" + std::to_string(next++); }
  std::string anyFloat() { return floats[choose(unsigned(floats.size()))]; }
  std::string newFloat(const std::string &what) {
    std::string name = fresh();
    line(name + " = " + what + " : f32");
    floats.push_back(name);
    return name;
  }
  std::string newLoad(const std::string &what) {
    std::string name = fresh();
    line(name + " = memref.load " + what);
    floats.push_back(name);
    return name;
  }
  /// A small number that differs between tiles.
  std::string varyingIndex() {
    std::string loaded = fresh(), name = fresh();
    line(loaded + " = memref.load %a2[%b, " + unit() + "] : " + own("5", "i32"));
    line(name + " = arith.index_cast " + loaded + " : i32 to index");
    return name;
  }
  std::string condition(bool varying) {
    std::string name = fresh();
    if (varying)
      line(name + " = arith.cmpf ogt, " + anyFloat() + ", " + anyFloat() + " : f32");
    else
      line(name + " = arith.cmpi ult, %n0, %c4 : index");
    return name;
  }
  void statements(int count, int depth) {
    for (int i = 0; i < count; ++i)
      statement(depth);
  }
  void statement(int depth) {
    switch (choose(depth > 0 ? 10 : 6)) {
    case 0:
      newFloat((choose(2) ? "arith.addf " : "arith.subf ") + anyFloat() + ", " + anyFloat());
      break;
    case 1: { // kept small
      std::string product = newFloat("arith.mulf " + anyFloat() + ", %half");
      newFloat("arith.maximumf " + product + ", " + anyFloat());
      break;
    }
    case 2: {
      std::string c = condition(true);
      newFloat("arith.select " + c + ", " + anyFloat() + ", " + anyFloat());
      break;
    }
    case 3:
      if (choose(2))
        newLoad("%a1[%b, " + unit() + "] : " + own("5"));
      else
        newLoad("%a6[%t, %b, %c" + std::to_string(choose(kInputs)) + "] : memref<?x5x12xf32>");
      break;
    case 4: // gathers: own rows and shared rows at an index that differs between tiles
      if (choose(2))
        newLoad("%a0[" + varyingIndex() + ", " + unit() + "] : " + own("12"));
      else
        newLoad("%a6[%t, %b, " + varyingIndex() + "] : memref<?x5x12xf32>");
      break;
    case 5: {
      std::string value = anyFloat();
      unsigned kind = choose(4);
      if (kind == 0)
        line("memref.store " + value + ", %a1[%b, " + unit() + "] : " + own("5"));
      else if (kind == 1)
        line("memref.store " + value + ", %scratch[" + unit() + "] : " + scratchType());
      else if (kind == 2)
        line("memref.store " + value + ", %work[%c" + std::to_string(choose(4)) + "] : memref<4xf32>");
      else
        line("memref.store " + value + ", %a0[" + varyingIndex() + ", " + unit() + "] : " + own("12"));
      break;
    }
    case 6:
    case 7:
      branch(depth);
      break;
    default:
      loop(depth);
    }
  }
  void branch(int depth) {
    std::string c = condition(choose(3) != 0), result = fresh();
    auto side = [&] {
      std::vector<std::string> outside = floats;
      statements(2, depth - 1);
      line("scf.yield " + anyFloat() + " : f32");
      floats = outside;
    };
    line(result + " = scf.if " + c + " -> (f32) {");
    side();
    line("} else {");
    side();
    line("}");
    floats.push_back(result);
  }
  void loop(int depth) {
    static const char *const uniform[] = {"%n0", "%c3"};
    std::string from = choose(3) ? "%c0" : varyingIndex(),
                to = choose(2) ? varyingIndex() : uniform[choose(2)];
    std::string result = fresh(), carried = fresh(), number = fresh();
    line(result + " = scf.for " + number + " = " + from + " to " + to + " step %c" +
         std::to_string(1 + choose(2)) + " iter_args(" + carried + " = " + anyFloat() + ") -> (f32) {");
    std::vector<std::string> outside = floats;
    floats.push_back(carried);
    statements(2, depth - 1);
    newLoad("%a0[" + number + ", " + unit() + "] : " + own("12"));
    std::string scaled = newFloat("arith.mulf " + carried + ", %half");
    std::string sum = newFloat("arith.addf " + scaled + ", " + anyFloat());
    line("scf.yield " + sum + " : f32");
    line("}");
    floats = outside;
    floats.push_back(result);
  }
  /// The sum of the rows that the list names.
  void gather() {
    std::string result = fresh(), u = unit();
    line(result + " = scf.for %j = %c0 to %n0 step %c1 iter_args(%s = %z) -> (f32) {");
    line("%id16 = memref.load %a4[%t, %b, %j] : memref<?x5x9xi16>");
    line("%id = arith.index_castui %id16 : i16 to index");
    line("%row = arith.remui %id, %c12 : index");
    line("%r = memref.load %a0[%row, " + u + "] : " + own("12"));
    line("%s1 = arith.addf %s, %r : f32");
    line("scf.yield %s1 : f32");
    line("}");
    floats.push_back(result);
  }
  void entries() {
    line("tile.own_entries %a4[%t, %b] from %n0, %n1 on %task {group = " + std::to_string(placement.lanes) +
         " : i64, per_tile = " + std::to_string(placement.perTile) + " : i64} : memref<?x5x9xi16> {");
    line("^bb0(%j: index, %c: index):");
    std::vector<std::string> outside = floats;
    newLoad("%a6[%t, %b, %j] : memref<?x5x12xf32>");
    newLoad("%a1[%b, %c] : " + own("5"));
    std::string sum = newFloat("arith.addf " + anyFloat() + ", " + floats.back());
    line("%old = memref.load %scratch[%c] : " + scratchType());
    std::string total = newFloat("arith.addf " + sum + ", %old");
    line("memref.store " + total + ", %scratch[%c] : " + scratchType());
    line("memref.store " + anyFloat() + ", %a3[%t, %b, %c] : " + own("?x5"));
    floats = outside;
    line("}");
    newLoad("%scratch[" + unit() + "] : " + scratchType());
  }

  std::mt19937 random;
  Placement placement;
  std::string text;
  std::vector<std::string> floats;
  int next = 0;
};

std::vector<Array> makeArrays(unsigned seed, const Placement &placement) {
  std::mt19937 random(seed);
  auto number = [&] {
    float value = float(int(random() % 2001) - 1000) / 256.0f;
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bits;
  };
  using View = Array::View;
  std::vector<Array> arrays{{View::own, "f32", {kInputs}, false, true, {}},
                            {View::own, "f32", {kBatch}, false, true, {}},
                            {View::own, "i32", {kBatch}, false, true, {}},
                            {View::own, "f32", {kSteps, kBatch}, true, false, {}},
                            {View::broadcast, "i16", {kSteps, kBatch, kCapacity}, true, false, {}},
                            {View::broadcast, "i32", {kSteps, kBatch, kInfo}, true, false, {}},
                            {View::broadcast, "f32", {kSteps, kBatch, kInputs}, true, false, {}},
                            {View::partials, "f32", {kSteps, kBatch, kCapacity}, true, false, {}}};
  for (Array &array : arrays) {
    int64_t units = array.view == View::own ? placement.paddedUnits() : 1;
    for (int64_t row = 0; row < array.rowCount(); ++row)
      for (int64_t unit = 0; unit < units; ++unit)
        array.values.push_back(unit >= placement.units ? 0
                               : array.type == "f32"   ? number()
                                                       : uint32_t(random() % kInputs));
  }
  for (int64_t row = 0; row < kSteps * kBatch; ++row) { // ascending spikes, then ascending near entries
    std::vector<bool> listed(size_t(placement.units), false);
    int64_t counts[2] = {int64_t(random() % 5), int64_t(random() % 5)}, position = 0;
    for (int64_t run = 0; run < 2; ++run) {
      std::vector<uint32_t> chosen;
      for (int64_t k = 0; k < counts[run]; ++k)
        if (size_t id = random() % size_t(placement.units); !listed[id]) {
          listed[id] = true;
          chosen.push_back(uint32_t(id));
        }
      std::sort(chosen.begin(), chosen.end());
      for (uint32_t id : chosen)
        arrays[ids].values[size_t(row * kCapacity + position++)] = id;
      arrays[info].values[size_t(row * kInfo + 6 + run)] = uint32_t(position);
    }
  }
  return arrays;
}

bool sameBits(uint32_t a, uint32_t b) {
  float x, y;
  std::memcpy(&x, &a, 4);
  std::memcpy(&y, &b, 4);
  return a == b || (std::isnan(x) && std::isnan(y));
}

class RandomCodelet : public testing::TestWithParam<unsigned> {};

TEST_P(RandomCodelet, GivesTheSameBitsWidened) {
  static const Placement placements[] = {{37, 2, 16}, {23, 1, 8},  {64, 2, 32},
                                         {61, 3, 20}, {10, 1, 10}, {100, 4, 16}};
  unsigned seed = GetParam();
  const Placement &placement = placements[seed % std::size(placements)];
  std::vector<Array> arrays = makeArrays(seed, placement);
  std::string text = Generator(seed, placement).codelet(arrays);
  Compiled compiled(text, seed % 2 ? "native" : "x86-64-v3");
  ASSERT_EQ(compiled.error, "") << text;
  Outcome wide = compiled.runHost(arrays, placement, kSteps),
          strict = compiled.runStrict(arrays, placement, kSteps);
  EXPECT_EQ(strict.strayAccesses, 0) << text;
  EXPECT_GT(strict.checkedAccesses, 0);
  for (size_t i = 0; i < arrays.size(); ++i) {
    ASSERT_EQ(wide.arrays[i].size(), strict.arrays[i].size());
    for (size_t k = 0; k < wide.arrays[i].size(); ++k)
      ASSERT_TRUE(sameBits(wide.arrays[i][k], strict.arrays[i][k]))
          << "argument " << i << ", element " << k << ": widened " << std::hex << wide.arrays[i][k]
          << ", strict " << strict.arrays[i][k] << "\n"
          << text;
  }
}

/// A codelet that gathers `count[b]` rows in every step, backwards in time.
const char *const gathering = R"({
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %last = arith.subi %len, %c1 : index
  scf.for %i = %c0 to %len step %c1 {
    %t = arith.subi %last, %i : index
    tile.workers %b of 6 {
      %n32 = memref.load %a2[%t, %b] : memref<?x6xi32>
      %n = arith.index_cast %n32 : i32 to index
      %sum = scf.for %j = %c0 to %n step %c1 iter_args(%s = %zero) -> (f32) {
        %id16 = memref.load %a1[%t, %b, %j] : memref<?x6x8xi16>
        %id = arith.index_castui %id16 : i16 to index
        %r = memref.load %a0[%id, %c0] : memref<4x1xf32>
        %s1 = arith.addf %s, %r : f32
        scf.yield %s1 : f32
      }
      memref.store %sum, %a3[%t, %b, %c0] : memref<?x6x1xf32>
    }
  }
  return
})";

std::vector<Array> gatheringArrays(const Placement &placement) {
  using View = Array::View;
  return {
      {View::own, "f32", {4}, false, true, std::vector<uint32_t>(size_t(4 * placement.paddedUnits()))},
      {View::broadcast, "i16", {2, 6, 8}, true, false, std::vector<uint32_t>(96)},
      {View::broadcast, "i32", {2, 6}, true, false, {1, 2, 3, 4, 5, 8, 0, 0, 0, 0, 2, 1}},
      {View::own, "f32", {2, 6}, true, false, std::vector<uint32_t>(size_t(12 * placement.paddedUnits()))}};
}

TEST(CycleCount, FollowsTheDataOfEveryRow) {
  Placement placement{16, 1, 16};
  std::vector<Array> arrays = gatheringArrays(placement);
  Compiled compiled(signature(arrays, placement) + gathering);
  ASSERT_EQ(compiled.error, "");
  // A worker: entry 15, load of the count 1, hardware loop 1 + 1 + n, store 1; the slowest counts, n = 8
  // and 2. Six workers, and 11 cycles to start them.
  EXPECT_EQ(compiled.cycles(arrays, placement, 2),
            (std::vector<int64_t>{11 + 6 * (19 + 8), 11 + 6 * (19 + 2)}));
}

TEST(NativeCode, IsTheSameEveryTime) {
  Placement placement{16, 1, 16};
  std::string text = signature(gatheringArrays(placement), placement) + gathering;
  Compiled first(text), second(text);
  ASSERT_EQ(first.error, "");
  EXPECT_EQ(first.bytes, second.bytes);
}

TEST(NativeCode, RefusesUnknownProcessors) {
  Placement placement{16, 1, 16};
  Compiled compiled(signature(gatheringArrays(placement), placement) + gathering, "z80");
  EXPECT_NE(compiled.error.find("CPU 'z80' is not known to LLVM"), std::string::npos) << compiled.error;
}

TEST(NativeCode, RefusesFunctionsWithoutFixedResult) {
  Placement placement{16, 1, 16};
  std::vector<Array> arrays{{Array::View::own, "f32", {2}, false, true, {}}};
  Compiled compiled(signature(arrays, placement) + R"({
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %t = %c0 to %len step %c1 {
      %x = memref.load %a0[%c0, %c0] : memref<2x1xf32>
      %y = math.exp %x : f32
      memref.store %y, %a0[%c1, %c0] : memref<2x1xf32>
    }
    return
  })");
  EXPECT_NE(compiled.error.find("'math.exp' has no fixed result"), std::string::npos) << compiled.error;
}

/// A codelet of one tile that makes two lists of 70 numbers, and clears what lies behind their ends.
TEST(ListMaking, TestsManyElementsAtOnceWithTheSameResult) {
  using View = Array::View;
  Placement placement{70, 70, 1};
  std::vector<Array> arrays{{View::broadcast, "f32", {3, 70}, true, false, {}},
                            {View::own, "i32", {3, 2}, true, false, std::vector<uint32_t>(420)},
                            {View::own, "f32", {3, 2}, true, false, std::vector<uint32_t>(420)}};
  std::mt19937 random(7);
  for (int64_t i = 0; i < 210; ++i) { // in the last row all fire
    float value = i < 140 ? float(random() % 100) / 50.0f : 3.0f;
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    arrays[0].values.push_back(bits);
  }
  Compiled compiled(signature(arrays, placement) + R"({
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c5 = arith.constant 5 : index
    %c70 = arith.constant 70 : index
    %none = arith.constant 0 : i32
    %zero = arith.constant 0.0 : f32
    %true = arith.constant true
    %one = arith.constant 1.0 : f32
    %near = arith.constant 0.9 : f32
    scf.for %t = %c0 to %len step %c1 {
      %ends:2 = scf.for %i = %c5 to %c70 step %c1 iter_args(%e0 = %c0, %e1 = %c0) -> (index, index) {
        %x = memref.load %a0[%t, %i] : memref<?x70xf32>
        %fire = arith.cmpf ogt, %x, %one : f32
        %id = arith.addi %i, %c5 : index
        %id32 = arith.index_castui %id : index to i32
        memref.store %id32, %a1[%t, %c0, %e0] : memref<?x2x70xi32>
        memref.store %x, %a2[%t, %c0, %e0] : memref<?x2x70xf32>
        %m0 = arith.select %fire, %c1, %c0 : index
        %n0 = arith.addi %e0, %m0 : index
        %close = arith.cmpf ogt, %x, %near : f32
        %quiet = arith.xori %fire, %true : i1
        %listed = arith.andi %close, %quiet : i1
        memref.store %id32, %a1[%t, %c1, %e1] : memref<?x2x70xi32>
        memref.store %x, %a2[%t, %c1, %e1] : memref<?x2x70xf32>
        %m1 = arith.select %listed, %c1, %c0 : index
        %n1 = arith.addi %e1, %m1 : index
        scf.yield %n0, %n1 : index, index
      }
      scf.for %i = %ends#0 to %c70 step %c1 {
        memref.store %none, %a1[%t, %c0, %i] : memref<?x2x70xi32>
        memref.store %zero, %a2[%t, %c0, %i] : memref<?x2x70xf32>
      }
      scf.for %i = %ends#1 to %c70 step %c1 {
        memref.store %none, %a1[%t, %c1, %i] : memref<?x2x70xi32>
        memref.store %zero, %a2[%t, %c1, %i] : memref<?x2x70xf32>
      }
    }
    return
  })",
                    "native", /*count=*/false);
  ASSERT_EQ(compiled.error, "");
  Outcome host = compiled.runHost(arrays, placement, 3), strict = compiled.runStrict(arrays, placement, 3);
  EXPECT_EQ(host.arrays, strict.arrays);
  EXPECT_EQ(host.arrays[1][size_t(2 * 140 + 64)], 74u); // the last of 65 entries
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomCodelet, testing::Range(0u, 24u));
} // namespace
