# shellcheck shell=bash
# What the other scripts stand on. Sourced, never run.
#
# Each `need_*` function makes one thing available: it returns at once when the thing is there, and otherwise
# says in one line what it installs and why. What is built or fetched lands in a cache outside the source tree,
# by version; npm packages land in node_modules. Progress goes to standard error only, because the standard
# output of some scripts is a contract.
#
# Environment:
#   THROUGHLINE_CACHE     where tools are kept (default: ~/.cache/throughline)
#   THROUGHLINE_WASM_STD  "debian" builds the Worker with Debian's Rust even where rustup's would do

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${THROUGHLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/throughline}
WASM_TARGET=wasm32-unknown-unknown
WASM_TOOLCHAIN='' # the folder of the toolchain that builds the Worker, where it is not the one in PATH

say() { printf '· %s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The comment at the top of the running script is its help.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# Runs a command with its output kept in a log of this name.
logged() {
  local log=$CACHE/log/$1.log
  shift
  mkdir -p "$CACHE/log"
  "$@" >"$log" 2>&1 </dev/null
}

# The same for a command that has to succeed: shows the end of the log and stops when it does not.
must() {
  logged "$@" && return
  tail -n 30 "$CACHE/log/$1.log" >&2
  die "$1 failed: ${*:2}; the whole output is in $CACHE/log/$1.log"
}

# One set-up at a time: two scripts started together must not build the same tool into the same place.
lock_setup() {
  mkdir -p "$CACHE"
  exec 8>"$CACHE/lock"
  flock -n 8 && return
  say "waiting for another set-up to finish"
  flock 8
}

unlock_setup() { exec 8>&-; }

# --- Debian packages ---------------------------------------------------------------------------------------

APT_UPDATED=''

apt_get() {
  DEBIAN_FRONTEND=noninteractive must apt apt-get -qq -o DPkg::Lock::Timeout=600 "$@"
}

apt_update() {
  [[ -z $APT_UPDATED ]] || return 0
  apt_get update
  APT_UPDATED=yes
}

# need_packages WHY PACKAGE...
need_packages() {
  local why=$1 package missing=()
  shift
  for package; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || die "$why: install ${missing[*]} (found no apt-get to do it with)"
  ((EUID == 0)) || die "$why. Run these, then start again:
  sudo apt-get update
  sudo apt-get install -y --no-install-recommends ${missing[*]}"
  say "installing Debian's ${missing[*]}: $why"
  lock_setup
  apt_update
  apt_get install -y --no-install-recommends "${missing[@]}"
  unlock_setup
}

need_wrk() {
  command -v wrk >/dev/null || need_packages "wrk makes the load of the benchmarks" wrk
}

need_chromium() {
  command -v chromium >/dev/null || need_packages "Chromium runs the tests of the console" chromium
}

# --- Python ------------------------------------------------------------------------------------------------

SCHEMATHESIS_VERSION=4.32.5

# Sets SCHEMATHESIS to the program that asks the API by its own document, in an environment of its own in the cache.
need_schemathesis() {
  SCHEMATHESIS=$CACHE/schemathesis-$SCHEMATHESIS_VERSION/bin/schemathesis
  [[ ! -x $SCHEMATHESIS ]] || return 0
  need_packages "schemathesis is a Python program" python3 python3-venv
  lock_setup
  if [[ ! -x $SCHEMATHESIS ]]; then
    say "pip install schemathesis $SCHEMATHESIS_VERSION: it asks the API by its OpenAPI document (half a minute)"
    must schemathesis-venv python3 -m venv "$CACHE/schemathesis-$SCHEMATHESIS_VERSION"
    must schemathesis-pip "$CACHE/schemathesis-$SCHEMATHESIS_VERSION/bin/pip" install --quiet "schemathesis==$SCHEMATHESIS_VERSION"
  fi
  unlock_setup
}

# --- Rust for Wasm -----------------------------------------------------------------------------------------

# Makes building for Wasm possible by the simplest way that works here: what the toolchain has, what rustup can
# fetch, and last Debian's toolchain with a standard library built from Debian's own source.
need_wasm_std() {
  command -v cargo >/dev/null || die "cargo is not in PATH: install Rust 1.91 or newer first"
  if [[ ${THROUGHLINE_WASM_STD:-} != debian ]]; then
    ! has_wasm_std || return 0
    if ! debian_toolchain_ready && command -v rustup >/dev/null; then
      say "rustup target add $WASM_TARGET: the Worker is built for it"
      lock_setup
      logged rustup timeout 180 rustup target add "$WASM_TARGET" || say "rustup cannot fetch it here; taking Debian's toolchain"
      unlock_setup
      ! has_wasm_std || return 0
    fi
  fi
  debian_toolchain_ready || make_debian_toolchain
  WASM_TOOLCHAIN=$(debian_toolchain)
}

has_wasm_std() {
  compgen -G "$(rustc --print target-libdir --target "$WASM_TARGET")/libcore-*.rlib" >/dev/null
}

# Runs a command with the Rust that builds the Worker.
with_wasm_rust() {
  if [[ -n $WASM_TOOLCHAIN ]]; then
    # clippy-driver stands in for rustc and so bypasses the wrapper: it learns the sysroot from SYSROOT.
    PATH=$WASM_TOOLCHAIN/bin:$PATH SYSROOT=$WASM_TOOLCHAIN "$@"
  else
    "$@"
  fi
}

debian_toolchain() {
  printf '%s/debian-rust-%s' "$CACHE" "$(dpkg-query -W -f='${Version}' rustc-web 2>/dev/null)"
}

debian_toolchain_ready() {
  local bin
  bin=$(debian_toolchain)/bin
  [[ -x $bin/rustc && -x $bin/cargo && -x $bin/clippy-driver && -x /usr/bin/rust-lld ]]
}

make_debian_toolchain() {
  local packages=(rustc-web cargo-web rust-web-src rust-web-llvm rust-web-clippy) lld
  local why="the Worker needs a Rust that can build for Wasm"
  command -v apt-get >/dev/null || die "$why. Run: rustup target add $WASM_TARGET"
  ((EUID != 0)) || apt_update
  # rustc's own LLVM and the linker must be of one version.
  lld=$(apt-cache depends rust-web-llvm 2>/dev/null | sed -n 's/.*Depends: llvm-\([0-9]*\)$/lld-\1/p')
  [[ -n $lld ]] || die "$why, and apt does not know rust-web-llvm. Run: sudo apt-get update; if that does not help: rustup target add $WASM_TARGET"
  need_packages "$why" "${packages[@]}" "$lld"
  lock_setup
  debian_toolchain_ready || build_debian_std "$(debian_toolchain)"
  unlock_setup
}

# A toolchain in the cache: Debian's programs around a sysroot that has the standard library for Wasm as well.
build_debian_std() {
  local toolchain=$1 made host
  say "building Rust's standard library for Wasm with Debian's rustc: it has none (once, about 1 min)"
  made=$toolchain.new
  rm -rf "$made"
  mkdir -p "$made"/{crate/src,bin} "$made/lib/rustlib/$WASM_TARGET/lib"
  printf '[package]\nname = "empty"\nedition = "2024"\n[workspace]\n[profile.release]\npanic = "abort"\n' >"$made/crate/Cargo.toml"
  touch "$made/crate/src/lib.rs"
  # Without the embedded bitcode, link-time optimisation of the Worker fails.
  must rust-std env -C "$made/crate" -u CARGO_TARGET_DIR -u CARGO_ENCODED_RUSTFLAGS \
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
    /usr/bin/cargo build --release --target "$WASM_TARGET" -Zbuild-std=std,panic_abort
  mv "$made/crate/target/$WASM_TARGET/release/deps"/*.rlib "$made/lib/rustlib/$WASM_TARGET/lib/"
  rm -r "$made/crate"
  host=$(/usr/bin/rustc -vV | sed -n 's/^host: //p')
  ln -s "/usr/lib/rustlib/$host" "$made/lib/rustlib/$host"
  ln -s /usr/bin/{cargo,cargo-clippy,clippy-driver} "$made/bin/"
  printf '#!/bin/sh\nexec /usr/bin/rustc --sysroot "%s" "$@"\n' "$toolchain" >"$made/bin/rustc"
  chmod +x "$made/bin/rustc"
  rm -rf "$toolchain"
  mv "$made" "$toolchain"
}

# --- Tools from crates.io ----------------------------------------------------------------------------------

# The version of a package in Cargo.lock.
locked_version() {
  awk -v name="name = \"$1\"" '$0 == name { found = 1 } found && /^version/ { gsub(/"/, "", $3); print $3; exit }' "$ROOT/Cargo.lock"
}

need_wasm_bindgen() {
  local version
  version=$(locked_version wasm-bindgen)
  need_tool wasm-bindgen "$version" wasm-bindgen-cli "the JavaScript glue must be of the version in Cargo.lock" --no-default-features
  export WASM_BINDGEN_BIN=$CACHE/wasm-bindgen-$version/bin/wasm-bindgen
}

need_worker_build() {
  local version
  version=$(locked_version worker)
  need_tool worker-build "$version" worker-build "it turns the crate into a Worker"
  export WORKER_BUILD=$CACHE/worker-build-$version/bin/worker-build
}

# need_tool PROGRAM VERSION CRATE WHY OPTION...
need_tool() {
  local program=$1 version=$2 crate=$3 why=$4 home=$CACHE/$1-$2
  shift 4
  [[ ! -x $home/bin/$program ]] || return 0
  [[ -n $version ]] || die "Cargo.lock names no version for $program"
  lock_setup
  if [[ ! -x $home/bin/$program ]]; then
    say "cargo install $crate $version: $why (once, about 2 min)"
    # Without optimisation, which takes three times as long and saves half a second a build; from the cache's
    # folder and without the caller's flags, which are meant for the Worker.
    local install=(env -C "$CACHE" -u CARGO_TARGET_DIR -u CARGO_BUILD_TARGET -u RUSTFLAGS CARGO_PROFILE_DEV_DEBUG=0
      cargo install --debug --root "$home.new" --version "=$version" --bin "$program" "$@")
    # A registry that lags behind may lack a version its authors locked; then the newest that fit have to do.
    logged "$program" "${install[@]}" --locked "$crate" || must "$program" "${install[@]}" "$crate"
    rm -rf "$home"
    mv "$home.new" "$home"
  fi
  unlock_setup
}

# --- Node and npm packages ---------------------------------------------------------------------------------

# The packages of package-lock.json, among them a Node that is new enough for wrangler: as NODE, and first in PATH.
need_node() {
  local stamp=$ROOT/node_modules/.throughline lock
  lock=$(sha256sum <"$ROOT/package-lock.json")
  if [[ $(cat "$stamp" 2>/dev/null) != "$lock" ]]; then
    command -v npm >/dev/null || need_packages "npm fetches wrangler, workerd and the other tools" nodejs npm
    lock_setup
    if [[ $(cat "$stamp" 2>/dev/null) != "$lock" ]]; then
      say "npm ci: wrangler, workerd, wasm-opt, esbuild and the Node they run on (half a minute)"
      must npm-ci npm --prefix "$ROOT" ci
      printf '%s\n' "$lock" >"$stamp"
    fi
    unlock_setup
  fi
  export PATH=$ROOT/node_modules/.bin:$PATH
  NODE=$ROOT/node_modules/.bin/node
  if [[ ! -x $NODE ]]; then # npm has that Node for Linux only
    NODE=$(command -v node || true)
    "${NODE:-node}" -e 'const [a, b] = process.versions.node.split("."); process.exit(+(a * 100 + +b < 2212))' 2>/dev/null ||
      die "node is too old or not in PATH: install Node 22.12 or newer"
  fi
  export NODE
  # wrangler is never to wait for an answer, to talk to the outside or to leave logs in the home folder.
  export CI=${CI:-1} WRANGLER_SEND_METRICS=false WRANGLER_SEND_ERROR_REPORTS=false WRANGLER_WRITE_LOGS=false \
    WRANGLER_HIDE_BANNER=true WRANGLER_NO_SKILLS_UPDATE_PROMPTS=true CLOUDFLARE_CF_FETCH_ENABLED=false
}
