// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plain POSIX calls, because streams do not say why they failed.
#include "spikeloom/Runtime/Files.h"
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace spikeloom::runtime {

static Error failure(const std::string &path, const char *what) {
  return Error{path + ": cannot " + what + ": " + std::strerror(errno)};
}

Result<Bytes> readFile(const std::string &path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return failure(path, "open for reading");
  struct stat info = {};
  if (fstat(file, &info) != 0 || S_ISDIR(info.st_mode)) {
    errno = S_ISDIR(info.st_mode) ? EISDIR : errno;
    Error error = failure(path, "read");
    close(file);
    return error;
  }
  Bytes bytes;
  size_t used = 0;
  while (true) {
    if (used == bytes.size())
      bytes.resize(std::max<size_t>(size_t(info.st_size) + 1, used * 2));
    ssize_t got = read(file, bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      Error error = failure(path, "read");
      close(file);
      return error;
    }
    if (got == 0)
      break;
    used += size_t(got);
  }
  close(file);
  bytes.resize(used);
  return bytes;
}

static bool writeAll(int file, const uint8_t *data, size_t size) {
  while (size > 0) {
    ssize_t put = write(file, data, size);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return false;
    data += put;
    size -= size_t(put);
  }
  return true;
}

Status writeFileAtomically(const std::string &path, const void *data, size_t size) {
  struct stat info = {};
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    return failure(path, "write");
  }
  if (exists && !S_ISREG(info.st_mode)) { // a device or pipe, such as /dev/stdout: nothing to keep whole
    int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0)
      return failure(path, "open for writing");
    bool written = writeAll(file, static_cast<const uint8_t *>(data), size);
    Error error = failure(path, "write");
    close(file);
    if (!written)
      return error;
    return success();
  }
  std::string temporary = path + ".XXXXXX";
  int file = mkstemp(temporary.data());
  if (file < 0)
    return failure(path, "create (is the folder there and writable?)");
  // mkstemp makes private files; give the rights that any other program would.
  const mode_t mask = umask(0);
  umask(mask);
  bool written = fchmod(file, exists ? info.st_mode & 07777 : 0666 & ~mask) == 0 &&
                 writeAll(file, static_cast<const uint8_t *>(data), size) && fsync(file) == 0;
  int cause = errno;
  if (close(file) != 0 && written) {
    written = false;
    cause = errno;
  }
  if (written && rename(temporary.c_str(), path.c_str()) == 0)
    return success();
  errno = written ? errno : cause;
  Error error = failure(path, "write");
  unlink(temporary.c_str());
  return error;
}

} // namespace spikeloom::runtime
