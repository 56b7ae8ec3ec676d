// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A compiled program that is ready to run: arrays in by name, runs, arrays out by name.
//
//   Result<Session> session = Session::open("net.loom", {});
//   session->set("x", {DataType::f32, {100, 48, 2312}, x});
//   session->setLabels(labels, 48);       // training programs
//   session->run();
//   Result<Array> spikes = session->get("spk");
#ifndef SPIKELOOM_RUNTIME_SESSION_H
#define SPIKELOOM_RUNTIME_SESSION_H

#include "spikeloom/Runtime/Array.h"
#include "spikeloom/Runtime/Loom.h"
#include "spikeloom/Runtime/NativeModule.h"
#include "spikeloom/Runtime/Profile.h"
#include <array>
#include <memory>

namespace spikeloom::runtime {

enum class Engine { fast, strict };

/// What the optimiser's codelets get for step t (counted from 1), as snn.sgd and snn.adam lay it out: all
/// powers are taken here, once.
std::array<float, 4> hyperOf(const Optimizer &optimizer, int64_t t);

struct SessionOptions {
  Engine engine = Engine::fast;
  int threads = 0; // 0: as many as there are cores
};

class Session {
public:
  static Result<Session> open(const std::string &path, const SessionOptions &options);
  static Result<Session> create(Loom loom, const SessionOptions &options,
                                const std::string &name = "program");
  /// With code from elsewhere than the file's native objects.
  static Result<Session> create(Manifest manifest, const Bytes &constants, SymbolLookup symbols,
                                const SessionOptions &options, const std::string &cpu = "");
  Session(Session &&) noexcept;
  Session &operator=(Session &&) noexcept;
  ~Session();

  const Manifest &manifest() const;
  const Port *port(const std::string &name) const;
  const Port *port(Role role, const std::string &name) const;

  /// Arrays have the port's shape (the user's order). What is set stays until it is set again; states that
  /// are set are the initial value of every following run. A name of several roles means the first of: input,
  /// state, parameter, label, weight, hyper, then the rest.
  Status set(const std::string &name, const ArrayView &array);
  Status set(const Port &port, const ArrayView &array);
  /// Whether `set` would take the array.
  Status check(const Port &port, const ArrayView &array) const;
  Status fill(const Port &port, double value);
  Result<Array> get(const std::string &name) const;
  Result<Array> get(const Port &port) const;
  /// 1 where the array of an f32 port may be other than zero, else 0: the connections of a sparse weight.
  Result<Array> mask(const Port &port) const;

  /// Labels of the first `count` samples of the batch; they weigh 1 / count each, the rest is padding of
  /// weight 0.
  Status setLabels(const ArrayView &labels, int64_t count);

  /// One run of the program; of a training program that is one step, which the optimiser counts.
  Status run();

  int64_t step() const;
  void setStep(int64_t step);
  double learningRate() const;
  void setLearningRate(double rate);

  std::vector<EventCount> events() const;
  /// How many neurons of a layer (an index into `events()`) fired in each row [T * B] of the last run, before
  /// lists were cut.
  Result<Array> fired(size_t layer) const;
  /// Of the last run.
  Profile profile() const;

  /// Parameters to and from a safetensors file. `load` wants all of them, finite and of the right shape, and
  /// returns the names of tensors that the program does not have.
  Status saveWeights(const std::string &path) const;
  Result<std::vector<std::string>> loadWeights(const std::string &path);
  Status saveGradients(const std::string &path) const;
  /// Parameters, optimiser state and step counter: continuing from it gives the same bits.
  Status saveCheckpoint(const std::string &path) const;
  Status loadCheckpoint(const std::string &path);

private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace spikeloom::runtime
#endif
