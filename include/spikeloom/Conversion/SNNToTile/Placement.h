// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which tiles the layers of a model get: what `snn-partition` decides and writes on the function, and
// `convert-snn-to-tile` reads.
#ifndef SPIKELOOM_CONVERSION_SNNTOTILE_PLACEMENT_H
#define SPIKELOOM_CONVERSION_SNNTOTILE_PLACEMENT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "spikeloom/Machine/Machine.h"
#include <string>
#include <vector>

namespace spikeloom {

class UnitClasses;

/// Units of one class: see tile.family.
struct UnitPlacement {
  int64_t perTile = 1, group = 1, first = -1, tiles = 1;
};

struct Placement {
  std::string machine;
  int64_t chips = 1;
  int64_t firstTile = 0, endTile = 0; // tiles that programs may use
  std::vector<UnitPlacement> units;   // by unit class
  /// Tiles from here to endTile hold no units; helpers (lists, reductions, loss) go there first.
  int64_t firstFree = 0;
  /// Estimated cycles per time step of the busiest tile.
  int64_t load = 0;

  int64_t tiles() const { return endTile - firstTile; }
  /// Tiles for helpers: the free ones where there are enough to matter, else all.
  int64_t helperTiles() const { return endTile - firstFree >= tiles() / 8 ? endTile - firstFree : tiles(); }
  int64_t firstHelper() const { return endTile - firstFree >= tiles() / 8 ? firstFree : firstTile; }
};

/// The attribute `snn.placement` of a function, or nothing with an error on it.
mlir::FailureOr<Placement> getPlacement(mlir::func::FuncOp function);
void setPlacement(mlir::func::FuncOp function, const Placement &placement);

} // namespace spikeloom
#endif
