// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles a codelet and runs it both ways, tile by tile (strict) and a group of tiles at a time (host), on
// the same data.
#ifndef SPIKELOOM_TEST_UNIT_CODELETHARNESS_H
#define SPIKELOOM_TEST_UNIT_CODELETHARNESS_H

#include <cstdint>
#include <string>
#include <vector>

namespace spikeloom::test {

/// An argument of a codelet. Elements are four bytes (f32 bits or i32), or two for ids.
struct Array {
  enum class View { own, broadcast, partials } view = View::own;
  std::string type = "f32";  // f32, i32 or i16
  std::vector<int64_t> rows; // dimensions before the units; with `steps`, the first is the number of steps
  bool steps = false;
  bool blocked = false; // host layout of `own`
  /// Values in the order [rows][unit] (own, padded with zeros to whole groups) or [rows] (broadcast); not for
  /// partials.
  std::vector<uint32_t> values;

  int64_t rowCount() const;
};

/// The placement of a unit family.
struct Placement {
  int64_t units = 1, perTile = 1, lanes = 1;

  int64_t block() const { return perTile * lanes; }
  int64_t groups() const { return (units + block() - 1) / block(); }
  int64_t tiles() const;
  int64_t paddedUnits() const { return groups() * block(); }
};

/// What a run leaves behind: per argument, `own` values as in Array::values (tiles that do not exist left out
/// as zeros), `partials` [group][rows], and how many accesses were out of bounds.
struct Outcome {
  std::vector<std::vector<uint32_t>> arrays;
  int64_t strayAccesses = 0;
  int64_t checkedAccesses = 0;
};

/// A codelet that was widened, made strict, counted (where its trip counts can be) and compiled. `error` says
/// why it was not.
class Compiled {
public:
  Compiled(const std::string &text, const std::string &cpu = "native", bool count = true);
  ~Compiled();
  Compiled(const Compiled &) = delete;

  std::string error;
  std::string bytes; // the shared object

  Outcome runHost(const std::vector<Array> &arrays, const Placement &placement, int64_t steps) const;
  Outcome runStrict(const std::vector<Array> &arrays, const Placement &placement, int64_t steps) const;
  /// Cycles of every step of one tile.
  std::vector<int64_t> cycles(const std::vector<Array> &arrays, const Placement &placement,
                              int64_t steps) const;

private:
  void *find(const char *suffix) const;
  void *library = nullptr;
};

/// The argument list of the codelet @f for these arrays, with names %a0, %a1, ..., and its attributes.
std::string signature(const std::vector<Array> &arrays, const Placement &placement);

} // namespace spikeloom::test
#endif
