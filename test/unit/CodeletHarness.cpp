// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Running codelets in the layouts of the host and of a tile.
#include "CodeletHarness.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
#include "spikeloom/Pipelines/Registration.h"
#include "spikeloom/Target/Native.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <unistd.h>

using namespace spikeloom;
using namespace spikeloom::test;

int64_t Array::rowCount() const {
  int64_t count = 1;
  for (int64_t row : rows)
    count *= row;
  return count;
}

int64_t Placement::tiles() const { return units / block() * lanes + std::min(units % block(), lanes); }

std::string spikeloom::test::signature(const std::vector<Array> &arrays, const Placement &placement) {
  std::string text = "func.func @f(";
  for (size_t i = 0; i < arrays.size(); ++i) {
    const Array &array = arrays[i];
    text += "%a" + std::to_string(i) + ": memref<";
    for (size_t dim = 0; dim < array.rows.size(); ++dim)
      text += (array.steps && dim == 0 ? "?" : std::to_string(array.rows[dim])) + "x";
    if (array.view == Array::View::own)
      text += std::to_string(placement.perTile) + "x";
    static const char *const views[] = {"own", "broadcast", "partials"};
    text += array.type + "> {tile.view = \"" + views[int(array.view)] + "\"";
    if (array.view == Array::View::own)
      text += array.blocked
                  ? ", tile.layout = \"blocked\""
                  : ", tile.layout = \"rows\", tile.pitch = " + std::to_string(placement.paddedUnits()) +
                        " : i64";
    text += "}, ";
  }
  return text + "%len: index, %task: index) attributes {tile.codelet, tile.lanes = " +
         std::to_string(placement.lanes) + " : i64, tile.units = " + std::to_string(placement.units) +
         " : i64, tile.per_tile = " + std::to_string(placement.perTile) + " : i64} ";
}

Compiled::Compiled(const std::string &text, const std::string &cpu, bool count) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.disableMultithreading();
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    llvm::raw_string_ostream(error) << diagnostic << "\n";
    return mlir::success();
  });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return;
  mlir::PassManager passes(&context);
  passes.addPass(tile::createTileWidenPass());
  if (count)
    passes.addPass(tile::createTileCountCyclesPass());
  passes.addPass(tile::createTileStrictPass());
  if (mlir::failed(passes.run(*module)))
    return;
  NativeOptions options;
  options.cpu = cpu;
  mlir::FailureOr<std::string> object = compileNative(*module, options);
  if (mlir::failed(object))
    return;
  bytes = *object;
  char path[] = "/tmp/spikeloom-test-XXXXXX";
  close(mkstemp(path));
  std::ofstream(path, std::ios::binary) << bytes;
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    error += dlerror();
  unlink(path);
}

Compiled::~Compiled() {
  if (library)
    dlclose(library);
}

void *Compiled::find(const char *suffix) const { return dlsym(library, (std::string("f") + suffix).c_str()); }

namespace {
/// Bytes of an array with spare room behind for the prefetch of list entries.
struct Memory {
  std::vector<unsigned char> bytes;
  int64_t width;

