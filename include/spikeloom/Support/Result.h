// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A value or the reason why there is none: how the plain C++ libraries report bad input without exceptions.
#ifndef SPIKELOOM_SUPPORT_RESULT_H
#define SPIKELOOM_SUPPORT_RESULT_H

#include <string>
#include <utility>
#include <variant>

namespace spikeloom {

/// What is wrong, where, the limit and the value found, and the remedy, in one text for the user.
struct Error {
  std::string message;
};

/// Either a `T` or an `Error`. `if (result) use(*result); else report(result.error());`
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : content(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return content.index() == 0; }
  T &operator*() { return *std::get_if<0>(&content); }
  const T &operator*() const { return *std::get_if<0>(&content); }
  T *operator->() { return std::get_if<0>(&content); }
  const T *operator->() const { return std::get_if<0>(&content); }
  const std::string &error() const { return std::get_if<1>(&content)->message; }

private:
  std::variant<T, Error> content;
};

/// The outcome of an action that has no value: `if (Status done = save(); !done) report(done.error());`
using Status = Result<std::monostate>;
inline Status success() { return std::monostate(); }

} // namespace spikeloom
#endif
