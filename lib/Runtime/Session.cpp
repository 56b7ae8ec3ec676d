// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Opening and running programs.
#include "SessionState.h"
#include "spikeloom/Runtime/Validate.h"
#include "spikeloom/Support/Random.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

namespace spikeloom::runtime {

Session::Session(std::unique_ptr<State> state) : state(std::move(state)) {}
Session::Session(Session &&) noexcept = default;
Session &Session::operator=(Session &&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::open(const std::string &path, const SessionOptions &options) {
  Result<Loom> loom = readLoom(path);
  if (!loom)
    return Error{loom.error()};
  return create(std::move(*loom), options, path);
}

Result<Session> Session::create(Loom loom, const SessionOptions &options, const std::string &name) {
  Result<size_t> chosen = selectObject(loom, name);
  if (!chosen)
    return Error{chosen.error()};
  const NativeObject &object = loom.objects[*chosen];
  Result<SymbolLookup> symbols = loadNative(object.code, name);
  if (!symbols)
    return Error{symbols.error()};
  Result<Session> session = create(std::move(loom.manifest), loom.constants, *symbols, options, object.cpu);
  if (!session)
    return Error{name + ": " + session.error()};
  return session;
}

bool isInitialState(const Manifest &manifest, const Port &port) {
  return port.role == Role::state && port.pair.empty() && !manifest.buffers[port.buffer].persistent;
}

/// Constants, or the port's one initial value; what is cleared needs nothing.
static Status setInitialValues(Session &session, const Program &program, const Bytes &constants) {
  for (size_t i = 0; i < program.manifest.buffers.size(); ++i)
    if (int64_t content = program.manifest.buffers[i].content; content >= 0)
      program.buffers.scatter(int64_t(i), constants.data() + content);
  for (const Port &port : session.manifest().ports) {
    const Buffer &buffer = session.manifest().buffers[port.buffer];
    Status done = success();
    if (port.constant >= 0 && port.connections != -1) {
      const float *values = reinterpret_cast<const float *>(constants.data() + port.constant);
      if (!std::all_of(values, values + elementsOf(buffer.shape), [](float v) { return std::isfinite(v); }))
        return Error{describe(port) + ": the initial value is not finite"};
      program.buffers.scatter(port.buffer, values);
    } else if (port.constant >= 0) {
      Array value(buffer.type == ElementType::f32 ? DataType::f32 : DataType::i32, port.shape);
      if (buffer.type == ElementType::i16)
        return Error{describe(port) + ": 16-bit buffers have no initial values"};
      std::memcpy(value.bytes.data(), constants.data() + port.constant, value.bytes.size());
      done = session.set(port, value.view());
    } else if (port.initial != 0 || (isInitialState(session.manifest(), port) && !buffer.clear)) {
      done = session.fill(port, port.initial);
    }
    if (!done)
      return done;
  }
  return success();
}

Result<Session> Session::create(Manifest manifest, const Bytes &constants, SymbolLookup symbols,
                                const SessionOptions &options, const std::string &cpu) {
  if (Status valid = validate(manifest, constants.size()); !valid)
    return Error{valid.error()};
  if (Status valid = validateConnections(manifest, constants); !valid)
    return Error{valid.error()};
  Result<HostBuffers> buffers = HostBuffers::allocate(manifest);
  if (!buffers)
    return Error{buffers.error()};
  const int cores = int(std::max(1u, std::thread::hardware_concurrency()));
  auto state = std::make_unique<State>(std::move(manifest), std::move(symbols), std::move(*buffers),
                                       options.threads > 0 ? options.threads : cores);
  state->optimizer = state->program.manifest.optimizer;
  state->cpu = cpu;
  const bool strict = options.engine == Engine::strict;
  if (Status linked = state->program.link(strict); !linked)
    return Error{linked.error()};
  state->engineName = strict ? "strict" : "fast";
  if (strict) {
    Result<std::unique_ptr<ExecutionEngine>> engine = makeStrictEngine(state->program);
    if (!engine)
      return Error{engine.error()};
    state->engine = std::move(*engine);
  } else {
    state->engine = makeFastEngine(state->program);
  }
  Session session(std::move(state));
  if (Status done = setInitialValues(session, session.state->program, constants); !done)
    return Error{done.error()};
  return session;
}

const Manifest &Session::manifest() const { return state->program.manifest; }

const Port *Session::port(Role role, const std::string &name) const {
  for (const Port &port : manifest().ports)
    if (port.role == role && port.name == name)
      return &port;
  return nullptr;
}

const Port *Session::port(const std::string &name) const {
  for (Role role : {Role::input, Role::state, Role::parameter, Role::label, Role::weight, Role::hyper,
                    Role::random, Role::output, Role::loss, Role::correct, Role::gradient, Role::optimizer})
    if (const Port *found = port(role, name))
      return found;
  return nullptr;
}

static Error unknownPort(const Manifest &manifest, const std::string &name) {
  std::string known;
  for (const Port &port : manifest.ports)
    known += (known.empty() ? "" : ", ") + describe(port);
  return Error{"the program has no '" + name + "'; it has " + known};
}

Status Session::set(const std::string &name, const ArrayView &array) {
  const Port *found = port(name);
  if (!found)
    return unknownPort(manifest(), name);
  return set(*found, array);
}

Status Session::check(const Port &port, const ArrayView &array) const {
  Result<Bytes> fits = toBuffer(state->program, port, array);
  return fits ? success() : Status(Error{fits.error()});
}

Status Session::set(const Port &port, const ArrayView &array) {
  Result<Bytes> compact = toBuffer(state->program, port, array);
  if (!compact)
    return Error{compact.error()};
  const HostBuffers &buffers = state->program.buffers;
  buffers.scatter(port.buffer, compact->data());
  if (isInitialState(manifest(), port))
    state->program.initial[port.buffer] =
        Bytes(buffers.data(port.buffer), buffers.data(port.buffer) + buffers.bytes(port.buffer));
  return success();
}

Status Session::fill(const Port &port, double value) {
  if (!std::isfinite(value))
    return Error{describe(port) + ": the value must be finite"};
  const bool real = manifest().buffers[port.buffer].type == ElementType::f32;
  if (!real && (value != std::floor(value) || std::fabs(value) > double(INT32_MAX)))
    return Error{describe(port) + ": the value must be a 32-bit integer, found " + std::to_string(value)};
  Array array(real ? DataType::f32 : DataType::i32, port.shape);
  for (int64_t i = 0, count = elementsOf(port.shape); i < count; ++i) {
    if (real)
      array.as<float>()[i] = float(value);
    else
      array.as<int32_t>()[i] = int32_t(value);
  }
  return set(port, array.view());
}

Result<Array> Session::get(const std::string &name) const {
  const Port *found = port(name);
  if (!found)
    return unknownPort(manifest(), name);
  return get(*found);
}

Result<Array> Session::get(const Port &port) const {
  const Buffer &buffer = manifest().buffers[port.buffer];
  Bytes compact(size_t(elementsOf(buffer.shape) * elementBytes(buffer.type)));
  state->program.buffers.gather(port.buffer, compact.data());
  return fromBuffer(state->program, port, compact);
}

Result<Array> Session::mask(const Port &port) const {
  const Buffer &buffer = manifest().buffers[port.buffer];
  if (buffer.type != ElementType::f32)
    return Error{describe(port) + ": only what holds float32 has a mask"};
  std::vector<float> ones(size_t(elementsOf(buffer.shape)), 1.0f);
  const uint8_t *bytes = reinterpret_cast<const uint8_t *>(ones.data());
  return fromBuffer(state->program, port, Bytes(bytes, bytes + ones.size() * sizeof(float)));
}

Status Session::setLabels(const ArrayView &labels, int64_t count) {
  const Port *labelPort = nullptr, *weightPort = nullptr;
  for (const Port &port : manifest().ports) {
    if (port.role == Role::label)
      labelPort = &port;
    if (port.role == Role::weight)
      weightPort = &port;
  }
  if (!labelPort)
    return Error{"labels were given, but the program takes none: compile it with --train"};
  const int64_t batch = elementsOf(labelPort->shape);
  if (labels.shape.size() != 1 || labels.shape[0] != count || count < 1 || count > batch)
    return Error{describe(*labelPort) + ": expected 1 to " + std::to_string(batch) + " labels, found shape " +
                 shapeText(labels.shape)};
  Array padded(labels.type, labelPort->shape);
  std::memcpy(padded.bytes.data(), labels.data, size_t(count * bytesOf(labels.type)));
  if (Status done = set(*labelPort, padded.view()); !done)
    return done;
  if (!weightPort)
    return success();
  Array weights(DataType::f32, weightPort->shape);
  for (int64_t i = 0, all = std::min(count, elementsOf(weightPort->shape)); i < all; ++i)
    weights.as<float>()[i] = 1.0f / float(count);
  return set(*weightPort, weights.view());
}

std::array<float, 4> hyperOf(const Optimizer &optimizer, int64_t t) {
  const double rate = optimizer.learningRate, decay = optimizer.weightDecay;
  if (optimizer.kind == "sgd")
    return {float(rate), 0.0f, float(decay), float(optimizer.momentum)};
  return {float(rate / (1 - std::pow(optimizer.beta1, double(t)))),
          float(1 / std::sqrt(1 - std::pow(optimizer.beta2, double(t)))),
          float(optimizer.kind == "adamw" ? 1 - rate * decay : decay), 0.0f};
}

static Status setHyper(Session &session, const Optimizer &optimizer, int64_t t) {
  for (const Port &port : session.manifest().ports) {
    if (port.role != Role::hyper)
      continue;
    Array values(DataType::f32, port.shape);
    const std::array<float, 4> hyper = hyperOf(optimizer, t);
    std::copy(hyper.begin(), hyper.end(), values.as<float>());
    if (Status done = session.set(port, values.view()); !done)
      return done;
  }
  return success();
}

/// Keys for what is drawn at random in step t: a step that is repeated after a restart draws the same.
static Status setRandom(Session &session, int64_t t) {
  for (const Port &port : session.manifest().ports) {
    if (port.role != Role::random)
      continue;
    Array values(DataType::f32, port.shape);
    for (int64_t i = 0; i < elementsOf(port.shape); ++i)
      values.as<float>()[i] = float(randomKey(t, i));
    if (Status done = session.set(port, values.view()); !done)
      return done;
  }
  return success();
}

Status Session::run() {
  if (!state->optimizer.kind.empty()) {
    if (Status done = setHyper(*this, state->optimizer, state->step + 1); !done)
      return done;
    if (Status done = setRandom(*this, state->step + 1); !done)
      return done;
  }
  Program &program = state->program;
  program.ledger.begin();
  const auto start = std::chrono::steady_clock::now();
  program.buffers.clear(program.manifest, program.pool);
  program.earlierEvents.clear();
  for (const auto &[buffer, content] : program.initial)
    std::memcpy(program.buffers.data(buffer), content.data(), content.size());
  Status done = state->engine->run();
  state->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (done && !state->optimizer.kind.empty())
    ++state->step;
  return done;
}

int64_t Session::step() const { return state->step; }
void Session::setStep(int64_t step) { state->step = step; }
double Session::learningRate() const { return state->optimizer.learningRate; }
void Session::setLearningRate(double rate) { state->optimizer.learningRate = rate; }

std::vector<EventCount> Session::events() const {
  std::vector<EventCount> counts = countEvents(manifest(), state->program.buffers);
  const std::vector<EventCount> &earlier = state->program.earlierEvents;
  for (size_t i = 0; i < earlier.size(); ++i)
    counts[i].add(earlier[i]);
  return counts;
}

Result<Array> Session::fired(size_t layer) const {
  if (layer >= manifest().events.size())
    return Error{"there is no event layer " + std::to_string(layer) + "; the program has " +
                 std::to_string(manifest().events.size())};
  const std::vector<int32_t> info = countsOf(manifest(), state->program.buffers, manifest().events[layer]);
  Array counts(DataType::i32, {int64_t(info.size() / rowInfo)});
  for (size_t row = 0; row < info.size() / rowInfo; ++row)
    counts.as<int32_t>()[row] = info[row * rowInfo + infoFired];
  return counts;
}

Profile Session::profile() const {
  Profile profile;
  state->program.ledger.assemble(profile);
  profile.events = events();
  profile.engine = state->engineName;
  profile.threads = state->program.pool.size();
  profile.hostSeconds = state->seconds;
  profile.cpu = state->cpu;
  return profile;
}

} // namespace spikeloom::runtime