  Memory(int64_t elements, const Array &array) : width(array.type == "i16" ? 2 : 4) {
    bytes.resize(size_t((elements + 16) * width));
  }
  void set(int64_t i, uint32_t value) { std::memcpy(&bytes[size_t(i * width)], &value, size_t(width)); }
  uint32_t get(int64_t i) const {
    uint32_t value = 0;
    std::memcpy(&value, &bytes[size_t(i * width)], size_t(width));
    return value;
  }
  bool contains(int64_t address, int64_t size) const {
    auto begin = int64_t(reinterpret_cast<intptr_t>(bytes.data()));
    return address >= begin && address + size <= begin + int64_t(bytes.size()) - 16 * width;
  }
};

using HostCode = void (*)(void *const *, int64_t, int64_t, int64_t *);
using Check = void (*)(void *, int64_t, int32_t, int32_t, int32_t);
using StrictCode = void (*)(void *const *, int64_t, int64_t, int64_t *, void *, Check);

struct Accesses {
  std::vector<const Memory *> memories;
  int64_t count = 0, stray = 0;
};

void countAccess(void *context, int64_t address, int32_t size, int32_t, int32_t) {
  auto &accesses = *static_cast<Accesses *>(context);
  ++accesses.count;
  accesses.stray += std::none_of(accesses.memories.begin(), accesses.memories.end(),
                                 [&](const Memory *memory) { return memory->contains(address, size); });
}

/// Position of row `row`, unit `unit` in the host's layout.
int64_t hostPlace(const Array &array, const Placement &placement, int64_t row, int64_t unit) {
  if (!array.blocked)
    return row * placement.paddedUnits() + unit;
  int64_t group = unit / placement.block();
  return (group * array.rowCount() + row) * placement.block() + unit % placement.block();
}
} // namespace

Outcome Compiled::runHost(const std::vector<Array> &arrays, const Placement &placement, int64_t steps) const {
  auto code = reinterpret_cast<HostCode>(find(".host"));
  std::vector<Memory> memories;
  for (const Array &array : arrays) {
    bool own = array.view == Array::View::own, partials = array.view == Array::View::partials;
    int64_t rows = array.rowCount();
    Memory &memory = memories.emplace_back(rows * (own        ? placement.paddedUnits()
                                                   : partials ? placement.groups()
                                                              : 1),
                                           array);
    for (int64_t row = 0; row < rows && !partials; ++row)
      for (int64_t unit = 0; unit < (own ? placement.paddedUnits() : 1); ++unit)
        memory.set(own ? hostPlace(array, placement, row, unit) : row,
                   array.values[size_t(own ? row * placement.paddedUnits() + unit : row)]);
  }
  for (int64_t group = 0; group < placement.groups(); ++group) {
    std::vector<void *> pointers;
    for (size_t i = 0; i < arrays.size(); ++i) {
      int64_t offset = 0;
      if (arrays[i].view == Array::View::own)
        offset =
            arrays[i].blocked ? group * arrays[i].rowCount() * placement.block() : group * placement.block();
      if (arrays[i].view == Array::View::partials)
        offset = group * arrays[i].rowCount();
      pointers.push_back(memories[i].bytes.data() + offset * memories[i].width);
    }
    code(pointers.data(), steps, group * placement.lanes, nullptr);
  }
  Outcome outcome;
  for (size_t i = 0; i < arrays.size(); ++i) {
    bool own = arrays[i].view == Array::View::own;
    int64_t rows = arrays[i].rowCount();
    std::vector<uint32_t> &values = outcome.arrays.emplace_back();
    for (int64_t row = 0; own && row < rows; ++row)
      for (int64_t unit = 0; unit < placement.paddedUnits(); ++unit) {
        int64_t tile = unit / placement.block() * placement.lanes + unit % placement.lanes;
        values.push_back(
            tile < placement.tiles() ? memories[i].get(hostPlace(arrays[i], placement, row, unit)) : 0);
      }
    for (int64_t k = 0; arrays[i].view == Array::View::partials && k < rows * placement.groups(); ++k)
      values.push_back(memories[i].get(k));
  }
  return outcome;
}

/// The sum over the tiles of a group in the order that the program defines.
static uint32_t groupSum(const std::vector<float> &tiles) {
  float sums[16] = {};
  for (size_t q = 0; q < 16; ++q) {
    sums[q] = q < tiles.size() ? tiles[q] : 0.0f;
    for (size_t lane = q + 16; lane < (tiles.size() + 15) / 16 * 16; lane += 16)
      sums[q] += lane < tiles.size() ? tiles[lane] : 0.0f;
  }
  for (size_t half = 8; half; half /= 2)
    for (size_t q = 0; q < half; ++q)
      sums[q] += sums[q + half];
  uint32_t bits;
  std::memcpy(&bits, &sums[0], 4);
  return bits;
}

