// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From an object file to a shared object, by LLVM's linker as a subprocess.
#include "NativeSteps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

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

FailureOr<std::string> spikeloom::detail::linkShared(StringRef object, StringRef linker, Location where) {
  std::string program = findLinker(linker);
  if (program.empty())
    return emitError(
        where, "no linker: neither ld.lld-22 nor ld.lld was found; on Debian 12 type: apt install lld-22");
  TemporaryFile input("o"), output("so"), messages("txt");
  for (const TemporaryFile *file : {&input, &output, &messages})
    if (file->error)
      return emitError(where, "cannot create a temporary file: ") << file->error.message();
  {
    std::error_code error;
    llvm::raw_fd_ostream stream(input.path, error);
    stream << object;
    stream.close();
    if (error || stream.has_error()) {
      stream.clear_error();
      return emitError(where, "cannot write temporary file '") << input.path << "'";
    }
  }
  StringRef arguments[] = {
      program,           "-shared",          "-z", "defs",      "-z",      "noexecstack", "-s",
      "--build-id=none", "--hash-style=gnu", "-o", output.path, input.path};
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
