// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From an object file to a shared object, by LLVM's linker as a subprocess.
#include "NativeSteps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>
#include <vector>

using namespace mlir;

namespace {
/// A file that goes away with its scope.
struct TemporaryFile {
  SmallString<128> path;
  std::error_code error;
  llvm::FileRemover remover;

  explicit TemporaryFile(StringRef suffix)
      : error(llvm::sys::fs::createTemporaryFile("spikeloom", suffix, path)) {
    if (!error)
      remover.setFile(path);
  }
};
} // namespace

static std::string findLinker(StringRef wanted) {
  if (!wanted.empty())
    return wanted.str();
  static const StringRef packaged[] = {"/usr/lib/llvm-22/bin"};
  for (StringRef name : {"ld.lld-22", "ld.lld"}) {
    if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName(name))
      return *found;
    if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName(name, packaged))
      return *found;
  }
  return "";
}

static LogicalResult checkCreated(const TemporaryFile &file, Location where) {
  if (!file.error)
    return success();
  return emitError(where, "cannot create a temporary file: ") << file.error.message();
}

static LogicalResult writeFile(const TemporaryFile &file, StringRef content, Location where) {
  if (failed(checkCreated(file, where)))
    return failure();
  std::error_code error;
  llvm::raw_fd_ostream stream(file.path, error);
  stream << content;
  stream.close();
  if (!error && !stream.has_error())
    return success();
  stream.clear_error();
  return emitError(where, "cannot write temporary file '") << file.path << "'";
}

FailureOr<std::string> spikeloom::detail::linkShared(ArrayRef<std::string> objects, StringRef linker,
                                                     Location where) {
  std::string program = findLinker(linker);
  if (program.empty())
    return emitError(
        where, "no linker: neither ld.lld-22 nor ld.lld was found; on Debian 12 type: apt install lld-22");
  TemporaryFile output("so"), messages("txt");
  if (failed(checkCreated(output, where)) || failed(checkCreated(messages, where)))
    return failure();
  SmallVector<StringRef> arguments = {
      program,           "-shared",          "-z", "defs",     "-z", "noexecstack", "-s",
      "--build-id=none", "--hash-style=gnu", "-o", output.path};
  std::vector<std::unique_ptr<TemporaryFile>> inputs;
  for (const std::string &object : objects) {
    inputs.push_back(std::make_unique<TemporaryFile>("o"));
    arguments.push_back(inputs.back()->path);
    if (failed(writeFile(*inputs.back(), object, where)))
      return failure();
  }
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(messages.path), StringRef(messages.path)};
  std::string problem;
  int code = llvm::sys::ExecuteAndWait(program, arguments, std::nullopt, redirects, 0, 0, &problem);
  if (code != 0) {
    if (auto text = llvm::MemoryBuffer::getFile(messages.path))
      problem += (*text)->getBuffer();
    return emitError(where, "linking native code with '") << program << "' failed: " << problem;
  }
  auto result = llvm::MemoryBuffer::getFile(output.path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!result)
    return emitError(where, "cannot read '") << output.path << "': " << result.getError().message();
  return (*result)->getBuffer().str();
}