Outcome Compiled::runStrict(const std::vector<Array> &arrays, const Placement &placement,
                            int64_t steps) const {
  auto code = reinterpret_cast<StrictCode>(find(".strict"));
  Outcome outcome;
  outcome.arrays.resize(arrays.size());
  std::vector<std::vector<float>> partials(arrays.size()); // [tile][rows]
  for (size_t i = 0; i < arrays.size(); ++i)
    if (arrays[i].view == Array::View::own)
      outcome.arrays[i].resize(size_t(arrays[i].rowCount() * placement.paddedUnits()));
  for (int64_t tile = 0; tile < placement.tiles(); ++tile) {
    std::vector<Memory> memories;
    Accesses accesses;
    std::vector<void *> pointers;
    auto place = [&](int64_t row, int64_t c) {
      int64_t group = tile / placement.lanes, lane = tile % placement.lanes;
      return size_t(row * placement.paddedUnits() + group * placement.block() + c * placement.lanes + lane);
    };
    memories.reserve(arrays.size());
    for (const Array &array : arrays) {
      bool own = array.view == Array::View::own;
      Memory &memory = memories.emplace_back(array.rowCount() * (own ? placement.perTile : 1), array);
      for (int64_t row = 0; array.view != Array::View::partials && row < array.rowCount(); ++row)
        for (int64_t c = 0; c < (own ? placement.perTile : 1); ++c)
          memory.set(own ? row * placement.perTile + c : row,
                     array.values[own ? place(row, c) : size_t(row)]);
      accesses.memories.push_back(&memory);
      pointers.push_back(memory.bytes.data());
    }
    code(pointers.data(), steps, tile, nullptr, &accesses, countAccess);
    outcome.checkedAccesses += accesses.count;
    outcome.strayAccesses += accesses.stray;
    for (size_t i = 0; i < arrays.size(); ++i)
      for (int64_t row = 0; row < arrays[i].rowCount(); ++row) {
        if (arrays[i].view == Array::View::own)
          for (int64_t c = 0; c < placement.perTile; ++c)
            outcome.arrays[i][place(row, c)] = memories[i].get(row * placement.perTile + c);
        if (arrays[i].view == Array::View::partials) {
          uint32_t bits = memories[i].get(row);
          float value;
          std::memcpy(&value, &bits, 4);
          partials[i].push_back(value);
        }
      }
  }
  for (size_t i = 0; i < arrays.size(); ++i)
    for (int64_t group = 0; arrays[i].view == Array::View::partials && group < placement.groups(); ++group)
      for (int64_t row = 0; row < arrays[i].rowCount(); ++row) {
        std::vector<float> lanes(size_t(placement.lanes), 0.0f);
        for (int64_t lane = 0; lane < placement.lanes; ++lane)
          if (int64_t tile = group * placement.lanes + lane; tile < placement.tiles())
            lanes[size_t(lane)] = partials[i][size_t(tile * arrays[i].rowCount() + row)];
        outcome.arrays[i].push_back(groupSum(lanes));
      }
  return outcome;
}

std::vector<int64_t> Compiled::cycles(const std::vector<Array> &arrays, const Placement &placement,
                                      int64_t steps) const {
  auto code = reinterpret_cast<HostCode>(find(".cycles"));
  std::vector<Memory> memories;
  std::vector<void *> pointers;
  memories.reserve(arrays.size());
  for (const Array &array : arrays) {
    bool own = array.view == Array::View::own;
    Memory &memory = memories.emplace_back(array.rowCount() * (own ? placement.perTile : 1), array);
    for (int64_t row = 0; array.view == Array::View::broadcast && row < array.rowCount(); ++row)
      memory.set(row, array.values[size_t(row)]);
    pointers.push_back(memory.bytes.data());
  }
  std::vector<int64_t> result(size_t(steps), -1);
  code(pointers.data(), steps, 0, result.data());
  return result;
}
