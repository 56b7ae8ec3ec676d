// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that both orders of execution respect the data flow: the host's, which decides the results, and the
// machine's, in which an exchange carries only what an earlier superstep made.
#include "Checks.h"
#include <algorithm>
#include <map>

namespace spikeloom::runtime {
namespace {

struct Use {
  int64_t stage;
  const Argument *argument;
  bool reads() const { return argument->access != Access::write; }
  bool writes() const { return argument->access != Access::read; }
};

class OrderCheck {
public:
  OrderCheck(const Manifest &manifest, const Phase &phase, std::string where)
      : manifest(manifest), phase(phase), where(std::move(where)) {}

  std::string run() {
    if (std::string problem = placeStages(); !problem.empty())
      return problem;
    std::map<int64_t, std::vector<Use>> uses;
    for (size_t s = 0; s < phase.stages.size(); ++s)
      for (const Argument &a : phase.stages[s].arguments)
        uses[a.buffer].push_back({int64_t(s), &a});
    for (const auto &[buffer, list] : uses)
      for (const Use &producer : list)
        for (const Use &consumer : list)
          if (producer.writes() && producer.stage == consumer.stage) {
            if (std::string problem = within(manifest.buffers[buffer], producer, consumer); !problem.empty())
              return problem;
          } else if (producer.writes()) {
            if (std::string problem = pair(manifest.buffers[buffer], producer, consumer); !problem.empty())
              return problem;
          }
    return "";
  }

private:
  const std::string &name(int64_t stage) const { return phase.stages[stage].name; }

  std::string placeStages() {
    position.assign(phase.stages.size(), {-1, -1});
    for (size_t set = 0; set < phase.hostOrder.size(); ++set) {
      const Phase::HostSet &s = phase.hostOrder[set];
      if (s.stages.empty() || (!s.feedback && s.stages.size() != 1))
        return where + ": host set " + std::to_string(set) + " has " + std::to_string(s.stages.size()) +
               " stages; only sets with feedback may have more than one, none may be empty";
      for (size_t i = 0; i < s.stages.size(); ++i) {
        if (s.stages[i] < 0 || s.stages[i] >= int64_t(position.size()))
          return where + ": host set " + std::to_string(set) + " names stage " + std::to_string(s.stages[i]) +
                 ", but there are only " + std::to_string(position.size());
        auto &place = position[s.stages[i]];
        if (place.first >= 0)
          return where + ": stage '" + name(s.stages[i]) + "' is twice in the host order";
        place = {int64_t(set), int64_t(i)};
      }
    }
    for (size_t s = 0; s < position.size(); ++s)
      if (position[s].first < 0)
        return where + ": stage '" + name(s) + "' is missing in the host order";
    return "";
  }

  /// How many steps, in the order of execution, the consumer lies behind the producer's data.
  int64_t age(const Use &producer, const Use &consumer) const {
    int64_t shift = consumer.argument->shift - producer.argument->shift;
    return phase.reverse ? shift : -shift;
  }

  /// A stage that reads what its own tasks wrote in an earlier step: fine on one tile, else a loop.
  std::string within(const Buffer &buffer, const Use &producer, const Use &consumer) const {
    const bool own = producer.argument->view == View::own && consumer.argument->view == View::own;
    if (own || producer.argument == consumer.argument || !consumer.reads() || !consumer.argument->steps ||
        phase.hostOrder[position[producer.stage].first].feedback)
      return "";
    return where + ": stage '" + name(producer.stage) + "' reads the steps of buffer '" + buffer.name +
           "' that its other tiles write: it must be in a feedback set of the host order";
  }

  static bool sameTrip(const Argument &a, const Argument &b) {
    return std::equal(
        a.advances.begin(), a.advances.end(), b.advances.begin(), b.advances.end(),
        [](const Advance &x, const Advance &y) { return x.loop == y.loop && x.rows == y.rows; });
  }

