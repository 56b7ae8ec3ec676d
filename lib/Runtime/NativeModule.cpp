// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An anonymous file in memory is the one way to hand an object to the dynamic loader without leaving a file
// behind.
#include "spikeloom/Runtime/NativeModule.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <sys/mman.h>
#include <unistd.h>

namespace spikeloom::runtime {

Result<SymbolLookup> loadNative(const Bytes &code, const std::string &name) {
  int file = memfd_create("spikeloom", MFD_CLOEXEC);
  if (file < 0)
    return Error{name + ": cannot make a file in memory for the native code: " + std::strerror(errno)};
  for (size_t done = 0; done < code.size();) {
    ssize_t put = write(file, code.data() + done, code.size() - done);
    if (put < 0 && errno != EINTR) {
      Error error{name + ": cannot store the native code in memory: " + std::strerror(errno)};
      close(file);
      return error;
    }
    done += size_t(std::max<ssize_t>(put, 0));
  }
  void *handle = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  const char *reason = handle ? nullptr : dlerror();
  if (!handle) {
    close(file);
    return Error{name + ": the native code cannot be loaded: " + (reason ? reason : "unknown reason")};
  }
  // The loader knows objects by their path, so the number must not be used again while this one is loaded.
  std::shared_ptr<void> module(handle, [file](void *h) {
    dlclose(h);
    close(file);
  });
  return SymbolLookup([module](const std::string &symbol) { return dlsym(module.get(), symbol.c_str()); });
}

} // namespace spikeloom::runtime
