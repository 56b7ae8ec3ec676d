// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Collects the tile cycles that codelets count, in any order of execution, and puts them together in the
// machine's.
#ifndef SPIKELOOM_LIB_RUNTIME_LEDGER_H
#define SPIKELOOM_LIB_RUNTIME_LEDGER_H

#include "Geometry.h"
#include "spikeloom/Runtime/Profile.h"
#include <map>

namespace spikeloom::runtime {

class Ledger {
public:
  explicit Ledger(const Manifest &manifest);

  /// A new run; what is the same in every run is kept.
  void begin();
  /// Must somebody call the stage's `cycles` entry? Not when it has none or when its constant is known.
  bool wants(int64_t phase, int64_t stage) const;
  bool isUniform(int64_t phase, int64_t stage) const { return account(phase, stage).uniform; }
  bool isConstant(int64_t phase, int64_t stage) const { return account(phase, stage).constant; }
  /// Cycles of the steps [first, first + count) of a task (0 stands for all of a uniform stage); for a
  /// constant stage of any one step. Different tasks may be added at the same time.
  void add(int64_t phase, int64_t stage, int64_t task, int64_t first, int64_t count, const int64_t *cycles);
  /// All tasks of a constant stage were added.
  void settle(int64_t phase, int64_t stage) { account(phase, stage).known = true; }

  /// Another pass over the phases [first, first + count) begins: what they took so far is kept.
  void endTrip(int64_t first, int64_t count);

  void addSeconds(int64_t phase, int64_t stage, double seconds) { account(phase, stage).seconds += seconds; }

  /// Fills cycles, supersteps, and the stages' and layers' shares.
  void assemble(Profile &profile) const;

private:
  struct Account {
    bool counted = false, uniform = true, constant = false, known = false;
    int64_t chunks = 0;
    std::vector<int64_t> cycles; // [task][chunk]
    double seconds = 0;
    int64_t at(int64_t task, int64_t chunk) const { return cycles[(uniform ? 0 : task) * chunks + chunk]; }
  };
  Account &account(int64_t phase, int64_t stage) { return accounts[phase][stage]; }
  const Account &account(int64_t phase, int64_t stage) const { return accounts[phase][stage]; }
  /// What a phase took: cycles of each stage, and supersteps by the stages that are active in them.
  struct Totals {
    std::vector<int64_t> stages;
    std::vector<SuperstepProfile> supersteps;
    std::map<std::vector<int64_t>, size_t> known; // active stages -> place in `supersteps`
  };
  void addPass(int64_t phase, Totals &totals) const;
  int64_t usedTiles() const;

  const Manifest &manifest;
  std::vector<std::vector<Account>> accounts;
  std::vector<Totals> earlier; // passes that are over, by phase
};

} // namespace spikeloom::runtime
#endif