  std::string pair(const Buffer &buffer, const Use &producer, const Use &consumer) const {
    const auto &made = position[producer.stage], &used = position[consumer.stage];
    const std::string between = where + ": buffer '" + buffer.name + "', written by stage '" +
                                name(producer.stage) + "' and used by stage '" + name(consumer.stage) + "'";
    if (!sameTrip(*producer.argument, *consumer.argument))
      return between + ": the two do not move on alike from trip to trip";
    if (!producer.argument->steps || !consumer.argument->steps) {
      if (phase.steps > 1 && made.first != used.first)
        return between + ", is seen as a whole: both must be in the same feedback set of the host order";
      // Either may be the first to touch it, but both orders must agree which.
      const Stage &from = phase.stages[producer.stage], &to = phase.stages[consumer.stage];
      const bool earlier =
          std::make_pair(from.offset, producer.stage) < std::make_pair(to.offset, consumer.stage);
      if (earlier != (made < used))
        return between + ": host order and machine order disagree which comes first";
      return "";
    }
    if (!consumer.reads())
      return "";
    const int64_t behind = age(producer, consumer);
    if (behind < 0)
      return between + ": is used " + std::to_string(-behind) + " steps before it is made";
    if (made.first != used.first ? made.first > used.first : behind == 0 && made.second > used.second)
      return between + ": the host order has the producer later";
    return machineOrder(between, producer, consumer, behind);
  }

  std::string machineOrder(const std::string &between, const Use &producer, const Use &consumer,
                           int64_t behind) const {
    const Stage &from = phase.stages[producer.stage], &to = phase.stages[consumer.stage];
    // The consumer's chunk k needs the producer's chunk k - behind / chunk.
    const int64_t ready = from.offset, needed = to.offset + behind / phase.chunk * phase.interval;
    const bool sameTile = isAtHome(manifest, to, *consumer.argument);
    const bool inTime = sameTile && producer.stage < consumer.stage ? ready <= needed : ready < needed;
    if (inTime)
      return "";
    return between + ": on the machine superstep " + std::to_string(needed) +
           " of the first chunk needs it, superstep " + std::to_string(ready) + " makes it";
  }

  const Manifest &manifest;
  const Phase &phase;
  std::string where;
  std::vector<std::pair<int64_t, int64_t>> position; // set and place in it, per stage
};

} // namespace

/// Whatever is read must come from somewhere.
static std::string checkSources(const Manifest &manifest) {
  std::vector<bool> known(manifest.buffers.size(), false);
  for (size_t i = 0; i < known.size(); ++i)
    known[i] = manifest.buffers[i].clear || manifest.buffers[i].persistent;
  for (const Port &port : manifest.ports)
    if (port.role != Role::output && port.role != Role::gradient && port.role != Role::loss &&
        port.role != Role::correct)
      known[port.buffer] = true;
  for (size_t p = 0; p < manifest.phases.size(); ++p) {
    const Phase &phase = manifest.phases[p];
    for (const Stage &stage : phase.stages)
      for (const Argument &a : stage.arguments)
        if (a.access == Access::write)
          known[a.buffer] = true;
    for (const Stage &stage : phase.stages)
      for (const Argument &a : stage.arguments)
        if (!known[a.buffer])
          return entry("phase", p, phase.name) + ": stage '" + stage.name + "' reads buffer '" +
                 manifest.buffers[a.buffer].name +
                 "', which nobody has written: it is no input, not persistent and not cleared";
  }
  return "";
}

std::string checkOrder(const Manifest &manifest) {
  for (size_t p = 0; p < manifest.phases.size(); ++p)
    if (std::string problem =
            OrderCheck(manifest, manifest.phases[p], entry("phase", p, manifest.phases[p].name)).run();
        !problem.empty())
      return problem;
  return checkSources(manifest);
}

/// Data that outlives a run must have its memory for itself on every tile of its family.
std::string checkMemory(const Manifest &manifest) {
  struct Piece {
    const Buffer *buffer;
    int64_t firstTile, lastTile, begin, end;
  };
  std::vector<Piece> pieces;
  const std::vector<Geometry> geometries = geometriesOf(manifest);
  for (size_t i = 0; i < manifest.buffers.size(); ++i) {
    const Buffer &b = manifest.buffers[i];
    if (b.home == Home::host)
      continue;
    const Family &f = manifest.families[b.family];
    pieces.push_back(
        {&b, f.firstTile, f.firstTile + f.tiles, b.address, b.address + geometries[i].tileBytes()});
  }
  for (const Piece &a : pieces)
    for (const Piece &b : pieces)
      if (a.buffer != b.buffer && a.buffer->persistent && a.firstTile < b.lastTile &&
          b.firstTile < a.lastTile && a.begin < b.end && b.begin < a.end)
        return "buffer '" + a.buffer->name + "' keeps its content between runs, but buffer '" +
               b.buffer->name + "' lies over it at address " + std::to_string(std::max(a.begin, b.begin)) +
               " of tile " + std::to_string(std::max(a.firstTile, b.firstTile));
  return "";
}

} // namespace spikeloom::runtime
