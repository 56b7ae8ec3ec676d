// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Command line to session and back: everything that `snn-run` prints and writes.
#include "spikeloom/Runtime/RunTool.h"
#include "spikeloom/Runtime/Npy.h"
#include "spikeloom/Runtime/Session.h"
#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <getopt.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/stat.h>

namespace spikeloom::runtime {
namespace {

constexpr int done = 0, userError = 1, usageError = 2, ourError = 3;

const char help[] =
    "usage: snn-run PROGRAM.loom [options]\n"
    "\n"
    "Runs a compiled program on this computer and counts the cycles that the modelled machine would take.\n"
    "\n"
    "  --input [NAME=]FILE.npy  an input or initial state (the name may be left out if there is one input)\n"
    "  --input NAME=VALUE       the same, one value for all elements\n"
    "  --labels FILE.npy        labels of the batch, for training programs\n"
    "  --weights FILE           parameters from a safetensors file instead of those in the program\n"
    "  --output DIR             write every output to DIR/NAME.npy\n"
    "  --save FILE              write the parameters after the last run as safetensors\n"
    "  --checkpoint FILE        write parameters, optimiser state and step count after the last run\n"
    "  --resume FILE            go on from a checkpoint\n"
    "  --save-gradients FILE    write the gradients of the last run as safetensors\n"
    "  --profile FILE           write the profile of the last run as JSON (- for standard output)\n"
    "  --engine fast|strict     fast: host order, SIMD, threads; strict: the machine's order, each tile in a "
    "memory\n"
    "                           of its own, every access checked (default: fast)\n"
    "  --threads N              default: one for each core\n"
    "  --repeat N               run N times; each run of a training program is one step (default: 1)\n"
    "  --list                   print inputs, outputs, parameters and their shapes, and run nothing\n"
    "  --help\n"
    "\n"
    "Exit code: 0 done, 1 the input is at fault, 2 wrong usage, 3 a defect of Spikeloom.\n";

struct Arguments {
  std::string program, labels, weights, output, save, saveGradients, profile, checkpoint, resume;
  std::vector<std::string> inputs;
  SessionOptions session;
  bool engineGiven = false, list = false;
  int repeat = 1;
};

int fail(int code, const std::string &message) {
  std::fprintf(stderr, "snn-run: %s\n", message.c_str());
  return code;
}

/// A whole number of at least 1, or -1.
int positive(const char *text) {
  char *end = nullptr;
  errno = 0;
  const long value = std::strtol(text, &end, 10);
  return *text && !*end && errno == 0 && value >= 1 && value <= 1000000 ? int(value) : -1;
}

/// -1 to go on, else the exit code.
int parse(int argc, char **argv, Arguments &a) {
  enum {
    input = 1,
    labels,
    weights,
    output,
    save,
    saveGradients,
    checkpoint,
    resume,
    profile,
    engine,
    threads,
    repeat,
    list,
    helpOption
  };
  const option options[] = {{"input", 1, nullptr, input},
                            {"labels", 1, nullptr, labels},
                            {"weights", 1, nullptr, weights},
                            {"output", 1, nullptr, output},
                            {"save", 1, nullptr, save},
                            {"save-gradients", 1, nullptr, saveGradients},
                            {"checkpoint", 1, nullptr, checkpoint},
                            {"resume", 1, nullptr, resume},
                            {"profile", 1, nullptr, profile},
                            {"engine", 1, nullptr, engine},
                            {"threads", 1, nullptr, threads},
                            {"repeat", 1, nullptr, repeat},
                            {"list", 0, nullptr, list},
                            {"help", 0, nullptr, helpOption},
                            {nullptr, 0, nullptr, 0}};
  const std::string hint = "; see snn-run --help";
  optind = 1;
  opterr = 1; // getopt itself says what is wrong with an option
  for (int found; (found = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    const std::string value = optarg ? optarg : "";
    switch (found) {
    case input:
      a.inputs.push_back(value);
      break;
    case labels:
      a.labels = value;
      break;
    case weights:
      a.weights = value;
      break;
    case output:
      a.output = value;
      break;
    case save:
      a.save = value;
      break;
    case saveGradients:
      a.saveGradients = value;
      break;
    case checkpoint:
      a.checkpoint = value;
      break;
    case resume:
      a.resume = value;
      break;
    case profile:
      a.profile = value;
      break;
    case engine:
      a.engineGiven = true;
      if (value == "fast")
        a.session.engine = Engine::fast;
      else if (value == "strict")
        a.session.engine = Engine::strict;
      else
        return fail(usageError, "--engine=" + value + " is not available, only fast and strict" + hint);
      break;
    case threads:
      a.session.threads = positive(optarg);
      if (a.session.threads < 0)
        return fail(usageError, "--threads must be a number of at least 1, found '" + value + "'");
      break;
    case repeat:
      a.repeat = positive(optarg);
      if (a.repeat < 0)
        return fail(usageError, "--repeat must be a number of at least 1, found '" + value + "'");
      break;
    case list:
      a.list = true;
      break;
    case helpOption:
      std::fputs(help, stdout);
      return done;
    default:
      return usageError;
    }
  }
  if (optind + 1 != argc)
    return fail(usageError, (optind == argc ? "no program given" : "more than one program given") + hint);
  a.program = argv[optind];
  return -1;
}

const char *roleOf(const Port &port) {
  switch (port.role) {
  case Role::input:
    return "input";
  case Role::output:
    return "output";
  case Role::parameter:
    return "parameter";
  case Role::state:
    return port.pair.empty() ? "state" : "final state";
  case Role::label:
    return "labels";
  default:
    return nullptr; // the inside of training
  }
}

void printPorts(const Session &session) {
  for (const Port &port : session.manifest().ports)
    if (const char *role = roleOf(port))
      std::printf("%-12s %s %s\n", role, port.name.c_str(), shapeText(port.shape).c_str());
}

bool takesInput(const Port &port) {
  return port.role == Role::input || (port.role == Role::state && port.pair.empty());
}

Status setInput(Session &session, const std::string &text, std::set<std::string> &given) {
  const size_t equals = text.find('=');
  std::string name = equals == std::string::npos ? "" : text.substr(0, equals);
  const std::string value = equals == std::string::npos ? text : text.substr(equals + 1);
  std::string names;
  const Port *port = nullptr;
  int inputs = 0;
  for (const Port &candidate : session.manifest().ports) {
    if (!takesInput(candidate))
      continue;
    names += (names.empty() ? "'" : ", '") + candidate.name + "'";
    inputs += candidate.role == Role::input;
    if (name.empty() ? candidate.role == Role::input && !port : candidate.name == name)
      port = &candidate;
  }
  if (name.empty() && inputs != 1)
    return Error{"--input " + text + ": the program has " + std::to_string(inputs) +
                 " inputs, so a name is needed (NAME=FILE.npy); names: " + names};
  if (!port)
    return Error{"--input " + text + ": the program has no input or state '" + name + "', only " + names};
  given.insert(port->name);
  char *end = nullptr;
  const double number = std::strtod(value.c_str(), &end);
  if (!name.empty() && !value.empty() && !*end)
    return session.fill(*port, number);
  Result<Array> array = readNpy(value);
  if (!array)
    return Error{array.error()};
  if (Status set = session.set(*port, array->view()); !set)
    return Error{value + ": " + set.error()};
  return success();
}

/// Everything that the program starts from; messages are the user's business.
Status prepare(Session &session, const Arguments &a) {
  std::set<std::string> given;
  for (const std::string &input : a.inputs)
    if (Status set = setInput(session, input, given); !set)
      return set;
  bool wantsLabels = false;
  for (const Port &port : session.manifest().ports) {
    wantsLabels |= port.role == Role::label;
    if (port.role == Role::input && !given.count(port.name))
      return Error{"input '" + port.name + "' of shape " + shapeText(port.shape) + " is missing: --input " +
                   port.name + "=FILE.npy"};
    if (port.role == Role::parameter && port.constant < 0 && a.weights.empty() && a.resume.empty())
      return Error{"parameter '" + port.name +
                   "' has no value in the program: give --weights FILE.safetensors"};
  }
  if (!a.resume.empty())
    if (Status resumed = session.loadCheckpoint(a.resume); !resumed)
      return resumed;
  if (!a.weights.empty()) {
    Result<std::vector<std::string>> unused = session.loadWeights(a.weights);
    if (!unused)
      return Error{unused.error()};
    for (const std::string &name : *unused)
      std::fprintf(stderr, "snn-run: note: %s: the program has no parameter '%s', not used\n",
                   a.weights.c_str(), name.c_str());
  }
  if (a.labels.empty()) {
    if (wantsLabels)
      return Error{"this is a training program: give --labels FILE.npy"};
    return success();
  }
  Result<Array> labels = readNpy(a.labels);
  if (!labels)
    return Error{labels.error()};
  if (Status set = session.setLabels(labels->view(), labels->shape.empty() ? 0 : labels->shape[0]); !set)
    return Error{a.labels + ": " + set.error()};
  return success();
}

Status writeOutputs(const Session &session, const std::string &directory) {
  if (mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST)
    return Error{directory + ": cannot create the folder: " + std::strerror(errno)};
  for (const Port &port : session.manifest().ports) {
    const bool wanted = port.role == Role::output || port.role == Role::loss || port.role == Role::correct ||
                        (port.role == Role::state && !port.pair.empty());
    if (!wanted)
      continue;
    Result<Array> array = session.get(port);
    if (!array)
      return Error{array.error()};
    std::string name = port.name; // ONNX names are often paths
    std::replace(name.begin(), name.end(), '/', '_');
    if (Status written = writeNpy(directory + "/" + name + ".npy", array->view()); !written)
      return written;
  }
  return success();
}

Status writeProfile(const Session &session, const std::string &path) {
  const std::string text = profileToJson(session.manifest(), session.profile()).dump(2) + "\n";
  if (path == "-") {
    std::fputs(text.c_str(), stdout);
    return success();
  }
  return writeFileAtomically(path, text.data(), text.size());
}

/// The first number of the port with this role, if there is one.
bool scalar(const Session &session, Role role, double &value) {
  for (const Port &port : session.manifest().ports)
    if (port.role == role) {
      Result<Array> array = session.get(port);
      if (!array)
        return false;
      value = array->type == DataType::f32 ? double(*array->as<float>()) : double(*array->as<int32_t>());
      return true;
    }
  return false;
}

void printRun(const Session &session, int number) {
  double loss = 0, correct = 0;
  std::printf("run %d:", number);
  if (scalar(session, Role::loss, loss))
    std::printf(" loss %.6g", loss);
  if (scalar(session, Role::correct, correct))
    std::printf(" correct %.0f", correct);
  const Profile profile = session.profile();
  std::printf(" host %.6f s, machine %.6f s (%" PRId64 " cycles)\n", profile.hostSeconds,
              double(profile.cycles()) / session.manifest().machine.clockHz, profile.cycles());
}

void printLayers(const Session &session) {
  for (const EventCount &e : session.events())
    std::printf("layer %s: %" PRId64 " spikes, capacity %" PRId64 " of %" PRId64 ", %" PRId64
                " dropped (%.3f %%)\n",
                e.name.c_str(), e.fired, e.capacity, e.units, e.dropped(), 100 * e.overflow());
}

} // namespace

int runTool(int argc, char **argv) {
  Arguments a;
  if (int code = parse(argc, argv, a); code >= 0)
    return code;
  Result<Session> session = Session::open(a.program, a.session);
  if (!session)
    return fail(userError, session.error());
  if (a.list) {
    printPorts(*session);
    return done;
  }
  if (Status ready = prepare(*session, a); !ready)
    return fail(userError, ready.error());
  if (!a.engineGiven || a.session.threads == 0)
    std::fprintf(stderr, "snn-run: engine %s, %d threads\n",
                 a.session.engine == Engine::fast ? "fast" : "strict", session->profile().threads);
  for (int run = 1; run <= a.repeat; ++run) {
    if (Status ran = session->run(); !ran)
      return fail(ourError, ran.error());
    printRun(*session, run);
  }
  printLayers(*session);

  Status written = success();
  if (!a.output.empty())
    written = writeOutputs(*session, a.output);
  if (written && !a.save.empty())
    written = session->saveWeights(a.save);
  if (written && !a.saveGradients.empty())
    written = session->saveGradients(a.saveGradients);
  if (written && !a.checkpoint.empty())
    written = session->saveCheckpoint(a.checkpoint);
  if (written && !a.profile.empty())
    written = writeProfile(*session, a.profile);
  return written ? done : fail(userError, written.error());
}

} // namespace spikeloom::runtime
