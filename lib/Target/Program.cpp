// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Translates a physical tile program into the manifest of an executable.
#include "spikeloom/Target/Program.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "spikeloom/Dialect/Tile/IR/TileOps.h"
#include "spikeloom/Dialect/Tile/Transforms/TilePasses.h"
#include "spikeloom/Machine/Machine.h"
#include "spikeloom/Runtime/Validate.h"
#include "spikeloom/Target/Native.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/TargetParser/Host.h"
#include <algorithm>

using namespace mlir;
using namespace spikeloom;
using namespace spikeloom::tile;

namespace {
class ManifestBuilder {
public:
  ManifestBuilder(ModuleOp module, ProgramOp program) : module(module), program(program) {}

  FailureOr<runtime::Loom> build() {
    manifest.program = program.getSymName().str();
    if (failed(addMachine()))
      return failure();
    for (auto family : program.getBody().getOps<FamilyOp>())
      addFamily(family);
    for (auto buffer : program.getBody().getOps<BufferOp>())
      addBuffer(buffer);
    if (failed(addPhases(program.getBody().front(), {})))
      return failure();
    for (auto port : program.getBody().getOps<PortOp>())
      if (failed(addPort(port)))
        return failure();
    for (auto events : program.getBody().getOps<EventsOp>())
      manifest.events.push_back({events.getLayer().str(), int64_t(events.getUnits()),
                                 int64_t(events.getCapacity()), bufferNumber.lookup(events.getInfo())});
    addTraining();
    if (auto locations = module->getAttrOfType<ArrayAttr>(kLocationsAttr))
      for (Attribute text : locations)
        manifest.locations.push_back({cast<StringAttr>(text).str()});
    return std::move(loom);
  }

private:
  LogicalResult addMachine() {
    Result<Machine> machine = loadMachine(program.getMachine().str(), int64_t(program.getChips()));
    if (!machine)
      return program.emitError() << machine.error();
    manifest.machine = {
        machine->name,    machine->chips,        machine->totalTiles(),        machine->tileMemoryBytes,
        machine->clockHz, machine->syncCycles(), machine->computeLaunchCycles, machine->host.bytesPerSecond};
    auto memory = program->getAttrOfType<DictionaryAttr>("tile.memory");
    if (!memory)
      return program.emitError("has no addresses; run tile-plan-memory first");
    manifest.tileMemoryMax = memory.getAs<IntegerAttr>("max").getInt();
    manifest.tileMemoryMean = memory.getAs<FloatAttr>("mean").getValueAsDouble();
    manifest.tilesUsed = memory.getAs<IntegerAttr>("tiles").getInt();
    return mlir::success();
  }

  void addFamily(FamilyOp family) {
    familyNumber[family.getResult()] = int64_t(manifest.families.size());
    manifest.families.push_back({family.getFamily().str(), int64_t(family.getFirst()),
                                 int64_t(family.getTiles()), int64_t(family.getUnits()),
                                 int64_t(family.getPerTile()), int64_t(family.getGroup())});
  }

  static runtime::Slice toSlice(SliceAttr slice) {
    return {slice.getDivisor(), slice.getOuter(), slice.getInner(), slice.getExtents().vec()};
  }

  void addBuffer(BufferOp op) {
    runtime::Buffer buffer;
    auto type = cast<MemRefType>(op.getType());
    buffer.name = op.getBuffer().str();
    buffer.type = type.getElementType().isF32()         ? runtime::ElementType::f32
                  : type.getElementType().isInteger(16) ? runtime::ElementType::i16
                                                        : runtime::ElementType::i32;
    buffer.shape = type.getShape().vec();
    buffer.steps = op.getSteps();
    buffer.home = runtime::Home(int(op.getHome()));
    buffer.layout = runtime::Layout(int(op.getLayout()));
    if (op.getFamily())
      buffer.family = familyNumber.lookup(op.getFamily());
    if (auto slice = op.getSliceAttr())
      buffer.slice = toSlice(slice);
    buffer.pitch = int64_t(op.getPitch());
    buffer.spare = int64_t(op.getSpare());
    buffer.clear = op.getClear();
    buffer.fill = op.getFill().convertToDouble();
    buffer.persistent = op.getPersistent();
    buffer.address = int64_t(op.getAddress());
    buffer.window = int64_t(op.getWindow());
    if (auto content = dyn_cast_if_present<DenseIntElementsAttr>(op.getContentAttr())) {
      std::vector<int16_t> inputs(content.getValues<int16_t>().begin(), content.getValues<int16_t>().end());
      buffer.content = appendConstant(
          ArrayRef(reinterpret_cast<const char *>(inputs.data()), inputs.size() * sizeof(int16_t)));
    }
    bufferNumber[op.getResult()] = int64_t(manifest.buffers.size());
    manifest.buffers.push_back(std::move(buffer));
  }

