// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writing, checking and reading `.loom` files.
#include "spikeloom/Runtime/Loom.h"
#include "spikeloom/Runtime/ManifestJson.h"
#include "spikeloom/Runtime/Validate.h"
#include <cstring>
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace spikeloom::runtime {

static constexpr char magic[8] = {'S', 'P', 'I', 'K', 'L', 'O', 'O', 'M'};
static constexpr size_t headerBytes = 32, entryBytes = 24, alignment = 64;
static constexpr uint32_t mostSections = 64;

namespace {
enum Kind : uint64_t { manifestSection = 1, constantsSection = 2, objectInfoSection = 3, objectSection = 4 };
struct Section {
  uint64_t kind, offset, size;
};
} // namespace

template <typename T> static void put(Bytes &bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i)
    bytes[at + i] = uint8_t(value >> (8 * i));
}

template <typename T> static T get(const Bytes &bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value |= T(bytes[at + i]) << (8 * i);
  return value;
}

/// Every step is a bijection of the state for a given word, and of the word for a given state: no change of a
/// single word, hence of a single byte, can go unseen.
static uint64_t mix(uint64_t state, const uint8_t *data, size_t size) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    std::memcpy(&word, data + i, 8);
    state = (state ^ word) * 0x9fb21c651e98df25ull;
    state ^= state >> 32;
  }
  for (; i < size; ++i)
    state = (state ^ data[i]) * 0x100000001b3ull;
  return state;
}

/// Of everything but the checksum itself.
static uint64_t checksum(const Bytes &file) {
  return mix(mix(0x9e3779b97f4a7c15ull, file.data(), 16), file.data() + 24, file.size() - 24);
}

Bytes serializeLoom(const Loom &loom) {
  json info = json::array();
  for (const NativeObject &object : loom.objects)
    info.push_back({{"cpu", object.cpu}, {"features", object.features}});
  const Bytes manifest = manifestToCbor(loom.manifest), objects = json::to_cbor(info);

  std::vector<std::pair<uint64_t, const Bytes *>> sections{
      {manifestSection, &manifest}, {constantsSection, &loom.constants}, {objectInfoSection, &objects}};
  for (const NativeObject &object : loom.objects)
    sections.push_back({objectSection, &object.code});

  Bytes file(headerBytes + entryBytes * sections.size(), 0);
  std::memcpy(file.data(), magic, sizeof magic);
  put<uint32_t>(file, 8, loomVersion);
  put<uint32_t>(file, 12, uint32_t(sections.size()));
  for (size_t i = 0; i < sections.size(); ++i) {
    file.resize((file.size() + alignment - 1) / alignment * alignment, 0);
    const size_t entry = headerBytes + i * entryBytes;
    put<uint64_t>(file, entry, sections[i].first);
    put<uint64_t>(file, entry + 8, file.size());
    put<uint64_t>(file, entry + 16, sections[i].second->size());
    file.insert(file.end(), sections[i].second->begin(), sections[i].second->end());
  }
  put<uint64_t>(file, 24, file.size());
  put<uint64_t>(file, 16, checksum(file));
  return file;
}

static std::string checkHeader(const Bytes &bytes) {
  if (bytes.size() < sizeof magic || std::memcmp(bytes.data(), magic, sizeof magic) != 0)
    return "is not a .loom file (wrong magic)";
  if (bytes.size() < headerBytes)
    return "is truncated: " + std::to_string(bytes.size()) + " bytes";
  if (uint32_t version = get<uint32_t>(bytes, 8); version != loomVersion)
    return "has format version " + std::to_string(version) + ", this program reads version " +
           std::to_string(loomVersion) + "; compile the model again";
  const uint64_t size = get<uint64_t>(bytes, 24);
  if (bytes.size() < size)
    return "is truncated: " + std::to_string(bytes.size()) + " of " + std::to_string(size) + " bytes";
  if (bytes.size() != size || checksum(bytes) != get<uint64_t>(bytes, 16))
    return "is damaged: the checksum does not fit the contents";
  return "";
}

static Result<std::vector<Section>> readSections(const Bytes &bytes) {
  const uint32_t count = get<uint32_t>(bytes, 12);
  if (count < 3 || count > mostSections || headerBytes + count * entryBytes > bytes.size())
    return Error{"is damaged: " + std::to_string(count) + " sections"};
  std::vector<Section> sections;
  for (uint32_t i = 0; i < count; ++i) {
    const size_t at = headerBytes + i * entryBytes;
    Section s{get<uint64_t>(bytes, at), get<uint64_t>(bytes, at + 8), get<uint64_t>(bytes, at + 16)};
    const uint64_t expected = i < 3 ? i + 1 : uint64_t(objectSection);
    if (s.kind != expected || s.offset > bytes.size() || s.size > bytes.size() - s.offset)
      return Error{"is damaged: section " + std::to_string(i) + " is not where it should be"};
    sections.push_back(s);
  }
  return sections;
}

