// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The memories of all tiles, and everything that moves between them and the host: what exchanges and streams
// do.
#ifndef SPIKELOOM_LIB_RUNTIME_TILESTORE_H
#define SPIKELOOM_LIB_RUNTIME_TILESTORE_H

#include "Program.h"
#include "TileMemory.h"

namespace spikeloom::runtime {

/// Data on its way: values and, per element, whether somebody had written it.
struct Parcel {
  std::vector<uint8_t> data, written;
  void resize(int64_t elements, int64_t bytes) {
    data.assign(size_t(elements * bytes), 0);
    written.assign(size_t(elements), 0);
  }
};

class TileStore {
public:
  explicit TileStore(Program &program);

  TileMemory &tile(int64_t index) { return tiles[index]; }

  /// Nothing is written, then what a run starts from is brought in from the host's buffers.
  void beginRun();
  /// A trip of a loop begins: brings in a buffer from the host's again.
  void restart(int64_t buffer);
  /// Brings the step (all steps: -1) of a buffer back to the host's buffers; elements nobody wrote are left
  /// as they are. Returns how many those are.
  int64_t download(int64_t buffer, int64_t step = -1);

  /// What the argument shows to a task, collected from where it lives.
  Parcel collect(const Stage &stage, const Argument &argument, int64_t task, int64_t first,
                 int64_t count) const;
  /// Puts it at the argument's address on the task's tile.
  void deliver(const Stage &stage, const Argument &argument, int64_t task, const Parcel &parcel);
  /// The other way, for arguments that a codelet wrote in a staging copy of a host buffer.
  void returnToHost(const Stage &stage, const Argument &argument, int64_t task, int64_t first, int64_t count);

  /// Windows: which step a slot holds; an empty text, or which step is gone.
  std::string checkWindow(const Argument &argument, int64_t first, int64_t count) const;
  void setWindow(const Argument &argument, int64_t first, int64_t count);

  /// Byte address of a step at home.
  int64_t homeAddress(int64_t buffer, int64_t step) const {
    const Geometry &g = program.buffers.geometry(buffer);
    return manifest.buffers[buffer].address + step % g.slots * g.tileStep * g.bytes;
  }

private:
  struct Place {
    int64_t tile, element; // element of a step at home
  };
  Place place(int64_t buffer, int64_t row, int64_t column) const;
  template <typename F> void forEachHome(int64_t buffer, int64_t task, F f) const;
  void upload(int64_t buffer);
  void collectUnits(const Family &run, const Argument &a, int64_t task, int64_t from, int64_t count,
                    Parcel &parcel) const;
  void collectOwn(const Argument &a, int64_t task, int64_t from, int64_t count, Parcel &parcel) const;
  void collectPartials(const Argument &a, int64_t task, int64_t from, int64_t count, Parcel &parcel) const;

  Program &program;
  const Manifest &manifest;
  std::vector<TileMemory> tiles;
  std::vector<bool> startsFrom;                // per buffer: brought in at the start of a run
  std::vector<std::vector<Place>> slicePlaces; // per buffer with home slice: of every element of a step
  std::vector<std::vector<int64_t>>
      windowSteps; // per buffer with a window: the step that each slot holds, or -1
};

} // namespace spikeloom::runtime
#endif
