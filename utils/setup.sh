# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What utils/quickstart and utils/check share: packages, the Python environment and the build. Sourced, not run.
# Every function looks before it acts, so that a second call costs next to nothing.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${SPIKELOOM_BUILD:-$project/build}
venv=${SPIKELOOM_VENV:-$project/.venv}

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "installing packages needs root; run this as root or install sudo: $*"
  fi
}

# need_packages NAME...: installs those Debian packages that are missing.
need_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "this is no Debian system; install by hand: ${missing[*]}"
  say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >"$build/apt.log" 2>&1 || {
    tail -n 20 "$build/apt.log" >&2
    fail "apt-get could not install the packages above. MLIR 22.1 is in Debian 12's security archive:" \
      "'deb http://deb.debian.org/debian-security bookworm-security main' must be among the apt sources"
  }
}

# need_python STAMP PIP-ARGUMENT...: one pip call in the project's environment, unless the same call succeeded before.
need_python() {
  local stamp=$venv/.spikeloom-$1 wanted
  shift
  wanted="$(python3 --version) $*"
  if [ ! -x "$venv/bin/python" ]; then
    say "Creating the Python environment $venv"
    python3 -m venv "$venv"
  fi
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  say "Installing Python packages: $*"
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check "$@" || return 1
  echo "$wanted" >"$stamp"
}

base_packages=(ca-certificates clang-22 lld-22 llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools cmake ninja-build
  ccache nlohmann-json3-dev python3 python3-dev python3-venv)
test_packages=(clang-format-22 libgtest-dev libgmock-dev)
base_python=('numpy>=2' 'onnx>=1.17' 'nanobind>=2.4' 'safetensors>=0.5' 'nir>=1.0.6')

# configure: CMake runs only the first time; later changes Ninja sees itself. Both commands build with warnings as
# errors, because a change of options would build everything again.
configure() {
  local options=(-DPython_EXECUTABLE="$venv/bin/python" -DSPIKELOOM_WERROR=ON)
  local wanted="${options[*]}"
  export CCACHE_BASEDIR=$project CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
  if [ -f "$build/build.ninja" ] && [ "$(cat "$build/.configured" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  say "Configuring $build"
  (cd "$project" && cmake --preset release -B "$build" "${options[@]}") \
    >"$build/configure.log" 2>&1 || {
    cat "$build/configure.log" >&2
    fail "CMake failed; its output is in $build/configure.log"
  }
  echo "$wanted" >"$build/.configured"
}

# build_targets TARGET...
build_targets() {
  say "Building $*"
  ninja -C "$build" "$@" >"$build/build.log" 2>&1 || {
    grep -A 12 -E 'error:|FAILED' "$build/build.log" | head -n 80 >&2
    fail "the build failed; its whole output is in $build/build.log"
  }
}