  int64_t codeletNumber(func::FuncOp codelet) {
    auto [found, isNew] = codelets.insert({codelet, int64_t(manifest.codelets.size())});
    if (isNew) {
      std::string name = codelet.getSymName().str();
      manifest.codelets.push_back({name, name + ".host", name + ".cycles", name + ".strict",
                                   codelet->hasAttr(kCyclesUniformAttr),
                                   codelet->hasAttr(kCyclesStaticAttr)});
    }
    return found->second;
  }

  /// The phases of a program or of a loop, in order; `loops` are those around them, the outermost first.
  LogicalResult addPhases(Block &block, ArrayRef<int64_t> loops) {
    for (Operation &op : block) {
      if (auto phase = dyn_cast<PhaseOp>(op))
        if (failed(addPhase(phase, loops)))
          return failure();
      if (auto loop = dyn_cast<LoopOp>(op))
        if (failed(addLoop(loop, loops)))
          return failure();
    }
    return mlir::success();
  }

  LogicalResult addLoop(LoopOp op, ArrayRef<int64_t> around) {
    runtime::Loop loop;
    loop.name = op.getLoop().str();
    loop.first = int64_t(manifest.phases.size());
    loop.trips = int64_t(op.getTrips());
    loop.sums = op.getSums();
    for (Value buffer : op.getClear())
      loop.clear.push_back(bufferNumber.lookup(buffer));
    SmallVector<int64_t> loops(around);
    loops.push_back(int64_t(manifest.loops.size()));
    manifest.loops.push_back(std::move(loop));
    if (failed(addPhases(op.getBody().front(), loops)))
      return failure();
    runtime::Loop &added = manifest.loops[loops.back()];
    added.phases = int64_t(manifest.phases.size()) - added.first;
    return mlir::success();
  }

  LogicalResult addPhase(PhaseOp op, ArrayRef<int64_t> loops) {
    runtime::Phase phase;
    phase.name = op.getPhase().str();
    phase.steps = int64_t(op.getSteps());
    phase.reverse = op.getReverse();
    phase.chunk = int64_t(op.getChunk());
    phase.interval = int64_t(op.getInterval());
    for (auto compute : op.getBody().getOps<ComputeOp>()) {
      auto codelet = module.lookupSymbol<func::FuncOp>(compute.getCodelet());
      if (!codelet)
        return compute.emitError("names a codelet that does not exist: @") << compute.getCodelet();
      runtime::Stage stage;
      stage.name = compute.getCodelet().str();
      stage.layer = compute.getLayer().str();
      stage.kind = compute.getKind().str();
      stage.codelet = codeletNumber(codelet);
      stage.family = familyNumber.lookup(compute.getFamily());
      stage.offset = int64_t(compute.getOffset());
      stage.exchangeBytesPerTile = int64_t(compute.getExchangeBytes());
      stage.exchangeCycles = int64_t(compute.getExchangeCycles());
      stage.groupSum = compute.getGroupSum();
      for (auto [i, value] : llvm::enumerate(compute.getArguments())) {
        auto view = cast<ArgumentAttr>(compute.getViews()[i]);
        runtime::Argument argument;
        argument.buffer = bufferNumber.lookup(value);
        argument.view = runtime::View(int(view.getView()));
        argument.access = runtime::Access(int(view.getAccess()));
        argument.steps = view.getSteps();
        argument.shift = view.getShift();
        if (auto advance = view.getAdvance())
          for (auto [loop, rows] : llvm::zip(loops, advance.asArrayRef()))
            if (rows)
              argument.advances.push_back({loop, rows});
        argument.address = view.getAddress();
        if (view.getSlice())
          argument.slice = toSlice(view.getSlice());
        argument.decidesCycles = codelet.getArgAttr(unsigned(i), kDecidesCyclesAttr) != nullptr;
        stage.arguments.push_back(std::move(argument));
      }
      phase.stages.push_back(std::move(stage));
    }
    auto order = op->getAttrOfType<ArrayAttr>("tile.host_order");
    if (!order)
      return op.emitError("has no host order; run tile-schedule first");
    for (auto set : order.getAsRange<DictionaryAttr>())
      phase.hostOrder.push_back({set.getAs<DenseI64ArrayAttr>("stages").asArrayRef().vec(),
                                 set.getAs<BoolAttr>("feedback").getValue()});
    manifest.phases.push_back(std::move(phase));
    return mlir::success();
  }

