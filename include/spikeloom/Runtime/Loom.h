// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `.loom` file: manifest, constants and native objects of a compiled program, checksummed.
//
// Layout, little-endian:
//   0  magic "SPIKLOOM"            16  checksum of everything else
//   8  u32 format version          24  u64 size of the file
//  12  u32 number of sections      32  per section: u64 kind, u64 offset, u64 size; then the sections,
//  64-byte aligned
#ifndef SPIKELOOM_RUNTIME_LOOM_H
#define SPIKELOOM_RUNTIME_LOOM_H

#include "spikeloom/Runtime/Files.h"
#include "spikeloom/Runtime/Manifest.h"

namespace spikeloom::runtime {

constexpr uint32_t loomVersion = 1;

/// A linked ELF shared object without imports, for one kind of CPU.
struct NativeObject {
  std::string cpu;                   // x86-64-v3, x86-64-v4, ...
  std::vector<std::string> features; // what the CPU must have: avx2, fma, avx512f, ...
  Bytes code;
};

struct Loom {
  Manifest manifest;
  Bytes constants;
  std::vector<NativeObject> objects;
};

/// The same bytes for the same contents.
Bytes serializeLoom(const Loom &loom);
/// `name` begins the messages. The manifest comes out validated.
Result<Loom> parseLoom(const Bytes &bytes, const std::string &name);

Status writeLoom(const std::string &path, const Loom &loom);
Result<Loom> readLoom(const std::string &path);

/// Features out of `features` that this CPU lacks (or that this runtime does not know).
std::vector<std::string> missingFeatures(const std::vector<std::string> &features);

/// The object with the most features among those that this CPU can run; the message names what is missing.
Result<size_t> selectObject(const Loom &loom, const std::string &name);

} // namespace spikeloom::runtime
#endif
