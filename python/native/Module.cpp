// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives Python the runtime's session: arrays go in without a copy on the Python side, and the interpreter is
// free (other threads run) while a program runs.
#include "spikeloom/Runtime/Session.h"
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <nlohmann/json.hpp>

namespace nb = nanobind;
using namespace spikeloom;
using namespace spikeloom::runtime;

namespace {

using InputArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

/// A refusal that becomes spikeloom.UserError.
struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <typename T> T take(Result<T> result) {
  if (!result)
    throw UserError(result.error());
  return std::move(*result);
}

DataType typeOf(nb::dlpack::dtype type, const std::string &name) {
  if (type == nb::dtype<float>())
    return DataType::f32;
  if (type == nb::dtype<uint8_t>())
    return DataType::u8;
  if (type == nb::dtype<bool>())
    return DataType::boolean;
  if (type == nb::dtype<int32_t>())
    return DataType::i32;
  if (type == nb::dtype<int64_t>())
    return DataType::i64;
  throw UserError("'" + name +
                  "': arrays are float32, uint8, bool, int32 or int64; convert with .astype('float32')");
}

ArrayView viewOf(const InputArray &array, const std::string &name) {
  ArrayView view;
  view.type = typeOf(array.dtype(), name);
  for (size_t d = 0; d < array.ndim(); ++d)
    view.shape.push_back(int64_t(array.shape(d)));
  view.data = array.data();
  return view;
}

nb::dlpack::dtype dtypeOf(DataType type) {
  switch (type) {
  case DataType::f32:
    return nb::dtype<float>();
  case DataType::u8:
    return nb::dtype<uint8_t>();
  case DataType::boolean:
    return nb::dtype<bool>();
  case DataType::i32:
    return nb::dtype<int32_t>();
  case DataType::i64:
    return nb::dtype<int64_t>();
  }
  return nb::dtype<float>();
}

/// Hands the bytes over to NumPy, which frees them.
nb::ndarray<nb::numpy> toNumpy(Array array) {
  auto *owned = new Array(std::move(array));
  nb::capsule owner(owned, [](void *p) noexcept { delete static_cast<Array *>(p); });
  std::vector<size_t> shape(owned->shape.begin(), owned->shape.end());
  return nb::ndarray<nb::numpy>(owned->bytes.data(), shape.size(), shape.data(), owner, nullptr,
                                dtypeOf(owned->type));
}

const char *nameOf(Role role) {
  switch (role) {
  case Role::input:
    return "input";
  case Role::output:
    return "output";
  case Role::parameter:
    return "parameter";
  case Role::state:
    return "state";
  case Role::gradient:
    return "gradient";
  case Role::optimizer:
    return "optimizer";
  case Role::label:
    return "label";
  case Role::weight:
    return "weight";
  case Role::hyper:
    return "hyper";
  case Role::random:
    return "random";
  case Role::loss:
    return "loss";
  case Role::correct:
    return "correct";
  }
  return "";
}

nb::dict describe(const Port &port) {
  nb::dict result;
  result["name"] = port.name;
  result["role"] = nameOf(port.role);
  result["shape"] = port.shape;
  result["trainable"] = port.trainable;
  result["initial"] = port.initial;
  result["pair"] = port.pair;
  result["axes"] = port.axes;
  result["classes"] = port.classes;
  return result;
}

nb::dict describe(const Manifest &manifest) {
  nb::dict machine, result;
  machine["name"] = manifest.machine.name;
  machine["chips"] = manifest.machine.chips;
  machine["tiles"] = manifest.machine.tiles;
  machine["clock_hz"] = manifest.machine.clockHz;
  machine["tile_memory_bytes"] = manifest.machine.tileMemoryBytes;
  nb::list ports;
  for (const Port &port : manifest.ports)
    ports.append(describe(port));
  result["program"] = manifest.program;
  result["machine"] = machine;
  result["batch"] = manifest.batch;
  result["steps"] = manifest.steps;
  int64_t microBatches = 1;
  for (const Loop &loop : manifest.loops)
    if (loop.sums)
      microBatches *= loop.trips;
  result["micro_batches"] = microBatches;
  result["ports"] = ports;
  result["optimizer"] = manifest.optimizer.kind;
  result["learning_rate"] = manifest.optimizer.learningRate;
  result["tiles_used"] = manifest.tilesUsed;
  result["tile_memory_max"] = manifest.tileMemoryMax;
  return result;
}

nb::list describe(const std::vector<EventCount> &events) {
  nb::list result;
  for (const EventCount &e : events) {
    nb::dict layer;
    layer["name"] = e.name;
    layer["units"] = e.units;
    layer["capacity"] = e.capacity;
    layer["fired"] = e.fired;
    layer["listed"] = e.listed;
    layer["near"] = e.near;
    result.append(layer);
  }
  return result;
}

Session *openSession(const std::string &path, const std::string &engine, int threads) {
  if (engine != "fast" && engine != "strict")
    throw UserError("engine '" + engine + "' is not known; known: fast, strict");
  SessionOptions options{engine == "strict" ? Engine::strict : Engine::fast, threads};
  nb::gil_scoped_release release;
  return new Session(take(Session::open(path, options)));
}

/// Ports of different roles may share a name (a weight and its gradient); an empty role means the first one.
const Port &portOf(const Session &session, const std::string &name, const std::string &role) {
  const Port *found = nullptr;
  if (role.empty())
    found = session.port(name);
  for (const Port &port : session.manifest().ports)
    if (!found && port.name == name && role == nameOf(port.role))
      found = &port;
  if (!found)
    throw UserError("the program has no " + (role.empty() ? std::string("array") : role) + " '" + name + "'");
  return *found;
}

} // namespace