static Result<std::vector<NativeObject>> readObjects(const Bytes &bytes,
                                                     const std::vector<Section> &sections) {
  const uint8_t *begin = bytes.data() + sections[2].offset;
  json info = json::from_cbor(begin, begin + sections[2].size, true, /*allow_exceptions=*/false);
  if (!info.is_array() || info.size() != sections.size() - 3)
    return Error{"is damaged: the list of native objects does not fit the sections"};
  std::vector<NativeObject> objects;
  for (size_t i = 0; i < info.size(); ++i) {
    NativeObject object;
    const json &entry = info[i];
    if (!entry.is_object() || !entry.contains("cpu") || !entry["cpu"].is_string() ||
        !entry.contains("features") || !entry["features"].is_array())
      return Error{"is damaged: native object " + std::to_string(i) + " is not described"};
    object.cpu = entry["cpu"].get<std::string>();
    for (const json &feature : entry["features"]) {
      if (!feature.is_string())
        return Error{"is damaged: native object " + std::to_string(i) + " is not described"};
      object.features.push_back(feature.get<std::string>());
    }
    const Section &section = sections[3 + i];
    object.code.assign(bytes.begin() + section.offset, bytes.begin() + section.offset + section.size);
    objects.push_back(std::move(object));
  }
  return objects;
}

Result<Loom> parseLoom(const Bytes &bytes, const std::string &name) {
  if (std::string problem = checkHeader(bytes); !problem.empty())
    return Error{name + " " + problem};
  Result<std::vector<Section>> sections = readSections(bytes);
  if (!sections)
    return Error{name + " " + sections.error()};
  const Section &manifest = (*sections)[0], &constants = (*sections)[1];
  Loom loom;
  Result<Manifest> parsed = manifestFromCbor(bytes.data() + manifest.offset, manifest.size);
  if (!parsed)
    return Error{name + ": " + parsed.error()};
  loom.manifest = std::move(*parsed);
  if (Status valid = validate(loom.manifest, constants.size); !valid)
    return Error{name + ": " + valid.error()};
  loom.constants.assign(bytes.begin() + constants.offset, bytes.begin() + constants.offset + constants.size);
  Result<std::vector<NativeObject>> objects = readObjects(bytes, *sections);
  if (!objects)
    return Error{name + " " + objects.error()};
  loom.objects = std::move(*objects);
  return loom;
}

Status writeLoom(const std::string &path, const Loom &loom) {
  const Bytes bytes = serializeLoom(loom);
  return writeFileAtomically(path, bytes.data(), bytes.size());
}

Result<Loom> readLoom(const std::string &path) {
  Result<Bytes> bytes = readFile(path);
  if (!bytes)
    return Error{bytes.error()};
  return parseLoom(*bytes, path);
}

static bool hasFeature(const std::string &name) {
#if defined(__x86_64__)
  // The builtin wants literals.
#define FEATURE(text)                                                                                        \
  if (name == (text))                                                                                        \
  return __builtin_cpu_supports(text)
  FEATURE("sse2");
  FEATURE("sse3");
  FEATURE("ssse3");
  FEATURE("sse4.1");
  FEATURE("sse4.2");
  FEATURE("popcnt");
  FEATURE("avx");
  FEATURE("avx2");
  FEATURE("fma");
  FEATURE("bmi");
  FEATURE("bmi2");
  FEATURE("avx512f");
  FEATURE("avx512bw");
  FEATURE("avx512cd");
  FEATURE("avx512dq");
  FEATURE("avx512vl");
  FEATURE("avx512vnni");
#undef FEATURE
#endif
  return false;
}

std::vector<std::string> missingFeatures(const std::vector<std::string> &features) {
  std::vector<std::string> missing;
  for (const std::string &feature : features)
    if (!hasFeature(feature))
      missing.push_back(feature);
  return missing;
}

Result<size_t> selectObject(const Loom &loom, const std::string &name) {
  std::optional<size_t> best;
  std::string reasons;
  for (size_t i = 0; i < loom.objects.size(); ++i) {
    const NativeObject &object = loom.objects[i];
    const std::vector<std::string> missing = missingFeatures(object.features);
    if (missing.empty()) {
      if (!best || object.features.size() > loom.objects[*best].features.size())
        best = i;
      continue;
    }
    reasons += (reasons.empty() ? "" : "; ") + std::string("the code for ") + object.cpu + " needs";
    for (size_t m = 0; m < missing.size(); ++m)
      reasons += (m ? ", " : " ") + missing[m];
  }
  if (best)
    return *best;
  if (reasons.empty())
    return Error{name + ": holds no native code"};
  return Error{name + ": this CPU lacks a required feature: " + reasons +
               "; compile the model with --host-cpu=native on this machine"};
}

} // namespace spikeloom::runtime
