// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The manifest: everything about a compiled program that is not code or constants. The compiler (lib/Target)
// fills it, the runtime executes it; it is stored in a `.loom` as CBOR. Plain data, no LLVM or MLIR types.
#ifndef SPIKELOOM_RUNTIME_MANIFEST_H
#define SPIKELOOM_RUNTIME_MANIFEST_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace spikeloom::runtime {

enum class ElementType { f32, i16, i32 };

/// A range of tiles that runs the same codelets. `units > 0` says that it owns the units of a layer: unit n
/// lies in group g = n / (perTile * group); with r = n % (perTile * group), c = r / group and lane = r %
/// group it is unit c of tile g * group + lane (counted from `firstTile`). An index family has units == 0 and
/// one task per tile.
struct Family {
  std::string name;
  int64_t firstTile = 0, tiles = 0;
  int64_t units = 0, perTile = 1, group = 1;
};

/// A two-level affine slice of a buffer by task: task k starts at element (k / divisor) * outer + (k %
/// divisor) * inner of a row-major step of the buffer (counted without the host's pitch), and covers
/// `extents` with the buffer's own strides. The last tasks' slices may hang over the end of a dimension: only
/// the part inside exists and moves. The slices of a buffer at home on an index family cover every element
/// exactly once.
struct Slice {
  int64_t divisor = 1, outer = 0, inner = 0;
  std::vector<int64_t> extents; // as many as the buffer's per-step dimensions
};

/// Where the authoritative copy of a buffer lives on the machine.
enum class Home {
  host,  // streamed by the host: inputs, labels, hyper-parameters
  own,   // sharded by unit over a unit family (last dimension = units)
  slice, // sharded by task over an index family, by `slice`
};

/// How the host keeps an `own` buffer: `blocked` = [group][rows...][c][lane], one contiguous piece per group
/// of tiles; `rows` = [rows...][unit], the order of the units, `pitch` elements a row (so that lists can be
/// built from it).
enum class Layout { blocked, rows };

struct Buffer {
  std::string name;
  ElementType type = ElementType::f32;
  /// Global shape. With `steps`, the first dimension is time. For `own` the last dimension is the units.
  std::vector<int64_t> shape;
  bool steps = false;
  Home home = Home::host;
  int64_t family = -1; // index into families, for own and slice
  Layout layout = Layout::rows;
  /// Elements between rows of the last dimension in `rows` layout and for home host / slice: >= shape.back().
  int64_t pitch = 0;
  int64_t spare = 0; // elements after the end that codelets may read (prefetch of list entries)
  std::optional<Slice> slice;
  /// Zero-filled at the start of every run (states with initial value 0, gradient accumulators) or filled
  /// with `fill`.
  bool clear = false;
  double fill = 0;
  /// Keeps its content between runs: parameters and optimiser state.
  bool persistent = false;
  /// Byte address in the memory of every tile of `family`; -1 for host. Holds all steps ("event tapes stay on
  /// the tiles that made them") unless `window` > 0: then only that many steps are kept, as a ring.
  int64_t address = -1;
  int64_t window = 0;
  /// Offset in the constants section, bytes, of what the buffer holds for good (row-major, global shape); -1
  /// for buffers that codelets or people write.
  int64_t content = -1;
};

enum class Access { read, write, update };

/// How a codelet argument sees its buffer.
enum class View {
  own,       // this tile's units; `memref<[steps]x rows x perTile>`
  broadcast, // the whole buffer (of the steps it is called for), the same on every tile
  slice,     // this task's slice
  partials,  // `own`-like private result [steps x rows...] of every tile that a following reduction sums in
             // D10's order. The buffer has home `own` and shape [steps x rows...], without units; every tile
             // of the family has all of it at `address`. On the host the widened codelet writes one sum per
             // group: [group][steps][rows...]. The `groupSum` stage reads it as argument 0: on the machine
  // every task gets, at the argument's address, [tile of the family][steps of the chunk][extents of
  // the argument's slice, or all rows].
};

/// How far an argument moves on in its buffer with every trip of a loop around its phase.
struct Advance {
  int64_t loop = -1; // index into loops
  int64_t rows = 0;
};

struct Argument {
  int64_t buffer = -1;
  View view = View::broadcast;
  Access access = Access::read;
  /// Time-indexed: the codelet is called with a pointer to step t0 + shift of the buffer.
  bool steps = false;
  int64_t shift = 0;
  /// In loops: `rows` for every trip that is over are added to `shift`. Without `steps` the argument then
  /// shows one row of the buffer, that of the trip, instead of all.
  std::vector<Advance> advances;
  std::optional<Slice> slice; // for View::slice when it differs from the buffer's own
  /// Byte address of the staging copy on the tile: [steps of the chunk][what the view shows], compact; -1 for
  /// arguments at home. Only arguments with home `host` may be written through a staging copy.
  int64_t address = -1;
  /// The codelet's `cycles` entry reads it. Where it does not, the engine saves itself a compact copy.
  bool decidesCycles = true;
};