  /// Appends the initial value of a parameter to the constants; -1 if it has none.
  FailureOr<int64_t> addConstant(PortOp op) {
    auto value = op.getValueAttr();
    if (!value)
      return int64_t(-1);
    ArrayRef<char> raw;
    std::vector<float> splat;
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
      AsmResourceBlob *blob = resource.getRawHandle().getBlob();
      if (!blob)
        return op.emitError("the value of '")
               << op.getPort() << "' is a resource that the file does not hold";
      raw = blob->getData();
    } else if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
      for (float element : dense.getValues<float>())
        splat.push_back(element);
      raw = ArrayRef<char>(reinterpret_cast<const char *>(splat.data()), splat.size() * sizeof(float));
    } else {
      return op.emitError("the value of '") << op.getPort() << "' must be dense or dense_resource";
    }
    int64_t count = 1;
    for (int64_t dim : op.getShape())
      count *= dim;
    if (int64_t(raw.size()) != count * 4)
      return op.emitError("the value of '")
             << op.getPort() << "' has " << raw.size() << " bytes, its shape needs " << count * 4;
    if (op.getConnections())
      return addConnected(op, ArrayRef(reinterpret_cast<const float *>(raw.data()), size_t(count)));
    return appendConstant(raw);
  }

  int64_t appendConstant(ArrayRef<char> raw) {
    int64_t offset = int64_t(loom.constants.size());
    loom.constants.insert(loom.constants.end(), raw.begin(), raw.end());
    loom.constants.resize((loom.constants.size() + 63) / 64 * 64);
    return offset;
  }

  /// The initial value of a sparse weight: the values at its connections, and zeros elsewhere.
  FailureOr<int64_t> addConnected(PortOp op, ArrayRef<float> dense) {
    int64_t outputs = op.getShape()[0], inputs = op.getShape()[1];
    auto content = dyn_cast_if_present<DenseIntElementsAttr>(
        op.getConnections().getDefiningOp<BufferOp>().getContentAttr());
    if (!content)
      return op.emitError("the connections of '") << op.getPort() << "' are not known";
    std::vector<float> values;
    std::vector<bool> connected(dense.size(), false);
    for (uint16_t input : content.getValues<uint16_t>()) {
      size_t element = size_t(int64_t(values.size()) % outputs * inputs + input);
      bool exists = input != runtime::noConnection;
      values.push_back(exists ? dense[element] : 0.0f);
      if (exists)
        connected[element] = true;
    }
    for (size_t i = 0; i < dense.size(); ++i)
      if (dense[i] != 0.0f && !connected[i])
        return op.emitError("the value of '")
               << op.getPort() << "' is " << dense[i] << " at [" << int64_t(i) / inputs << ", "
               << int64_t(i) % inputs << "], where it has no connection; make it 0 or add the connection";
    return appendConstant(
        ArrayRef(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)));
  }

  LogicalResult addPort(PortOp op) {
    using runtime::Role;
    runtime::Port port;
    port.name = op.getPort().str();
    port.role = llvm::StringSwitch<Role>(op.getRole())
                    .Case("input", Role::input)
                    .Case("output", Role::output)
                    .Case("parameter", Role::parameter)
                    .Case("state", Role::state)
                    .Case("gradient", Role::gradient)
                    .Case("optimizer", Role::optimizer)
                    .Case("label", Role::label)
                    .Case("weight", Role::weight)
                    .Case("hyper", Role::hyper)
                    .Case("random", Role::random)
                    .Case("loss", Role::loss)
                    .Case("correct", Role::correct)
                    .Default(Role::output);
    port.buffer = bufferNumber.lookup(op.getBuffer());
    port.shape = op.getShape().vec();
    port.transposed = op.getTransposed();
    port.trainable = op.getTrainable();
    port.initial = op.getInitial().convertToDouble();
    port.pair = op.getPair().str();
    port.axes = op.getAxes().str();
    if (port.role == Role::label)
      port.classes = labelClasses();
    // Of a micro-batch, where there are several.
    bool several = llvm::any_of(manifest.loops, [](const runtime::Loop &loop) { return loop.sums; });
    ArrayRef<int64_t> shape = ArrayRef(port.shape).drop_front(several && port.role == Role::input ? 1 : 0);
    if (port.role == Role::input && shape.size() == 3) {
      manifest.steps = shape[0];
      manifest.batch = shape[1];
    } else if (port.role == Role::input && shape.size() == 2 && !manifest.batch) {
      manifest.batch = shape[0]; // without time
    }
    if (op.getConnections())
      port.connections = bufferNumber.lookup(op.getConnections());
    FailureOr<int64_t> constant = addConstant(op);
    if (failed(constant))
      return failure();
    port.constant = *constant;
    manifest.ports.push_back(std::move(port));
    return mlir::success();
  }

  /// Labels lie below the number of columns of the loss gradient.
  int64_t labelClasses() const {
    for (const runtime::Buffer &buffer : manifest.buffers)
      if (buffer.name == "loss.gradient")
        return buffer.shape.back();
    return 0;
  }

  void addTraining() {
    if (auto training = program->getAttrOfType<DictionaryAttr>("snn.training"))
      manifest.optimizer = optimizerOf(training);
  }

  ModuleOp module;
  ProgramOp program;
  runtime::Loom loom;
  runtime::Manifest &manifest = loom.manifest;
  llvm::DenseMap<Value, int64_t> familyNumber, bufferNumber;
  llvm::MapVector<Operation *, int64_t> codelets;
};
} // namespace

