// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sessions to and from safetensors files. Optimiser state is stored beside the parameters under names of its
// own.
#include "SessionState.h"
#include "spikeloom/Runtime/Safetensors.h"
#include <cstdio>
#include <cstdlib>

namespace spikeloom::runtime {

static const char optimizerPrefix[] = "optimizer/";
static const char stepKey[] = "spikeloom.step", rateKey[] = "spikeloom.learning_rate";

static Status collect(const Session &session, Role role, const std::string &prefix, Safetensors &file) {
  for (const Port &port : session.manifest().ports) {
    if (port.role != role)
      continue;
    Result<Array> array = session.get(port);
    if (!array)
      return Error{array.error()};
    // Gradients are looked up by the name of what they are the gradient of.
    const std::string &name = role == Role::gradient && !port.pair.empty() ? port.pair : port.name;
    file.tensors[prefix + name] = std::move(*array);
  }
  return success();
}

/// Sets every port of the role; nothing is set unless all fit.
static Status apply(Session &session, const Safetensors &file, Role role, const std::string &prefix,
                    const std::string &path) {
  for (bool checkOnly : {true, false})
    for (const Port &port : session.manifest().ports) {
      if (port.role != role)
        continue;
      auto found = file.tensors.find(prefix + port.name);
      if (found == file.tensors.end())
        return Error{path + ": has no tensor '" + prefix + port.name + "' for " + describe(port)};
      if (checkOnly) {
        if (Status fits = session.check(port, found->second.view()); !fits)
          return Error{path + ": " + fits.error()};
      } else if (Status done = session.set(port, found->second.view()); !done) {
        return Error{path + ": " + done.error()};
      }
    }
  return success();
}

Status Session::saveWeights(const std::string &path) const {
  Safetensors file;
  if (Status done = collect(*this, Role::parameter, "", file); !done)
    return done;
  return writeSafetensors(path, file);
}

Result<std::vector<std::string>> Session::loadWeights(const std::string &path) {
  Result<Safetensors> file = readSafetensors(path);
  if (!file)
    return Error{file.error()};
  if (Status done = apply(*this, *file, Role::parameter, "", path); !done)
    return Error{done.error()};
  std::vector<std::string> unused;
  for (const auto &[name, array] : file->tensors)
    if (!port(Role::parameter, name) && name.rfind(optimizerPrefix, 0) != 0)
      unused.push_back(name);
  return unused;
}

Status Session::saveGradients(const std::string &path) const {
  Safetensors file;
  if (Status done = collect(*this, Role::gradient, "", file); !done)
    return done;
  if (file.tensors.empty())
    return Error{path + ": the program has no gradients to save: compile it with --train"};
  return writeSafetensors(path, file);
}

Status Session::saveCheckpoint(const std::string &path) const {
  Safetensors file;
  if (Status done = collect(*this, Role::parameter, "", file); !done)
    return done;
  if (Status done = collect(*this, Role::optimizer, optimizerPrefix, file); !done)
    return done;
  char rate[40];
  std::snprintf(rate, sizeof rate, "%.17g", state->optimizer.learningRate);
  file.metadata[stepKey] = std::to_string(state->step);
  file.metadata[rateKey] = rate;
  return writeSafetensors(path, file);
}

Status Session::loadCheckpoint(const std::string &path) {
  Result<Safetensors> file = readSafetensors(path);
  if (!file)
    return Error{file.error()};
  auto stepText = file->metadata.find(stepKey), rateText = file->metadata.find(rateKey);
  int64_t step = -1;
  double rate = -1;
  if (stepText != file->metadata.end() && rateText != file->metadata.end()) {
    char *stepEnd = nullptr, *rateEnd = nullptr;
    step = std::strtoll(stepText->second.c_str(), &stepEnd, 10);
    rate = std::strtod(rateText->second.c_str(), &rateEnd);
    if (*stepEnd || *rateEnd || stepText->second.empty() || rateText->second.empty())
      step = -1;
  }
  if (step < 0)
    return Error{path +
                 ": is not a checkpoint (no step and learning rate in its metadata); for plain weights use "
                 "--weights"};
  if (Status done = apply(*this, *file, Role::optimizer, optimizerPrefix, path); !done)
    return done;
  if (Status done = apply(*this, *file, Role::parameter, "", path); !done)
    return done;
  state->step = step;
  state->optimizer.learningRate = rate;
  return success();
}

} // namespace spikeloom::runtime
