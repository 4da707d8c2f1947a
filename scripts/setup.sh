# shellcheck shell=bash
# Set-up shared by the scripts beside this file: sourced, never run. Installs only what is missing, says what, asks
# nothing; a second run installs nothing and needs no network.
#
#   packages NAME...   Debian packages that must be there
#   toolchain NAME...  a Rust toolchain new enough for Cargo.toml, with these parts (cargo, rustfmt, clippy)
#   rust_target NAME   what compiles for that machine besides (aarch64-unknown-linux-gnu ...)
#   as_root CMD...     as root: directly, or through sudo

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
target=${CARGO_TARGET_DIR:-$root/target}

# What it takes to compile and to make sound; what the tests need besides.
# shellcheck disable=SC2034
build_packages=(build-essential pkg-config libasound2-dev ca-certificates curl)
# shellcheck disable=SC2034
play_packages=(libasound2-plugins)
# shellcheck disable=SC2034
test_packages=(pulseaudio pulseaudio-utils libasound2-plugins alsa-utils ffmpeg sox libsox-fmt-all espeak-ng minisign
  sqlite3 shellcheck python3 git procps faketime vim-tiny nano)

say() { printf '%s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    die "this needs root and there is no sudo; run as root: $*"
  fi
}

# release -> "12", "13" or nothing when this is no Debian
release() {
  (
    # shellcheck disable=SC1091
    [[ -r /etc/os-release ]] && . /etc/os-release
    case ${ID:-} in debian | raspbian) printf '%s' "${VERSION_ID:-}" ;; esac
  )
}

packages() {
  local name found machine own log missing=()
  if ! command -v dpkg-query >/dev/null; then
    say "no Debian packages here; you need what these hold: $*"
    return 0
  fi
  own=$(dpkg --print-architecture)
  for name in "$@"; do
    # Where packages of another machine are installed as well (scripts/cross), this machine's own is meant.
    machine=$own
    [[ $name == *:* ]] && machine=${name##*:}
    found=$(dpkg-query -W -f='${db:Status-Status} ${Architecture}\n' "$name" 2>/dev/null || true)
    grep -qxE "installed ($machine|all)" <<<"$found" || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  case $(release) in
    12 | 13) ;;
    *) say "note: made for Debian 12 and 13, this is another release; trying the same package names" ;;
  esac
  say "installing: ${missing[*]}"
  # An old package list may do; if it does not, the installation says so.
  as_root apt-get update -qq || say "note: the package lists could not be refreshed; going on with those that are here"
  # Its hundreds of lines are of use only where it fails.
  log=$(mktemp)
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove \
    -o Dpkg::Use-Pty=0 "${missing[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "could not install ${missing[*]}: is there a network? then run this again"
  fi
  rm -f "$log"
}

# wanted_rust -> rust-version of Cargo.toml
wanted_rust() { sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$root/Cargo.toml"; }

# rust_is_new_enough: is there a cargo with a rustc of at least that version?
rust_is_new_enough() {
  local have
  command -v cargo >/dev/null && command -v rustc >/dev/null || return 1
  have=$(cd "$root" && RUSTUP_AUTO_INSTALL=0 rustc --version 2>/dev/null | awk '{print $2}') || return 1
  [[ -n $have && $(printf '%s\n%s\n' "$(wanted_rust)" "${have%%-*}" | sort -V | head -n 1) == "$(wanted_rust)" ]]
}

toolchain() {
  local component own=${CARGO_HOME:-$HOME/.cargo}/bin
  # What an earlier run installed is not in PATH until the next login, or stands behind an older one of the
  # distribution.
  if ! rust_is_new_enough && [[ -d $own ]]; then
    PATH=$own:$PATH
  fi
  # Too old, but rustup is at hand: its newest one, for this run only. The user's own default stays.
  if ! rust_is_new_enough && command -v rustup >/dev/null; then
    export RUSTUP_TOOLCHAIN=stable
  fi
  if ! rust_is_new_enough; then
    say "installing: Rust (stable), as loaxa needs $(wanted_rust) or newer"
    if ! command -v rustup >/dev/null && [[ $(release) == 13 ]] && ! command -v rustc >/dev/null; then
      packages rustup
    fi
    if command -v rustup >/dev/null; then
      rustup toolchain install stable --profile minimal --no-self-update >&2 ||
        die "could not install Rust: is there a network? then run this again"
    else
      packages curl ca-certificates
      local installer from got=''
      installer=$(mktemp)
      # The same file under two names: where names are filtered, the second one is needed for Rust itself anyway.
      for from in https://sh.rustup.rs https://static.rust-lang.org/rustup/rustup-init.sh; do
        if curl --proto '=https' --tlsv1.2 -sSf --connect-timeout 20 --retry 2 -o "$installer" "$from"; then
          got=1
          break
        fi
        say "note: no Rust installer from $from"
      done
      [[ $got ]] || die "could not fetch the Rust installer: is there a network? then run this again"
      sh "$installer" -y -q --profile minimal --no-modify-path --default-toolchain stable >&2 ||
        die "could not install Rust: see the lines above"
      rm -f "$installer"
      PATH=$own:$PATH
    fi
    export RUSTUP_TOOLCHAIN=stable
    rust_is_new_enough || die "Rust $(wanted_rust) or newer is needed, and there is only: $(rustc --version 2>&1)"
  fi
  export PATH
  for component in "$@"; do
    case $component in
      cargo) continue ;;
      rustfmt) cargo fmt --version >/dev/null 2>&1 && continue ;;
      clippy) cargo clippy --version >/dev/null 2>&1 && continue ;;
    esac
    say "installing: $component"
    rustup component add "$component" >&2 || die "could not install $component: is there a network? then run this again"
  done
}

rust_target() { # NAME
  local there
  there=$(rustc --print target-libdir --target "$1" 2>/dev/null) && [[ -d $there ]] && return 0
  command -v rustup >/dev/null || die "this Rust came without rustup and cannot be given $1: see https://rustup.rs"
  say "installing: Rust for $1"
  rustup target add "$1" >&2 || die "could not install Rust for $1: is there a network? then run this again"
}