runtime::Optimizer spikeloom::optimizerOf(DictionaryAttr training) {
  runtime::Optimizer optimizer;
  optimizer.kind = training.getAs<StringAttr>("optimizer").str();
  for (auto [name, value] : {std::pair<StringRef, double &>{"lr", optimizer.learningRate},
                             {"momentum", optimizer.momentum},
                             {"weight_decay", optimizer.weightDecay},
                             {"beta1", optimizer.beta1},
                             {"beta2", optimizer.beta2}})
    if (auto attribute = training.getAs<FloatAttr>(name))
      value = attribute.getValueAsDouble();
  return optimizer;
}

FailureOr<runtime::Loom> spikeloom::buildManifest(ModuleOp module) {
  auto programs = module.getOps<ProgramOp>();
  if (programs.empty() || std::next(programs.begin()) != programs.end())
    return module.emitError("must hold exactly one tile.program");
  FailureOr<runtime::Loom> loom = ManifestBuilder(module, *programs.begin()).build();
  if (failed(loom))
    return failure();
  if (Status valid = runtime::validate(loom->manifest, loom->constants.size()); !valid)
    return module.emitError("internal error: the manifest is invalid: ") << valid.error();
  return loom;
}

FailureOr<runtime::Loom> spikeloom::buildLoom(ModuleOp module, StringRef hostCpu) {
  FailureOr<runtime::Loom> loom = buildManifest(module);
  if (failed(loom))
    return failure();
  std::vector<std::string> features{"avx2", "fma"};
  const std::vector<std::string> wide{"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"};
  std::string cpu = hostCpu.str();
  if (cpu == "native") {
    // One of the two levels, so that a file depends on the level and not on the machine it was made on.
    llvm::StringMap<bool> has = llvm::sys::getHostCPUFeatures();
    bool level4 = llvm::all_of(wide, [&](const std::string &feature) { return has.lookup(feature); });
    cpu = level4 ? "x86-64-v4" : "x86-64-v3";
  }
  if (cpu == "x86-64-v4")
    features.insert(features.end(), wide.begin(), wide.end());
  NativeOptions options;
  options.cpu = cpu;
  FailureOr<std::string> code = compileNative(module, options);
  if (failed(code))
    return failure();
  loom->objects.push_back({cpu, features, runtime::Bytes(code->begin(), code->end())});
  return loom;
}