NB_MODULE(_runtime, module) {
  // A session that lives until Python ends (in a PyTorch graph, a notebook) is no leak.
  nb::set_leak_warnings(false);
  module.doc() = "The Spikeloom runtime; use the classes of the package spikeloom instead.";
  // Error text is from spikeloom.errors, so that `except spikeloom.UserError` catches both worlds.
  nb::register_exception_translator([](const std::exception_ptr &error, void *) {
    try {
      std::rethrow_exception(error);
    } catch (const UserError &e) {
      nb::object type = nb::module_::import_("spikeloom.errors").attr("UserError");
      PyErr_SetString(type.ptr(), e.what());
    }
  });

  nb::class_<Session>(module, "Session")
      .def(
          "__init__",
          [](nb::pointer_and_handle<Session> self, const std::string &path, const std::string &engine,
             int threads) {
            new (self.p) Session(std::move(*std::unique_ptr<Session>(openSession(path, engine, threads))));
          },
          nb::arg("path"), nb::arg("engine") = "fast", nb::arg("threads") = 0)
      .def("describe", [](const Session &s) { return describe(s.manifest()); })
      .def(
          "set",
          [](Session &s, const std::string &name, const InputArray &array, const std::string &role) {
            const Port &port = portOf(s, name, role);
            ArrayView view = viewOf(array, name);
            nb::gil_scoped_release release;
            take(s.set(port, view));
          },
          nb::arg("name"), nb::arg("array"), nb::arg("role") = "")
      .def(
          "fill",
          [](Session &s, const std::string &name, double value, const std::string &role) {
            take(s.fill(portOf(s, name, role), value));
          },
          nb::arg("name"), nb::arg("value"), nb::arg("role") = "")
      .def(
          "get",
          [](const Session &s, const std::string &name, const std::string &role) {
            return toNumpy(take(s.get(portOf(s, name, role))));
          },
          nb::arg("name"), nb::arg("role") = "")
      .def(
          "mask",
          [](const Session &s, const std::string &name, const std::string &role) {
            return toNumpy(take(s.mask(portOf(s, name, role))));
          },
          nb::arg("name"), nb::arg("role") = "")
      .def(
          "set_labels",
          [](Session &s, const InputArray &labels, int64_t count) {
            take(s.setLabels(viewOf(labels, "labels"), count));
          },
          nb::arg("labels"), nb::arg("count"))
      .def("run",
           [](Session &s) {
             nb::gil_scoped_release release;
             take(s.run());
           })
      .def_prop_rw("step", &Session::step, &Session::setStep)
      .def_prop_rw("learning_rate", &Session::learningRate, &Session::setLearningRate)
      .def("events", [](const Session &s) { return describe(s.events()); })
      .def(
          "fired", [](const Session &s, size_t layer) { return toNumpy(take(s.fired(layer))); },
          nb::arg("layer"))
      .def("cycles", [](const Session &s) { return s.profile().cycles(); })
      .def("profile", [](const Session &s) { return profileToJson(s.manifest(), s.profile()).dump(1); })
      .def("save_weights", [](const Session &s, const std::string &path) { take(s.saveWeights(path)); })
      .def("load_weights", [](Session &s, const std::string &path) { return take(s.loadWeights(path)); })
      .def("save_gradients", [](const Session &s, const std::string &path) { take(s.saveGradients(path)); });
}