/// Native code. Every entry has the C signature
///   void f(void *const *arguments, int64_t steps, int64_t task, int64_t *cycles)
/// `host`: for a unit family computes one group (task = first tile of the group), for an index family one
/// task; pointers
///   address the host layout of the step/group/task. `cycles` is unused by it.
/// `cycles`: writes the tile cycles of each of the `steps` steps; same arguments as `strict`, but only reads
/// data that
///   decides trip counts; `cyclesUniform` says that all tiles of the family take the same, so that one call
///   serves all.
/// `strict`: one tile, compact tile-memory layout; two more arguments: (…, void *context,
///   void (*check)(void *context, int64_t address, int32_t bytes, int32_t flags, int32_t location)) called
///   before every access: address = byte pointer value, flags bit 0 = store; location = index into
///   Manifest::locations.
struct Codelet {
  std::string name;
  std::string host, cycles, strict; // symbol names in the native object
  bool cyclesUniform = true;
  /// The cycles depend neither on data nor on the step: one call for one step serves all steps of all runs.
  bool cyclesStatic = false;
};

/// One compute step of a phase: a codelet on the tiles of a family, for one chunk of time.
struct Stage {
  std::string name;
  std::string layer; // for the profile's `layers`
  std::string kind;  // forward, lists, concat, backward, reduce, loss, optimizer, ...
  int64_t codelet = -1;
  int64_t family = -1;
  std::vector<Argument> arguments;
  /// Superstep of chunk k within the phase: k * interval + offset.
  int64_t offset = 0;
  /// Static cost of bringing the arguments in before it runs.
  int64_t exchangeBytesPerTile = 0, exchangeCycles = 0;
  /// The stage sums `partials` over groups on the host: the runtime adds the groups in order (argument 0 =
  /// partials, argument 1 = result) and runs no native code; strict runs the codelet on its tiles.
  bool groupSum = false;
};

/// A loop over time (or, with steps == 1, a single pass). Reverse phases run t = steps-1 .. 0, codelets
/// included: a codelet called for steps [t0, t0+n) of a reverse phase walks them backwards itself.
struct Phase {
  std::string name;
  int64_t steps = 1;
  bool reverse = false;
  int64_t chunk = 1, interval = 1;
  std::vector<Stage> stages;
  /// Host order: sets of stages in topological order; a set with `feedback` advances one step at a time
  /// through its stages, any other is a single stage run for all steps, groups in parallel.
  struct HostSet {
    std::vector<int64_t> stages;
    bool feedback = false;
  };
  std::vector<HostSet> hostOrder;
};

/// Phases [first, first + phases) run one after another, `trips` times. Loops nest properly or are disjoint;
/// an outer loop comes before its inner ones.
struct Loop {
  std::string name;
  int64_t first = 0, phases = 1, trips = 1;
  /// Buffers (of those with `clear`) that every trip finds as the run does. Sums that go on from trip to trip
  /// are not among them.
  std::vector<int64_t> clear;
  /// Every trip makes a share of what the ports of role loss and correct and the counts of lists hold: the
  /// host adds up the shares.
  bool sums = false;
};

/// `random` are keys that the session draws for every training step.
enum class Role {
  input,
  output,
  parameter,
  state,
  gradient,
  optimizer,
  label,
  weight,
  hyper,
  loss,
  correct,
  random
};

/// A buffer that people name.
struct Port {
  std::string name;
  Role role = Role::input;
  int64_t buffer = -1;
  /// Shape in the user's order. Parameters: the file's shape; `transposed` says that the buffer holds
  /// [in][out].
  std::vector<int64_t> shape;
  bool transposed = false;
  bool trainable = false;
  double initial = 0; // states
  std::string pair;   // state output -> its input; gradient, optimizer -> their parameter
  std::string axes;   // how the host's array lies, dimension by dimension ("B,T,20"); empty: as `shape`
  int64_t constant =
      -1; // offset of the initial value (row-major, user's shape) in the constants section, bytes
  int64_t classes = 0; // labels: they lie in [0, classes); 0 when nobody knows
  /// Of a sparse weight [out, in] (its gradient, its optimiser's states) the buffer holds [m][out] values at
  /// the weight's connections, and so does `constant`. This i16 buffer [m][out], with content, names the
  /// input of each: of every output ascending, then `noConnection`. -1: the weight is dense.
  int64_t connections = -1;
};

/// Stands for no input among the connections of an output.
constexpr uint16_t noConnection = 65535;

struct EventLayer {
  std::string name;
  int64_t units = 0, capacity = 0;
  int64_t info = -1; // buffer [T][B][10] i32 with counts (see Events)
};

struct Optimizer {
  std::string kind; // "", "sgd", "adam", "adamw"
  double learningRate = 0, beta1 = 0.9, beta2 = 0.999, momentum = 0, weightDecay = 0;
};

struct MachineInfo {
  std::string name;
  int64_t chips = 1, tiles = 0, tileMemoryBytes = 0; // tiles of all chips together
  double clockHz = 0;
  int64_t syncCycles = 0, computeLaunchCycles = 0;
  double hostBytesPerSecond = 0;
};

struct Location {
  std::string text; // the user's node, else file:line:col
};

struct Manifest {
  std::string program;
  MachineInfo machine;
  int64_t batch = 0, steps = 0;
  std::vector<Family> families;
  std::vector<Buffer> buffers;
  std::vector<Codelet> codelets;
  std::vector<Phase> phases;
  std::vector<Loop> loops;
  std::vector<Port> ports;
  std::vector<EventLayer> events;
  std::vector<Location> locations;
  Optimizer optimizer;
  int64_t tilesUsed = 0, tileMemoryMax = 0;
  double tileMemoryMean = 0;
};

} // namespace spikeloom::runtime
#endif
