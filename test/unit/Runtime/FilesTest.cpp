// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arrays and weights in files: what NumPy writes, what we write, and everything that is refused.
#include "spikeloom/Runtime/Npy.h"
#include "spikeloom/Runtime/Safetensors.h"
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace spikeloom;
using namespace spikeloom::runtime;

namespace {

class Folder : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/spikeloom-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder = name;
  }
  void TearDown() override { ASSERT_EQ(std::system(("rm -r " + folder).c_str()), 0); }
  std::string folder;
};
class Npy : public Folder {};
class Weights : public Folder {};
class Atomic : public Folder {};

Bytes npy(const std::string &header, size_t dataBytes) {
  Bytes bytes{0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, uint8_t(header.size()), uint8_t(header.size() >> 8)};
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.resize(bytes.size() + dataBytes, 1);
  return bytes;
}
std::string npyMessage(const Bytes &bytes) {
  Result<Array> array = parseNpy(bytes, "x.npy");
  return array ? "" : array.error();
}

TEST_F(Npy, ComesBack) {
  for (DataType type : {DataType::f32, DataType::u8, DataType::boolean, DataType::i32, DataType::i64})
    for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {3}, {2, 3}, {0, 4}, {1, 2, 5}}) {
      Array array(type, shape);
      for (size_t i = 0; i < array.bytes.size(); ++i)
        array.bytes[i] = uint8_t(i * 7 % 2);
      ASSERT_TRUE(writeNpy(folder + "/x.npy", array.view()));
      Result<Array> read = readNpy(folder + "/x.npy");
      ASSERT_TRUE(read) << read.error();
      EXPECT_EQ(read->type, type);
      EXPECT_EQ(read->shape, shape);
      EXPECT_EQ(read->bytes, array.bytes);
    }
}

TEST_F(Npy, RefusesWhatItCannotRead) {
  EXPECT_EQ(npyMessage({'P', 'K', 3, 4, 0, 0, 0, 0, 0, 0, 0}),
            "x.npy: not a .npy file (for a .npz archive, save its arrays one by one with np.save)");
  EXPECT_EQ(
      npyMessage(npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 16)),
      "x.npy: holds pickled Python objects, which are not read because they could run any code; save a plain "
      "array (np.save(path, np.asarray(x, dtype=np.float32)))");
  EXPECT_EQ(npyMessage(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 16)),
            "x.npy: element type '<f8', known: float32, uint8, bool, int32, int64 (convert with "
            "x.astype(np.float32))");
  EXPECT_EQ(npyMessage(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", 16)),
            "x.npy: stored in Fortran order; save np.ascontiguousarray(x)");
  EXPECT_EQ(npyMessage(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 15)),
            "x.npy: truncated: shape [2, 2] takes 16 bytes, found 15");
  EXPECT_EQ(npyMessage(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 17)),
            "x.npy: longer than its header says: shape [2, 2] takes 16 bytes, found 17");
  EXPECT_NE(npyMessage(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999,), }", 4)),
            "");
  EXPECT_NE(npyMessage(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 4)), "");
  EXPECT_NE(npyMessage(npy("{'descr': '<f4'", 4)), "");
  Bytes cut = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8);
  for (size_t size = 0; size < cut.size(); ++size)
    EXPECT_NE(npyMessage(Bytes(cut.begin(), cut.begin() + size)), "") << size;
}

Bytes safetensors(const std::string &header, size_t dataBytes) {
  Bytes bytes(8, 0);
  for (int i = 0; i < 8; ++i)
    bytes[i] = uint8_t(header.size() >> (8 * i));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.resize(bytes.size() + dataBytes, 1);
  return bytes;
}
std::string weightsMessage(const Bytes &bytes) {
  Result<Safetensors> file = parseSafetensors(bytes, "w");
  return file ? "" : file.error();
}

TEST_F(Weights, ComeBack) {
  Safetensors file;
  file.tensors["fc1.weight"] = Array(DataType::f32, {3, 2});
  file.tensors["step"] = Array(DataType::i64, {});
  file.metadata["by"] = "test";
  ASSERT_TRUE(writeSafetensors(folder + "/w", file));
  Result<Safetensors> read = readSafetensors(folder + "/w");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->tensors.size(), 2u);
  EXPECT_EQ(read->tensors["fc1.weight"].shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(read->tensors["step"].type, DataType::i64);
  EXPECT_EQ(read->metadata, file.metadata);
  Result<Bytes> first = readFile(folder + "/w");
  ASSERT_TRUE(writeSafetensors(folder + "/w", *read));
  EXPECT_EQ(*first, *readFile(folder + "/w"));
}

TEST_F(Weights, RefuseWhatIsWrong) {
  EXPECT_EQ(weightsMessage({1, 2}), "w: not a safetensors file: 2 bytes");
  EXPECT_EQ(weightsMessage({255, 255, 255, 255, 255, 255, 255, 255, 1}),
            "w: not a safetensors file, or truncated in its header");
  EXPECT_EQ(weightsMessage(safetensors("[1", 0)), "w: not a safetensors file: the header is no JSON object");
  EXPECT_EQ(weightsMessage(safetensors(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", 4)),
            "w: tensor 'a' has dtype F16, known: F32, U8, BOOL, I32, I64");
  EXPECT_EQ(weightsMessage(safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7)),
            "w: tensor 'a' ends at byte 8 of the data, but there are only 7 (truncated?)");
  EXPECT_EQ(weightsMessage(safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 8)),
            "w: tensor 'a' of shape [2] takes 8 bytes, found 4");
  for (const char *broken :
       {R"({"a":3})", R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[99999999999,99999999999],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})"})
    EXPECT_NE(weightsMessage(safetensors(broken, 8)), "") << broken;
}

TEST_F(Atomic, NamesUnwritableAndFullTargets) {
  Status missing = writeFileAtomically(folder + "/no/such", "x", 1);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(),
            folder + "/no/such: cannot create (is the folder there and writable?): No such file or "
                     "directory");
  Status directory = writeFileAtomically(folder, "x", 1);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error(), folder + ": cannot write: Is a directory");
  Status full = writeFileAtomically("/dev/full", "x", 1);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error(), "/dev/full: cannot write: No space left on device");
}

TEST_F(Atomic, LeavesOneFileAndItsRights) {
  const std::string path = folder + "/f";
  ASSERT_TRUE(writeFileAtomically(path, "one", 3));
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  ASSERT_TRUE(writeFileAtomically(path, "two!", 4));
  EXPECT_EQ(*readFile(path), (Bytes{'t', 'w', 'o', '!'}));
  struct stat info = {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  EXPECT_EQ(std::system(("test $(ls " + folder + " | wc -l) = 1").c_str()), 0);
}

} // namespace
